"""What waits in the join, made again from what its deltas say."""

from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.entries import Mortals
from streamcheck.core.id_table import NOWHERE, IdTable
from streamcheck.core.kept import Kept, Slots
from streamcheck.core.types import FloatArray, IntArray, KeyArray


@dataclass(slots=True, eq=False)
class Redo:
    """Applies deltas, ascending by pane, to entries that are empty at first. base: numbers below it lie on the shelf.

    Of predictions, the table holds those only that came back from the shelf; it has to be made again at the end.
    """

    kept: Kept
    slots: IdTable
    waiting: Mortals
    waiting_slots: IdTable
    base: int
    places: Slots = field(default_factory=Slots)

    def apply(self, delta: State) -> None:
        """One more; those before it have been."""
        kept = self.kept
        skip = min(len(delta["keys"]), max(0, max(kept.oldest, self.base) - delta["first"]))
        columns = {name: delta[name][..., skip:] for name in ("value", "score", "time", "segments")}
        kept.newest = max(kept.newest, delta["first"] + skip)
        self.places.add(kept.newest, kept.next)
        kept.enter(delta["keys"][skip:], **columns)
        self._come_back(delta)
        still = delta["slots"] >= max(kept.oldest, self.base)
        self._label(self.places.of(delta["slots"][still]), delta["labels"][still], delta["ordinals"][still])
        again = self.slots.find(delta["again_keys"], kept)  # those that came back; mains are not in the table yet
        back = again != NOWHERE
        self._label(again[back], delta["again_labels"][back], delta["again_ordinals"][back])
        # A label that waits anew, having been evicted, is younger than before.
        self._silence(np.concatenate([delta["released"], delta["waiting_keys"]]))
        first = self.waiting.append(delta["waiting_keys"], value=delta["waiting_values"])
        self.waiting_slots.add(delta["waiting_keys"], first, self.waiting)
        found = self.waiting_slots.find(delta["changed_keys"], self.waiting)
        there = found != NOWHERE
        self.waiting.columns["value"][self.waiting.place(found[there])] = delta["changed_values"][there]

    def _come_back(self, delta: State) -> None:
        numbers = delta["recalled_numbers"]
        living = np.flatnonzero(numbers >= self.kept.oldest)
        columns = {name: delta[f"recalled_{name}"][..., living] for name in ("value", "score", "time", "segments")}
        keys, numbers = delta["recalled_keys"][living], numbers[living]
        self.slots.add(keys, self.kept.come_back(keys, numbers, **columns), self.kept)
        self.kept.matched.set(numbers[delta["recalled_matched"][living]])

    def _label(self, slots: IntArray, labels: FloatArray, ordinals: IntArray) -> None:
        at, columns = self.kept.place(slots), self.kept.columns
        columns["value"][at], columns["time"][at] = labels, ordinals
        self.kept.matched.set(self.kept.numbers(slots))

    def _silence(self, keys: KeyArray) -> None:
        found = self.waiting_slots.find(keys, self.waiting)
        self.waiting.kill(found[found != NOWHERE])
