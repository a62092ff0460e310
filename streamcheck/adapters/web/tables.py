"""How does the input stand? Partitions and the label join, as text for the status page."""

from dataclasses import dataclass

from streamcheck.core.kpi import said
from streamcheck.core.readings import DelayReading, JoinReading, PartitionReading
from streamcheck.core.searched import FoundTable, found_tables
from streamcheck.core.wording import NOTHING, instant, moment, percent, share, span
from streamcheck.runtime.telemetry import Snapshot

PARTITIONS_MAX = 100
OPERATIONS_MAX = 20
OPERATIONS_HEADS = ("since", "state", "severity", "alert", "owner", "what")


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


@dataclass(frozen=True, slots=True)
class Delays:
    """How long labels take: quantiles in words; bars: up to how long, share, and in per cent of the longest."""

    rows: str
    quantiles: tuple[tuple[str, str], ...]
    bars: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many predictions have their label: shares of those so far."""

    labelled: str
    waiting: str
    without: str


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One rejected event."""

    reason: str
    source: str
    offset: str
    size: str
    text: str


def delays(reading: DelayReading) -> Delays | None:
    """None while no label has come."""
    if not reading.rows:
        return None
    quantiles = tuple((f"{100 * at:g} % within", span(ms / 1000)) for at, ms in reading.quantiles)
    held = [at for at, (_, part) in enumerate(reading.shares) if part]
    top = max(part for _, part in reading.shares)
    bars = tuple(
        (
            "longer" if end is None else f"up to {span(end / 1000)}",
            percent(part),
            share(part, top),
        )
        for end, part in reading.shares[held[0] : held[-1] + 1]
    )
    return Delays(f"{reading.rows:,}", quantiles, bars)


def coverage(books: JoinReading) -> Coverage | None:
    """None where no prediction waits for a label."""
    counted = books.predictions - books.predictions_duplicate
    if not counted:
        return None
    without = books.predictions_expired + books.predictions_evicted
    parts = (books.predictions_matched, books.predictions_pending, without)
    return Coverage(*(f"{percent(part / counted)} ({part:,})" for part in parts))


def sample_rows(snapshot: Snapshot) -> tuple[SampleRow, ...]:
    """The newest rejected events of each reason."""
    return tuple(
        SampleRow(s.reason, str(s.source), str(s.offset), NOTHING if s.size is None else f"{s.size:,} B", s.text)
        for s in snapshot.samples
    )


def search_tables(snapshot: Snapshot) -> tuple[FoundTable, ...]:
    """What the KPI follows, model versions, weak and biased segments, quantiles, where there are some."""
    links = tuple((said(each),) for each in snapshot.engine.kpi)
    business = FoundTable("kpi", "Business", "what the KPI follows", ("",), links)
    return (*((business,) if links else ()), *found_tables(snapshot.engine))


def operations_table(snapshot: Snapshot) -> tuple[FoundTable, ...]:
    """What was wrong with the service itself lately, newest first, where anything was."""
    rows = tuple(
        (instant(alert.pane_end), alert.state, alert.severity, alert.monitor, alert.owner or NOTHING, alert.summary)
        for alert in snapshot.operations.book.recent[:OPERATIONS_MAX]
    )
    about = "by the real clock, no part of the alert log"
    table = FoundTable("operations", "The service itself", about, OPERATIONS_HEADS, rows)
    return (table,) if rows else ()


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
