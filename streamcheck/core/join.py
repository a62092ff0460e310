"""Which label belongs to which prediction? Either may come first; both wait until the horizon, then they are forgotten.

Books that always balance:
predictions = matched + pending + expired + evicted + duplicates
labels = matched + corrections + duplicates + pending + expired + evicted
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.components import State
from streamcheck.core.entries import GROWTH, Entries
from streamcheck.core.id_table import NOWHERE, PLACE_BYTES, IdTable
from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.joining import Correction, Joined, Labels, Predictions
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinReading
from streamcheck.core.types import BoolArray, CodeArray, FloatArray, IntArray, KeyArray

_PREDICTION_BYTES = KEY_BYTES + 8 + 8 + 8 + 1 + 1
_WAITING_EXCESS = 1_024
CONTENT = ("keys", "slots", "released", "waiting_keys", "changed_keys")
"""Parts of a delta; without any of them it says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Meeting:
    """n labels against what they met. slots: of their prediction, waiting: of an earlier label that waits, -1 without.

    before: the value that counted before each; known: whether there was one; last: the label after which none of its id
    follows in the pane.
    """

    slots: IntArray
    waiting: IntArray
    before: FloatArray
    known: BoolArray
    last: BoolArray


def entry_bytes(n_segmentations: int, segments_max: int) -> int:
    """Memory that one waiting prediction takes at most, arrays that have just grown included."""
    segments = n_segmentations * segment_dtype(segments_max).itemsize
    return int(GROWTH * (_PREDICTION_BYTES + segments) + PLACE_BYTES) + 1


def label_bytes() -> int:
    """Memory that one waiting label takes at most: as many more may lie between them that wait no more."""
    return 2 * (int(GROWTH * (KEY_BYTES + 8 + 1) + PLACE_BYTES) + 1)


def segment_dtype(segments_max: int) -> np.dtype[np.signedinteger]:
    """The smallest that holds every segment's number."""
    return np.dtype(np.int16) if segments_max < np.iinfo(np.int16).max else np.dtype(np.int32)


class Join:
    """Predictions by id in arrays, numbered as they entered; labels without a prediction wait beside them.

    An entry's value and time make room for its label and ordinal once it is matched: nobody asks for them any more.
    """

    def __init__(self, rules: JoinRules, n_segmentations: int, segments_max: int = 2**31 - 1) -> None:
        self.rules = rules
        segments = (segment_dtype(segments_max), n_segmentations)
        self._kept = Entries(
            {
                "value": (np.float64, None),
                "score": (np.float64, None),
                "time": (np.int64, None),
                "matched": (np.bool_, None),
                "segments": segments,
            }
        )
        self._slots = IdTable()
        self._waiting = Entries({"value": (np.float64, None)})
        self._waiting_slots = IdTable()
        # Of each pane: its end, the first prediction and the first waiting label after it.
        self._panes: deque[tuple[int, int, int]] = deque()
        self._next_ordinal = 0
        self._counts: dict[str, int] = dict.fromkeys(JoinReading.__dataclass_fields__, 0)

    @property
    def nbytes(self) -> int:
        """Bytes held by what waits."""
        return sum(part.nbytes for part in (self._kept, self._slots, self._waiting, self._waiting_slots))

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
        changed = np.unique(np.concatenate([completed, met.slots[corrected]]))
        kept, at = self._kept.columns, self._kept.place(changed)
        matched = {"slots": changed, "labels": kept["value"][at], "ordinals": kept["time"][at]}
        delta = {"end": end_ms, **entered, **matched, **self._wait(labels, met)}
        if (self._kept.next, self._waiting.next) != before:  # nothing else is forgotten with a pane
            self._panes.append((end_ms, self._kept.next, self._waiting.next))
        final = kept["value"][self._kept.place(completed)]
        self._evict()
        return _together(by_predictions, by_labels, final), corrections, delta

    def _enter(self, new: Predictions) -> tuple[State, IntArray, FloatArray]:
        """The pane's predictions, the first of each id. Returns what the delta keeps of them, and, of those whose label
        has come before them, number and label.
        """
        unknown = np.flatnonzero(self._slots.find(new.keys, self._kept) == NOWHERE)
        fresh = unknown[_first_of_each(new.keys[unknown])]
        keys = new.keys[fresh]
        columns: dict[str, npt.NDArray[Any]] = {
            "value": new.value[fresh],
            "score": new.score[fresh],
            "time": new.times[fresh],
            "segments": new.segments[:, fresh],
        }
        first = self._kept.append(keys, **columns, matched=np.zeros(len(fresh), np.bool_))
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
        at = self._waiting.place(waiting[met])
        early = self._waiting.columns["value"][at]
        self._waiting.living[at] = False
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
        at = self._kept.place(slots[found])
        known[found] = self._kept.columns["matched"][at]
        before[found] = self._kept.columns["value"][at]
        found = np.flatnonzero(waiting != NOWHERE)
        known[found] = True
        before[found] = self._waiting.columns["value"][self._waiting.place(waiting[found])]
        order, begins = _groups(keys)
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
        return _Meeting(slots, waiting, before, known, last)

    def _complete(self, numbers: IntArray, label: FloatArray) -> Joined:
        """Number these predictions as completed rows; label and ordinal take the place of value and time."""
        kept, at = self._kept.columns, self._kept.place(numbers)
        ordinals = np.arange(self._next_ordinal, self._next_ordinal + len(numbers))
        joined = Joined(
            ordinals, kept["value"][at], label, kept["score"][at], kept["time"][at], self._segments(at)
        )
        kept["value"][at], kept["time"][at], kept["matched"][at] = label, ordinals, True
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
            order, begins = _groups(labels.keys)
            final = np.empty(len(labels.keys))
            ends = np.append(np.flatnonzero(begins)[1:], len(order)) - 1
            final[order] = np.repeat(labels.value[order[ends]], np.diff(np.append(np.flatnonzero(begins), len(order))))
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
            first, _, living = self._waiting.all()
            oldest = first + np.flatnonzero(living)
            self._forget_labels(int(oldest[pending - self.rules.labels_max]), "labels_evicted")
        if len(self._waiting) > 2 * self._counts["labels_pending"] + _WAITING_EXCESS:
            self._close_ranks()

    def _close_ranks(self) -> None:
        """Waiting labels are numbered anew, so that those in between, which wait no more, take no room."""
        first, keys, living = self._waiting.all()
        at = np.flatnonzero(living)
        keys, value = keys[at], self._waiting.columns["value"][self._waiting.place(first + at)]
        renumbered = [int(np.searchsorted(at, mark - first)) for _, _, mark in self._panes]
        self._waiting.forget(self._waiting.next)
        begin = self._waiting.append(keys, value=value)
        self._waiting_slots.make_again(self._waiting)
        self._panes = deque(
            (end_ms, prediction, begin + mark)
            for (end_ms, prediction, _), mark in zip(self._panes, renumbered, strict=True)
        )

    def _forget_predictions(self, until: int, reason: str) -> None:
        gone = self._kept.forget(until)
        pending = int((~self._kept.columns["matched"][self._kept.place(gone)]).sum())
        self._counts[reason] += pending
        self._counts["predictions_pending"] -= pending

    def _forget_labels(self, until: int, reason: str) -> None:
        gone = len(self._waiting.forget(until))
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
        marks: dict[int, int] = {}
        for delta in deltas:
            self._redo(delta)
            marks[delta["end"]] = self._waiting.next
        assert self._kept.next == state["next"], f"join deltas end at {self._kept.next}, state at {state['next']}"
        self._slots.make_again(self._kept)
        self._next_ordinal = state["next_ordinal"]
        self._panes = deque((end_ms, prediction, marks[end_ms]) for end_ms, prediction in state["panes"])
        self._counts = dict(state["counts"])
        first, _, living = self._waiting.all()
        oldest = first + np.flatnonzero(living)
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
        kept.append(keys, **columns, matched=np.zeros(len(keys), np.bool_))
        still = delta["slots"] >= kept.head
        at = kept.place(delta["slots"][still])
        kept.columns["value"][at], kept.columns["time"][at] = delta["labels"][still], delta["ordinals"][still]
        kept.columns["matched"][at] = True
        # A label that waits anew, having been evicted, is younger than before.
        self._silence(np.concatenate([delta["released"], delta["waiting_keys"]]))
        first = self._waiting.append(delta["waiting_keys"], value=delta["waiting_values"])
        self._waiting_slots.add(delta["waiting_keys"], first, self._waiting)
        found = self._waiting_slots.find(delta["changed_keys"], self._waiting)
        there = found != NOWHERE
        self._waiting.columns["value"][self._waiting.place(found[there])] = delta["changed_values"][there]

    def _silence(self, keys: KeyArray) -> None:
        found = self._waiting_slots.find(keys, self._waiting)
        self._waiting.living[self._waiting.place(found[found != NOWHERE])] = False


def _together(first: Joined, then: Joined, label: FloatArray) -> Joined:
    """Both, with the labels that count at the end of the pane."""
    return Joined(
        np.concatenate([first.ordinals, then.ordinals]),
        np.concatenate([first.prediction, then.prediction]),
        label,
        np.concatenate([first.score, then.score]),
        np.concatenate([first.times, then.times]),
        np.concatenate([first.segments, then.segments], axis=1),
    )


def _groups(keys: KeyArray) -> tuple[IntArray, BoolArray]:
    """An order that brings equal keys together, first come first, and where in it a new key begins."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    inside = keys[order]
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = (inside[1:] != inside[:-1]).any(axis=1)
    return order, begins


def _first_of_each(keys: KeyArray) -> IntArray:
    """Positions of the first of each key, ascending."""
    order, begins = _groups(keys)
    return np.sort(order[begins])
