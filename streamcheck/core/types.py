"""The nouns that flow: source partitions, batches, signals, verdicts (DESIGN: words, flow)."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
StatusArray = npt.NDArray[np.uint8]
KeyArray = npt.NDArray[np.uint64]
BoolArray = npt.NDArray[np.bool_]

MISSING_SEGMENT = "__missing__"
OTHER_SEGMENT = "__other__"


class SourcePartition(NamedTuple):
    """The unit of order and of lateness; sorts by topic, then partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class StreamRole(StrEnum):
    """What a topic is for."""

    PREDICTIONS = "predictions"
    LABELS = "labels"
    KPI = "kpi"
    SHADOW = "shadow"


class FieldStatus(IntEnum):
    """What became of one field of one event. Everything but OK leaves the value out of all statistics."""

    OK = 0
    MISSING = 1
    WRONG_TYPE = 2
    NON_FINITE = 3


class Original(Protocol):
    """A decoder's own handle on the original bytes of events."""

    def only(self, offset: int) -> "Original":
        """The same for this one event: it keeps no other alive."""


class Dictionary:
    """An append-only table of category strings; a code is a position in it, stable for its life.

    >>> d = Dictionary()
    >>> d.encode("DE"), d.encode("FR"), d.encode("DE"), d.values
    (0, 1, 0, ['DE', 'FR'])
    """

    __slots__ = ("index", "values")

    def __init__(self, values: tuple[str, ...] = ()) -> None:
        self.values: list[str] = list(values)
        self.index: dict[str, int] = {value: code for code, value in enumerate(values)}

    def encode(self, value: str) -> int:
        """The code of `value`, given a new one when it is unknown."""
        code = self.index.get(value)
        if code is None:
            code = self.index[value] = len(self.values)
            self.values.append(value)
        return code

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Rejects:
    """Events that could not become rows: their offsets (int64, ascending) and one reason each."""

    offsets: IntArray
    reasons: tuple[str, ...]

    @staticmethod
    def none() -> "Rejects":
        """No rejected event."""
        return Rejects(np.empty(0, np.int64), ())


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Decoded rows of ONE source partition, in offset order, as columns.

    With n rows, F numeric and C categorical columns (in the order of the stream's Schema):
    offsets, times (n,) int64, event time in ms; keys (n, 2) uint64 stand for the ids (see ids.py), (0, 2) when the
    schema has none; numeric (F, n) float64, finite where status is OK, 0.0 elsewhere; codes (C, n) int32 into
    `dictionaries`, -1 where not OK; status (F + C, n) of FieldStatus, numeric columns first. Offsets of rows and
    rejects never coincide.
    `next_offset` is where reading goes on (gaps and control records included). `raw` is the decoder's own handle on the
    original bytes, carried along untouched for dead letters.
    """

    source: SourcePartition
    stream: StreamRole
    offsets: IntArray
    times: IntArray
    keys: KeyArray
    numeric: FloatArray
    codes: CodeArray
    status: StatusArray
    dictionaries: tuple[Dictionary, ...]
    next_offset: int
    rejects: Rejects = field(default_factory=Rejects.none)
    raw: Original | None = None

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class Stray:
    """An event that did not count: late, or rejected, with its reason; `raw` as in its Batch."""

    source: SourcePartition
    offset: int
    reason: str
    raw: Original | None = None


class Background(NamedTuple):
    """How do a reference's own panes scatter? What a detector needs to know that judges many panes together.

    panes: that the scatter was estimated from; pane_rows: rows of a typical one; rows, weight: how many independent
    rows the reference, and a pane as large as the signal's, are worth; lag1, decay: correlation of neighbouring panes,
    lag1 * decay^(i-1) at distance i (0 where none is visible); skew: the skewness of what has a weight of 1: of a pane
    that is a count (1 / sqrt(what is expected) if events come by themselves), of a row (0 where rows are like normal
    ones); counted: whether the signal is how much came, as a part of what is expected, which may move with the hour.
    """

    panes: int
    pane_rows: float
    rows: float
    weight: float
    lag1: float = 0.0
    decay: float = 0.0
    skew: float = 0.0
    counted: bool = False


class Signal(NamedTuple):
    """One number for a pane detector, with what a detector needs to judge it.

    value: the measure; center: what the reference expects of it; se: the standard error of value - center when nothing
    has changed (> 0, in the unit of value, the reference's own error included); rows: events behind it;
    events: for a share, the number of rows that count (None for other measures); level and baseline: the two numbers to
    show to people (mean of the column now, and in the reference). center_se: the part of se that is the reference's own
    error, the same in every pane (0.0 where it is not known). background: None where the measure knows none.
    """

    value: float
    center: float
    se: float
    rows: int
    level: float
    baseline: float
    events: int | None = None
    center_se: float = 0.0
    background: Background | None = None


class Verdict(NamedTuple):
    """What a pane detector says after one signal.

    score and threshold are comparable and go to gauges and alerts: drifting means score > threshold, or score <
    threshold where the direction is -1 and the score is the measure itself (a limit from below); change_at: event time
    (ms) at which the change is estimated to have begun; direction: +1 rose, -1 fell, 0 unknown; level and rows: of the
    steps since then, where the detector has judged them together (None: those of the signal); between: two moments (ms)
    with the change between them 9 times of 10, where the detector can say and the drift begins with this signal (the
    second None: the end of the signal's pane); offset: by how much what the detector compares with lies above the
    signal's center, where it has learned more than the reference holds: of a share as it is, of a mean in standard
    deviations of a row.
    """

    drifting: bool
    score: float
    threshold: float
    change_at: int | None = None
    direction: int = 0
    level: float | None = None
    rows: int | None = None
    between: tuple[int, int | None] | None = None
    offset: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class RowVerdict:
    """What a row detector says after a run of rows.

    drifts: positions within the run (int64, ascending) at which drift was signalled; since: for the last of them, how
    many of the newest rows (that one included) lie after the estimated change, 1 when the method has no estimate.
    score and threshold: where the method has such numbers, else None. direction: 1 where the rows rose, -1 where they
    fell, 0 where the method does not say. level: the mean of these `since` rows, where the method knows it.
    """

    drifts: IntArray
    since: int = 1
    score: float | None = None
    threshold: float | None = None
    direction: int = 0
    level: float | None = None
