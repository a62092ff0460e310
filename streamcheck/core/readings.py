"""What the engine shows of itself: monitors' readings and counters, as immutable values for gauges, pages, reports."""

from dataclasses import dataclass
from enum import IntEnum

from streamcheck.core.types import SourcePartition


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
    "not enough data"); alarms_per_week: false alarms that the budget grants it, None outside the budget;
    acknowledged_by: who said that the open alert is known.
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


@dataclass(frozen=True, slots=True)
class EngineReading:
    """Everything the engine shows at one moment. limits: how often each limit has bitten, by name."""

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
