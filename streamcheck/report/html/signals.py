"""What did the monitor see, and when did it speak? The signal with its usual range, the score with its threshold."""

from collections.abc import Sequence

import numpy as np

from streamcheck.core.keys import on_level
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.wording import moment, number
from streamcheck.report.html.marks import HEIGHT, Chart, Figure, axis, short, text, time_axis
from streamcheck.report.record.evidence import Evidence
from streamcheck.report.record.series import Series
from streamcheck.report.result.truth import Known
from streamcheck.report.tables import cut, name_of

ZOOM_BELOW = 0.08
"""An alert that lasts for less of the whole time is shown with ZOOM_AROUND times its length on either side."""
ZOOM_AROUND = 6
SCORE_HEIGHT = 150


def signal(series: Series, evidence: Evidence, unit: str, known: Sequence[Known] = ()) -> Chart:
    """The chart of one alert. known: incidents that it could tell of."""
    spec, scored = evidence.spec, _scored(series, evidence.spec)
    traces = [*_usual(series), *_levels(series, unit)]
    shown = _range(series, evidence)
    layout: Figure = {
        "xaxis": time_axis(range=shown, anchor="y2" if scored else "y"),
        "yaxis": axis(text(unit), domain=[0.42, 1.0] if scored else [0.0, 1.0], **_heights(series, shown)),
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        "hovermode": "x unified",
        "shapes": [*_moments(evidence, series), *(_strip(each) for each in known)],
    }
    if _limited(spec):
        traces.append(_line(*_broken(series, "threshold"), "limit", "$alarm", dash="dash"))
    if scored:
        traces.append({**_line(*_broken(series, "score"), "score", "$score"), "yaxis": "y2"})
        traces.append({**_line(*_broken(series, "threshold"), "threshold", "$alarm", dash="dash"), "yaxis": "y2"})
        layout["yaxis2"] = axis("score", domain=[0.0, 0.34], rangemode="tozero")
    return Chart(
        f"{cut(spec.column, 60)}: {unit}, {name_of(evidence.segment, 60)}",
        _says(series, evidence, unit) + ("; the strip at the upper edge marks known incidents" if known else ""),
        {"data": traces, "layout": layout},
        HEIGHT + (SCORE_HEIGHT if scored else 0),
    )


def course(series: Series, title: str, says: str, unit: str, *, level: str = "") -> Chart:
    """A monitor's way without an alert. level: another number of each stretch than what the monitor shows."""
    times, values = _broken(series, level) if level else ([], [])
    traces = [_line(times, values, text(unit), "$now")] if level else [*_usual(series), *_levels(series, unit)]
    if np.isfinite(series.column("threshold")).any() and (level or not np.isfinite(series.column("baseline")).any()):
        traces.append(_line(*_broken(series, "threshold"), "limit", "$alarm", dash="dash"))
    layout: Figure = {
        "xaxis": time_axis(),
        "yaxis": axis(text(unit), rangemode="tozero"),
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        "hovermode": "x unified",
    }
    return Chart(title, says, {"data": traces, "layout": layout})


def _limited(spec: MonitorSpec) -> bool:
    """Whether the score is the value itself, and the threshold a limit that is drawn beside it."""
    return on_level(spec.detector.name, "" if spec.measure is None else spec.measure.name)


def _scored(series: Series, spec: MonitorSpec) -> bool:
    return not _limited(spec) and bool(np.isfinite(series.column("score")).any())


def _broken(series: Series, name: str) -> tuple[list[int], list[float | None]]:
    """Times and one number of each stretch, without a line where nothing came for long."""
    times, values = series.column("end").astype(np.int64).tolist(), short(series.column(name).tolist())
    for at in reversed(series.silences()):
        times.insert(at, times[at - 1])
        values.insert(at, None)
    return times, values


def _usual(series: Series) -> list[Figure]:
    """The range in which 95 of 100 panes lie when nothing has changed, and the reference's own level.

    Where nothing came for long, the range has no width.
    """
    made: list[Figure] = []
    times = series.column("end").astype(np.int64).tolist()
    low, high = series.column("usual_low").tolist(), series.column("usual_high").tolist()
    for at in reversed(series.silences()):
        middle = [(low[place] + high[place]) / 2 for place in (at - 1, at)]
        ends = [times[at - 1], int(series.column("start")[at])]
        times[at:at], low[at:at], high[at:at] = ends, middle, middle
    if np.isfinite(low).any():
        edge = {"type": "scatter", "mode": "lines", "x": times, "line": {"width": 0, "color": "$then"}}
        made.append({**edge, "y": short(low), "showlegend": False, "hoverinfo": "skip"})
        made.append(
            {
                **edge,
                "y": short(high),
                "fill": "tonexty",
                "fillcolor": "$band",
                "name": "usual range (95 of 100 panes)",
                "hoverinfo": "skip",
            }
        )
    baseline = series.column("baseline")
    if np.isfinite(baseline).any():
        made.append(_line(*_broken(series, "baseline"), "reference", "$then", dash="dot"))
    return made


def _levels(series: Series, unit: str) -> list[Figure]:
    times, levels = series.line()
    drifted = series.column("drifting") > 0
    return [
        {**_line(times, short(levels), text(unit), "$now"), "mode": "lines"},
        {
            "type": "scatter",
            "mode": "markers",
            "x": series.column("high_at")[drifted].astype(np.int64).tolist(),
            "y": short(series.column("high")[drifted].tolist()),
            "name": "drifting",
            "marker": {"color": "$alarm", "size": 5},
            "hoverinfo": "skip",
        },
    ]


def _line(times: list[int], values: list[float | None], name: str, colour: str, **line: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "y": values,
        "name": name,
        "line": {"color": colour, "width": 1.6, **line},
        "connectgaps": False,
    }


def _moments(evidence: Evidence, series: Series) -> list[Figure]:
    """Shades from the change to the end of the alert; a line where it fired."""
    end_ms = evidence.resolved_ms or int(series.column("end")[-1])
    change_ms = evidence.finding.change_at_ms
    across = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    shade = {"type": "rect", **across, "x0": change_ms, "x1": end_ms, "fillcolor": "$shade", "line": {"width": 0}}
    fired = {"type": "line", **across, "x0": evidence.fired_ms, "x1": evidence.fired_ms}
    return [{**shade, "layer": "below"}, {**fired, "line": {"color": "$alarm", "width": 1.5, "dash": "solid"}}]


def _strip(known: Known) -> Figure:
    """A known incident, at the upper edge."""
    ends = {"x0": known.incident.start_ms, "x1": known.incident.end_ms, "y0": 0.975, "y1": 1.0}
    colour = "$warning" if known.found_ms is None else "$good"
    return {"type": "rect", "xref": "x", "yref": "paper", **ends, "fillcolor": colour, "line": {"width": 0}}


def _range(series: Series, evidence: Evidence) -> list[int]:
    first, last = int(series.column("start")[0]), int(series.column("end")[-1])
    begin, end = evidence.finding.change_at_ms, evidence.resolved_ms or last
    length = max(end - begin, 1)
    if length < ZOOM_BELOW * (last - first):
        return [max(first, begin - ZOOM_AROUND * length), min(last, end + ZOOM_AROUND * length)]
    return [first, last]


def _heights(series: Series, shown: list[int]) -> Figure:
    """The range of levels within the time that is shown, where that is not the whole."""
    inside = (series.column("end") >= shown[0]) & (series.column("start") <= shown[1])
    if inside.all() or not inside.any():
        return {}
    low, high = float(series.column("low")[inside].min()), float(series.column("high")[inside].max())
    for name in ("usual_low", "usual_high"):
        usual = series.column(name)[inside]
        usual = usual[np.isfinite(usual)]
        if len(usual):  # a few wide stretches must not squeeze the line
            low, high = min(low, float(np.median(usual))), max(high, float(np.median(usual)))
    margin = 0.08 * ((high - low) or abs(high) or 1.0)
    return {"range": short([low - margin, high + margin])}


def _says(series: Series, evidence: Evidence, unit: str) -> str:
    finding = evidence.finding
    words = [f"{unit} over {series.steps:,} panes from {moment(int(series.column('start')[0]))}"]
    if finding.value is not None:
        words.append(f"{number(finding.value)} when the alert fired at {moment(evidence.fired_ms)}")
    if finding.reference is not None:
        words.append(f"reference {number(finding.reference)}")
    if finding.score is not None and finding.threshold is not None:
        words.append(f"score {number(finding.score)}, threshold {number(finding.threshold)}")
    return "; ".join(words)
