"""What readers of events hand to the decoder: values by path, of some records of a block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from streamcheck.core.ids import NO_KEYS
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Path, Schema, TimeUnit
from streamcheck.core.types import CodeArray, FloatArray, IntArray, KeyArray, StatusArray
from streamcheck.runtime.decode.fields import judge_numbers
from streamcheck.runtime.decode.judgement import doubt_times, doubted_values


@dataclass(slots=True, eq=False)
class Rows:
    """The columns of n records while they are filled, as in a Batch; and position -> reason of those that are none."""

    times: IntArray
    keys: KeyArray
    numeric: FloatArray
    codes: CodeArray
    status: StatusArray
    refused: dict[int, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, schema: Schema, count: int) -> "Rows":
        """Rows to be filled."""
        plain, coded = len(schema.numeric), schema.coded_rows
        return cls(
            times=np.zeros(count, np.int64),
            keys=np.zeros((count, 2), np.uint64) if schema.id_path else NO_KEYS,
            numeric=np.zeros((plain, count), np.float64),
            codes=np.zeros((coded, count), np.int32),
            status=np.zeros((plain + coded, count), np.uint8),
        )

    def judge(self, schema: Schema, stamps: IntArray) -> None:
        """Judge what is the same for all: numbers that are none, times, labels."""
        if schema.time is None:
            self.times = stamps
        self.numeric += 0.0  # a zero has no sign, as a whole number has none
        judge_numbers(self.numeric, self.status[: len(self.numeric)])
        doubt_times(self.refused, self.times, stamps, schema)
        self.refused = doubted_values(schema, self.status) | self.refused

    @property
    def good(self) -> IntArray:
        """Positions of those that are not refused."""
        return np.delete(np.arange(len(self.times)), list(self.refused))

    def only_good(self) -> "Rows":
        """Those that are not refused."""
        good = self.good
        return Rows(
            self.times[good],
            self.keys[good] if len(self.keys) else self.keys,
            self.numeric[:, good],
            self.codes[:, good],
            self.status[:, good],
            self.refused,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in some records.

    places: where they stand among the rows; values: by slot, one for each record; slots: of each path. numeric: columns
    of numbers that are still to be written, and their slots. unit: of event times, where their own type says it. json:
    whether the values are of JSON's types alone.
    """

    places: slice | IntArray
    values: list[Sequence[Any]]
    slots: Mapping[Path, int]
    numeric: Sequence[tuple[int, int]]
    unit: TimeUnit | None = None
    json: bool = False


class Reader(Protocol):
    """Reads values of records as events."""

    def read(self, values: Pieces, where: slice, rows: Rows) -> Iterator[Found]:
        """What these hold, which stand at `where` among the rows. Refused ones are noted there, with the reason."""


@runtime_checkable
class Wholly(Protocol):
    """A reader that can read an event with all that it holds."""

    def whole(self, value: bytes) -> Any:
        """As JSON would have it; None where the value holds none."""


def positions(places: slice | IntArray) -> IntArray:
    """The same as numbers."""
    return np.arange(places.start, places.stop) if isinstance(places, slice) else places
