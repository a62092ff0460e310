"""What is kept of each entry? Columns in arrays, numbered as entries come, forgotten from the oldest on."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.types import BoolArray, IntArray, KeyArray

SLAB_BITS = 14
SLAB_ROWS = 1 << SLAB_BITS
"""Rows of a slab, the piece in which room is given out and taken back: at 50 B a row, 0.8 MB."""
GROWTH = 1.25
"""By which the arrays grow where more entries come than were foreseen; they are copied then, one after the other."""
ROWS_FORESEEN_MAX = 1 << 24
"""Entries for which room is asked of the system at once, which gives memory only to what is used. Beyond it they are
copied as they grow."""
ONE_PANE = 1 << 18
"""What a pane may bring before the oldest beyond the limit are forgotten, or put away."""
_LOW = SLAB_ROWS - 1


class Entries:
    """Entries numbered `head` to `next` (exclusive), each with a key and further columns.

    columns: name to (dtype, number of values an entry). A column is an array (room,) or (values, room); `place` says
    where in it a number lies. rows_foreseen: room that is asked of the system at the beginning. It takes memory only as
    slabs are first written to: nothing is ever moved to make room, and slabs of forgotten entries are used again.
    """

    def __init__(self, columns: Mapping[str, tuple[Any, int | None]], rows_foreseen: int = SLAB_ROWS) -> None:
        self.head = 0
        self.next = 0
        rows = (rows_foreseen // SLAB_ROWS + 3) * SLAB_ROWS  # the first and the last slab are full in part only
        self.keys: KeyArray = np.empty((rows, 2), np.uint64)  # rows, so that a key is in one cache line
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(rows if width is None else (width, rows), dtype) for name, (dtype, width) in columns.items()
        }
        self._starts: IntArray = np.empty(0, np.int64)  # in the columns, of the slabs in use, in the order of numbers
        self._first = 0  # numbers >> SLAB_BITS of the first of them
        self._free: list[int] = []
        self._written = 0

    def __len__(self) -> int:
        return self.next - self.head

    @property
    def row_bytes(self) -> int:
        """Bytes of an entry."""
        of_columns: int = sum(c.dtype.itemsize * (1 if c.ndim == 1 else len(c)) for c in self.columns.values())
        return KEY_BYTES + of_columns

    @property
    def nbytes(self) -> int:
        """Bytes held: of all slabs that were ever written to."""
        return self._written * self.row_bytes

    def begin(self, number: int) -> None:
        """Make `number` the next one; there must be no entry yet."""
        assert not len(self), f"{len(self)} entries are here already"
        self._give_back(len(self._starts))
        self.head = self.next = number
        self._first = number >> SLAB_BITS

    def place(self, numbers: IntArray) -> IntArray:
        """Where these entries lie in the columns."""
        return np.asarray(self._starts.take((numbers >> SLAB_BITS) - self._first) + (numbers & _LOW))

    def append(self, keys: KeyArray, **columns: npt.NDArray[Any]) -> int:
        """New entries; returns the number of the first."""
        assert columns.keys() == self.columns.keys(), f"columns {sorted(columns)}, wanted {sorted(self.columns)}"
        first, self.next = self.next, self.next + len(keys)
        self._reserve()
        for begin, at in self._pieces(first, self.next):
            given = slice(begin - first, begin - first + at.stop - at.start)
            self.keys[at] = keys[given]
            for name, values in columns.items():
                self.columns[name][..., at] = values[..., given]
        return first

    def forget(self, until: int) -> None:
        """Forget everything before `until`."""
        self.head = min(max(until, self.head), self.next)
        self._give_back((self.head >> SLAB_BITS) - self._first)

    def alive(self, numbers: IntArray) -> BoolArray:
        """Whether each number is an entry's that is not forgotten; any number may be asked for."""
        return np.asarray((numbers >= self.head) & (numbers < self.next))

    def matching(self, numbers: IntArray, keys: KeyArray) -> BoolArray:
        """Whether each number is a living entry's that has the key beside it; any number may be asked for."""
        there = Entries.alive(self, numbers)
        if not there.all():
            at = np.flatnonzero(there)
            there[at] = self.matching(numbers[at], keys.take(at, axis=0))
            return there
        held = self.keys.take(self.place(numbers), axis=0)
        same = (held[:, 0] == keys[:, 0]) & (held[:, 1] == keys[:, 1])
        if self.mortal:
            at = np.flatnonzero(same)
            same[at] = self.alive(numbers[at])
        return np.asarray(same)

    @property
    def mortal(self) -> bool:
        """Whether one that is not forgotten may be dead."""
        return False

    def blocks(self) -> Iterator[tuple[int, KeyArray]]:
        """All entries, slab by slab: the number of the first, and the keys; views, nothing is copied."""
        for begin, at in self._pieces(self.head, self.next):
            yield begin, self.keys[at]

    def _pieces(self, first: int, until: int) -> Iterator[tuple[int, slice]]:
        """These numbers cut by slabs: the first of each piece, and where the piece lies."""
        while first < until:
            stop = min(until, ((first >> SLAB_BITS) + 1) << SLAB_BITS)
            start = int(self._starts[(first >> SLAB_BITS) - self._first]) + (first & _LOW)
            yield first, slice(start, start + stop - first)
            first = stop

    def _give_back(self, slabs: int) -> None:
        if slabs > 0:
            self._free += self._starts[:slabs].tolist()
            self._starts = self._starts[slabs:].copy()
            self._first += slabs

    def _reserve(self) -> None:
        """Slabs for all numbers up to `next`, those first that have memory already."""
        wanted = ((self.next + _LOW) >> SLAB_BITS) - self._first - len(self._starts)
        if wanted <= 0:
            return
        given = [self._free.pop() for _ in range(min(wanted, len(self._free)))]
        while len(given) < wanted:
            given.append(self._written)
            self._written += SLAB_ROWS
        self._starts = np.concatenate([self._starts, np.array(given, np.int64)])
        if self._written > len(self.keys):
            self._grow(max(self._written, int(GROWTH * len(self.keys))))

    def _grow(self, rows: int) -> None:
        """More room than was foreseen: the only time at which anything is copied."""
        keys = np.empty((rows, 2), np.uint64)
        keys[: len(self.keys)] = self.keys
        self.keys = keys
        for name, column in self.columns.items():
            self.columns[name] = grown = np.empty((*column.shape[:-1], rows), column.dtype)
            grown[..., : column.shape[-1]] = column


def foreseen(entries_max: int) -> int:
    """Rows to ask room for, where at most so many are kept from pane to pane."""
    return min(entries_max + ONE_PANE, ROWS_FORESEEN_MAX)


class Mortals(Entries):
    """Entries that may also die one by one, before their turn."""

    def __init__(self, columns: Mapping[str, tuple[Any, int | None]], rows_foreseen: int = SLAB_ROWS) -> None:
        super().__init__({**columns, "living": (np.bool_, None)}, rows_foreseen)

    @property
    def mortal(self) -> bool:
        """Any of them."""
        return True

    def append(self, keys: KeyArray, **columns: npt.NDArray[Any]) -> int:
        """New living entries; returns the number of the first."""
        return super().append(keys, **columns, living=np.ones(len(keys), np.bool_))

    def alive(self, numbers: IntArray) -> BoolArray:
        """Whether each number is a living entry's."""
        there = super().alive(numbers)
        there[there] = self.columns["living"][self.place(numbers[there])]
        return there

    def kill(self, numbers: IntArray) -> None:
        """These live no longer; they must not be forgotten yet."""
        self.columns["living"][self.place(numbers)] = False

    def living(self) -> IntArray:
        """The numbers of all that live, ascending."""
        numbers = np.arange(self.head, self.next)
        return numbers[self.alive(numbers)]
