"""Records' bytes that lie in one block: cut out one by one where they are asked for, and not before."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import overload

import numpy as np
import numpy.typing as npt

from streamcheck.core.types import IntArray

ByteArray = npt.NDArray[np.uint8]

LINE_END, BLANK = ord("\n"), ord(" ")
GAP_MAX = 256
"""Bytes between two pieces, beyond which it is no cheaper to copy them than to copy the pieces without them."""


class Pieces(Sequence[bytes | None]):
    r"""n values of bytes in one block: piece i is data[begins[i]:ends[i]], and None where it ends before it begins.

    begins, ends (n,) int64. Pieces do not overlap and lie in the order of the block.

    >>> both = Pieces(b"1: {} 2: [] ", np.array([3, 9]), np.array([5, 11]))
    >>> list(both), both[1:][0], both.lengths.tolist(), bytes(both.lines())
    ([b'{}', b'[]'], b'[]', [2, 2], b'{}\n   []')
    """

    __slots__ = ("begins", "data", "ends")

    def __init__(self, data: bytes, begins: IntArray, ends: IntArray) -> None:
        self.data, self.begins, self.ends = data, begins, ends

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> "Pieces":
        """The same values in one block, one on each line."""
        if isinstance(values, cls):
            return values
        lengths = np.array([-1 if value is None else len(value) for value in values], np.int64)
        ends = np.cumsum(np.maximum(lengths, 0) + 1) - 1
        return cls(b"\n".join([value or b"" for value in values]), ends - np.maximum(lengths, 0), ends - (lengths < 0))

    @classmethod
    def together(cls, parts: "Sequence[Pieces]") -> "Pieces":
        """The values of all parts, of which there is one at least."""
        return parts[0] if len(parts) == 1 else cls._moved(*_laid([part.data for part in parts]), parts)

    @classmethod
    def beside(cls, parts: "Sequence[Sequence[Pieces]]") -> "list[Pieces]":
        """The same of several columns of each part: a block in which all of them lie is copied once."""
        blocks = [next((column.data for column in part if column.data), b"") for part in parts]
        own = ((column.data, block) for part, block in zip(parts, blocks, strict=True) for column in part)
        if len(parts) == 1 or any(data and data is not block for data, block in own):
            return [cls.together(column) for column in zip(*parts, strict=True)]
        data, shifts = _laid(blocks)
        return [cls._moved(data, shifts, column) for column in zip(*parts, strict=True)]

    @classmethod
    def _moved(cls, data: bytes, shifts: Sequence[int], parts: "Sequence[Pieces]") -> "Pieces":
        """The values of all parts in a block in which each lies that much further on."""
        moved = list(zip(parts, shifts, strict=True))
        return cls(
            data,
            np.concatenate([part.begins + by for part, by in moved]),
            np.concatenate([part.ends + by for part, by in moved]),
        )

    @classmethod
    def none(cls, count: int) -> "Pieces":
        """So many values, all None."""
        return cls(b"", np.zeros(count, np.int64), np.full(count, -1, np.int64))

    def __len__(self) -> int:
        return len(self.begins)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> "Pieces": ...
    def __getitem__(self, at: int | slice) -> "bytes | Pieces | None":
        if isinstance(at, slice):
            return self.at(at)
        begin, end = int(self.begins[at]), int(self.ends[at])
        return self.data[begin:end] if begin <= end else None

    def __iter__(self) -> Iterator[bytes | None]:
        data = self.data
        for begin, end in zip(self.begins.tolist(), self.ends.tolist(), strict=True):
            yield data[begin:end] if begin <= end else None

    def at(self, places: slice | IntArray) -> "Pieces":
        """Those at these positions, in their order."""
        return Pieces(self.data, self.begins[places], self.ends[places])

    def apart(self) -> tuple[IntArray, IntArray, bytes]:
        """Of what such values can be made again: begins, ends, and no more of the block than they lie in."""
        first, last = int(self.begins.min(initial=len(self.data))), int(self.ends.max(initial=0))
        return self.begins - first, self.ends - first, self.data[first:last]

    @property
    def lengths(self) -> IntArray:
        """Bytes of each, (n,) int64; less than 0 where it is None."""
        return self.ends - self.begins

    def edges(self) -> tuple[ByteArray, ByteArray]:
        """The first and the last byte of each, (n,) uint8. None of them is None, or empty."""
        octets = np.frombuffer(self.data, np.uint8)
        return octets[self.begins], octets[self.ends - 1]

    def lines(self) -> bytes | memoryview:
        """All of them (one at least, none of them None), a line's end and any number of blanks between two."""
        begin, end = int(self.begins[0]), int(self.ends[-1])
        before = self.ends[:-1] - begin
        gaps = self.begins[1:] - self.ends[:-1]
        narrow, wide = int(gaps.min(initial=GAP_MAX)), int(gaps.max(initial=1))
        if not 0 < narrow <= wide <= GAP_MAX:
            return b"\n".join(self)  # type: ignore[arg-type]  # none of them is None
        found = np.frombuffer(self.data, np.uint8, end - begin, begin)
        if wide > 1 or (found[before] != LINE_END).any():
            found = found.copy()
            if wide > 1:
                found[_each(before, gaps)] = BLANK
            found[before] = LINE_END
        return found.data


def _laid(blocks: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """All blocks as one, and where each begins there; the same one several times in a row is there once."""
    fresh = [at for at, block in enumerate(blocks) if not at or block is not blocks[at - 1]]
    begins = list(accumulate((len(blocks[at]) for at in fresh[:-1]), initial=0))
    repeats = np.diff([*fresh, len(blocks)])
    data = blocks[0] if len(fresh) == 1 else b"".join([blocks[at] for at in fresh])
    return data, np.repeat(begins, repeats).tolist()


def _each(begins: IntArray, counts: IntArray) -> IntArray:
    """The numbers from each beginning on, so many of them."""
    upto = np.cumsum(counts)
    return np.repeat(begins - upto + counts, counts) + np.arange(upto[-1])
