"""What stands on the status page? The snapshot as text, ordered by what needs a look first, and bounded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamcheck.adapters.web.desk import Desk
from streamcheck.adapters.web.grid import Grid, Wish, grid
from streamcheck.adapters.web.tables import (
    Coverage,
    Delays,
    InputTable,
    JoinTable,
    SampleRow,
    coverage,
    delays,
    input_table,
    join_tables,
    operations_table,
    sample_rows,
    search_tables,
)
from streamcheck.adapters.web.words import address, known, short_segment, state
from streamcheck.core.keys import LIMIT
from streamcheck.core.readings import AlertState, Reading, Trails
from streamcheck.core.searched import FoundTable
from streamcheck.core.wording import NOTHING, counted, instant, moment, number, span
from streamcheck.runtime.notices import notices
from streamcheck.runtime.telemetry import AlertReading, Health, Phase, Snapshot, segment_text

CARDS_MAX = 30
CAUSES_MAX = 20
SEGMENTS_MAX = 20
RECENT_MAX = 50
SILENCES_MAX = 50
INCIDENT_CHARS = 8
"""Of an incident's id: enough to see which alerts belong together."""
NOT_ENOUGH = "not enough data"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one line to read: tone (alarm, warning, wait, good) and text."""

    tone: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing about the service. since_ms: of a value that is how long ago, or for how long, so that it may go on."""

    name: str
    value: str
    since_ms: int | None = None
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One firing alert. since: None where the summary says it; runbook: a link only where it is one.

    known: who has acknowledged it, why and until when, in words; hushed: the silences that hold it, likewise.
    """

    severity: str
    tone: str
    monitor: str
    column: str
    segment: str
    summary: str
    detail: str
    since: str | None
    fired: str
    runbook: str | None
    note: str | None
    facts: tuple[tuple[str, str], ...]
    href: str
    id: str
    known_to: str | None
    known: str
    hushed: tuple[str, ...]
    label: str
    commands: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Interval:
    """One quality of one segment; low, at, high: places on the card's axis, in per cent; at: None without a number."""

    segment: str
    tone: str
    value: str
    range: str
    rows: str
    low: float
    at: float | None
    high: float


@dataclass(frozen=True, slots=True)
class QualityCard:
    """One quality with all its segments on one axis."""

    measure: str
    monitor: str
    axis: tuple[str, str]
    intervals: tuple[Interval, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Change:
    """One recent transition."""

    at: str
    state: str
    severity: str
    monitor: str
    segment: str
    summary: str
    href: str


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A silence that holds."""

    id: str
    what: str
    who: str
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page, as text."""

    config: str
    version: str
    phase: str
    verdict: Verdict
    notices: tuple[str, ...]
    causes: tuple[str, ...]
    health: tuple[Fact, ...]
    cards: tuple[Card, ...]
    cards_left_out: int
    qualities: tuple[QualityCard, ...]
    more_qualities: tuple[QualityCard, ...]
    silences: tuple[SilenceRow, ...]
    grid: Grid
    since: str
    delays: Delays | None
    coverage: Coverage | None
    samples: tuple[SampleRow, ...]
    recent: tuple[Change, ...]
    recent_left_out: int
    inputs: InputTable
    joins: tuple[JoinTable, ...]
    limits: tuple[tuple[str, str], ...]
    searched: tuple[FoundTable, ...] = ()


def page(snapshot: Snapshot, health: Health, now_ms: int, wish: Wish | None = None, desk: Desk | None = None) -> Page:
    """The page of one snapshot. now_ms: wall clock, for "how long ago"; wish: which part of the monitors."""
    judged = [reading for reading in snapshot.engine.monitors if reading.detector]
    seen_to = {(r.monitor, r.segment): r for r in judged if r.acknowledged_by}
    firing = sorted(snapshot.alerts.firing, key=lambda a: ((a.monitor, a.segment) in seen_to, a.severity != "page"))
    desk, lately = desk or Desk(), snapshot.engine.lately
    qualities, more_qualities = _qualities(snapshot.engine.monitors)
    held, muddle = desk.held(now_ms)
    closed_ms = snapshot.engine.closed_until_ms
    return Page(
        config=snapshot.config,
        version=snapshot.version,
        phase=snapshot.phase.value,
        verdict=_verdict(snapshot, judged, len(seen_to)),
        notices=_notices(snapshot, health, now_ms) + ((f"Silences are not heeded: {muddle}",) if muddle else ()),
        causes=_causes(snapshot),
        health=_health(snapshot, now_ms),
        cards=tuple(card(a, closed_ms, seen_to.get((a.monitor, a.segment)), desk, now_ms) for a in firing[:CARDS_MAX]),
        cards_left_out=max(0, len(firing) - CARDS_MAX),
        qualities=qualities,
        more_qualities=more_qualities,
        silences=tuple(SilenceRow(s.id, s.what, s.who, moment(s.until_ms), s.why) for s in held[:SILENCES_MAX]),
        grid=grid(judged, Trails() if lately is None else lately.trails, wish or Wish()),
        since="" if lately is None or lately.since_ms is None else moment(lately.since_ms),
        delays=None if lately is None else delays(lately.delays),
        coverage=coverage(snapshot.engine.join),
        samples=sample_rows(snapshot),
        recent=tuple(_change(alert) for alert in snapshot.alerts.recent[:RECENT_MAX]),
        recent_left_out=max(0, len(snapshot.alerts.recent) - RECENT_MAX),
        inputs=input_table(snapshot),
        joins=join_tables(snapshot.engine.join),
        limits=tuple((name, f"{hits:,}") for name, hits in snapshot.engine.limits if hits),
        searched=(*operations_table(snapshot), *search_tables(snapshot)),
    )


def _verdict(snapshot: Snapshot, judged: list[Reading], known: int) -> Verdict:
    pending = sum(reading.alert is AlertState.PENDING for reading in judged)
    ready = sum(reading.status == "ready" for reading in judged)
    pairs = counted(len(judged), "pair")
    detail = f"{ready:,} of {pairs} of monitor and segment ready"
    if snapshot.alerts.firing:
        pages = sum(alert.severity == "page" for alert in snapshot.alerts.firing)
        incidents = len({alert.incident for alert in snapshot.alerts.firing})
        text = f"{counted(len(snapshot.alerts.firing), 'alert')} firing"
        text += f" in {counted(incidents, 'incident')}" if len(snapshot.alerts.firing) > 1 else ""
        words = [f"{pages} with severity page"] if pages else []
        words += [f"{known} known"] if known else []
        return Verdict("alarm", text, " · ".join((*words, detail)))
    if pending:
        return Verdict("warning", f"{counted(pending, 'alert')} pending", detail)
    if not judged:
        return Verdict("wait", "Nothing judged yet", "no pane has closed so far")
    if not ready:
        return Verdict("wait", "Warming up", detail)
    return Verdict("good", "All quiet", detail)


def _notices(snapshot: Snapshot, health: Health, now_ms: int) -> tuple[str, ...]:
    """What keeps the service itself from doing its work."""
    notices: list[str] = []
    broker = snapshot.broker
    if not broker.connected and (broker.message or snapshot.phase in (Phase.CATCHING_UP, Phase.LIVE)):
        silence = "does not answer"
        if broker.since_ms is not None:
            silence = f"has not answered for {span((now_ms - broker.since_ms) / 1000)}"
        notices.append(f"The broker {silence}: {broker.message or 'no reason known'}")
    if not health.ok:
        notices.append(f"Not healthy: {health.reason}")
    for alert in snapshot.operations.book.firing:
        whose = f" ({alert.owner})" if alert.owner else ""
        told = f", see {alert.runbook}" if alert.runbook else ""
        notices.append(f"{alert.severity}: {alert.summary}, since {instant(alert.pane_end)}{whose}{told}")
    if snapshot.phase is Phase.CATCHING_UP:
        notices.append(f"Catching up: {counted(sum(lag for _, lag in snapshot.lag), 'record')} to go")
    return tuple(notices)


def _causes(snapshot: Snapshot) -> tuple[str, ...]:
    """What is broken, of incidents that are open, where that is known."""
    told = notices(snapshot.alerts, snapshot.config) if any(alert.fault for alert in snapshot.alerts.firing) else ()
    return tuple(each.cause for each in told if each.firing and each.cause is not None)[:CAUSES_MAX]


def _health(snapshot: Snapshot, now_ms: int) -> tuple[Fact, ...]:
    commit, started, pace = snapshot.last_commit_ms, snapshot.started_ms, snapshot.engine.events_per_second
    committed = Fact("last commit", NOTHING)
    if commit is not None:
        committed = Fact("last commit", span((now_ms - commit) / 1000), commit, " ago")
    return (
        Fact("phase", snapshot.phase.value),
        Fact("broker", "connected" if snapshot.broker.connected else "not connected"),
        Fact("judged until", moment(snapshot.engine.closed_until_ms)),
        Fact("events", NOTHING if pace is None else f"{number(pace)} a second"),
        committed,
        Fact("lag", counted(sum(lag for _, lag in snapshot.lag), "record")),
        Fact("outbox", counted(snapshot.outbox, "alert") if snapshot.outbox else "empty"),
        Fact("up for", span((now_ms - started) / 1000), started),
    )


def card(alert: AlertReading, closed_until_ms: int | None, reading: Reading | None, desk: Desk, now_ms: int) -> Card:
    """What there is to be said of an alert that fires, and to be done about it. reading: of its monitor, if known."""
    known_to = reading.acknowledged_by if reading is not None else None
    link = alert.runbook if alert.runbook and alert.runbook.startswith(("https://", "http://")) else None
    since, fired = instant(alert.change_at or alert.pane_end), alert.fired_at or alert.pane_end
    limited = alert.detector == LIMIT and alert.score in (None, alert.value)  # else another number is judged
    judged = (
        ("reference", number(alert.reference)),
        ("score / threshold", f"{number(alert.score)} / {number(alert.threshold)}"),
    )
    facts = (
        ("value", number(alert.value)),
        *((("limit", number(alert.threshold)),) if limited else judged),
        ("rows", f"{alert.rows:,}"),
        ("detector", alert.detector or NOTHING),
        ("owner", alert.owner or NOTHING),
        ("incident", alert.incident[:INCIDENT_CHARS] or NOTHING),
        ("what is broken", alert.fault or NOTHING),
        ("follows from", alert.cause or NOTHING),
    )
    headline, _, detail = alert.summary.partition("; ")
    return Card(
        severity=alert.severity or "alert",
        tone="alarm" if alert.severity == "page" and known_to is None else "warning",
        monitor=alert.monitor,
        column=alert.column,
        segment=short_segment(alert.segment),
        summary=headline or f"{alert.monitor} is firing",
        detail=detail,
        since=None if since in alert.summary else since,
        fired=instant(fired) + _lasting(fired, closed_until_ms),
        runbook=link,
        note=None if link else alert.runbook,
        facts=tuple((name, value) for name, value in facts if value not in (NOTHING, f"{NOTHING} / {NOTHING}")),
        href=address(alert.monitor, alert.segment),
        id=alert.id,
        known_to=known_to,
        known="" if reading is None else known(reading),
        hushed=tuple(f"until {moment(s.until_ms)} by {s.who}: {s.why}" for s in desk.hushing(alert, now_ms)),
        label=segment_text(alert.segment),
        commands=(desk.acknowledge_command(alert.id), desk.silence_command(alert.monitor, alert.segment)),
    )


def _lasting(start: str, until_ms: int | None) -> str:
    """How long, in event time, an alert has been firing."""
    try:
        begun_s = datetime.fromisoformat(start).timestamp()
    except ValueError:
        return ""
    return "" if until_ms is None or until_ms / 1000 <= begun_s else f" ({span(until_ms / 1000 - begun_s)})"


def _qualities(readings: Iterable[Reading]) -> tuple[tuple[QualityCard, ...], tuple[QualityCard, ...]]:
    """Readings of labelled rows (those with an interval, without a detector, or that wait for data).

    First those that are monitored, then those that are only shown; where none is monitored, all come first.
    """
    groups: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        if reading.low is not None or reading.high is not None or not reading.detector or reading.status == NOT_ENOUGH:
            groups.setdefault((reading.measure, reading.monitor), []).append(reading)
    monitored: list[QualityCard] = []
    shown: list[QualityCard] = []
    for (measure, monitor), group in groups.items():
        cards = monitored if any(reading.detector for reading in group) else shown
        cards.append(_quality_card(measure, monitor, group))
    return (tuple(monitored), tuple(shown)) if monitored else (tuple(shown), ())


def _quality_card(measure: str, monitor: str, group: list[Reading]) -> QualityCard:
    shown = sorted(group, key=lambda reading: (bool(reading.segment), -reading.rows))[:SEGMENTS_MAX]
    ends = [end for r in shown for end in (r.low, r.value, r.high) if end is not None]
    left, right = (min(ends), max(ends)) if ends else (0.0, 1.0)
    width = (right - left) or 1.0

    def place(end: float | None, otherwise: float) -> float:
        return round(100 * ((otherwise if end is None else end) - left) / width, 1)

    intervals = tuple(
        Interval(
            segment=short_segment(reading.segment),
            tone=state(reading)[1],
            value=number(reading.value) if reading.value is not None else reading.status,
            range=_range(reading),
            rows=f"{reading.rows:,}",
            low=place(reading.low, reading.value or left),
            at=None if reading.value is None else place(reading.value, left),
            high=place(reading.high, reading.value or left),
        )
        for reading in shown
    )
    return QualityCard(measure, monitor, (number(left), number(right)), intervals, len(group) - len(shown))


def _range(reading: Reading) -> str:
    """The interval, and what it takes for a narrow one."""
    if reading.low is None:
        return NOTHING
    needed = f"; about {reading.rows_needed:,} more labelled rows for ±2 %" if reading.rows_needed else ""
    return f"{number(reading.low)} to {number(reading.high)}{needed}"


def _change(alert: AlertReading) -> Change:
    return Change(
        at=instant(alert.pane_end),
        state=alert.state,
        severity=alert.severity,
        monitor=alert.monitor,
        segment=short_segment(alert.segment),
        summary=alert.summary,
        href=address(alert.monitor, alert.segment),
    )
