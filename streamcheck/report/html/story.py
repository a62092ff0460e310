"""What does a report say? Everything that stands in it, ordered, bounded, as texts and charts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.components import find
from streamcheck.core.plan import MonitorSpec, Task
from streamcheck.core.readings import EngineReading
from streamcheck.core.wording import counted, moment, number, span
from streamcheck.report.html import overview, segments, shapes, signals
from streamcheck.report.html.bins import Bins
from streamcheck.report.html.columns import ColumnHistory
from streamcheck.report.html.evidence import Evidence, Life
from streamcheck.report.html.labelled import LabelledHistory
from streamcheck.report.html.marks import Chart, Table, cut, name_of, percent
from streamcheck.report.html.recorder import EVIDENCE_MAX, HISTORIES_MAX, LIVES_MAX, SERIES_MAX, Recorder

DETAILED_MAX = 40
"""Alerts with charts; each takes some 50 kB."""
LISTED_MAX = 500
"""Alerts in the table."""
WEEK_MS = 604_800_000
MAIN = {Task.BINARY: "accuracy", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the recorder does not know. from_ms, to_ms: event times that were seen; None where no row was."""

    config: str
    version: str
    from_ms: int | None
    to_ms: int | None
    complete: bool
    events: int
    budget: str
    reading: EngineReading
    config_text: str
    monitors: Table
    made: str


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
class Incident:
    """Alerts that opened shortly after one another."""

    id: str
    title: str
    cards: tuple[Card, ...]
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """The whole report."""

    facts: Facts
    verdict: str
    tone: str
    words: tuple[str, ...]
    timeline: Chart | None
    alerts: tuple[tuple[str, str | None, tuple[str, ...]], ...]
    incidents: tuple[Incident, ...]
    qualities: tuple[Chart, ...]
    labels: tuple[Chart, ...]
    label_facts: tuple[tuple[str, str], ...]
    columns: Table
    partitions: Table
    limits: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]


def tell(recorder: Recorder, facts: Facts) -> Story:
    """Everything, out of what the recorder has seen. `recorder.ended()` comes first."""
    lives = list(recorder.lives.values())
    detailed = _detailed(recorder)
    incidents = _incidents(recorder, lives, detailed)
    history = recorder.labelled_rows if recorder.labelled_rows is not None and recorder.labelled_rows.ages else None
    timeline = None
    if lives and facts.from_ms is not None and facts.to_ms is not None:
        timeline = overview.timeline(lives, facts.from_ms, facts.to_ms)
    shown = {card.id for incident in incidents for card in incident.cards}
    return Story(
        facts,
        _verdict(lives, recorder, facts),
        "alarm" if any(life.severity == "page" for life in lives) else "warning" if lives else "good",
        tuple(_words(lives, incidents, history)),
        timeline,
        tuple((life.id, f"#alert-{life.id}" if life.id in shown else None, _row(life)) for life in lives[:LISTED_MAX]),
        incidents,
        () if history is None else tuple(_qualities(history)),
        () if history is None else tuple(_labels(history, recorder.coverage)),
        _label_facts(facts.reading),
        _columns(recorder),
        _partitions(facts.reading),
        tuple((name, f"{hits:,}") for name, hits in facts.reading.limits if hits),
        tuple(_left_out(recorder, lives, detailed)),
    )


# ---------------------------------------------------------------------- words
def _verdict(lives: Sequence[Life], recorder: Recorder, facts: Facts) -> str:
    fired = len(lives) + recorder.left_out.lives
    if facts.from_ms is None or facts.to_ms is None:
        return "Nothing was read"
    length_ms = facts.to_ms - facts.from_ms
    text = "No alert would have fired" if not fired else f"{counted(fired, 'alert')} would have fired"
    rate = f" ({fired / (length_ms / WEEK_MS):.2g} a week)" if fired and length_ms >= WEEK_MS else ""
    return f"{text} in {span(length_ms / 1000)}{rate}"


def _words(lives: Sequence[Life], incidents: Sequence[Incident], history: LabelledHistory | None) -> Iterable[str]:
    if lives:
        most = Counter(life.column for life in lives).most_common(5)
        named = ", ".join(f"{cut(column, 60)} ({amount})" for column, amount in most)
        yield f"They belong to {counted(len(incidents), 'incident')}. Most concern {named}."
        first = min(lives, key=lambda life: life.fired_ms)
        yield f"The first, at {moment(first.fired_ms)}: {cut(first.summary, 300)}."
    if history is None:
        return
    name = MAIN[history.task]
    said = percent if history.task is not Task.REGRESSION else number
    overall = history.score(()).estimates().get(name)
    if overall is not None:
        ends = f"95 % interval {said(overall.low)} to {said(overall.high)}"
        yield f"{name.capitalize()} over all {overall.n:,} labelled rows: {said(overall.value)} ({ends})."
        rates = history.score(()).rates()
        if rates:
            yield "The model said positive for {} of them; {} truly were.".format(
                *(percent(rate.value) for rate in rates.values())
            )
    apart = [
        (estimate.value, estimate.n, name_of(label))
        for label in history.ages
        if label and (estimate := history.score(label).estimates().get(name)) is not None and overall is not None
        if estimate.high < overall.value or estimate.low > overall.value
    ]
    if apart:
        low, high = min(apart), max(apart)
        worst, best = (f"{said(value)} for {name} ({rows:,} rows)" for value, rows, name in (low, high))
        yield f"Segments that lie apart: from {worst} to {best}."


def _row(life: Life) -> tuple[str, ...]:
    until = "still open" if life.resolved_ms is None else moment(life.resolved_ms)
    what = (life.monitor, name_of(life.segment, 80), life.severity, cut(life.summary, 300))
    return (moment(life.fired_ms), until, *what)


def _left_out(recorder: Recorder, lives: Sequence[Life], detailed: set[str]) -> Iterable[str]:
    out = recorder.left_out
    if len(lives) > len(detailed):
        yield f"{counted(len(lives) - len(detailed), 'alert')} without charts: at most {DETAILED_MAX} have them."
    if len(lives) > LISTED_MAX:
        yield f"{counted(len(lives) - LISTED_MAX, 'alert')} not in the table: it has {LISTED_MAX}."
    if out.lives:
        yield f"{counted(out.lives, 'alert')} after the first {LIVES_MAX:,} only counted."
    if out.evidence:
        yield f"{counted(out.evidence, 'alert')} after the first {EVIDENCE_MAX} without evidence."
    if out.series:
        yield f"The signals of {out.series:,} monitors and segments: {SERIES_MAX:,} are kept, the first ones."
    if out.histories:
        yield f"The values of {out.histories:,} columns and segments: {HISTORIES_MAX} are kept, the first ones."
    if recorder.labelled_rows is not None and recorder.labelled_rows.left_out:
        rows = counted(recorder.labelled_rows.left_out, "labelled row")
        yield f"{rows} of further segments, in no segment's quality."


# ---------------------------------------------------------------------- alerts
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


def _incidents(recorder: Recorder, lives: Sequence[Life], detailed: set[str]) -> tuple[Incident, ...]:
    members: dict[str, list[Life]] = {}
    for life in lives:
        members.setdefault(life.incident, []).append(life)
    made = []
    for incident, held in members.items():
        cards = tuple(_card(recorder, recorder.evidence[life.id]) for life in held if life.id in detailed)
        columns = list(dict.fromkeys(cut(life.column, 40) for life in held))
        more = f" and {len(columns) - 6} more" if len(columns) > 6 else ""
        title = f"{moment(held[0].fired_ms)}: {counted(len(held), 'alert')} on {', '.join(columns[:6])}{more}"
        others = tuple((moment(life.fired_ms), cut(life.summary, 300)) for life in held if life.id not in detailed)
        if cards:
            made.append(Incident(incident, title, cards, others))
    return tuple(made)


def _card(recorder: Recorder, evidence: Evidence) -> Card:
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
        *((("runbook", spec.rule.runbook),) if spec.rule.runbook and link is None else ()),
    )
    samples = None
    if evidence.samples:
        rows = tuple((s.where or "–", moment(s.time_ms), cut(s.value, 200)) for s in evidence.samples)
        samples = Table(("position", "event time", "value"), rows)
    by_label = evidence.spec.target == "labelled"
    return Card(
        evidence.id,
        "alarm" if spec.rule.severity == "page" else "warning",
        spec.rule.severity,
        cut(spec.column, 80),
        name_of(evidence.segment),
        evidence.summary,
        tuple((name, value) for name, value in facts if value not in ("–", "– / –")),
        link,
        tuple(_charts(recorder, evidence)),
        samples,
        "Labelled rows of the pane in which it fired, by the time of their prediction; the join keeps no positions"
        if by_label
        else "Rows of the pane in which it fired",
    )


def _charts(recorder: Recorder, evidence: Evidence) -> Iterable[Chart]:
    series = recorder.series.get((evidence.spec.id, evidence.segment))
    if series is not None and len(series):
        yield signals.signal(series, evidence, _unit(evidence.spec))
    history = recorder.columns.get(evidence.spec.column) if evidence.spec.target == "column" else None
    shape = None if history is None else _shape(evidence, history)
    if shape is not None:
        yield shape
    found = segments.of(evidence, history, recorder.plan.task)
    if found is not None:
        yield found


def _unit(spec: MonitorSpec) -> str:
    return str(find("measure", spec.measure.name).unit) if spec.measure else "mean of the rows"  # type: ignore[attr-defined]


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
        if history.layout is None or history.low is None or history.high is None:
            return None
        return shapes.histogram(column, pair, history.layout, (history.low, history.high))
    return shapes.categories(column, pair, list(history.names))


# ---------------------------------------------------------------------- quality, labels, data
def _qualities(history: LabelledHistory) -> Iterable[Chart]:
    names = list(history.score(()).estimates())
    main = MAIN[history.task]
    charts = [overview.quality_by_segment(history, main), overview.quality_over_time(history, [main])]
    if history.task is Task.BINARY:
        charts.append(overview.quality_over_time(history, ["said positive", "truly positive"]))
        charts += [overview.quality_by_segment(history, name) for name in ("truly positive", "precision", "recall")]
    elif history.task is Task.REGRESSION and "bias" in names:
        charts += [overview.quality_by_segment(history, "bias"), overview.quality_over_time(history, ["bias"])]
    yield from (chart for chart in charts if chart is not None)


def _labels(history: LabelledHistory, coverage: Bins) -> Iterable[Chart]:
    yield from (chart for chart in (overview.delays(history), overview.coverage(coverage)) if chart is not None)


def _label_facts(reading: EngineReading) -> tuple[tuple[str, str], ...]:
    join = reading.join
    if not join.predictions:
        return ()
    names = ("matched", "pending", "expired", "evicted", "duplicate")
    predictions = [(f"predictions {name}", getattr(join, f"predictions_{name}")) for name in names]
    labels = [
        (f"labels {name}", getattr(join, f"labels_{name}"))
        for name in ("matched", "corrections", "duplicate", "pending", "expired", "evicted")
    ]
    of = {"predictions": join.predictions, "labels": join.labels}
    said = [
        (name, f"{amount:,} ({percent(amount / max(of[name.split()[0]], 1))})") for name, amount in predictions + labels
    ]
    return (("predictions", f"{join.predictions:,}"), ("labels", f"{join.labels:,}"), *said)


def _columns(recorder: Recorder) -> Table:
    rows = []
    for name, history in recorder.columns.items():
        if () not in history.ages:
            continue
        look = history.look(history.ages[()].total)
        if history.numeric:
            held = look.moment
            values = f"{number(history.low)} to {number(history.high)}, mean {number(held.mean)}, sd {number(held.sd)}"
        else:
            values = counted(len(history.names), "value") + (" or more" if len(look.counts) and look.counts[0] else "")
        shares = (percent(look.share(n)) for n in ("missing", "wrong_type", "non_finite"))
        limited = percent(look.share("out_of_range")) if history.column.range is not None else "–"
        kind = f"{history.column.kind.value}, {history.column.role.value.replace('_', ' ')}"
        rows.append((cut(name, 80), kind, f"{int(look['rows']):,}", *shares, limited, values))
    heads = ("column", "kind", "rows", "missing", "wrong type", "not finite", "out of range", "values")
    return Table(heads, tuple(rows))


def _partitions(reading: EngineReading) -> Table:
    rows = [
        (
            str(p.source),
            f"{p.accepted:,}",
            f"{p.late:,}",
            f"{sum(amount for _, amount in p.rejected):,}",
            ", ".join(f"{reason} {amount:,}" for reason, amount in p.rejected),
        )
        for p in reading.partitions
    ]
    return Table(("partition", "accepted", "late", "rejected", "reasons"), tuple(rows))
