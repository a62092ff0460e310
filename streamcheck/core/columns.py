"""Records whose fields a source has as columns already (a Parquet or CSV file): typed values, not judged yet.

What a value counts as is decided by `streamcheck.runtime.decode`, for these as for JSON. The values of a field are of
one of three kinds, all n long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from streamcheck.core.plan import TimeUnit
from streamcheck.core.types import BoolArray, CodeArray, FloatArray, IntArray, SourcePartition


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Numbers, int64 or float64. present: where there is a value; foreign: where there is one that is no number.

    unit: of values that are times by their own type, whatever a config says; None for plain numbers.
    """

    values: IntArray | FloatArray
    present: BoolArray
    foreign: BoolArray | None = None
    unit: TimeUnit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """UTF-8 texts. data: uint8, one after the other; text i is data[starts[i]:starts[i + 1]], of n + 1 starts."""

    data: npt.NDArray[np.uint8]
    starts: IntArray
    present: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Scalars as JSON has them. codes (n,) int32 into `values`, -1 where there is none.

    What JSON has no scalar for (lists, objects, dates) stands in `values` as a list.
    """

    codes: CodeArray
    values: Sequence[object]


Values = Numbers | Texts | Coded
Fields = Mapping[str, "Fields | None"]
"""The fields of an event by name, with those inside of each that is an object."""


def nothing(rows: int) -> Coded:
    """A field that no record has.

    >>> nothing(2).codes.tolist()
    [-1, -1]
    """
    return Coded(np.full(rows, -1, np.int32), ())


@dataclass(frozen=True, slots=True, eq=False)
class ColumnBatch:
    """Records of ONE source partition as columns, in offset order, by the schema of its stream.

    offsets and timestamps (n,) int64 (ms; -1: none); id and time as the schema names them (None where it names none);
    columns: those of Schema.numeric, then of Schema.coded. faults and next_offset as in a RawBatch. fields: what every
    one of these records has, columns aside that declared fields inside an object are named after; None where nobody
    asks. Nobody has original bytes.
    """

    source: SourcePartition
    offsets: IntArray
    timestamps: IntArray
    id: Values | None
    time: Values | None
    columns: tuple[Values, ...]
    next_offset: int
    faults: tuple[tuple[int, str], ...] = ()
    fields: Fields | None = None

    def __len__(self) -> int:
        return len(self.offsets)


def distinct(coded: Coded) -> tuple[CodeArray, list[object]]:
    """Codes into the values that do appear, of which None is the last.

    >>> codes, values = distinct(Coded(np.array([2, -1, 2], np.int32), ("a", "b", "c")))
    >>> codes.tolist(), values
    ([0, 1, 0], ['c', None])
    """
    used = np.bincount(coded.codes + 1, minlength=len(coded.values) + 1)[1:] > 0
    table = np.append(np.cumsum(used) - 1, used.sum()).astype(np.int32)
    return table[coded.codes], [*compress(coded.values, used.tolist()), None]
