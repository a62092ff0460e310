"""What the engine shows of itself: monitors' readings and counters, as immutable values for gauges, pages, reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from streamcheck.core.bars import Bars
from streamcheck.core.types import FloatArray, IntArray, SourcePartition

Segment = tuple[tuple[str, str], ...]
"""Field and value pairs; empty for all rows."""


class AlertState(IntEnum):
    """The life of an alert, as the gauge `streamcheck_alert_state` shows it."""

    QUIET = 0
    PENDING = 1
    FIRING = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One monitor for one segment, now. Numbers are None while there is none (warming up, not enough data).

    segment: field and value pairs, empty for all rows; value and reference: in the column's own unit; low and high: the
    95 % interval of a labelled quality; score and threshold: the detector's; rows: behind the value; status: for people
    ("learning its range, 340 of 1,000 values", "warming up 41 of 100 panes", "provisional 3 of 48 hours", "ready",
    "not enough data"); alarms_per_week: false alarms that the budget grants it, None outside the budget, and until
    it is settled which segments share;
    acknowledged_by, _why, _until_ms: who said that the open alert is known, why, and until when (event time; None:
    until it is over); rows_needed: of a share of labelled rows, about how many more it takes until it is known to +-2
    points; quantiles: of a column's newest values, (0.5, value) …, where the measure is one.
    """

    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    measure: str
    detector: str
    alert: AlertState
    status: str
    rows: int
    value: float | None = None
    reference: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    threshold: float | None = None
    alarms_per_week: float | None = None
    acknowledged_by: str | None = None
    rows_needed: int | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    acknowledged_why: str = ""
    acknowledged_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PartitionReading:
    """One source partition: newest accepted event time and watermark (ms, None before the first row), idleness, books.

    rejected: events by reason. accepted counts on-time rows only; accepted + late + the rejected = all events read.
    """

    source: SourcePartition
    newest_ms: int | None
    watermark_ms: int | None
    idle: bool
    accepted: int
    late: int
    rejected: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class JoinReading:
    """The label join's books.

    predictions = matched + pending + expired + evicted + duplicates; the same for labels with corrections:
    labels = matched + corrections + duplicates + pending + expired + evicted.
    """

    predictions: int = 0
    predictions_pending: int = 0
    predictions_matched: int = 0
    predictions_expired: int = 0
    predictions_evicted: int = 0
    predictions_duplicate: int = 0
    labels: int = 0
    labels_pending: int = 0
    labels_matched: int = 0
    labels_corrections: int = 0
    labels_duplicate: int = 0
    labels_expired: int = 0
    labels_evicted: int = 0


@dataclass(frozen=True, slots=True)
class JoinPlaces:
    """Where the predictions of the join lie, those with a label too, and what memory the join takes in all."""

    memory: int = 0
    disk: int = 0
    memory_bytes: int = 0


NUMBERS = ("low", "high", "baseline", "usual_low", "usual_high", "score", "threshold", "state")
"""What is kept of a monitor's way: lowest and highest level, the reference's level, between which values the level lies
95 times of 100 when nothing has changed, the detector's highest score, its threshold, and the alert's state."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some panes in a row as one. numbers (monitors, NUMBERS) float32: NaN where a monitor judged nothing."""

    start_ms: int
    end_ms: int
    panes: int
    numbers: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """One monitor for one segment lately: k pieces that hold something, ascending."""

    starts: IntArray
    ends: IntArray
    numbers: npt.NDArray[np.float32]

    def __getitem__(self, name: str) -> FloatArray:
        """One number (k,) of each piece."""
        return np.asarray(self.numbers[:, NUMBERS.index(name)], np.float64)

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Trails:
    """How each monitor went lately, by id and segment. pieces: oldest first, newer ones shorter."""

    pieces: tuple[Piece, ...] = ()
    places: Mapping[tuple[str, Segment], int] = field(default_factory=dict)

    def of(self, monitor: str, segment: Segment, newest: int | None = None) -> Trail | None:
        """One of them, of no more than the newest pieces; None where nothing is kept of it."""
        place = self.places.get((monitor, segment))
        pieces = self.pieces if newest is None else self.pieces[-newest:]
        if place is None:
            return None
        held = [p for p in pieces if place < len(p.numbers) and np.isfinite(p.numbers[place, 0])]
        times = np.array([(p.start_ms, p.end_ms) for p in held], np.int64).reshape(-1, 2)
        numbers = np.array([p.numbers[place] for p in held], np.float32).reshape(-1, len(NUMBERS))
        return Trail(times[:, 0], times[:, 1], numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A column's newest rows against the reference. now_rows: usable ones since now_ms; None: none have come yet."""

    bars: Bars | None
    now_ms: int | None
    now_rows: int
    then_rows: int


@dataclass(frozen=True, slots=True)
class DelayReading:
    """How long the newest labels took. rows: so many; quantiles: (0.5, ms) …; shares: up to so many ms (None: more)."""

    rows: int = 0
    quantiles: tuple[tuple[float, float], ...] = ()
    shares: tuple[tuple[int | None, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Lately:
    """What is remembered for pages only, since the process began: empty after a restart, and never judged by.

    since_ms: the first pane of it; comparisons: by column and segment, as far as somebody looks at them.
    """

    since_ms: int | None = None
    trails: Trails = field(default_factory=Trails)
    comparisons: Mapping[tuple[str, Segment], Comparison] = field(default_factory=dict)
    delays: DelayReading = DelayReading()


@dataclass(frozen=True, slots=True)
class WeakSegment:
    """A segment in which the model errs more than elsewhere, of the newest labelled rows.

    error: mean error of its rows (a share of wrong ones for classes) with its 95 % interval; rest: of all other rows;
    errors: its part of all errors; chance: of such a find where there is none, all segments looked at together.
    """

    segment: tuple[tuple[str, str], ...]
    rows: int
    error: float
    low: float
    high: float
    rest: float
    errors: float
    chance: float


@dataclass(frozen=True, slots=True)
class BiasedSegment:
    """A segment (empty: all rows) whose predictions lie too high (bias > 0) or too low, and what sets them right.

    bias: mean of prediction - label with its 95 % interval, relative as a part of the labels' sum (None where labels
    are not all positive); corrected = scale x prediction + shift. Learned on older rows; on `later` newer ones: bias
    and mean absolute error as they were, and as the correction leaves them.
    """

    segment: tuple[tuple[str, str], ...]
    rows: int
    bias: float
    low: float
    high: float
    relative: float | None
    scale: float
    shift: float
    later: int
    later_bias: float
    left_bias: float
    later_error: float
    left_error: float


@dataclass(frozen=True, slots=True)
class VersionsCompared:
    """The newest model version (challenger) beside the one before it (champion), for a segment (empty: all rows).

    Accuracy, or mean absolute error: of both, and the challenger's less the champion's with an interval that holds at
    every moment at once. verdict: what that says of the challenger: wins, loses, undecided.
    """

    segment: tuple[tuple[str, str], ...]
    champion: str
    challenger: str
    champion_rows: int
    challenger_rows: int
    champion_value: float
    challenger_value: float
    difference: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, slots=True)
class ShadowCompared:
    """A challenger in shadow beside the champion, on the same labelled rows of a segment (empty: all rows).

    Accuracy, or mean absolute error: of both, and the challenger's less the champion's with an interval that holds at
    every moment at once. agreement: the share of rows of which both say the same. verdict: what the interval says of
    the challenger: wins, loses, undecided.
    """

    segment: tuple[tuple[str, str], ...]
    champion: str
    challenger: str
    rows: int
    champion_value: float
    challenger_value: float
    difference: float
    low: float
    high: float
    agreement: float
    verdict: str


@dataclass(frozen=True, slots=True)
class ShadowReading:
    """A challenger in shadow: `join` has its predictions (as predictions) and the champion's labelled rows (as labels).

    memory_bytes: what waits takes in memory.
    """

    challenger: str
    join: JoinReading
    compared: tuple[ShadowCompared, ...] = ()
    memory_bytes: int = 0

    @property
    def alone(self) -> float | None:
        """The share of its predictions that met no labelled row, of those of which that is known; None without any."""
        gone = self.join.predictions_expired + self.join.predictions_evicted
        known = gone + self.join.predictions_matched
        return gone / known if known else None

    @property
    def uncovered(self) -> float | None:
        """The same of the champion's labelled rows: those of which the challenger said nothing in time."""
        gone = self.join.labels_expired + self.join.labels_evicted
        known = gone + self.join.labels_matched
        return gone / known if known else None


@dataclass(frozen=True, slots=True)
class KpiLinked:
    """How a KPI follows one number of the model: most clearly so much later, with that correlation.

    low, high: an interval that holds for all lags and numbers at once, 95 times of 100; worth: as many independent
    spans tell as much; all None while there are too few. spans: with both, of span_ms each; daily: freed of their daily
    course.
    """

    kpi: str
    against: str
    lag_ms: int | None
    r: float | None
    low: float | None
    high: float | None
    worth: float | None
    spans: int
    span_ms: int
    daily: bool

    @property
    def shown(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return self.low is not None and self.high is not None and (self.low > 0.0 or self.high < 0.0)


@dataclass(frozen=True, slots=True)
class EngineReading:
    """Everything the engine shows at one moment. limits: how often each limit has bitten, by name.

    lately: None where nobody has asked for it to be kept. events_per_second: predictions, of the newest closed minute.
    """

    monitors: tuple[Reading, ...]
    partitions: tuple[PartitionReading, ...]
    join: JoinReading
    watermark_ms: int | None
    closed_until_ms: int | None
    open_rows: int
    alerts: int
    limits: tuple[tuple[str, int], ...] = ()
    places: JoinPlaces = JoinPlaces()
    incidents: int = 0
    incidents_open: int = 0
    weak: tuple[WeakSegment, ...] = ()
    biased: tuple[BiasedSegment, ...] = ()
    versions: tuple[VersionsCompared, ...] = ()
    kpi: tuple[KpiLinked, ...] = ()
    shadow: ShadowReading | None = None
    lately: Lately | None = None
    events_per_second: float | None = None
