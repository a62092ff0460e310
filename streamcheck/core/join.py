"""Which label belongs to which prediction? Either may come first; both wait until the horizon, then they are forgotten.

Books that always balance:
predictions = matched + pending + expired + evicted + duplicates
labels = matched + corrections + duplicates + pending + expired + evicted
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading
from streamcheck.core.types import CodeArray, FloatArray, IntArray

UNUSABLE = -1.7e308
"""Stands for a prediction or score that the event did not carry: a NaN never enters a state."""
_GROW_MIN = 1_024
CONTENT = ("ids", "slots", "released", "waiting_ids")
"""Parts of a delta; without any of them it says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """n predictions of one pane in canonical order.

    Ids, value and score (0.0 without) float64, event time, segments (S, n).
    """

    ids: list[str]
    value: FloatArray
    score: FloatArray
    times: IntArray
    segments: CodeArray


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """n labels of one pane in canonical order."""

    ids: list[str]
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Rows completed in one pane, in canonical order, numbered by `ordinals` (ascending over the life of the state)."""

    ordinals: IntArray
    prediction: FloatArray
    label: FloatArray
    score: FloatArray
    times: IntArray
    segments: CodeArray


@dataclass(frozen=True, slots=True)
class Correction:
    """A label that replaces an earlier one of the row numbered `ordinal`."""

    ordinal: int
    label: float
    segments: tuple[int, ...]

ID_CHARS_MAX = 64
"""Of ids that the join keeps as they are, if they are ASCII; of others it keeps a digest of 128 bits."""


def short_ids(ids: Sequence[str]) -> Sequence[str]:
    """The ids, those that would take much memory by a digest in their place.

    >>> short_ids(["e1", "x" * 65])[0], len(short_ids(["x" * 65])[0])
    ('e1', 33)
    """
    if max(map(len, ids), default=0) <= ID_CHARS_MAX and all(map(str.isascii, ids)):
        return ids
    return [_short(name) for name in ids]


def _short(name: str) -> str:
    if len(name) <= ID_CHARS_MAX and name.isascii():
        return name
    return "~" + hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(slots=True)
class _Waiting:
    value: float
    number: int


@dataclass(slots=True)
class _Delta:
    """What one pane changed, enough to make the join again from the deltas of the panes within the horizon."""

    first: int
    ids: list[str]
    entered: IntArray
    value: FloatArray
    score: FloatArray
    times: IntArray
    segments: CodeArray
    matched: list[tuple[int, float, int]] = field(default_factory=list)
    waiting: list[tuple[str, float, int]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


class Join:
    """Predictions by id in arrays, numbered as they entered; labels without a prediction wait beside them."""

    def __init__(self, rules: JoinRules, n_segmentations: int) -> None:
        self.rules = rules
        self._slots: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._ids: deque[str] = deque()
        self._head = 0  # number of the oldest prediction kept
        self._next = 0
        self._value = np.empty(_GROW_MIN)
        self._score = np.empty(_GROW_MIN)
        self._label = np.empty(_GROW_MIN)
        self._times = np.empty(_GROW_MIN, np.int64)
        self._ordinal = np.empty(_GROW_MIN, np.int64)  # of the completed row; -1 while the label is awaited
        self._segments = np.empty((n_segmentations, _GROW_MIN), np.int32)
        self._base = 0  # number of the prediction at place 0 of the arrays
        # Of each pane: its end, the first prediction and the first label after it.
        self._panes: deque[tuple[int, int, int]] = deque()
        self._label_order: deque[tuple[int, str]] = deque()
        self._next_label = 0
        self._next_ordinal = 0
        self._counts: dict[str, int] = dict.fromkeys(JoinReading.__dataclass_fields__, 0)

    # ------------------------------------------------------------------ one pane
    def step(self, end_ms: int, predictions: Predictions, labels: Labels) -> tuple[Joined, list[Correction], State]:
        """First the pane's predictions enter, then its labels.

        Returns completed rows, corrections, and the delta to keep.
        """
        self._expire(end_ms - self.rules.horizon_ms)
        before = self._next, self._next_label
        delta, completed = self._enter(predictions)
        corrections: list[Correction] = []
        slots = np.array([self._slots.get(i, -1) for i in labels.ids], np.int64)
        # Labels are matched one by one: a second label of the same id in one pane sees the first.
        for at, (label_id, slot) in enumerate(zip(labels.ids, slots.tolist(), strict=True)):
            value = float(labels.value[at])
            if slot < 0:
                self._wait(label_id, value, delta)
            elif self._ordinal[slot - self._base] < 0:
                completed.append(self._match(slot, value, delta))
            else:
                self._correct(slot, value, delta, corrections)
        self._counts["labels"] += len(labels.ids)
        if (self._next, self._next_label) != before:  # nothing else is forgotten with a pane
            self._panes.append((end_ms, self._next, self._next_label))
        joined = self._joined(completed)
        self._evict()
        return joined, corrections, _export_delta(delta)

    def _enter(self, new: Predictions) -> tuple[_Delta, list[int]]:
        n, first = len(new.ids), self._next
        setdefault = self._slots.setdefault
        slots = np.array([setdefault(i, number) for number, i in enumerate(new.ids, first)], np.int64)
        fresh = np.flatnonzero(slots == np.arange(first, first + n))
        if len(fresh) < n:  # numbers follow the predictions that entered; duplicates take none
            ids = [new.ids[i] for i in fresh.tolist()]
            self._slots.update(zip(ids, range(first, first + len(ids)), strict=True))
        else:
            ids = new.ids
        self._reserve(len(ids))
        place = slice(first - self._base, first - self._base + len(ids))
        self._value[place], self._score[place], self._times[place] = (
            new.value[fresh],
            new.score[fresh],
            new.times[fresh],
        )
        self._segments[:, place] = new.segments[:, fresh]
        self._ordinal[place] = -1
        self._ids.extend(ids)
        self._next += len(ids)
        self._counts["predictions"] += n
        self._counts["predictions_duplicate"] += n - len(ids)
        self._counts["predictions_pending"] += len(ids)
        delta = _Delta(first, ids, fresh, new.value[fresh], new.score[fresh], new.times[fresh], new.segments[:, fresh])
        completed: list[int] = []
        if self._waiting:
            for number, i in enumerate(ids, first):
                label = self._waiting.pop(i, None)
                if label is not None:
                    self._counts["labels_pending"] -= 1
                    delta.released.append(i)
                    completed.append(self._match(number, label.value, delta))
        return delta, completed

    def _match(self, slot: int, value: float, delta: _Delta) -> int:
        at = slot - self._base
        self._label[at] = value
        self._ordinal[at] = self._next_ordinal
        self._next_ordinal += 1
        self._counts["predictions_pending"] -= 1
        self._counts["predictions_matched"] += 1
        self._counts["labels_matched"] += 1
        delta.matched.append((slot, value, int(self._ordinal[at])))
        return slot

    def _correct(self, slot: int, value: float, delta: _Delta, corrections: list[Correction]) -> None:
        at = slot - self._base
        if self._label[at] == value:
            self._counts["labels_duplicate"] += 1
            return
        self._counts["labels_corrections"] += 1
        if self.rules.corrections_last:
            self._label[at] = value
            ordinal = int(self._ordinal[at])
            delta.matched.append((slot, value, ordinal))
            corrections.append(Correction(ordinal, value, tuple(self._segments[:, at].tolist())))

    def _wait(self, label_id: str, value: float, delta: _Delta) -> None:
        known = self._waiting.get(label_id)
        if known is None:
            self._waiting[label_id] = _Waiting(value, self._next_label)
            self._label_order.append((self._next_label, label_id))
            delta.waiting.append((label_id, value, self._next_label))
            self._next_label += 1
            self._counts["labels_pending"] += 1
        elif known.value == value:
            self._counts["labels_duplicate"] += 1
        else:
            self._counts["labels_corrections"] += 1
            if self.rules.corrections_last:
                known.value = value
                delta.waiting.append((label_id, value, known.number))

    def _joined(self, slots: list[int]) -> Joined:
        at = np.array(slots, np.int64) - self._base
        return Joined(
            self._ordinal[at], self._value[at], self._label[at], self._score[at], self._times[at], self._segments[:, at]
        )

    # ------------------------------------------------------------------ forgetting
    def _expire(self, before_ms: int) -> None:
        """Forget what entered in panes that ended at `before_ms` or earlier."""
        while self._panes and self._panes[0][0] <= before_ms:
            _, prediction, label = self._panes.popleft()
            self._forget_predictions(prediction, "predictions_expired")
            self._forget_labels(label, "labels_expired")

    def _evict(self) -> None:
        """Forget the oldest beyond the limits."""
        self._forget_predictions(self._next - self.rules.predictions_max, "predictions_evicted")
        while len(self._waiting) > self.rules.labels_max:
            self._forget_labels(self._label_order[0][0] + 1, "labels_evicted")
        if len(self._label_order) > 2 * len(self._waiting) + _GROW_MIN:  # most have found their prediction since
            live = ((number, i) for number, i in self._label_order if i in self._waiting)
            self._label_order = deque((number, i) for number, i in live if self._waiting[i].number == number)

    def _forget_predictions(self, until: int, reason: str) -> None:
        if until <= self._head:
            return
        pending = int((self._ordinal[self._head - self._base : until - self._base] < 0).sum())
        self._counts[reason] += pending
        self._counts["predictions_pending"] -= pending
        for _ in range(until - self._head):
            del self._slots[self._ids.popleft()]
        self._head = until

    def _forget_labels(self, until: int, reason: str) -> None:
        while self._label_order and self._label_order[0][0] < until:
            number, label_id = self._label_order.popleft()
            waiting = self._waiting.get(label_id)
            if waiting is not None and waiting.number == number:
                del self._waiting[label_id]
                self._counts[reason] += 1
                self._counts["labels_pending"] -= 1

    def _reserve(self, n: int) -> None:
        """Make room for n more predictions.

        By dropping forgotten ones from the arrays when they are the half, else by growing.
        """
        need, room = self._next + n - self._base, len(self._value)
        if need <= room:
            return
        used = slice(self._head - self._base, self._next - self._base)
        kept = self._next - self._head
        size = max(_GROW_MIN, 2 * (kept + n))
        for name in ("_value", "_score", "_label", "_times", "_ordinal"):
            old = getattr(self, name)
            new = np.empty(size, old.dtype)
            new[:kept] = old[used]
            setattr(self, name, new)
        segments = np.empty((len(self._segments), size), np.int32)
        segments[:, :kept] = self._segments[:, used]
        self._segments = segments
        self._base = self._head

    # ------------------------------------------------------------------ state
    def reading(self) -> JoinReading:
        """The books."""
        return JoinReading(**self._counts)

    def oldest_pane_end(self) -> int | None:
        """Deltas of panes that ended before this are needed no more."""
        return self._panes[0][0] if self._panes else None

    def export(self) -> State:
        """Heads and books; the entries themselves are in the deltas."""
        return {
            "head": self._head,
            "next": self._next,
            "next_label": self._next_label,
            "next_ordinal": self._next_ordinal,
            "label_head": self._label_order[0][0] if self._label_order else self._next_label,
            "panes": [list(pane) for pane in self._panes],
            "counts": dict(self._counts),
        }

    def restore(self, state: State, deltas: Iterable[State]) -> None:
        """Make the join again. deltas: those of `step` within the horizon, ascending by pane."""
        self._head = self._base = self._next = state["head"]
        for delta in deltas:
            self._redo(delta, state["label_head"])
        assert self._next == state["next"], f"join deltas end at {self._next}, state at {state['next']}"
        self._next_label, self._next_ordinal = state["next_label"], state["next_ordinal"]
        self._panes = deque((pane[0], pane[1], pane[2]) for pane in state["panes"])
        self._counts = dict(state["counts"])

    def _redo(self, delta: State, label_head: int) -> None:
        skip = max(0, self._head - delta["first"])
        ids = delta["ids"][skip:]
        self._reserve(len(ids))
        place = slice(self._next - self._base, self._next - self._base + len(ids))
        self._value[place], self._score[place] = delta["value"][skip:], delta["score"][skip:]
        self._times[place], self._segments[:, place] = delta["times"][skip:], delta["segments"][:, skip:]
        self._ordinal[place] = -1
        self._slots.update(zip(ids, range(self._next, self._next + len(ids)), strict=True))
        self._ids.extend(ids)
        self._next += len(ids)
        for slot, value, ordinal in zip(
            delta["slots"].tolist(), delta["labels"].tolist(), delta["ordinals"].tolist(), strict=True
        ):
            if slot >= self._head:
                self._label[slot - self._base], self._ordinal[slot - self._base] = value, ordinal
        for label_id in delta["released"]:
            self._waiting.pop(label_id, None)
        for label_id, value, number in zip(
            delta["waiting_ids"], delta["waiting_values"].tolist(), delta["waiting_numbers"].tolist(), strict=True
        ):
            if number >= label_head:
                if label_id not in self._waiting:
                    self._label_order.append((number, label_id))
                self._waiting[label_id] = _Waiting(value, number)


def _export_delta(delta: _Delta) -> State:
    matched = delta.matched
    return {
        "first": delta.first,
        "ids": list(delta.ids),
        "value": delta.value,
        "score": delta.score,
        "times": delta.times,
        "segments": delta.segments,
        "slots": np.array([m[0] for m in matched], np.int64),
        "labels": np.array([m[1] for m in matched], np.float64),
        "ordinals": np.array([m[2] for m in matched], np.int64),
        "released": list(delta.released),
        "waiting_ids": [w[0] for w in delta.waiting],
        "waiting_values": np.array([w[1] for w in delta.waiting], np.float64),
        "waiting_numbers": np.array([w[2] for w in delta.waiting], np.int64),
    }
