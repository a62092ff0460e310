"""Many parsed values, or the numbers of many parsed objects, as columns in one go.

msgpack writes a float in nine bytes and null in one. So where none is null, the numbers of objects that msgspec has
written one after the other lie at equal distances, and numpy reads them from there: in a quarter of the time that one
Python object after the other takes. Whole numbers of one size and texts of one length lie so as well; what a value is
and how long, its first byte says.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streamcheck.core.pieces import ByteArray
from streamcheck.core.types import FloatArray, IntArray

_encode = msgspec.msgpack.Encoder().encode
_ZERO, _ONE = 0.0, 1.0
"""As floats their bytes differ from the first on."""
_FLOAT, _UINT32, _UINT64 = 0xCB, 0xCE, 0xCF
_TEXT, _TEXT_BYTES_MAX = 0xA0, 31
"""The first byte of a short text: the length is in its last five bits."""


def floats(values: Sequence[object]) -> FloatArray | None:
    """The same floats as an array; None where not all are."""
    rows = _alike(values)
    return None if rows is None or rows[0, 0] != _FLOAT else _numbers(rows, ">f8").astype(np.float64)


def wholes(values: Sequence[object]) -> IntArray | None:
    """The same whole numbers as an array, where msgpack writes all in four bytes, or all in eight; else None.

    >>> wholes([1 << 40, 1 << 62]), wholes([1 << 40, 7]), wholes([1 << 40, 1 << 63])
    (array([      1099511627776, 4611686018427387904]), None, None)
    """
    rows = _alike(values)
    if rows is None or rows[0, 0] not in (_UINT32, _UINT64):
        return None
    numbers = _numbers(rows, ">u4" if rows[0, 0] == _UINT32 else ">u8").astype(np.int64)
    return numbers if numbers.min() >= 0 else None


def texts(values: Sequence[object]) -> ByteArray | None:
    """Texts that all have the same number of bytes, 1 to 31, as rows of UTF-8: (n, bytes). None for others.

    values: as JSON has them; there are types that msgpack writes as texts.

    >>> texts(["ab", "cd"]).tolist(), texts(["ab", "c"]), texts(["ab", 7])
    ([[97, 98], [99, 100]], None, None)
    """
    rows = _alike(values)
    return None if rows is None or int(rows[0, 0]) & ~_TEXT_BYTES_MAX != _TEXT else rows[:, 1:]


def _alike(values: Sequence[object]) -> ByteArray | None:
    """What msgpack makes of each, (n, bytes), where all have one kind and size; else None.

    The first byte of one tells where the next begins: so all have it where it is found at equal distances.
    """
    try:
        data = _encode(values)
    except (TypeError, ValueError, OverflowError, RecursionError):  # half of a surrogate pair, a number beyond 64 bits
        return None
    begin = _head_bytes(len(values))
    size, over = divmod(len(data) - begin, max(1, len(values)))
    if over or size < 2 or _size(data[begin]) != size:
        return None
    rows = np.frombuffer(data, np.uint8, offset=begin).reshape(-1, size)
    return rows if (rows[:, 0] == data[begin]).all() else None


def _size(first: int) -> int:
    """Bytes of a value that begins so; 0 for one of no kind that is told apart here."""
    if first & ~_TEXT_BYTES_MAX == _TEXT:
        return 1 + (first & _TEXT_BYTES_MAX)
    return {_FLOAT: 9, _UINT32: 5, _UINT64: 9}.get(first, 0)


def _numbers(rows: ByteArray, kind: str) -> npt.NDArray[Any]:
    """The bytes behind the first of each row as numbers."""
    return np.ndarray((len(rows),), kind, rows, 1, (rows.shape[1],))


class Packing:
    """Where numbers lie in what msgpack makes of one object. make: an object out of so many numbers and nothing else.

    >>> Point = msgspec.defstruct("Point", [("x", float | None), ("y", float | None)])
    >>> packing, into = Packing(Point, 2), np.zeros((2, 2))
    >>> packing.take([Point(1.5, 2.0), Point(None, 0.0)], into, [1, 0])
    False
    >>> packing.take([Point(1.5, 2.0), Point(2.5, 0.0)], into, [1, 0]), into.tolist()
    (True, [[2.0, 0.0], [1.5, 2.5]])
    """

    def __init__(self, make: Callable[..., Any], numbers: int) -> None:
        blank = _encode(make(*[_ZERO] * numbers))
        self._width = len(blank)
        self._places = []
        for at in range(numbers):
            marked = _encode(make(*(_ONE if other == at else _ZERO for other in range(numbers))))
            self._places.append(next(k for k, (a, b) in enumerate(zip(blank, marked, strict=True)) if a != b))

    def take(self, objects: Sequence[Any], into: FloatArray, rows: Sequence[int]) -> bool:
        """Write the numbers of n objects to these rows of `into` (R, n). False, and nothing written, where one is null.

        objects: made by `make`, or null.
        """
        data = _encode(objects)
        begin = len(data) - len(objects) * self._width
        if begin != _head_bytes(len(objects)):
            return False
        if len(objects):
            for row, place in zip(rows, self._places, strict=True):
                into[row] = np.ndarray((len(objects),), ">f8", data, begin + place, (self._width,))
        return True


def _head_bytes(objects: int) -> int:
    """Of a list of so many, before its first one."""
    return 1 if objects < 16 else 3 if objects < 1 << 16 else 5
