"""Yes or no for each of a long row of numbers, of which the oldest are forgotten: one bit each."""

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import BoolArray, IntArray

GROWTH = 1.25
_ROOM_MIN = 128
_BIT = np.left_shift(1, np.arange(8)).astype(np.uint8)


class Bits:
    """Bits of the numbers from `begin` on, all 0 at first; an eighth of a byte each.

    >>> bits = Bits()
    >>> bits.set(np.array([3, 70]))
    >>> bits.get(np.array([2, 3, 70])).tolist(), bits.count(0, 71)
    ([False, True, True], 2)
    """

    def __init__(self) -> None:
        self._base = 0  # the number of the first bit, a multiple of eight
        self._head = 0
        self._bytes: npt.NDArray[np.uint8] = np.zeros(_ROOM_MIN, np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes.nbytes

    def begin(self, number: int) -> None:
        """The first number that will be asked for; all bits are 0 again."""
        self._head, self._base = number, number & ~7
        self._bytes = np.zeros(_ROOM_MIN, np.uint8)

    def set(self, numbers: IntArray) -> None:
        """Set these, all different."""
        if not len(numbers):
            return
        self._reserve(int(numbers.max()))
        at = numbers - self._base
        np.bitwise_or.at(self._bytes, at >> 3, _BIT[at & 7])

    def get(self, numbers: IntArray) -> BoolArray:
        """Whether each was set; none before the oldest that is kept."""
        at = numbers - self._base
        inside = at >> 3 < len(self._bytes)
        at = np.where(inside, at, 0)
        return np.asarray((self._bytes[at >> 3] & _BIT[at & 7] != 0) & inside)

    def count(self, first: int, until: int) -> int:
        """How many from `first` to `until` (exclusive) are set."""
        first, until = first - self._base, min(until - self._base, 8 * len(self._bytes))
        if first >= until:
            return 0
        bits = np.unpackbits(self._bytes[first >> 3 : (until + 7) >> 3], bitorder="little")
        return int(bits[first & 7 : (first & 7) + until - first].sum())

    def forget(self, until: int) -> None:
        """Nothing before `until` is asked for any more."""
        self._head = max(self._head, until)

    def _reserve(self, number: int) -> None:
        needed = (number - self._base) // 8 + 1
        if needed <= len(self._bytes):
            return
        base = self._head & ~7
        kept = self._bytes[(base - self._base) // 8 :]
        room = max(_ROOM_MIN, int(GROWTH * ((number - base) // 8 + 1)))
        self._bytes = np.zeros(room, np.uint8)
        self._bytes[: len(kept)] = kept
        self._base = base
