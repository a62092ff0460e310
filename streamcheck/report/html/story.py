"""What does the page say? Everything that stands in it, ordered, bounded, as texts, tables and charts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from streamcheck.core.kpi import said
from streamcheck.core.plan import Task
from streamcheck.core.wording import counted, moment, number, percent, span
from streamcheck.report import tables
from streamcheck.report.html import cards, checks, data, quality
from streamcheck.report.html.cards import DETAILED_MAX, Group
from streamcheck.report.html.checks import Part
from streamcheck.report.html.compared import Comparison, comparison
from streamcheck.report.html.marks import Chart
from streamcheck.report.html.timeline import timeline
from streamcheck.report.record.alerts import FIRED_KEPT, FiredAlert
from streamcheck.report.record.labelled import LabelledHistory
from streamcheck.report.record.recorder import EVIDENCE_MAX, HISTORIES_MAX, SERIES_MAX, Recorder
from streamcheck.report.result.doubts import doubts
from streamcheck.report.result.promise import promise
from streamcheck.report.result.result import ConfigResult, Result
from streamcheck.report.result.truth import Truth
from streamcheck.report.tables import Table, cut, name_of

LISTED_MAX = 500
"""Alerts in the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert in the table. link: to its card, where it has one."""

    link: str | None
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TruthPart:
    """How good the alerts are, where incidents are known."""

    incidents: Table
    scores: Table
    outside: int


@dataclass(frozen=True, slots=True)
class Story:
    """The whole page."""

    name: str
    when: tuple[str, str]
    events: str
    complete: bool
    verdict: str
    tone: str
    words: tuple[str, ...]
    doubts: tuple[str, ...]
    timeline: Chart | None
    alert_heads: tuple[str, ...]
    alerts: tuple[Row, ...]
    truth: TruthPart | None
    comparison: Comparison | None
    groups: tuple[Group, ...]
    qualities: tuple[Chart, ...]
    labels: tuple[Chart, ...]
    label_facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    columns: Table
    partitions: Table
    limits: tuple[tuple[str, str], ...]
    config_text: str
    monitors: Table
    left_out: tuple[str, ...]
    made: str


def tell(result: Result) -> Story:
    """Everything, of the first config, and how others compare."""
    first, recorder = result.first, result.first.recorded
    assert recorder is not None, "the first config was recorded"
    alerts, truth, seen_ms = first.alerts, first.truth, first.rows.seen_ms
    history = recorder.labelled_rows if recorder.labelled_rows is not None and recorder.labelled_rows.ages else None
    groups = cards.groups(recorder, alerts, truth)
    shown = {card.id for group in groups for card in group.cards}
    happened = bool(alerts) or (truth is not None and bool(truth.incidents))
    return Story(
        name=first.plan.name,
        when=(moment(seen_ms[0]), moment(seen_ms[1])) if seen_ms else (moment(None), moment(None)),
        events=counted(result.events, "event"),
        complete=result.complete,
        verdict=_verdict(first),
        tone="alarm" if any(alert.severity == "page" for alert in alerts) else "warning" if alerts else "good",
        words=tuple(_words(first, len({alert.incident for alert in alerts}), history)),
        doubts=doubts(first) if result.complete else (),
        timeline=timeline(alerts, truth, *seen_ms) if happened and seen_ms else None,
        alert_heads=("fired", "until", "monitor", "segment", "severity", *(("verdict",) if truth else ()), "what"),
        alerts=tuple(_row(alert, place, truth, shown) for place, alert in enumerate(alerts[:LISTED_MAX])),
        truth=None if truth is None else TruthPart(tables.incidents(truth), tables.scores(truth), truth.outside),
        comparison=comparison(result.compared, *seen_ms) if result.compared and seen_ms else None,
        groups=groups,
        qualities=() if history is None else tuple(quality.qualities(history)),
        labels=() if history is None else tuple(quality.labels(history, recorder.coverage)),
        label_facts=quality.label_facts(first.reading),
        parts=checks.parts(first, recorder),
        columns=data.columns(recorder),
        partitions=data.partitions(first.reading),
        limits=tuple((name, f"{hits:,}") for name, hits in first.reading.limits if hits),
        config_text=first.written.text,
        monitors=Table(first.written.heads, first.written.monitors),
        left_out=tuple(_left_out(first, recorder, len(shown))),
        made=f"Made by streamcheck {result.version} in {span(result.seconds)}, "
        f"{counted(result.events_per_second, 'event')} a second.",
    )


def _row(alert: FiredAlert, place: int, truth: Truth | None, shown: set[str]) -> Row:
    until = "still open" if alert.resolved_ms is None else moment(alert.resolved_ms)
    verdict = () if truth is None else (truth.verdicts[place],)
    cells = (moment(alert.fired_ms), until, alert.monitor, name_of(alert.segment, 80), alert.severity, *verdict)
    return Row(f"#alert-{alert.id}" if alert.id in shown else None, (*cells, cut(alert.summary, 300)))


def _verdict(first: ConfigResult) -> str:
    if first.rows.seen_ms is None:
        return "Nothing was read"
    text = "No alert would have fired" if not first.fired else f"{counted(first.fired, 'alert')} would have fired"
    rate = first.fired_per_week if first.fired else None
    return f"{text} in {span(first.rows.span_ms / 1000)}" + ("" if rate is None else f" ({number(rate)} a week)")


def _words(first: ConfigResult, groups: int, history: LabelledHistory | None) -> Iterable[str]:
    alerts = first.alerts
    if alerts:
        most = Counter(alert.column for alert in alerts).most_common(5)
        named = ", ".join(f"{cut(column, 60)} ({amount:,})" for column, amount in most)
        yield f"They come in {counted(groups, 'group')} that opened together. Most concern {named}."
        yield f"The first, at {moment(alerts[0].fired_ms)}: {cut(alerts[0].summary, 300)}."
    if first.truth is not None:
        yield _of_truth(first.truth)
    if first.rows.seen_ms is not None:
        yield f"False alarms {tables.promised(promise(first))}."
    if history is not None:
        yield from _of_quality(history)
    yield from (f"{told[0].upper()}{told[1:]}." for told in map(said, first.reading.kpi))


def _of_truth(truth: Truth) -> str:
    score, _, every = truth.scores
    said = f"{score.found} of {counted(score.incidents, 'known incident')} found"
    if score.delay_ms_median is not None:
        said += f", half of them within {span(score.delay_ms_median / 1000)}"
    return f"{said}; {counted(score.false, 'false alarm')}. Alarms {every.name}, blindly, would find {every.found}."


def _of_quality(history: LabelledHistory) -> Iterable[str]:
    name = quality.MAIN[history.task]
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


def _left_out(first: ConfigResult, recorder: Recorder, detailed: int) -> Iterable[str]:
    out, fired = recorder.left_out, len(first.alerts)
    if fired > detailed:
        yield f"{counted(fired - detailed, 'alert')} without charts: at most {DETAILED_MAX} have them."
    if fired > LISTED_MAX:
        yield f"{counted(fired - LISTED_MAX, 'alert')} not in the table: it has {LISTED_MAX}."
    if first.fired > fired:
        yield f"{counted(first.fired - fired, 'alert')} after the first {FIRED_KEPT:,} only counted."
    if out.evidence:
        yield f"{counted(out.evidence, 'alert')} after the first {EVIDENCE_MAX} without evidence."
    if out.series:
        yield f"The signals of {out.series:,} monitors and segments: {SERIES_MAX:,} are kept, the first ones."
    if out.histories:
        yield f"The values of {out.histories:,} columns and segments: {HISTORIES_MAX} are kept, the first ones."
    if recorder.labelled_rows is not None and recorder.labelled_rows.left_out:
        rows = counted(recorder.labelled_rows.left_out, "labelled row")
        yield f"{rows} of further segments, in no segment's quality."
