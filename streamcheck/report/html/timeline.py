"""When did which monitor fire, and for how long; and what is known to have happened then?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamcheck.core.truth import Incident
from streamcheck.core.wording import counted, moment
from streamcheck.report.html.marks import ROW_HEIGHT, Chart, Figure, text, time_axis
from streamcheck.report.record.alerts import FiredAlert, Label
from streamcheck.report.result.truth import Known, Truth
from streamcheck.report.tables import found_by, name_of, what

ROWS_MAX = 40
"""Monitors and segments on the timeline: those that fired first; the others are counted."""
ALERTS_MAX = 2_000
INCIDENTS_MAX = 200
KNOWN = "known incidents"
VERDICTS = {
    "fired": ("fired", "$alarm", "diamond"),
    "found": ("found an incident", "$good", "diamond"),
    "repeat": ("told of one again", "$now", "circle"),
    "false": ("false alarm", "$alarm", "x"),
}
"""What is said of alerts: name, colour and sign. Without known incidents, only that they fired."""


@dataclass(frozen=True, slots=True)
class _Mark:
    row: str
    alert: FiredAlert
    verdict: str


def timeline(alerts: Sequence[FiredAlert], truth: Truth | None, from_ms: int, to_ms: int) -> Chart:
    """A row for each monitor and segment, and one for the incidents."""
    marks, left_out = _marks(alerts[:ALERTS_MAX], truth)
    rows = list(dict.fromkeys(mark.row for mark in marks))
    known = () if truth is None else truth.incidents[:INCIDENTS_MAX]
    traces = [*_incidents(known), *_changes(marks), *_firing(marks, to_ms), *_fired(marks)]
    figure: Figure = {
        "data": traces,
        "layout": {
            "xaxis": time_axis(range=[from_ms, to_ms]),
            "yaxis": {
                "type": "category",
                "categoryorder": "array",
                "categoryarray": [*([KNOWN] if known else []), *rows],
                "autorange": "reversed",
                "automargin": True,
            },
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
            "barmode": "overlay",
            "bargap": 0.5,
            "shapes": [shade(each.incident, found=each.found_ms is not None) for each in known],
        },
    }
    says = f"{counted(len(marks), 'alert')} of {len(rows)} monitors and segments"
    if truth is not None:
        found = sum(each.found_ms is not None for each in truth.incidents)
        says += f", {counted(len(truth.incidents), 'known incident')}, {found} of them found,"
    says += f" between {moment(from_ms)} and {moment(to_ms)}"
    says += f"; {left_out} more monitors and segments are left out here" if left_out else ""
    lines = max(len(rows) + bool(known), 2)
    return Chart("Timeline of alerts", says, figure, 110 + ROW_HEIGHT * lines)


def _marks(alerts: Sequence[FiredAlert], truth: Truth | None) -> tuple[list[_Mark], int]:
    """Alerts with their rows, and how many rows found no place."""
    rows: dict[tuple[str, Label], list[_Mark]] = {}
    for place, alert in enumerate(alerts):
        verdict = "fired" if truth is None else truth.verdicts[place]
        monitor, segment = key = alert.monitor, alert.segment
        row = text(monitor if not segment else f"{monitor}: {name_of(segment)}", 70)
        rows.setdefault(key, []).append(_Mark(row, alert, verdict))
    kept = list(rows.values())[:ROWS_MAX]
    return [mark for members in kept for mark in members], len(rows) - len(kept)


def shade(incident: Incident, *, found: bool) -> Figure:
    """An incident across a chart over time, behind everything."""
    colour = "$good-fill" if found else "$warning-fill"
    across = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    return {"type": "rect", **across, "x0": incident.start_ms, "x1": incident.end_ms, "fillcolor": colour}


def _incidents(known: Sequence[Known]) -> Iterable[Figure]:
    for name, colour, found in (("incident, found", "$good", True), ("incident, missed", "$warning", False)):
        held = [each for each in known if (each.found_ms is not None) == found]
        if held:
            yield {
                "type": "bar",
                "orientation": "h",
                "y": [KNOWN] * len(held),
                "base": [each.incident.start_ms for each in held],
                "x": [each.incident.end_ms - each.incident.start_ms for each in held],
                "customdata": [_told(each) for each in held],
                "marker": {"color": colour, "line": {"color": colour, "width": 2}},
                "name": name,
                "hovertemplate": "%{customdata}<extra></extra>",
            }


def _told(known: Known) -> str:
    return f"{text(what(known), 160)}: {text(found_by(known), 160)}"


def _firing(marks: Sequence[_Mark], to_ms: int) -> Iterable[Figure]:
    for verdict, (_, colour, _) in VERDICTS.items():
        held = [mark for mark in marks if mark.verdict == verdict]
        ends = [to_ms if mark.alert.resolved_ms is None else mark.alert.resolved_ms for mark in held]
        if held:
            yield {
                "type": "bar",
                "orientation": "h",
                "y": [mark.row for mark in held],
                "base": [mark.alert.fired_ms for mark in held],
                "x": [max(end - mark.alert.fired_ms, 0) for end, mark in zip(ends, held, strict=True)],
                "marker": {"color": colour, "line": {"width": 0}},
                "opacity": 0.45,
                "showlegend": False,
                "hoverinfo": "skip",
            }


def _changes(marks: Sequence[_Mark]) -> Iterable[Figure]:
    yield {
        "type": "scatter",
        "mode": "markers",
        "x": [mark.alert.change_ms for mark in marks],
        "y": [mark.row for mark in marks],
        "marker": {"color": "$ink", "size": 9, "symbol": "line-ns-open"},
        "name": "change began, as estimated",
        "hovertemplate": "change at about %{x}<extra></extra>",
    }


def _fired(marks: Sequence[_Mark]) -> Iterable[Figure]:
    for verdict, (name, colour, symbol) in VERDICTS.items():
        held = [mark for mark in marks if mark.verdict == verdict]
        if held:
            yield {
                "type": "scatter",
                "mode": "markers",
                "x": [mark.alert.fired_ms for mark in held],
                "y": [mark.row for mark in held],
                "text": [text(mark.alert.summary, 160) for mark in held],
                "customdata": [f"alert-{mark.alert.id}" for mark in held],
                "marker": {"color": colour, "size": 8, "symbol": symbol},
                "name": name,
                "hovertemplate": "%{text}<extra></extra>",
            }
