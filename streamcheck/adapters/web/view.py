"""What stands on the status page? The snapshot as text, ordered by what needs a look first, and bounded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamcheck.adapters.web.tables import InputTable, JoinTable, input_table, join_tables
from streamcheck.core.readings import AlertState, Reading
from streamcheck.core.wording import NOTHING, counted, instant, moment, number, share, span
from streamcheck.runtime.notices import notices
from streamcheck.runtime.telemetry import AlertReading, Health, Phase, Snapshot, segment_text

CARDS_MAX = 50
CAUSES_MAX = 20
TILES_MAX = 200
SEGMENTS_MAX = 20
RECENT_MAX = 50
SEGMENT_CHARS_MAX = 64
INCIDENT_CHARS = 8
"""Of an incident's id: enough to see which alerts belong together."""
NOT_ENOUGH = "not enough data"
LIMIT = "threshold"
"""The detector that compares a value with a limit that the user has drawn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one line to read: tone (alarm, warning, wait, good) and text."""

    tone: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Card:
    """One firing alert. since: None where the summary says it; runbook: a link only where it is one."""

    severity: str
    tone: str
    monitor: str
    column: str
    segment: str
    summary: str
    since: str | None
    fired: str
    runbook: str | None
    note: str | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One monitor for one segment. against: what its value is compared with, in words; empty for nothing.

    score_share, threshold_share: places on a bar, in per cent; None where there is nothing to draw.
    """

    segment: str
    state: str
    tone: str
    value: str
    against: str
    rows: str
    score: str
    threshold: str
    score_share: int | None
    threshold_share: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One monitor: its worst segment ahead, the others behind a fold."""

    monitor: str
    column: str
    how: str
    first: Line
    others: tuple[Line, ...]
    left_out: int


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


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page, as text."""

    config: str
    version: str
    phase: str
    verdict: Verdict
    notices: tuple[str, ...]
    causes: tuple[str, ...]
    health: tuple[tuple[str, str], ...]
    cards: tuple[Card, ...]
    cards_left_out: int
    qualities: tuple[QualityCard, ...]
    more_qualities: tuple[QualityCard, ...]
    tiles: tuple[Tile, ...]
    tiles_left_out: int
    monitors: str
    recent: tuple[Change, ...]
    recent_left_out: int
    inputs: InputTable
    joins: tuple[JoinTable, ...]
    limits: tuple[tuple[str, str], ...]


def page(snapshot: Snapshot, health: Health, now_ms: int) -> Page:
    """The page of one snapshot. now_ms: wall clock, for "how long ago"."""
    judged = [reading for reading in snapshot.engine.monitors if reading.detector]
    tiles = _tiles(judged)
    firing = sorted(snapshot.alerts.firing, key=lambda alert: alert.severity != "page")
    qualities, more_qualities = _qualities(snapshot.engine.monitors)
    hits = tuple((name, f"{hits:,}") for name, hits in snapshot.engine.limits if hits)
    return Page(
        config=snapshot.config,
        version=snapshot.version,
        phase=snapshot.phase.value,
        verdict=_verdict(snapshot, judged),
        notices=_notices(snapshot, health, now_ms),
        causes=_causes(snapshot),
        health=_health(snapshot, now_ms),
        cards=tuple(_card(alert, snapshot.engine.closed_until_ms) for alert in firing[:CARDS_MAX]),
        cards_left_out=max(0, len(firing) - CARDS_MAX),
        qualities=qualities,
        more_qualities=more_qualities,
        tiles=tiles[:TILES_MAX],
        tiles_left_out=max(0, len(tiles) - TILES_MAX),
        monitors=counted(len(tiles), "monitor"),
        recent=tuple(_change(alert) for alert in snapshot.alerts.recent[:RECENT_MAX]),
        recent_left_out=max(0, len(snapshot.alerts.recent) - RECENT_MAX),
        inputs=input_table(snapshot),
        joins=join_tables(snapshot.engine.join),
        limits=hits,
    )


def _segment(segment: tuple[tuple[str, str], ...]) -> str:
    """A segment in no more than SEGMENT_CHARS_MAX characters; its end stays, for it may be what tells it apart."""
    text = segment_text(segment)
    return text if len(text) <= SEGMENT_CHARS_MAX else f"{text[: SEGMENT_CHARS_MAX - 18]}…{text[-17:]}"


def _verdict(snapshot: Snapshot, judged: list[Reading]) -> Verdict:
    pending = sum(reading.alert is AlertState.PENDING for reading in judged)
    ready = sum(reading.status == "ready" for reading in judged)
    pairs = counted(len(judged), "pair")
    detail = f"{ready:,} of {pairs} of monitor and segment ready"
    if snapshot.alerts.firing:
        pages = sum(alert.severity == "page" for alert in snapshot.alerts.firing)
        incidents = len({alert.incident for alert in snapshot.alerts.firing})
        text = f"{counted(len(snapshot.alerts.firing), 'alert')} firing"
        text += f" in {counted(incidents, 'incident')}" if len(snapshot.alerts.firing) > 1 else ""
        return Verdict("alarm", text, (f"{pages} with severity page · " if pages else "") + detail)
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
    if snapshot.phase is Phase.CATCHING_UP:
        notices.append(f"Catching up: {counted(sum(lag for _, lag in snapshot.lag), 'record')} to go")
    return tuple(notices)


def _causes(snapshot: Snapshot) -> tuple[str, ...]:
    """What is broken, of incidents that are open, where that is known."""
    told = notices(snapshot.alerts, snapshot.config) if any(alert.fault for alert in snapshot.alerts.firing) else ()
    return tuple(each.cause for each in told if each.firing and each.cause is not None)[:CAUSES_MAX]


def _health(snapshot: Snapshot, now_ms: int) -> tuple[tuple[str, str], ...]:
    commit = snapshot.last_commit_ms
    return (
        ("phase", snapshot.phase.value),
        ("broker", "connected" if snapshot.broker.connected else "not connected"),
        ("judged until", moment(snapshot.engine.closed_until_ms)),
        ("last commit", NOTHING if commit is None else f"{span((now_ms - commit) / 1000)} ago"),
        ("lag", counted(sum(lag for _, lag in snapshot.lag), "record")),
        ("outbox", counted(snapshot.outbox, "alert") if snapshot.outbox else "empty"),
        ("up for", span((now_ms - snapshot.started_ms) / 1000)),
    )


def _card(alert: AlertReading, closed_until_ms: int | None) -> Card:
    link = alert.runbook if alert.runbook and alert.runbook.startswith(("https://", "http://")) else None
    since = instant(alert.change_at or alert.pane_end)
    judged = (
        ("reference", number(alert.reference)),
        ("score / threshold", f"{number(alert.score)} / {number(alert.threshold)}"),
    )
    facts = (
        ("value", number(alert.value)),
        *((("limit", number(alert.threshold)),) if alert.detector == LIMIT else judged),
        ("rows", f"{alert.rows:,}"),
        ("detector", alert.detector or NOTHING),
        ("owner", alert.owner or NOTHING),
        ("incident", alert.incident[:INCIDENT_CHARS] or NOTHING),
    )
    return Card(
        severity=alert.severity or "alert",
        tone="alarm" if alert.severity == "page" else "warning",
        monitor=alert.monitor,
        column=alert.column,
        segment=_segment(alert.segment),
        summary=alert.summary or f"{alert.monitor} is firing",
        since=None if since in alert.summary else since,
        fired=instant(alert.pane_end) + _lasting(alert.pane_end, closed_until_ms),
        runbook=link,
        note=None if link else alert.runbook,
        facts=tuple((name, value) for name, value in facts if value not in (NOTHING, f"{NOTHING} / {NOTHING}")),
    )


def _lasting(start: str, until_ms: int | None) -> str:
    """How long, in event time, an alert has been firing."""
    try:
        begun_s = datetime.fromisoformat(start).timestamp()
    except ValueError:
        return ""
    return "" if until_ms is None or until_ms / 1000 <= begun_s else f" ({span(until_ms / 1000 - begun_s)})"


def _urgency(reading: Reading) -> tuple[float, ...]:
    """Ascending order: firing, pending, then whose score is nearest to its threshold."""
    nearness = (reading.score or 0.0) / reading.threshold if reading.threshold and not _limited(reading) else 0.0
    return (-int(reading.alert), -nearness)


def _limited(reading: Reading) -> bool:
    """Whether the score is the value itself and the threshold a limit drawn by the user, from above or from below."""
    return reading.detector == LIMIT


def _against(reading: Reading) -> str:
    if _limited(reading):
        return "" if reading.threshold is None else f"limit {number(reading.threshold)}"
    return "" if reading.reference is None else f"normal {number(reading.reference)}"


def _tiles(judged: list[Reading]) -> tuple[Tile, ...]:
    groups: dict[tuple[str, str], list[Reading]] = {}
    for reading in judged:
        groups.setdefault((reading.monitor, reading.column), []).append(reading)
    ordered = sorted((sorted(group, key=_urgency) for group in groups.values()), key=lambda group: _urgency(group[0]))
    tiles = []
    for first, *others in ordered:
        shown = others[: SEGMENTS_MAX - 1]
        # A row detector has no measure: the engine calls what it sees "rows".
        granted = [reading.alarms_per_week for reading in (first, *others) if reading.alarms_per_week is not None]
        promised = f"at most {number(sum(granted))} false alarms a week" if granted else ""
        how = " · ".join(word for word in (first.measure, first.detector, promised) if word)
        lines = tuple(_line(reading) for reading in shown)
        tiles.append(Tile(first.monitor, first.column, how, _line(first), lines, len(others) - len(shown)))
    return tuple(tiles)


def _line(reading: Reading) -> Line:
    state, tone = _state(reading)
    top = 1.25 * max(reading.score or 0.0, reading.threshold or 0.0)
    drawn = bool(reading.threshold) and not _limited(reading)
    return Line(
        segment=_segment(reading.segment),
        state=state,
        tone=tone,
        value=number(reading.value),
        against=_against(reading),
        rows=f"{reading.rows:,}",
        score=number(reading.score),
        threshold=number(reading.threshold),
        score_share=share(reading.score, top) if drawn and reading.score is not None else None,
        threshold_share=share(reading.threshold or 0.0, top),
    )


def _state(reading: Reading) -> tuple[str, str]:
    """What to say of a reading, and in which tone."""
    if reading.alert is AlertState.FIRING:
        return ("known, firing", "warning") if reading.acknowledged_by else ("firing", "alarm")
    if reading.alert is AlertState.PENDING:
        return "pending", "warning"
    return ("quiet", "good") if reading.status == "ready" else (reading.status, "wait")


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
            segment=_segment(reading.segment),
            tone=_state(reading)[1],
            value=number(reading.value) if reading.value is not None else reading.status,
            range=NOTHING if reading.low is None else f"{number(reading.low)} to {number(reading.high)}",
            rows=f"{reading.rows:,}",
            low=place(reading.low, reading.value or left),
            at=None if reading.value is None else place(reading.value, left),
            high=place(reading.high, reading.value or left),
        )
        for reading in shown
    )
    return QualityCard(measure, monitor, (number(left), number(right)), intervals, len(group) - len(shown))


def _change(alert: AlertReading) -> Change:
    return Change(
        at=instant(alert.pane_end),
        state=alert.state,
        severity=alert.severity,
        monitor=alert.monitor,
        segment=_segment(alert.segment),
        summary=alert.summary,
    )
