"""Predictions in memory: in the order in which they came there, each with the number under which it once entered."""

from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.bits import Bits
from streamcheck.core.entries import SLAB_ROWS, Entries
from streamcheck.core.types import BoolArray, IntArray, KeyArray

_LOW_32 = 0xFFFFFFFF


class Kept(Entries):
    """Entries at slots `head` to `next`; of all that entered, those numbered `oldest` to `newest` (exclusive) live.

    A new entry gets the next number. One that comes back from the shelf keeps its old one, so that slots do not tell
    numbers: the low half of each is kept beside it. matched: which numbers have a label, wherever they lie.
    """

    def __init__(self, segments: tuple[np.dtype[np.signedinteger], int], rows_foreseen: int) -> None:
        columns: dict[str, tuple[Any, int | None]] = {
            "value": (np.float64, None),
            "score": (np.float64, None),
            "time": (np.int64, None),
            "number": (np.uint32, None),
            "segments": segments,
        }
        super().__init__(columns, rows_foreseen)
        self.oldest = self.newest = 0
        self._back_until = 0
        """All that came back lie before this slot."""
        self.matched = Bits()

    @property
    def nbytes(self) -> int:
        """Bytes held, the bits included."""
        return super().nbytes + self.matched.nbytes

    def number_from(self, number: int) -> None:
        """No prediction lives yet; the next one gets this number."""
        self.oldest = self.newest = number
        self.matched.begin(number)

    def enter(self, keys: KeyArray, **columns: npt.NDArray[Any]) -> int:
        """New predictions; returns the slot of the first."""
        numbers = np.arange(self.newest, self.newest + len(keys))
        self.newest += len(keys)
        return self._append(keys, numbers, **columns)

    def come_back(self, keys: KeyArray, numbers: IntArray, **columns: npt.NDArray[Any]) -> int:
        """Predictions that have entered before; returns the slot of the first."""
        first = self._append(keys, numbers, **columns)
        self._back_until = self.next
        return first

    @property
    def mortal(self) -> bool:
        """Those that came back may die before others that lie in front of them."""
        return self.head < self._back_until

    def _append(self, keys: KeyArray, numbers: IntArray, **columns: npt.NDArray[Any]) -> int:
        return self.append(keys, **columns, number=(numbers & _LOW_32).astype(np.uint32))

    def numbers(self, slots: IntArray) -> IntArray:
        """The numbers of entries that are here; for one that is forgotten, one that is too high."""
        low = self.columns["number"].take(self.place(slots)).astype(np.int64)
        return np.asarray(((low - self.oldest) & _LOW_32) + self.oldest)

    def alive(self, slots: IntArray) -> BoolArray:
        """Whether each slot is that of a living entry."""
        there = super().alive(slots)
        if self.mortal:
            there[there] = self._numbered(slots[there])
        return there

    def _numbered(self, slots: IntArray) -> BoolArray:
        """Whether each of these that are here lives by its number."""
        return np.asarray(self.numbers(slots) < self.newest)

    def forget_numbers(self, until: int) -> int:
        """Forget what entered before `until`; how many of them had no label."""
        until = min(max(until, self.oldest), self.newest)
        pending = until - self.oldest - self.matched.count(self.oldest, until)
        self.oldest = until
        self.matched.forget(until)
        while self.head < self.next:  # those that came back lie among younger ones, and are overrun later
            slots = np.arange(self.head, min(self.head + SLAB_ROWS, self.next))
            alive = self._numbered(slots)
            self.forget(self.head + int(np.argmax(alive)) if alive.any() else int(slots[-1]) + 1)
            if alive.any():
                break
        return pending

    def rows(self, until: int) -> dict[str, npt.NDArray[Any]]:
        """All that live before the slot `until`, as copies, with their numbers and whether they have a label."""
        slots = np.arange(self.head, until)
        slots = slots[self.alive(slots)]
        at, numbers = self.place(slots), self.numbers(slots)
        columns = {name: self.columns[name][..., at] for name in ("value", "score", "time", "segments")}
        return {"keys": self.keys[at], "numbers": numbers, "matched": self.matched.get(numbers), **columns}


class Slots:
    """Where new entries lie that came in this order: slot by number. Numbers ascend, and have gaps between pieces.

    >>> slots = Slots()
    >>> slots.add(100, 7)
    >>> slots.add(200, 9)
    >>> slots.of(np.array([101, 200])).tolist()
    [8, 9]
    """

    def __init__(self) -> None:
        self._pieces = np.zeros((64, 2), np.int64)
        self._n = 0

    def add(self, number: int, slot: int) -> None:
        """From here on, entries numbered `number` and up lie at `slot` and up."""
        if self._n == len(self._pieces):
            self._pieces = np.concatenate([self._pieces, np.zeros_like(self._pieces)])
        self._pieces[self._n] = number, slot
        self._n += 1

    def of(self, numbers: IntArray) -> IntArray:
        """The slot of each; none before the first piece may be asked for."""
        pieces = self._pieces[: self._n]
        piece = np.searchsorted(pieces[:, 0], numbers, side="right") - 1
        return np.asarray(numbers - pieces[piece, 0] + pieces[piece, 1])
