"""What is kept of each entry? Columns in arrays, numbered as entries come, forgotten from the oldest on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.types import BoolArray, IntArray, KeyArray

GROWTH = 1.25
"""Small, because the room left over is memory that limits must count; copying costs a nanosecond a byte at most."""
_ROOM_MIN = 1_024


class Entries:
    """Entries numbered `head` to `next` (exclusive), each with a key, whether it lives, and further columns.

    columns: name to (dtype, number of values an entry). A column is an array (room,) or (values, room); `place` says
    where in it a number lies.
    """

    def __init__(self, columns: Mapping[str, tuple[Any, int | None]]) -> None:
        self.head = 0
        self.next = 0
        self._base = 0  # the number at place 0
        self.keys: KeyArray = np.empty((_ROOM_MIN, 2), np.uint64)  # rows, so that a key is in one cache line
        self.living: BoolArray = np.zeros(_ROOM_MIN, np.bool_)
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(_ROOM_MIN if width is None else (width, _ROOM_MIN), dtype)
            for name, (dtype, width) in columns.items()
        }

    def __len__(self) -> int:
        return self.next - self.head

    @property
    def nbytes(self) -> int:
        """Bytes held, room for more included."""
        return self.keys.nbytes + self.living.nbytes + sum(column.nbytes for column in self.columns.values())

    def begin(self, number: int) -> None:
        """Make `number` the next one; there must be no entry yet."""
        assert not len(self), f"{len(self)} entries are here already"
        self.head = self.next = self._base = number

    def place(self, numbers: IntArray) -> IntArray:
        """Where these entries lie in the columns."""
        return numbers - self._base

    def append(self, keys: KeyArray, **columns: npt.NDArray[Any]) -> int:
        """New living entries; returns the number of the first."""
        n, first = len(keys), self.next
        self._reserve(n)
        at = slice(first - self._base, first - self._base + n)
        self.keys[at], self.living[at] = keys, True
        assert columns.keys() == self.columns.keys(), f"columns {sorted(columns)}, wanted {sorted(self.columns)}"
        for name, values in columns.items():
            self.columns[name][..., at] = values
        self.next += n
        return first

    def forget(self, until: int) -> IntArray:
        """Forget everything before `until`; returns the numbers of those that lived."""
        until = min(max(until, self.head), self.next)
        gone = slice(self.head - self._base, until - self._base)
        lived = np.flatnonzero(self.living[gone]) + self.head
        self.living[gone] = False
        self.head = until
        return lived

    def alive(self, numbers: IntArray) -> BoolArray:
        """Whether each number is a living entry's; long forgotten ones may be asked for."""
        there = np.asarray(numbers >= self.head)
        there[there] = self.living[numbers[there] - self._base]
        return there

    def matching(self, numbers: IntArray, keys: KeyArray) -> BoolArray:
        """Whether each number is a living entry's that has the key beside it."""
        there = self.alive(numbers)
        at = np.flatnonzero(there)
        there[at] = (self.keys[numbers[at] - self._base] == keys[at]).all(axis=1)
        return there

    def all(self) -> tuple[int, KeyArray, BoolArray]:
        """The number of the first, all keys, and which are living."""
        at = slice(self.head - self._base, self.next - self._base)
        return self.head, self.keys[at], self.living[at]

    def _reserve(self, n: int) -> None:
        if self.next - self._base + n <= len(self.keys):
            return
        kept = slice(self.head - self._base, self.next - self._base)
        room = len(self.keys)
        if len(self) + n > room / GROWTH:
            room = max(_ROOM_MIN, int(GROWTH * (len(self) + n)))
        self.keys = _moved(self.keys.view(f"V{KEY_BYTES}")[:, 0], kept, room).view(np.uint64).reshape(room, 2)
        self.living = _moved(self.living, kept, room)
        self.columns = {name: _moved(column, kept, room) for name, column in self.columns.items()}
        self._base = self.head


def _moved(column: npt.NDArray[Any], kept: slice, room: int) -> npt.NDArray[Any]:
    """The kept part at the beginning of an array with this room, the old one where it has it."""
    if column.shape[-1] == room:
        column[..., : kept.stop - kept.start] = column[..., kept].copy()
        return column
    new = np.empty((*column.shape[:-1], room), column.dtype)
    new[..., : kept.stop - kept.start] = column[..., kept]
    return new
