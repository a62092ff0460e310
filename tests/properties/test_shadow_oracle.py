"""Does a challenger's join do what an obviously right one does, in memory, on disk, and back from its deltas?"""

import numpy as np
import pytest

from streamcheck.core import shelf
from streamcheck.core.ids import keys_of
from streamcheck.core.join import CONTENT
from streamcheck.core.joining import Predictions
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading
from streamcheck.core.shadow import Labelled, Shadow, Telling
from tests.properties.test_join_oracle import Event, Oracle, as_arrays, history, through_bytes
from tests.properties.test_join_shelf import Disk as LabelDisk

HISTORIES = 150
ROW_SEGMENTATIONS = 3


@pytest.fixture(autouse=True)
def tiny_runs(monkeypatch):
    monkeypatch.setattr(shelf, "CHUNK_ROWS", 20)
    monkeypatch.setattr(shelf, "RUNS_MAX", 3)
    monkeypatch.setattr("streamcheck.core.shadow._EXCESS", 8)
    monkeypatch.setattr("streamcheck.core.shadow.BLOCK_ROWS", 16)


class Disk(LabelDisk):
    """The same for a challenger; without memory_max all stays in memory."""

    def new(self):
        join = Shadow(self.rules, ROW_SEGMENTATIONS)
        if self.rules.memory_max is not None:
            join.attach(lambda key: through_bytes(self.chunks[key]), self.seed)
        return join

    def commit(self, join):
        super().commit(join)
        assert all(key.startswith("shelf/shadow/") for key in self.chunks)


def rules_of(rng):
    return JoinRules(
        horizon_ms=1_000 * int(rng.choice([1, 3, 10, 100])),
        corrections_last=False,
        predictions_max=int(rng.choice([1, 7, 30, 10_000])),
        labels_max=int(rng.choice([1, 4, 10_000])),
        memory_max=None if rng.random() < 0.5 else int(rng.choice([0, 1, 5, 20])),
        shelf_bytes=int(rng.choice([0, 10_000])),
    )


def rows_of(labels, first, rng):
    """Labelled rows of these ids, numbered on from `first` with gaps, and what each of them holds."""
    numbers = first + np.cumsum(rng.integers(1, 3, len(labels)))
    said = rng.random((2, len(labels)))
    return Labelled(numbers.astype(np.int64), said, rng.integers(0, 5, (ROW_SEGMENTATIONS, len(labels)), np.int32))


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_equal_to_the_oracle(seed):
    rng = np.random.default_rng((23, seed))
    rules = rules_of(rng)
    oracle, disk, known, first = Oracle(rules), Disk(rules, seed), {}, 0
    join = disk.new()
    for end_ms, predictions, labels in history(rng):
        rows = rows_of(labels, first, rng)
        first = int(rows.numbers.max(initial=first))
        said = rows.said.T.tolist(), rows.segments.T.tolist()
        known |= dict(zip(rows.numbers.tolist(), zip(*said, strict=True), strict=True))
        named = [(name, float(number)) for (name, _), number in zip(labels, rows.numbers.tolist(), strict=True)]
        expected, _ = oracle.step(end_ms, predictions, named)
        arrays, _ = as_arrays(predictions, [])
        of_rows = (arrays.keys, arrays.value, arrays.score, arrays.times)
        shadow = Predictions(*of_rows, np.empty((0, len(predictions)), np.int32))
        pairs, delta = join.meet(end_ms, shadow, rows, keys_of([name for name, _ in labels]))
        if any(len(delta[part]) for part in CONTENT):
            disk.deltas[end_ms] = delta
        found = zip(pairs.challenger, pairs.champion, pairs.label, pairs.segments.T.tolist(), strict=True)
        wanted = [(value, *known[int(number)][0], known[int(number)][1]) for _, value, number, *_ in expected]
        assert list(found) == wanted
        assert join.reading() == JoinReading(**oracle.books)
        held = sum(len(block.numbers) for block in join._blocks)
        assert held <= 2 * rules.labels_max + 8 + len(labels), "bounded by what may wait"
        if rng.random() < 0.5:
            disk.commit(join)
            if rng.random() < 0.6:
                join = disk.restored(join)
                assert join.reading() == JoinReading(**oracle.books)


def test_the_histories_do_what_they_are_for():
    """Rows and predictions come in either order; both expire, are evicted and go to disk."""
    books, spills = dict.fromkeys(JoinReading.__dataclass_fields__, 0), 0
    for seed in range(30):
        rng = np.random.default_rng((29, seed))
        rules, first = JoinRules(10_000, corrections_last=False, predictions_max=20, labels_max=4, memory_max=5), 0
        disk = Disk(rules, seed)
        join = disk.new()
        for end_ms, predictions, labels in history(rng):
            rows = rows_of(labels, first, rng)
            first = int(rows.numbers.max(initial=first))
            arrays, _ = as_arrays(predictions, [])
            of_rows = (arrays.keys, arrays.value, arrays.score, arrays.times)
            shadow = Predictions(*of_rows, np.empty((0, len(predictions)), np.int32))
            _, disk.deltas[end_ms] = join.meet(end_ms, shadow, rows, keys_of([name for name, _ in labels]))
            disk.commit(join)
        spills += disk.spills
        for name in books:
            books[name] += getattr(join.reading(), name)
    books.pop("labels_duplicate")  # of rows that came twice: their numbers differ, so that they count as corrections
    assert min(books.values()) > 10, books
    assert spills > 10


@pytest.mark.parametrize("seed", range(20))
def test_the_label_join_tells_whose_rows_it_has_completed(seed):
    rng = np.random.default_rng((31, seed))
    join = Telling(JoinRules(10_000, predictions_max=30, labels_max=4), 2)
    key_of = {}
    for end_ms, predictions, labels in history(rng):
        numbered = [
            Event(event.id, float(len(key_of) + at), event.score, event.time, event.segments)
            for at, event in enumerate(predictions)
        ]
        keys = keys_of([event.id for event in numbered])
        key_of |= {event.value: key for event, key in zip(numbered, keys.tolist(), strict=True)}
        joined, _, _ = join.step(end_ms, *as_arrays(numbered, labels))
        assert join.completed.tolist() == [key_of[value] for value in joined.prediction.tolist()]


def test_rows_that_met_their_prediction_leave_nothing_behind():
    join = Shadow(JoinRules(10**9, corrections_last=False, predictions_max=1_000, labels_max=100), 1)
    for pane in range(200):
        keys = keys_of([f"e{pane}-{i}" for i in range(50)])
        rows = Labelled(np.arange(50 * pane, 50 * pane + 50), np.zeros((2, 50)), np.zeros((1, 50), np.int32))
        none = Labelled(np.empty(0, np.int64), np.empty((2, 0)), np.empty((1, 0), np.int32))
        nothing = Predictions(keys[:0], np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty((0, 0), np.int32))
        join.meet(2_000 * pane + 1_000, nothing, rows, keys)
        said = Predictions(keys, np.ones(50), np.ones(50), np.zeros(50, np.int64), np.empty((0, 50), np.int32))
        pairs, _ = join.meet(2_000 * pane + 2_000, said, none, keys[:0])
        assert len(pairs.label) == 50
    assert join.reading().labels_matched == 10_000
    assert sum(len(block.numbers) for block in join._blocks) <= 2 * 100 + 1_024
