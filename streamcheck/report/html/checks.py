"""What did the checks of a model in production find beside alerts? A part for each that has something to show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.plan import MonitorSpec
from streamcheck.core.readings import WeakSegment
from streamcheck.core.searched import found_tables
from streamcheck.core.wording import moment, number, percent
from streamcheck.report import tables
from streamcheck.report.html import quality, signals
from streamcheck.report.html.marks import ROW_HEIGHT, SHARE_TICKS, Chart, Figure, axis, short, text, time_axis
from streamcheck.report.record.alerts import FiredAlert, Label
from streamcheck.report.record.labelled import LabelledHistory
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.record.series import Series
from streamcheck.report.result.result import ConfigResult
from streamcheck.report.tables import Table, cut, name_of

CHARTS_MAX = 12
"""Objectives and quantiles in one part, all rows first, then segments by first appearance."""

FORMS = {"absent": "disappeared", "present": "appeared", "other_type": "has another type"}


@dataclass(frozen=True, slots=True)
class Part:
    """Tables with their names, and charts. id: the anchor."""

    id: str
    title: str
    about: str
    tables: tuple[tuple[str, Table], ...] = ()
    charts: tuple[Chart, ...] = ()


def parts(result: ConfigResult, recorder: Recorder) -> tuple[Part, ...]:
    """Those that have something to show, in the order of the checks."""
    reading, of = result.reading, _of_measure(recorder)
    broken, held = tables.broken(result.alerts), {each.name: each for each in found_tables(reading)}

    def found(*names: str) -> tuple[tuple[str, Table], ...]:
        return tuple((held[name].title, Table(held[name].heads, held[name].rows)) for name in names if name in held)

    made = (
        Part("broken", "What was broken", "faults of the pipeline, what follows from them", _named("Faults", broken)),
        Part("schema", "Schema changes", "fields that came, went, or changed their type", _schema(result.alerts)),
        Part("estimates", "Accuracy before labels come", "estimated, and realised", (), _estimates(recorder)),
        Part("versions", "Model versions", "the newest beside the one before", found("versions")),
        Part("shadow", "Challenger in shadow", held["shadow"].about if "shadow" in held else "", found("shadow")),
        Part("weak", "Where the model is weak", "of the newest labelled rows, found by the search",
             found("weak", "biased"), (_weak(reading.weak),) if reading.weak else ()),
        Part("objectives", "Objectives", "how fast their error budgets burn", _burning(of("burn_rate"), result.alerts),
             tuple(map(_burn, of("burn_rate")[:CHARTS_MAX]))),
        Part("quantiles", "Quantiles", "of the newest values, at the end", found("quantiles"),
             tuple(map(_quantile, of("quantile")[:CHARTS_MAX]))),
    )  # fmt: skip
    return tuple(part for part in made if part.tables or part.charts)


@dataclass(frozen=True, slots=True)
class _Seen:
    spec: MonitorSpec
    segment: Label
    series: Series


def _of_measure(recorder: Recorder) -> Callable[[str], list[_Seen]]:
    """What was seen by monitors of a measure, all rows first."""
    specs = {spec.id: spec for spec in recorder.plan.monitors}

    def of(measure: str) -> list[_Seen]:
        held = [
            _Seen(specs[monitor], segment, series)
            for (monitor, segment), series in recorder.series.items()
            if (known := specs[monitor].measure) is not None and known.name == measure and len(series)
        ]
        return sorted(held, key=lambda each: bool(each.segment))

    return of


def _named(name: str, table: Table) -> tuple[tuple[str, Table], ...]:
    return ((name, table),) if table.rows else ()


# ---------------------------------------------------------------------- data
def _schema(alerts: Sequence[FiredAlert]) -> tuple[tuple[str, Table], ...]:
    rows = []
    for alert in alerts:
        for each in alert.evidence.get("fields", ()) if alert.column == "schema_changes" else ():
            until = "still so" if alert.resolved_ms is None else moment(alert.resolved_ms)
            rows.append((cut(str(each["field"]), 80), FORMS[each["form"]], moment(alert.change_ms), until))
    return _named("Schema changes", Table(("field", "what", "since about", "until"), tuple(rows)))


# ---------------------------------------------------------------------- the model
def _estimates(recorder: Recorder) -> tuple[Chart, ...]:
    """The estimate of accuracy by pane, and realised accuracy by the time of the prediction."""
    known, history = [s for s in _of_measure(recorder)("estimated_accuracy") if not s.segment], recorder.labelled_rows
    bins = None if history is None else history.bins.get(())
    if not known or history is None or bins is None:
        return ()
    times, levels = _binned(known[0].series, bins.width_ms)
    figure: Figure = {
        "data": [
            *_realised(history),
            {
                "type": "scatter", "mode": "lines", "x": times, "y": short(levels), "name": "estimated",
                "line": {"color": "$score", "width": 1.8, "dash": "dash"},
            },
        ],
        "layout": {
            "xaxis": time_axis(),
            "yaxis": axis("accuracy", tickformat=SHARE_TICKS),
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
            "hovermode": "x unified",
        },
    }  # fmt: skip
    says = "accuracy as calibrated scores estimate it before labels come, and as labels realised it, with 95 % "
    says += "intervals; where they part, the concept has drifted, and no input shows it"
    return (Chart("Estimated and realised accuracy", says, figure),)


def _binned(series: Series, width_ms: int) -> tuple[list[int], list[float]]:
    """Of each bin of time the mean of the stretches in it, by their rows."""
    middle = (series.column("low") + series.column("high")) / 2
    rows, place = series.column("rows"), (series.column("start") // width_ms).astype(np.int64)
    numbers, at = np.unique(place, return_inverse=True)
    weight = np.maximum(np.bincount(at, rows), 1.0)
    return (numbers * width_ms + width_ms // 2).tolist(), (np.bincount(at, rows * middle) / weight).tolist()


def _realised(history: LabelledHistory) -> list[Figure]:
    chart = quality.quality_over_time(history, ["accuracy"])
    data: list[Figure] = [] if chart is None else chart.figure["data"]
    return [{**trace, "name": "realised"} if "name" in trace else trace for trace in data]


def _weak(found: Sequence[WeakSegment]) -> Chart:
    names = [text(name_of(each.segment), 40) for each in found]
    errors = [each.error for each in found]
    figure: Figure = {
        "data": [
            {
                "type": "scatter", "mode": "markers", "x": short(errors), "y": names, "name": "here",
                "text": [f"{each.rows:,} rows, {number(each.low)} to {number(each.high)}" for each in found],
                "hovertemplate": "%{x}, %{text}<extra></extra>",
                "marker": {"color": "$alarm", "size": 9},
                "error_x": {
                    "type": "data", "symmetric": False, "color": "$alarm", "thickness": 1.4, "width": 4,
                    "array": short([each.high - each.error for each in found]),
                    "arrayminus": short([each.error - each.low for each in found]),
                },
            },
            {
                "type": "scatter", "mode": "markers", "x": short([each.rest for each in found]), "y": names,
                "name": "elsewhere", "marker": {"color": "$then", "size": 9, "symbol": "diamond-open"},
            },
        ],
        "layout": {
            "xaxis": axis("mean error", rangemode="tozero"),
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        },
    }  # fmt: skip
    says = "mean error of the weak segments with 95 % intervals, and of all other rows"
    return Chart("Error here and elsewhere", says, figure, 110 + ROW_HEIGHT * max(len(found), 3))


# ---------------------------------------------------------------------- quality of service
def _burning(seen: Sequence[_Seen], alerts: Sequence[FiredAlert]) -> tuple[tuple[str, Table], ...]:
    rows = []
    for each in seen:
        params = dict(each.spec.measure.params) if each.spec.measure is not None else {}
        fired = sum((alert.monitor, alert.segment) == (each.spec.id, each.segment) for alert in alerts)
        allowed, bad = float(each.series.column("baseline")[-1]), each.series.column("high")
        good = f"{cut(each.spec.column, 40)} below {number(params.get('below', 500.0))}"
        shares = (percent(1.0 - allowed), percent(float(bad.max())), number(float(each.series.column("score").max())))
        owner = each.spec.rule.owner or "–"
        rows.append((cut(each.spec.id, 60), name_of(each.segment), good, *shares, f"{fired:,}", owner))
    heads = ("objective", "segment", "good", "wanted", "worst share bad", "fastest burn by factor", "alerts", "owner")
    return _named("Objectives", Table(heads, tuple(rows)))


def _burn(each: _Seen) -> Chart:
    title = f"{cut(each.spec.id, 60)}: error budget, {name_of(each.segment, 60)}"
    says = "how fast the error budget burns, by the factor of its pair of windows: an alert fires above 1"
    return signals.course(each.series, title, says, "burn rate by its factor", level="score")


def _quantile(each: _Seen) -> Chart:
    params = dict(each.spec.measure.params) if each.spec.measure is not None else {}
    which = f"p{100 * params.get('p', 0.95):.6g}"
    title = f"{cut(each.spec.column, 60)}: {which}, {name_of(each.segment, 60)}"
    says = f"{which} of {cut(each.spec.column, 60)}, of the newest {params.get('over_s', 300):,} s"
    return signals.course(each.series, title, says, which)
