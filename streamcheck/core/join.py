"""Which label belongs to which prediction? Either may come first; both wait until the horizon, then they are forgotten.

Books that always balance:
predictions = matched + pending + expired + evicted + duplicates
labels = matched + corrections + duplicates + pending + expired + evicted
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.bits import GROWTH as BITS_GROWTH
from streamcheck.core.bits import Bits
from streamcheck.core.components import State
from streamcheck.core.entries import Entries, Mortals
from streamcheck.core.id_table import NOWHERE, PLACE_BYTES, IdTable
from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.joining import (
    Correction,
    Joined,
    Labels,
    Predictions,
    distinct,
    first_of_each,
    groups,
    together,
)
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading
from streamcheck.core.types import BoolArray, CodeArray, FloatArray, IntArray, KeyArray

VALUE_BYTES, SCORE_BYTES, TIME_BYTES = 8, 8, 8
"""Exact: float64, float64 and int64 as they came. Once matched, value and time give their room to label and ordinal."""
MATCHED_BYTES = BITS_GROWTH / 8
"""A bit that says whether a label came, and the room that bits have left over."""
LIVING_BYTES = 1
ROWS_FORESEEN_MAX = 1 << 24
"""Entries for which room is asked of the system at once, which gives memory only to what is used. Beyond it they are
copied as they grow."""
ONE_PANE = 1 << 18
"""What a pane may bring before the oldest beyond the limit are forgotten."""
_WAITING_EXCESS = 1_024
CONTENT = ("keys", "slots", "released", "waiting_keys", "changed_keys")
"""Parts of a delta; without any of them it says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Meeting:
    """n labels against what they met. slots: of their prediction, waiting: of an earlier label that waits, -1 without.

    before: the value that counted before each; known: whether there was one; last: the label after which none of its id
    follows in the pane; order, begins: see joining.groups.
    """

    slots: IntArray
    waiting: IntArray
    before: FloatArray
    known: BoolArray
    last: BoolArray
    order: IntArray
    begins: BoolArray


def entry_bytes(n_segmentations: int, segments_max: int) -> int:
    """Memory that one waiting prediction takes at most, with all that finds it again.

    Key 16, value 8, score 8, time 8, two for each segmentation, its place in the hash table 8.6, its bit 0.2.

    >>> entry_bytes(1, 1_000), entry_bytes(4, 1_000)
    (51, 57)
    """
    segments = n_segmentations * segment_dtype(segments_max).itemsize
    row = KEY_BYTES + VALUE_BYTES + SCORE_BYTES + TIME_BYTES + segments
    return math.ceil(row + PLACE_BYTES + MATCHED_BYTES)


def label_bytes() -> int:
    """Memory that one waiting label takes at most: as many more may lie between them that wait no more."""
    return 2 * math.ceil(KEY_BYTES + VALUE_BYTES + LIVING_BYTES + PLACE_BYTES)


def segment_dtype(segments_max: int) -> np.dtype[np.signedinteger]:
    """The smallest that holds every segment's number."""
    return np.dtype(np.int16) if segments_max < np.iinfo(np.int16).max else np.dtype(np.int32)


def _foreseen(entries_max: int) -> int:
    return min(entries_max + ONE_PANE, ROWS_FORESEEN_MAX)


class Join:
    """Predictions by id in arrays, numbered as they entered; labels without a prediction wait beside them.

    An entry's value and time make room for its label and ordinal once it is matched: nobody asks for them any more.
    """

    def __init__(self, rules: JoinRules, n_segmentations: int, segments_max: int = 2**31 - 1) -> None:
        self.rules = rules
        segments = (segment_dtype(segments_max), n_segmentations)
        self._kept = Entries(
            {"value": (np.float64, None), "score": (np.float64, None), "time": (np.int64, None), "segments": segments},
            _foreseen(rules.predictions_max),
        )
        self._matched = Bits()
        self._slots = IdTable()
        self._waiting = Mortals({"value": (np.float64, None)}, _foreseen(2 * rules.labels_max))
        self._waiting_slots = IdTable()
        # Of each pane: its end, the first prediction and the first waiting label after it.
        self._panes: deque[tuple[int, int, int]] = deque()
        self._next_ordinal = 0
        self._counts: dict[str, int] = dict.fromkeys(JoinReading.__dataclass_fields__, 0)

    @property
    def nbytes(self) -> int:
        """Bytes held by what waits."""
        parts = (self._kept, self._slots, self._matched, self._waiting, self._waiting_slots)
        return sum(part.nbytes for part in parts)

    # ------------------------------------------------------------------ one pane
    def step(self, end_ms: int, predictions: Predictions, labels: Labels) -> tuple[Joined, list[Correction], State]:
        """First the pane's predictions enter, then its labels.

        Returns completed rows, corrections, and the delta to keep.
        """
        self._expire(end_ms - self.rules.horizon_ms)
        before = self._kept.next, self._waiting.next
        entered, released, early = self._enter(predictions)
        by_predictions = self._complete(released, early)
        met = self._meet(labels)
        matching = (met.slots != NOWHERE) & ~met.known
        by_labels = self._complete(met.slots[matching], labels.value[matching])
        completed = np.concatenate([released, met.slots[matching]])
        corrected = self._correct(labels, met)
        corrections = self._corrections(met.slots[corrected], labels.value[corrected])
        changed = distinct(np.concatenate([completed, met.slots[corrected]]))
        kept, at = self._kept.columns, self._kept.place(changed)
        matched = {"slots": changed, "labels": kept["value"][at], "ordinals": kept["time"][at]}
        delta = {"end": end_ms, **entered, **matched, **self._wait(labels, met)}
        if (self._kept.next, self._waiting.next) != before:  # nothing else is forgotten with a pane
            self._panes.append((end_ms, self._kept.next, self._waiting.next))
        final = kept["value"][self._kept.place(completed)]
        self._evict()
        return together(by_predictions, by_labels, final), corrections, delta

    def _enter(self, new: Predictions) -> tuple[State, IntArray, FloatArray]:
        """The pane's predictions, the first of each id. Returns what the delta keeps of them, and, of those whose label
        has come before them, number and label.
        """
        unknown = np.flatnonzero(self._slots.find(new.keys, self._kept) == NOWHERE)
        fresh = unknown[first_of_each(new.keys[unknown])]
        keys = new.keys[fresh]
        columns: dict[str, npt.NDArray[Any]] = {
            "value": new.value[fresh],
            "score": new.score[fresh],
            "time": new.times[fresh],
            "segments": new.segments[:, fresh],
        }
        first = self._kept.append(keys, **columns)
        self._slots.add(keys, first, self._kept)
        self._counts["predictions"] += len(new.keys)
        self._counts["predictions_duplicate"] += len(new.keys) - len(fresh)
        self._counts["predictions_pending"] += len(fresh)
        waiting = (
            self._waiting_slots.find(keys, self._waiting)
            if self._counts["labels_pending"]
            else np.full(len(keys), NOWHERE)
        )
        met = np.flatnonzero(waiting != NOWHERE)
        early = self._waiting.columns["value"][self._waiting.place(waiting[met])]
        self._waiting.kill(waiting[met])
        self._counts["labels_pending"] -= len(met)
        return {"first": first, "keys": keys, **columns, "released": keys[met]}, first + met, early

    def _meet(self, labels: Labels) -> _Meeting:
        keys, value = labels.keys, labels.value
        slots = self._slots.find(keys, self._kept)
        waiting = np.full(len(keys), NOWHERE)
        lone = np.flatnonzero(slots == NOWHERE)
        if self._counts["labels_pending"]:
            waiting[lone] = self._waiting_slots.find(keys[lone], self._waiting)
        before, known = np.zeros(len(keys)), np.zeros(len(keys), np.bool_)
        found = np.flatnonzero(slots != NOWHERE)
        known[found] = self._matched.get(slots[found])
        before[found] = self._kept.columns["value"][self._kept.place(slots[found])]
        found = np.flatnonzero(waiting != NOWHERE)
        known[found] = True
        before[found] = self._waiting.columns["value"][self._waiting.place(waiting[found])]
        order, begins = groups(keys)
        last = np.ones(len(keys), np.bool_)
        again = np.flatnonzero(~begins)  # labels of an id that has come before in this pane
        if len(again):
            last[order[again - 1]] = False
            if self.rules.corrections_last:
                before[order[again]] = value[order[again - 1]]
            else:  # the first of all counts: what was known before the pane, else the first in it
                head = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
                before[order[again]] = np.where(known, before, value)[head[again]]
            known[order[again]] = True
        self._counts["labels"] += len(keys)
        return _Meeting(slots, waiting, before, known, last, order, begins)

    def _complete(self, numbers: IntArray, label: FloatArray) -> Joined:
        """Number these predictions as completed rows; label and ordinal take the place of value and time."""
        kept, at = self._kept.columns, self._kept.place(numbers)
        ordinals = np.arange(self._next_ordinal, self._next_ordinal + len(numbers))
        joined = Joined(
            ordinals, kept["value"][at], label, kept["score"][at], kept["time"][at], self._segments(at)
        )
        kept["value"][at], kept["time"][at] = label, ordinals
        self._matched.set(numbers)
        self._next_ordinal += len(numbers)
        self._counts["predictions_pending"] -= len(numbers)
        self._counts["predictions_matched"] += len(numbers)
        self._counts["labels_matched"] += len(numbers)
        return joined

    def _correct(self, labels: Labels, met: _Meeting) -> IntArray:
        """Count repeated labels. Returns those that correct a completed row, in their order; nothing where none may."""
        differs = met.known & (met.before != labels.value)
        self._counts["labels_corrections"] += int(differs.sum())
        self._counts["labels_duplicate"] += int((met.known & ~differs).sum())
        if not self.rules.corrections_last:
            return np.empty(0, np.int64)
        final = np.flatnonzero(met.last & (met.slots != NOWHERE))
        self._kept.columns["value"][self._kept.place(met.slots[final])] = labels.value[final]
        return np.flatnonzero(differs & (met.slots != NOWHERE))

    def _corrections(self, slots: IntArray, values: FloatArray) -> list[Correction]:
        at = self._kept.place(slots)
        ordinals, segments = self._kept.columns["time"][at].tolist(), self._segments(at).T.tolist()
        # Corrections are few, and each goes its own way.
        return [
            Correction(ordinal, value, tuple(of))
            for ordinal, value, of in zip(ordinals, values.tolist(), segments, strict=True)
        ]

    def _wait(self, labels: Labels, met: _Meeting) -> State:
        """Labels without a prediction wait for it, each id once. Returns what the delta keeps of them."""
        new = np.flatnonzero((met.slots == NOWHERE) & ~met.known)
        keys, value = labels.keys[new], labels.value[new]
        changed = np.empty(0, np.int64)
        if self.rules.corrections_last and len(labels.keys):
            final, begins = np.empty(len(labels.keys)), np.append(np.flatnonzero(met.begins), len(met.order))
            final[met.order] = np.repeat(labels.value[met.order[begins[1:] - 1]], np.diff(begins))
            value = final[new]
            changed = np.flatnonzero((met.waiting != NOWHERE) & met.last)
            self._waiting.columns["value"][self._waiting.place(met.waiting[changed])] = labels.value[changed]
        first = self._waiting.append(keys, value=value)
        self._waiting_slots.add(keys, first, self._waiting)
        self._counts["labels_pending"] += len(new)
        return {
            "waiting_keys": keys,
            "waiting_values": value,
            "changed_keys": labels.keys[changed],
            "changed_values": labels.value[changed],
        }

    def _segments(self, at: IntArray) -> CodeArray:
        return self._kept.columns["segments"][:, at].astype(np.int32, copy=False)

    # ------------------------------------------------------------------ forgetting
    def _expire(self, before_ms: int) -> None:
        """Forget what entered in panes that ended at `before_ms` or earlier."""
        while self._panes and self._panes[0][0] <= before_ms:
            _, prediction, label = self._panes.popleft()
            self._forget_predictions(prediction, "predictions_expired")
            self._forget_labels(label, "labels_expired")

    def _evict(self) -> None:
        """Forget the oldest beyond the limits, and what found its prediction meanwhile."""
        self._forget_predictions(self._kept.next - self.rules.predictions_max, "predictions_evicted")
        pending = self._counts["labels_pending"]
        if pending > self.rules.labels_max:
            oldest = self._waiting.living()
            self._forget_labels(int(oldest[pending - self.rules.labels_max]), "labels_evicted")
        if len(self._waiting) > 2 * self._counts["labels_pending"] + _WAITING_EXCESS:
            self._close_ranks()

    def _close_ranks(self) -> None:
        """Waiting labels are numbered anew, so that those in between, which wait no more, take no room."""
        living = self._waiting.living()
        at = self._waiting.place(living)
        keys, value = self._waiting.keys[at], self._waiting.columns["value"][at]
        renumbered = [int(np.searchsorted(living, mark)) for _, _, mark in self._panes]
        self._waiting.forget(self._waiting.next)
        begin = self._waiting.append(keys, value=value)
        self._waiting_slots.make_again(self._waiting)
        self._panes = deque(
            (end_ms, prediction, begin + mark)
            for (end_ms, prediction, _), mark in zip(self._panes, renumbered, strict=True)
        )

    def _forget_predictions(self, until: int, reason: str) -> None:
        first = self._kept.head
        self._kept.forget(until)
        self._matched.forget(self._kept.head)
        pending = self._kept.head - first - self._matched.count(first, self._kept.head)
        self._counts[reason] += pending
        self._counts["predictions_pending"] -= pending

    def _forget_labels(self, until: int, reason: str) -> None:
        until = min(until, self._waiting.next)
        gone = int(self._waiting.alive(np.arange(self._waiting.head, until)).sum())
        self._waiting.forget(until)
        self._counts[reason] += gone
        self._counts["labels_pending"] -= gone

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
            "head": self._kept.head,
            "next": self._kept.next,
            "next_ordinal": self._next_ordinal,
            "panes": [[end_ms, prediction] for end_ms, prediction, _ in self._panes],
            "counts": dict(self._counts),
        }

    def restore(self, state: State, deltas: Iterable[State]) -> None:
        """Make the join again. deltas: those of `step` within the horizon, ascending by pane."""
        self._kept.begin(state["head"])
        self._matched.begin(state["head"])
        marks: dict[int, int] = {}
        for delta in deltas:
            self._redo(delta)
            marks[delta["end"]] = self._waiting.next
        assert self._kept.next == state["next"], f"join deltas end at {self._kept.next}, state at {state['next']}"
        self._slots.make_again(self._kept)
        self._next_ordinal = state["next_ordinal"]
        self._panes = deque((end_ms, prediction, marks[end_ms]) for end_ms, prediction in state["panes"])
        self._counts = dict(state["counts"])
        oldest = self._waiting.living()
        # Evicted ones, the oldest always, are in the deltas still.
        evicted = len(oldest) - self._counts["labels_pending"]
        if evicted:
            self._waiting.forget(int(oldest[evicted - 1]) + 1)
        self._waiting_slots.make_again(self._waiting)

    def _redo(self, delta: State) -> None:
        kept = self._kept
        skip = max(0, kept.head - delta["first"])
        columns = {name: delta[name][..., skip:] for name in ("value", "score", "time", "segments")}
        keys = delta["keys"][skip:]
        kept.append(keys, **columns)
        still = delta["slots"] >= kept.head
        at = kept.place(delta["slots"][still])
        kept.columns["value"][at], kept.columns["time"][at] = delta["labels"][still], delta["ordinals"][still]
        self._matched.set(delta["slots"][still])
        # A label that waits anew, having been evicted, is younger than before.
        self._silence(np.concatenate([delta["released"], delta["waiting_keys"]]))
        first = self._waiting.append(delta["waiting_keys"], value=delta["waiting_values"])
        self._waiting_slots.add(delta["waiting_keys"], first, self._waiting)
        found = self._waiting_slots.find(delta["changed_keys"], self._waiting)
        there = found != NOWHERE
        self._waiting.columns["value"][self._waiting.place(found[there])] = delta["changed_values"][there]

    def _silence(self, keys: KeyArray) -> None:
        found = self._waiting_slots.find(keys, self._waiting)
        self._waiting.kill(found[found != NOWHERE])
