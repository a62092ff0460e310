"""What speaks for each alert: numbers, charts, rows to look up; alerts that opened together stand together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.causes import FAULT, reading
from streamcheck.core.components import find
from streamcheck.core.plan import MonitorSpec, Target
from streamcheck.core.wording import counted, moment, number
from streamcheck.report.html import segments, shapes, signals
from streamcheck.report.html.marks import Chart
from streamcheck.report.record.alerts import FiredAlert, cause
from streamcheck.report.record.columns import ColumnHistory
from streamcheck.report.record.evidence import Evidence, Sample
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.result.truth import Known, Truth
from streamcheck.report.tables import Table, cut, name_of, what

DETAILED_MAX = 40
"""Alerts with charts; each takes some 50 kB."""
OTHERS_MAX = 200
"""Alerts of one group that are only named."""
VERDICTS = {"found": "found", "repeat": "repeat of", "false": "false alarm"}


@dataclass(frozen=True, slots=True)
class Card:
    """One alert."""

    id: str
    tone: str
    severity: str
    title: str
    segment: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    runbook: str | None
    charts: tuple[Chart, ...]
    samples: Table | None
    samples_say: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that opened shortly after one another. more: how many are not even named."""

    id: str
    title: str
    cards: tuple[Card, ...]
    others: tuple[tuple[str, str], ...]
    more: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a card is made of beside its evidence. verdict: of each alert, by its id."""

    recorder: Recorder
    known: tuple[Known, ...]
    verdict: dict[str, str]


def groups(recorder: Recorder, alerts: Sequence[FiredAlert], truth: Truth | None) -> tuple[Group, ...]:
    """All of which an alert has a card."""
    detailed, members = _detailed(recorder), dict[str, list[FiredAlert]]()
    for alert in alerts:
        members.setdefault(alert.incident, []).append(alert)
    verdict = {} if truth is None else {a.id: said for a, said in zip(alerts, truth.verdicts, strict=True)}
    seen = _Seen(recorder, () if truth is None else truth.incidents, verdict)
    made = []
    for incident, held in members.items():
        cards = tuple(_card(seen, recorder.evidence[alert.id]) for alert in held if alert.id in detailed)
        columns = list(dict.fromkeys(cut(alert.column, 40) for alert in held))
        more = f" and {len(columns) - 6} more" if len(columns) > 6 else ""
        title = f"{moment(held[0].fired_ms)}: {counted(len(held), 'alert')} on {', '.join(columns[:6])}{more}"
        fault, follow = cause(held)
        if fault is not None:
            said = reading(f"{fault.column}: {fault.evidence[FAULT]}", len(follow))
            title = f"{moment(held[0].fired_ms)}: {cut(said, 300)} ({counted(len(held), 'alert')})"
        others = [(moment(a.fired_ms), cut(a.summary, 300)) for a in held if a.id not in detailed]
        if cards:
            more_others = max(0, len(others) - OTHERS_MAX)
            made.append(Group(incident, title, cards, tuple(others[:OTHERS_MAX]), more_others))
    return tuple(made)


def _detailed(recorder: Recorder) -> set[str]:
    """Alerts with charts: of each incident the strongest, then the second of each, and so on."""
    by_incident: dict[str, list[Evidence]] = {}
    for evidence in recorder.evidence.values():
        by_incident.setdefault(evidence.incident, []).append(evidence)
    ranked = []
    for order, members in enumerate(by_incident.values()):
        members.sort(key=lambda e: (e.spec.rule.severity != "page", bool(e.segment), -_strength(e), e.fired_ms))
        ranked += [(place, order, evidence.id) for place, evidence in enumerate(members)]
    return {alert for _, _, alert in sorted(ranked)[:DETAILED_MAX]}


def _strength(evidence: Evidence) -> float:
    score, threshold = evidence.finding.score, evidence.finding.threshold
    return 0.0 if score is None or not threshold else abs(score / threshold)


def _card(seen: _Seen, evidence: Evidence) -> Card:
    spec, finding = evidence.spec, evidence.finding
    link = spec.rule.runbook if (spec.rule.runbook or "").startswith(("https://", "http://")) else None
    facts = (
        ("change began about", moment(finding.change_at_ms)),
        ("fired", moment(evidence.fired_ms)),
        ("resolved", "still open at the end" if evidence.resolved_ms is None else moment(evidence.resolved_ms)),
        ("value", number(finding.value)),
        ("reference", number(finding.reference)),
        ("score / threshold", f"{number(finding.score)} / {number(finding.threshold)}"),
        ("rows", f"{finding.rows:,}"),
        ("monitor", spec.id),
        ("detector", spec.detector.name),
        ("owner", spec.rule.owner or "–"),
        *_verdict(seen, evidence),
        *((("runbook", spec.rule.runbook),) if spec.rule.runbook and link is None else ()),
    )
    return Card(
        evidence.id,
        "alarm" if spec.rule.severity == "page" else "warning",
        spec.rule.severity,
        cut(spec.column, 80),
        name_of(evidence.segment),
        evidence.summary,
        tuple((name, value) for name, value in facts if value not in ("–", "– / –")),
        link,
        tuple(_charts(seen, evidence)),
        _samples(evidence.samples),
        "Labelled rows of the pane in which it fired, by the time of their prediction; the join keeps no positions"
        if spec.target is Target.LABELLED
        else "Rows of the pane in which it fired",
    )


def _verdict(seen: _Seen, evidence: Evidence) -> Iterable[tuple[str, str]]:
    """What an alert told of, where incidents are known."""
    verdict = seen.verdict.get(evidence.id)
    if verdict is None:
        return
    about = next((what(known) for known in _concerned(seen, evidence) if known.incident.holds(evidence.fired_ms)), "")
    yield "verdict", VERDICTS[verdict] + (f" {about}" if verdict != "false" else "")


def _concerned(seen: _Seen, evidence: Evidence) -> tuple[Known, ...]:
    spec, segment = evidence.spec, dict(evidence.segment)
    return tuple(known for known in seen.known if known.incident.concerns(spec.id, spec.column, segment))


def _samples(samples: Sequence[Sample]) -> Table | None:
    rows = tuple((_where(s), moment(s.time_ms), cut(s.value, 200)) for s in samples)
    return Table(("position", "event time", "value"), rows) if rows else None


def _where(sample: Sample) -> str:
    return "–" if sample.source is None else f"{sample.source} offset {sample.offset:,}"


def _charts(seen: _Seen, evidence: Evidence) -> Iterable[Chart]:
    recorder = seen.recorder
    series = recorder.series.get((evidence.spec.id, evidence.segment))
    if series is not None and len(series):
        yield signals.signal(series, evidence, _unit(evidence.spec), _concerned(seen, evidence))
    history = recorder.columns.get(evidence.spec.column) if evidence.spec.target is Target.COLUMN else None
    shape = None if history is None else _shape(evidence, history)
    if shape is not None:
        yield shape
    found = segments.of(evidence, history, recorder.plan.task)
    if found is not None:
        yield found


def _unit(spec: MonitorSpec) -> str:
    if spec.measure is None:
        return "mean of the rows"
    cls: Any = find("measure", spec.measure.name)
    called: str = cls.called(dict(spec.measure.params))
    return called if called != cls.name else str(cls.unit)


def _shape(evidence: Evidence, history: ColumnHistory) -> Chart | None:
    """Values since the change against those of the reference, or those just before where no reference keeps them."""
    now, then = history.look(evidence.since), history.look(evidence.before)
    known = evidence.normal is not None and bool(np.any(evidence.normal))
    counts = evidence.normal if known and evidence.normal is not None else then.counts
    rows = int(counts.sum())
    name = f"reference ({rows:,} rows)" if known else f"before ({rows:,} rows)"
    pair = shapes.Pair(counts, now.counts, name, f"since the change ({int(now['ok']):,} rows)")
    column = history.column.name
    if history.numeric:
        ends = history.ends
        return None if history.layout is None or ends is None else shapes.histogram(column, pair, history.layout, ends)
    return shapes.categories(column, pair, list(history.names))
