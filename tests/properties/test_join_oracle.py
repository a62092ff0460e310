"""Does the join do what an obviously right one does, event by event, and does it come back from its deltas the same?"""

from dataclasses import dataclass, field

import numpy as np
import pytest

from streamcheck.core import codec
from streamcheck.core.ids import keys_of
from streamcheck.core.join import Join
from streamcheck.core.joining import Labels, Predictions
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading

HISTORIES = 400
SEGMENTATIONS = 2


@dataclass(frozen=True)
class Event:
    """A prediction of one pane."""

    id: str
    value: float
    score: float
    time: int
    segments: tuple[int, ...]


@dataclass
class Kept:
    """A prediction that waits for its label, or has it."""

    event: Event
    pane_end: int
    label: float | None = None
    ordinal: int = -1


@dataclass
class Oracle:
    """Dicts of objects in the order in which they came; every rule is one plain statement."""

    rules: JoinRules
    predictions: dict[str, Kept] = field(default_factory=dict)
    waiting: dict[str, tuple[float, int]] = field(default_factory=dict)
    ordinals: int = 0
    books: dict[str, int] = field(default_factory=lambda: dict.fromkeys(JoinReading.__dataclass_fields__, 0))

    def step(self, end_ms, predictions, labels):
        """Completed rows and corrections of one pane."""
        self.expire(end_ms - self.rules.horizon_ms)
        completed, corrections = [], []
        for event in predictions:
            self.predict(event, end_ms, completed)
        for label_id, value in labels:
            self.label(label_id, value, end_ms, completed, corrections)
        rows = [(k.ordinal, k.event.value, k.label, k.event.score, k.event.time, k.event.segments) for k in completed]
        self.evict()
        self.books["predictions_pending"] = sum(k.label is None for k in self.predictions.values())
        self.books["labels_pending"] = len(self.waiting)
        return rows, corrections

    def predict(self, event, end_ms, completed):
        self.books["predictions"] += 1
        if event.id in self.predictions:
            self.books["predictions_duplicate"] += 1
            return
        kept = self.predictions[event.id] = Kept(event, end_ms)
        if event.id in self.waiting:
            self.match(kept, self.waiting.pop(event.id)[0], completed)

    def label(self, label_id, value, end_ms, completed, corrections):
        self.books["labels"] += 1
        kept = self.predictions.get(label_id)
        if kept is None and label_id not in self.waiting:
            self.waiting[label_id] = (value, end_ms)
        elif kept is not None and kept.label is None:
            self.match(kept, value, completed)
        elif value == (self.waiting[label_id][0] if kept is None else kept.label):
            self.books["labels_duplicate"] += 1
        else:
            self.books["labels_corrections"] += 1
            if not self.rules.corrections_last:
                return
            if kept is None:
                self.waiting[label_id] = (value, self.waiting[label_id][1])
            else:
                kept.label = value
                corrections.append((kept.ordinal, value, kept.event.segments))

    def match(self, kept, value, completed):
        kept.label, kept.ordinal = value, self.ordinals
        self.ordinals += 1
        self.books["predictions_matched"] += 1
        self.books["labels_matched"] += 1
        completed.append(kept)

    def expire(self, before_ms):
        for prediction_id in [i for i, k in self.predictions.items() if k.pane_end <= before_ms]:
            self.books["predictions_expired"] += self.predictions.pop(prediction_id).label is None
        for label_id in [i for i, (_, end_ms) in self.waiting.items() if end_ms <= before_ms]:
            del self.waiting[label_id]
            self.books["labels_expired"] += 1

    def evict(self):
        while len(self.predictions) > self.rules.predictions_max:
            self.books["predictions_evicted"] += self.predictions.pop(next(iter(self.predictions))).label is None
        while len(self.waiting) > self.rules.labels_max:
            del self.waiting[next(iter(self.waiting))]
            self.books["labels_evicted"] += 1


def history(rng):
    """Panes of (end, predictions, labels): few ids, so that they meet, repeat and return after they were forgotten."""
    ids, end_ms, panes = int(rng.integers(5, 60)), 0, []
    for _ in range(int(rng.integers(5, 40))):
        end_ms += 1_000 * int(rng.choice([1, 1, 1, 2, 9]))
        # Now and then more rows than the arrays begin with, of ids that nobody else has: they must grow and shrink.
        crowd = range(1_000, 1_000 + int(rng.integers(500, 2_000))) if rng.random() < 0.03 else ()
        predictions = [
            Event(f"e{i}", float(rng.integers(0, 2)), rng.random(), end_ms - int(rng.integers(0, 1_000)), segments)
            for i in (*rng.integers(0, ids, int(rng.integers(0, 12))).tolist(), *crowd)
            for segments in [tuple(rng.integers(0, 4, SEGMENTATIONS).tolist())]
        ]
        labels = [(f"e{i}", float(rng.integers(0, 3))) for i in rng.integers(0, ids + 3, int(rng.integers(0, 12)))]
        panes.append((end_ms, predictions, labels))
    return panes


def as_arrays(predictions, labels):
    segments = np.array([p.segments for p in predictions], np.int32).reshape(-1, SEGMENTATIONS).T
    return (
        Predictions(
            keys_of([p.id for p in predictions]),
            np.array([p.value for p in predictions], np.float64),
            np.array([p.score for p in predictions], np.float64),
            np.array([p.time for p in predictions], np.int64),
            segments,
        ),
        Labels(keys_of([i for i, _ in labels]), np.array([v for _, v in labels], np.float64)),
    )


def as_rows(joined):
    return list(
        zip(
            joined.ordinals.tolist(),
            joined.prediction.tolist(),
            joined.label.tolist(),
            joined.score.tolist(),
            joined.times.tolist(),
            [tuple(column) for column in joined.segments.T.tolist()],
            strict=True,
        )
    )


def through_bytes(state):
    return codec.decode("join", codec.encode("join", 1, state))[1]


def restored(join, rules, deltas):
    """Another join, from the bytes of this one's state and of the deltas that it still needs."""
    oldest = join.oldest_pane_end()
    for end_ms in [e for e in deltas if oldest is None or e < oldest]:
        del deltas[end_ms]
    twin = Join(rules, SEGMENTATIONS)
    twin.restore(through_bytes(join.export()), [through_bytes(deltas[end_ms]) for end_ms in sorted(deltas)])
    return twin


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_equal_to_the_oracle(seed):
    rng = np.random.default_rng(seed)
    rules = JoinRules(
        horizon_ms=1_000 * int(rng.choice([1, 3, 10, 100])),
        corrections_last=bool(rng.random() < 0.6),
        predictions_max=int(rng.choice([1, 7, 30, 10_000])),
        labels_max=int(rng.choice([1, 4, 10_000])),
    )
    oracle, join, deltas = Oracle(rules), Join(rules, SEGMENTATIONS), {}
    for end_ms, predictions, labels in history(rng):
        expected_rows, expected_corrections = oracle.step(end_ms, predictions, labels)
        joined, corrections, deltas[end_ms] = join.step(end_ms, *as_arrays(predictions, labels))
        assert as_rows(joined) == expected_rows
        assert [(c.ordinal, c.label, c.segments) for c in corrections] == expected_corrections
        assert join.reading() == JoinReading(**oracle.books)
        if rng.random() < 0.3:
            join = restored(join, rules, deltas)
            assert join.reading() == JoinReading(**oracle.books)


def test_the_histories_do_what_they_are_for():
    """Every book is written to, by histories of both kinds of corrections."""
    totals = dict.fromkeys(JoinReading.__dataclass_fields__, 0)
    for seed in range(0, HISTORIES, 10):
        rng = np.random.default_rng(seed)
        oracle = Oracle(JoinRules(10_000, corrections_last=seed % 20 == 0, predictions_max=20, labels_max=4))
        for pane in history(rng):
            oracle.step(*pane)
        for name, count in oracle.books.items():
            totals[name] += count
    assert min(totals.values()) > 10, totals


def test_books_balance_when_everything_is_evicted_at_once():
    rules = JoinRules(horizon_ms=10_000, predictions_max=1, labels_max=1)
    join = Join(rules, SEGMENTATIONS)
    events = [Event(f"e{i}", 1.0, 0.5, 0, (0, 0)) for i in range(5)]
    join.step(1_000, *as_arrays(events, [(f"orphan{i}", 1.0) for i in range(4)]))
    books = join.reading()
    assert (books.predictions_pending, books.predictions_evicted) == (1, 4)
    assert (books.labels_pending, books.labels_evicted) == (1, 3)


def test_labels_that_found_their_prediction_leave_nothing_behind():
    """Memory is bounded by what waits, not by what has ever waited within the horizon."""
    join = Join(JoinRules(horizon_ms=10**9, labels_max=100, predictions_max=1_000), SEGMENTATIONS)
    for pane in range(200):
        ids = [f"e{pane}-{i}" for i in range(50)]
        join.step(2_000 * pane + 1_000, *as_arrays([], [(i, 1.0) for i in ids]))
        join.step(2_000 * pane + 2_000, *as_arrays([Event(i, 1.0, 0.5, 0, (0, 0)) for i in ids], []))
    assert join.reading().labels_matched == 10_000
    assert len(join._waiting) <= 2 * 100 + 1_024
