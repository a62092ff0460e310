"""Which label belongs to which prediction? Either may come first; both wait until the horizon, then they are forgotten.

Books that always balance:
predictions = matched + pending + expired + evicted + duplicates
labels = matched + corrections + duplicates + pending + expired + evicted
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.bits import Bits
from streamcheck.core.components import State
from streamcheck.core.entries import Mortals, foreseen
from streamcheck.core.id_table import NOWHERE, IdTable
from streamcheck.core.join_size import segment_dtype
from streamcheck.core.joining import (
    Correction,
    Joined,
    Labels,
    Meeting,
    Predictions,
    Spill,
    distinct,
    first_of_each,
    groups,
    no_rows,
    nothing,
    together,
)
from streamcheck.core.kept import Kept
from streamcheck.core.plan import JoinRules
from streamcheck.core.readings import JoinPlaces, JoinReading
from streamcheck.core.redo import Redo
from streamcheck.core.shelf import Reader, Shelf
from streamcheck.core.types import CodeArray, FloatArray, IntArray, KeyArray

SPILL_PARTS = 8
"""An eighth of what memory holds goes to disk at once."""
_WAITING_EXCESS = 1_024
CONTENT = ("keys", "recalled_numbers", "slots", "again_keys", "released", "waiting_keys", "changed_keys")
"""Parts of a delta; without any of them it says nothing."""


class Join:
    """Predictions by id in arrays, numbered as they entered; labels without a prediction wait beside them.

    An entry's value and time make room for its label and ordinal once it is matched: nobody asks for them any more.
    """

    def __init__(self, rules: JoinRules, n_segmentations: int, segments_max: int = 2**31 - 1) -> None:
        self.rules = rules
        self._n_segmentations = n_segmentations
        self._memory_max = rules.predictions_max if rules.memory_max is None else rules.memory_max
        self._kept = Kept((segment_dtype(segments_max), n_segmentations), foreseen(self._memory_max))
        self._base = 0
        """Numbers below it have been to the shelf."""
        self._slots = IdTable()
        self._shelf: Shelf | None = None
        self._waiting = Mortals({"value": (np.float64, None)}, foreseen(2 * rules.labels_max))
        self._waiting_slots = IdTable()
        # Of each pane: its end, and what comes after it: number and slot of a prediction, a label that waits.
        self._panes: deque[tuple[int, int, int, int]] = deque()
        self._next_ordinal = 0
        self._counts: dict[str, int] = dict.fromkeys(JoinReading.__dataclass_fields__, 0)

    @property
    def nbytes(self) -> int:
        """Bytes held by what waits."""
        parts = (self._kept, self._slots, self._waiting, self._waiting_slots)
        return sum(part.nbytes for part in parts) + (0 if self._shelf is None else self._shelf.nbytes)

    @property
    def has_shelf(self) -> bool:
        """Whether there is one for what memory has no room for."""
        return self._shelf is not None

    def attach(self, read: Reader, salt: int) -> None:
        """Put on a shelf what memory has no room for; before the first pane, or `restore`."""
        self._shelf = Shelf(read, salt, self.rules.shelf_bytes)

    # ------------------------------------------------------------------ one pane
    def step(self, end_ms: int, predictions: Predictions, labels: Labels) -> tuple[Joined, list[Correction], State]:
        """First the pane's predictions enter, then its labels.

        Returns completed rows, corrections, and the delta to keep. A prediction on the shelf comes back with its label.
        """
        self._expire(end_ms - self.rules.horizon_ms)
        before = self._kept.next, self._waiting.next
        recalled = self._recall(labels.keys)
        entered, released, early = self._enter(predictions)
        by_predictions = self._complete(released, early)
        met = self._meet(labels)
        matching = (met.slots != NOWHERE) & ~met.known
        by_labels = self._complete(met.slots[matching], labels.value[matching])
        completed = np.concatenate([released, met.slots[matching]])
        corrected = self._correct(labels, met)
        corrections = self._corrections(met.slots[corrected], labels.value[corrected])
        changed = distinct(np.concatenate([completed, met.slots[corrected]]))
        delta = {"end": end_ms, **entered, **recalled, **self._changed(changed), **self._wait(labels, met)}
        if (self._kept.next, self._waiting.next) != before:  # nothing else is forgotten with a pane
            self._panes.append((end_ms, self._kept.newest, self._kept.next, self._waiting.next))
        final = self._kept.columns["value"][self._kept.place(completed)]
        self._evict()
        return together(by_predictions, by_labels, final), corrections, delta

    def _recall(self, sought: KeyArray) -> State:
        """Predictions whose labels have come, from the shelf back to memory. Returns what the delta keeps of them."""
        rows = None
        if self._shelf is not None and self._shelf.runs:
            lone = sought[self._slots.find(sought, self._kept) == NOWHERE]
            rows = self._shelf.recall(lone[first_of_each(lone)])
        if rows is None:
            return no_rows(self._n_segmentations)
        columns = {name: rows[name] for name in ("value", "score", "time", "segments")}
        first = self._kept.come_back(rows["keys"], rows["numbers"], **columns)
        self._slots.add(rows["keys"], first, self._kept)
        return {f"recalled_{name}": column for name, column in rows.items()}

    def _changed(self, slots: IntArray) -> State:
        """Label and ordinal of these entries: by number, or by key where they have been to the shelf."""
        at, numbers, columns = self._kept.place(slots), self._kept.numbers(slots), self._kept.columns
        here = numbers >= self._base
        again = at[~here]
        return {
            "slots": numbers[here],
            "labels": columns["value"][at[here]],
            "ordinals": columns["time"][at[here]],
            "again_keys": self._kept.keys[again],
            "again_labels": columns["value"][again],
            "again_ordinals": columns["time"][again],
        }

    def _enter(self, new: Predictions) -> tuple[State, IntArray, FloatArray]:
        """The pane's predictions, the first of each id. Returns what the delta keeps of them, and, of those whose label
        has come before them, slot and label.
        """
        unknown = np.flatnonzero(self._slots.find(new.keys, self._kept) == NOWHERE)
        if self._shelf is not None and self._shelf.runs:
            unknown = unknown[~self._shelf.holds(new.keys[unknown])]
        fresh = unknown[first_of_each(new.keys[unknown])]
        chosen = new if len(fresh) == len(new.keys) else new.take(fresh)
        keys = chosen.keys
        columns: dict[str, npt.NDArray[Any]] = {
            "value": chosen.value,
            "score": chosen.score,
            "time": chosen.times,
            "segments": chosen.segments,
        }
        number, first = self._kept.newest, self._kept.enter(keys, **columns)
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
        return {"first": number, "keys": keys, **columns, "released": keys[met]}, first + met, early

    def _meet(self, labels: Labels) -> Meeting:
        keys, value = labels.keys, labels.value
        slots = self._slots.find(keys, self._kept)
        waiting = np.full(len(keys), NOWHERE)
        lone = np.flatnonzero(slots == NOWHERE)
        if self._counts["labels_pending"]:
            waiting[lone] = self._waiting_slots.find(keys[lone], self._waiting)
        before, known = np.zeros(len(keys)), np.zeros(len(keys), np.bool_)
        found = np.flatnonzero(slots != NOWHERE)
        known[found] = self._kept.matched.get(self._kept.numbers(slots[found]))
        before[found] = self._kept.columns["value"][self._kept.place(slots[found])]
        found = np.flatnonzero(waiting != NOWHERE)
        known[found] = True
        before[found] = self._waiting.columns["value"][self._waiting.place(waiting[found])]
        last, final = np.ones(len(keys), np.bool_), value
        twice = groups(keys)
        if twice is not None:
            order, begins = twice
            again = np.flatnonzero(~begins)  # labels of an id that has come before in this pane
            last[order[again - 1]] = False
            if self.rules.corrections_last:
                before[order[again]] = value[order[again - 1]]
            else:  # the first of all counts: what was known before the pane, else the first in it
                head = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
                before[order[again]] = np.where(known, before, value)[head[again]]
            known[order[again]] = True
            ends = np.append(np.flatnonzero(begins), len(order))
            final = np.empty(len(keys))
            final[order] = np.repeat(value[order[ends[1:] - 1]], np.diff(ends))
        self._counts["labels"] += len(keys)
        return Meeting(slots, waiting, before, known, last, final)

    def _complete(self, slots: IntArray, label: FloatArray) -> Joined:
        """Number these predictions as completed rows; label and ordinal take the place of value and time."""
        kept, at = self._kept.columns, self._kept.place(slots)
        ordinals = np.arange(self._next_ordinal, self._next_ordinal + len(slots))
        joined = Joined(ordinals, kept["value"][at], label, kept["score"][at], kept["time"][at], self._segments(at))
        kept["value"][at], kept["time"][at] = label, ordinals
        self._kept.matched.set(self._kept.numbers(slots))
        self._next_ordinal += len(slots)
        self._counts["predictions_pending"] -= len(slots)
        self._counts["predictions_matched"] += len(slots)
        self._counts["labels_matched"] += len(slots)
        return joined

    def _correct(self, labels: Labels, met: Meeting) -> IntArray:
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

    def _wait(self, labels: Labels, met: Meeting) -> State:
        """Labels without a prediction wait for it, each id once. Returns what the delta keeps of them."""
        new = np.flatnonzero((met.slots == NOWHERE) & ~met.known)
        keys, value = labels.keys[new], labels.value[new]
        changed = np.empty(0, np.int64)
        if self.rules.corrections_last:
            value = met.final[new]
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
            _, prediction, _, label = self._panes.popleft()
            self._forget_predictions(prediction, "predictions_expired")
            self._forget_labels(label, "labels_expired")

    def _evict(self) -> None:
        """Forget the oldest beyond the limits, and what found its prediction meanwhile."""
        self._forget_predictions(self._kept.newest - self.rules.predictions_max, "predictions_evicted")
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
        renumbered = [int(np.searchsorted(living, mark)) for *_, mark in self._panes]
        self._waiting.forget(self._waiting.next)
        begin = self._waiting.append(keys, value=value)
        self._waiting_slots.make_again(self._waiting)
        self._panes = deque(
            (end_ms, prediction, slot, begin + mark)
            for (end_ms, prediction, slot, _), mark in zip(self._panes, renumbered, strict=True)
        )

    def _forget_predictions(self, until: int, reason: str) -> None:
        pending = self._kept.forget_numbers(until)
        if self._shelf is not None:
            self._shelf.head = self._kept.oldest
        self._counts[reason] += pending
        self._counts["predictions_pending"] -= pending

    def _forget_labels(self, until: int, reason: str) -> None:
        until = min(until, self._waiting.next)
        gone = int(self._waiting.alive(np.arange(self._waiting.head, until)).sum())
        self._waiting.forget(until)
        self._counts[reason] += gone
        self._counts["labels_pending"] -= gone

    # ------------------------------------------------------------------ the shelf
    def spill(self) -> Spill | None:
        """Put the oldest in memory on the shelf, where there are too many; None where nothing is to be done.

        To be committed before the next pane, with all deltas so far.
        """
        if self._shelf is None:
            return None
        chunks, gone = self._shelf.tidy()
        surplus = len(self._kept) - self._memory_max
        if surplus <= 0:
            return Spill(chunks, gone) if gone else None
        until = self._kept.head + min(len(self._kept), surplus + self._memory_max // SPILL_PARTS)
        end_ms, number, slot, label = next(pane for pane in self._panes if pane[2] >= until)
        rows = self._kept.rows(slot)
        if len(rows["numbers"]):
            chunks = {**chunks, **self._shelf.put(rows)}
        self._kept.forget(slot)
        self._base = max(self._base, number)
        return Spill(chunks, gone, end_ms, self._checkpoint(end_ms, label))

    def _checkpoint(self, end_ms: int, until: int) -> State:
        """A delta that brings nothing but the labels that entered before `until` and wait still."""
        waiting = self._waiting.living()
        waiting = waiting[waiting < until]
        at = self._waiting.place(waiting)
        marks = [[pane[0], int(np.searchsorted(waiting, pane[3]))] for pane in self._panes if pane[0] <= end_ms]
        return {
            **nothing(self._n_segmentations, end_ms, self._base),
            "waiting_keys": self._waiting.keys[at],
            "waiting_values": self._waiting.columns["value"][at],
            "marks": marks,
        }

    # ------------------------------------------------------------------ state
    def reading(self) -> JoinReading:
        """The books."""
        return JoinReading(**self._counts)

    def places(self) -> JoinPlaces:
        """Where predictions lie."""
        on_disk = 0 if self._shelf is None else self._shelf.rows - self._shelf.dead
        return JoinPlaces(len(self._kept), on_disk, self.nbytes)

    def oldest_pane_end(self) -> int | None:
        """Deltas of panes that ended before this are needed no more."""
        return self._panes[0][0] if self._panes else None

    def export(self) -> State:
        """Heads and books; the entries themselves are in the deltas, and in chunks of the shelf."""
        return {
            "head": self._kept.oldest,
            "next": self._kept.newest,
            "base": self._base,
            "next_ordinal": self._next_ordinal,
            "panes": [[end_ms, number] for end_ms, number, _, _ in self._panes],
            "counts": dict(self._counts),
            "shelf": None if self._shelf is None else self._shelf.export(),
        }

    def restore(self, state: State, deltas: Iterable[State]) -> None:
        """Make the join again. deltas: those of `step` and `spill` that are kept, ascending by pane."""
        self._kept.number_from(max(state["head"], state["base"]))
        self._kept.oldest, self._base = state["head"], state["base"]
        self._kept.matched.begin(state["head"])
        marks: dict[int, tuple[int, int]] = {}
        redo = Redo(self._kept, self._slots, self._waiting, self._waiting_slots, self._base)
        for delta in deltas:
            first = self._waiting.next
            redo.apply(delta)
            marks |= {end_ms: (0, first + mark) for end_ms, mark in delta.get("marks", ())}
            marks[delta["end"]] = (self._kept.next, self._waiting.next)
        found = self._kept.newest
        assert found == state["next"], f"join deltas end at {found}, state at {state['next']}"
        self._slots.make_again(self._kept)
        self._next_ordinal = state["next_ordinal"]
        self._panes = deque((end_ms, number, *marks[end_ms]) for end_ms, number in state["panes"])
        self._counts = dict(state["counts"])
        self._restore_shelf(state["shelf"])
        oldest = self._waiting.living()
        # Evicted and expired ones, the oldest always, are in the deltas still.
        gone = len(oldest) - self._counts["labels_pending"]
        if gone:
            self._waiting.forget(int(oldest[gone - 1]) + 1)
        self._waiting_slots.make_again(self._waiting)

    def _restore_shelf(self, state: State | None) -> None:
        if self._shelf is not None:
            self._shelf.head = self._kept.oldest
        if state is None or not state["runs"]:
            return
        assert self._shelf is not None, "predictions lie on a shelf, and there is none"
        here = Bits()
        here.begin(self._kept.oldest)
        slots = np.arange(self._kept.head, self._kept.next)
        here.set(self._kept.numbers(slots[self._kept.alive(slots)]))
        for matched in self._shelf.restore(state, here):
            self._kept.matched.set(matched)
