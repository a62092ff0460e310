"""How does the input stand? Partitions and the label join, as text for the status page."""

from dataclasses import dataclass

from streamcheck.core.readings import JoinReading, PartitionReading
from streamcheck.core.wording import NOTHING, moment, share
from streamcheck.runtime.telemetry import Snapshot

PARTITIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One source partition."""

    source: str
    state: str
    tone: str
    newest: str
    watermark: str
    lag: str
    accepted: str
    late: str
    rejected: str
    reasons: str


@dataclass(frozen=True, slots=True)
class InputTable:
    """The partitions with most lag and rejects first where not all can be shown."""

    rows: tuple[PartitionRow, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class JoinTable:
    """The books of one side of the join: name, number, share of the whole in per cent."""

    stream: str
    total: str
    outcomes: tuple[tuple[str, str, int], ...]


def input_table(snapshot: Snapshot) -> InputTable:
    """The source partitions, ascending; beyond PARTITIONS_MAX those that need a look least are left out."""
    lag = dict(snapshot.lag)

    def need(reading: PartitionReading) -> tuple[int, int]:
        return (-lag.get(reading.source, 0), -sum(number for _, number in reading.rejected))

    readings = sorted(snapshot.engine.partitions, key=need)[:PARTITIONS_MAX]
    rows = tuple(_row(reading, lag.get(reading.source)) for reading in sorted(readings, key=lambda r: r.source))
    return InputTable(rows, len(snapshot.engine.partitions) - len(rows))


def _row(reading: PartitionReading, lag: int | None) -> PartitionRow:
    state, tone = ("idle", "wait") if reading.idle else ("active", "good")
    if reading.newest_ms is None and not reading.idle:
        state, tone = "nothing yet", "wait"
    return PartitionRow(
        source=str(reading.source),
        state=state,
        tone=tone,
        newest=moment(reading.newest_ms),
        watermark=moment(reading.watermark_ms),
        lag=NOTHING if lag is None else f"{lag:,}",
        accepted=f"{reading.accepted:,}",
        late=f"{reading.late:,}",
        rejected=f"{sum(number for _, number in reading.rejected):,}",
        reasons=", ".join(f"{reason} {number:,}" for reason, number in reading.rejected if number),
    )


def join_tables(books: JoinReading) -> tuple[JoinTable, ...]:
    """Both sides of the join; none while nothing has come to it."""
    if not books.predictions and not books.labels:
        return ()
    predictions = (
        ("matched", books.predictions_matched),
        ("pending", books.predictions_pending),
        ("expired", books.predictions_expired),
        ("evicted", books.predictions_evicted),
        ("duplicates", books.predictions_duplicate),
    )
    labels = (
        ("matched", books.labels_matched),
        ("corrections", books.labels_corrections),
        ("pending", books.labels_pending),
        ("expired", books.labels_expired),
        ("evicted", books.labels_evicted),
        ("duplicates", books.labels_duplicate),
    )
    return (_side("predictions", books.predictions, predictions), _side("labels", books.labels, labels))


def _side(stream: str, total: int, outcomes: tuple[tuple[str, int], ...]) -> JoinTable:
    return JoinTable(stream, f"{total:,}", tuple((name, f"{n:,}", share(n, total)) for name, n in outcomes))
