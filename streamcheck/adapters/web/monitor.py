"""What does the page of one monitor for one segment show? Its way, its newest rows, its alerts, what to do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streamcheck.adapters.web import drawing
from streamcheck.adapters.web.drawing import Drawing
from streamcheck.adapters.web.words import address, against, known, limited, short_segment, state, trouble
from streamcheck.core.components import components
from streamcheck.core.moved import between
from streamcheck.core.readings import NUMBERS, AlertState, Comparison, Reading, Trail
from streamcheck.core.wording import NOTHING, apart, counted, instant, moment, number, percent
from streamcheck.runtime.telemetry import AlertReading, Snapshot, segment_text

TABLE_ROWS = 30
"""Of the newest pieces, in numbers."""
BESIDE_MAX = 60
"""Other segments and monitors of the same column that are linked."""
RECENT_PIECES = 48
WAYS = {"all": "all that is remembered", "recent": "the newest panes"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of two samples: shares in words, and as lengths in per cent of the longest."""

    name: str
    then: str
    now: str
    then_share: float
    now_share: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Newest rows beside the reference. steps: outlines of a histogram (reference, now), empty for named bars."""

    bars: tuple[Bar, ...]
    steps: tuple[str, str] | None
    ends: tuple[str, str]
    top: str
    now_name: str
    then_name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One transition of it."""

    at: str
    state: str
    severity: str
    summary: str


@dataclass(frozen=True, slots=True)
class MonitorPage:
    """Everything on the page, as text. several: its measure gives several signals, of which the foremost is shown."""

    monitor: str
    column: str
    segment: str
    how: str
    state: str
    tone: str
    facts: tuple[tuple[str, str], ...]
    way: str
    ways: tuple[tuple[str, str, bool], ...]
    signal: Drawing | None
    limit: bool
    score: Drawing | None
    numbers: tuple[tuple[str, ...], ...]
    since: str
    several: bool
    comparison: Bars | None
    waiting: str
    moved: tuple[tuple[str, str, str], ...]
    alerts: tuple[Change, ...]
    firing: AlertReading | None
    beside: tuple[tuple[str, str, str, str], ...]


def find(snapshot: Snapshot, monitor: str, segment: str) -> Reading | None:
    """The reading of that monitor and segment, as addresses name it."""
    same = (r for r in snapshot.engine.monitors if r.detector and r.monitor == monitor)
    return next((r for r in same if segment_text(r.segment) == (segment or "all")), None)


def monitor_page(snapshot: Snapshot, reading: Reading, way: str) -> MonitorPage:
    """The page of one reading. way: all that is remembered, or the recent part of it."""
    lately = snapshot.engine.lately
    trail = None
    if lately is not None:
        trail = lately.trails.of(reading.monitor, reading.segment, RECENT_PIECES if way == "recent" else None)
    drawn = trail is not None and len(trail) > 1
    said, tone = state(reading)
    comparison = None if lately is None else lately.comparisons.get((reading.column, reading.segment))
    own = [a for a in snapshot.alerts.recent if (a.monitor, a.segment) == (reading.monitor, reading.segment)]
    here = (reading.monitor, reading.segment)
    firing = next((a for a in snapshot.alerts.firing if (a.monitor, a.segment) == here), None)
    base = address(*here)
    return MonitorPage(
        monitor=reading.monitor,
        column=reading.column,
        segment=short_segment(reading.segment),
        how=" · ".join(word for word in (reading.measure, reading.detector) if word),
        state=said,
        tone=tone,
        facts=_facts(snapshot, reading),
        way=way,
        ways=tuple((f"{base}&way={each}", words, each == way) for each, words in WAYS.items()),
        signal=drawing.signal(trail, limit=limited(reading)) if drawn and trail is not None else None,
        limit=limited(reading),
        score=drawing.score(trail) if drawn and trail is not None and not limited(reading) else None,
        numbers=() if trail is None else _numbers(trail),
        since=moment(None if lately is None else lately.since_ms),
        several=getattr(components("measure").get(reading.measure), "parts_max", 1) > 1,
        comparison=_bars(comparison),
        waiting=_waiting(comparison, looked_at=lately is not None and (reading.column, ()) in lately.comparisons),
        moved=_moved(firing or next((a for a in own if a.state in ("firing", "pending")), None)),
        alerts=tuple(Change(instant(a.pane_end), a.state, a.severity, a.summary) for a in own),
        firing=firing,
        beside=_beside(snapshot, reading),
    )


def _facts(snapshot: Snapshot, reading: Reading) -> tuple[tuple[str, str], ...]:
    owner = next((o for o in snapshot.owners if o.monitor == reading.monitor), None)
    interval = None if reading.low is None else f"{number(reading.low)} to {number(reading.high)}"
    scored = reading.score is not None and not limited(reading)
    score = f"{number(reading.score)} of {number(reading.threshold)}" if scored else None
    granted = None if reading.alarms_per_week is None else number(reading.alarms_per_week)
    facts = (
        ("value", number(reading.value)),
        ("held against", against(reading) or None),
        ("95 % interval", interval),
        ("score of threshold", score),
        ("rows", f"{reading.rows:,}"),
        ("reference", reading.status),
        ("false alarms granted a week", granted),
        ("severity", owner.severity if owner else None),
        ("owner", owner.owner if owner else None),
        ("acknowledged", known(reading) or None),
    )
    return tuple((name, value) for name, value in facts if value is not None and value != NOTHING)


def _numbers(trail: Trail) -> tuple[tuple[str, ...], ...]:
    """The newest pieces, newest first: until when, value, reference, usual range, score, threshold, alert."""
    rows = []
    for at in range(len(trail) - 1, max(len(trail) - 1 - TABLE_ROWS, -1), -1):
        held = dict(zip(NUMBERS, trail.numbers[at].tolist(), strict=True))
        level, usual = (_between(held[f"{what}low"], held[f"{what}high"]) for what in ("", "usual_"))
        told = (level, number(held["baseline"]), usual, number(held["score"]), number(held["threshold"]))
        rows.append((moment(int(trail.ends[at])), *told, AlertState(int(held["state"])).name.lower()))
    return tuple(rows)


def _between(low: float, high: float) -> str:
    return number(low) if low == high or not math.isfinite(low) else f"{number(low)} to {number(high)}"


def _bars(comparison: Comparison | None) -> Bars | None:
    if comparison is None or comparison.bars is None:
        return None
    made = comparison.bars
    top = max(float(made.then.max()), float(made.now.max())) or 1.0
    bars = tuple(
        Bar(name, percent(then), percent(now), round(100 * then / top, 1), round(100 * now / top, 1))
        for name, then, now in zip(made.names, made.then.tolist(), made.now.tolist(), strict=True)
    )
    steps = ends = None
    if made.edges is not None:
        ends = number(float(made.edges[0])), number(float(made.edges[-1]))
        steps = _steps([bar.then_share for bar in bars]), _steps([bar.now_share for bar in bars])
    now_name = f"newest {counted(comparison.now_rows, 'row')}, since {moment(comparison.now_ms)}"
    then_name = f"reference ({counted(comparison.then_rows, 'row')})"
    return Bars(bars, steps, ends or ("", ""), percent(top), now_name, then_name)


def _steps(shares: list[float]) -> str:
    width = drawing.WIDE / len(shares)
    path = "".join(f"V{100 - share:.0f}H{(k + 1) * width:.0f}" for k, share in enumerate(shares))
    return f"M0 100{path}V100"


def _waiting(comparison: Comparison | None, *, looked_at: bool) -> str:
    """Why there is no comparison, where there is none."""
    if comparison is None:
        begun = "counted from the first pane that closes while somebody looks at this segment"
        return begun if looked_at else ""
    if comparison.now_ms is None:
        return "no pane has closed since somebody began to look at this segment"
    return "the reference keeps no counts of this column" if not comparison.then_rows else ""


def _moved(alert: AlertReading | None) -> tuple[tuple[str, str, str], ...]:
    """What the newest alert says has moved: name, before, after."""
    if alert is None:
        return ()
    evidence: Mapping[str, Any] = orjson.loads(alert.record).get("evidence") or {}
    rows: list[tuple[str, str, str]] = []
    found = evidence.get("quantiles")
    if isinstance(found, dict):
        for at, before, after in zip(found["at"], found["before"], found["after"], strict=True):
            known = before is not None and after is not None
            said = apart(before, after) if known else (number(before), number(after))
            rows.append((f"{100 * at:g} % lie below", *said))
    named = [(one.get("name") or between(one["from"], one["to"]), one) for one in evidence.get("bins", ())]
    named += [(one["category"], one) for one in evidence.get("categories", ())]
    rows += [(name, percent(one["before"]), percent(one["after"])) for name, one in named]
    return tuple(rows)


def _beside(snapshot: Snapshot, reading: Reading) -> tuple[tuple[str, str, str, str], ...]:
    """Other monitors and segments of the same column, those in trouble first: address, name, state, tone."""
    others = [r for r in snapshot.engine.monitors if r.detector and r.column == reading.column and r is not reading]
    others.sort(key=trouble)
    return tuple(
        (address(r.monitor, r.segment), f"{r.measure} · {r.detector} · {short_segment(r.segment)}", *state(r))
        for r in others[:BESIDE_MAX]
    )
