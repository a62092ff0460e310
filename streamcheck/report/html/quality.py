"""How good was the model, over all and for each segment, and how late came its labels?"""

from collections.abc import Iterable, Sequence

from streamcheck.core.intervals import Estimate
from streamcheck.core.plan import Task
from streamcheck.core.readings import EngineReading
from streamcheck.core.wording import number, percent
from streamcheck.report.html.marks import ROW_HEIGHT, SHARE_TICKS, Chart, Figure, axis, short, text, time_axis
from streamcheck.report.record.bins import Bins
from streamcheck.report.record.labelled import LabelledHistory, Score
from streamcheck.report.tables import Table, name_of

SEGMENTS_MAX = 30
"""Segments in the chart of a quality: those with the most rows."""
COLOURS = ("$now", "$alarm", "$then")
GAP_BINS = 4
"""Bins of time without a row, beyond which no line is drawn."""
_DAY_S = 86_400.0


MAIN = {Task.BINARY: "accuracy", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}
"""The quality that is told first."""


def quality_by_segment(history: LabelledHistory, name: str) -> Chart | None:
    """One quality of every segment, over the whole replay, with 95 % intervals."""
    found = [(label, history.score(label).estimates().get(name)) for label in history.ages]
    held = [(label, estimate) for label, estimate in found if estimate is not None]
    if not held:
        return None
    everything, rest = held[0], held[1:]
    kept = [everything, *sorted(rest, key=lambda pair: -pair[1].n)[:SEGMENTS_MAX]]
    kept = [everything, *sorted(kept[1:], key=lambda pair: (tuple(f for f, _ in pair[0]), pair[1].value))]
    names = [text(name_of(label), 40) for label, _ in kept]
    values = [estimate for _, estimate in kept]
    share = name not in ("mae", "bias")
    said = percent if share else number
    figure: Figure = {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": short([e.value for e in values]),
                "y": names,
                "text": [f"{e.n:,} rows, {said(e.low)} to {said(e.high)}" for e in values],
                "hovertemplate": "%{x}, %{text}<extra></extra>",
                "marker": {"color": "$now", "size": 9},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": short([e.high - e.value for e in values]),
                    "arrayminus": short([e.value - e.low for e in values]),
                    "color": "$now",
                    "thickness": 1.4,
                    "width": 4,
                },
            }
        ],
        "layout": {
            "showlegend": False,
            "xaxis": axis(name, **({"tickformat": SHARE_TICKS} if share else {})),
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "shapes": [_mark(values[0].value)],
        },
    }
    rows = tuple((name_of(label), f"{e.n:,}", said(e.value), f"{said(e.low)} to {said(e.high)}") for label, e in kept)
    table = Table(("segment", "rows", name, "95 % interval"), rows)
    left_out = len(held) - len(kept)
    says = f"{name} of labelled rows by segment, with 95 % intervals; the dotted line is all rows" + (
        f"; {left_out} segments with fewer rows are left out" if left_out else ""
    )
    return Chart(f"{name.capitalize()} by segment", says, figure, 100 + ROW_HEIGHT * max(len(kept), 3), table)


def _mark(at: float) -> Figure:
    line = {"color": "$then", "width": 1.2, "dash": "dot"}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def quality_over_time(history: LabelledHistory, names: Sequence[str]) -> Chart | None:
    """Qualities of all rows by the time of the prediction, with 95 % intervals."""
    bins = history.bins.get(())
    if bins is None:
        return None
    traces: list[Figure] = []
    for name, colour in zip(names, COLOURS, strict=False):
        points = [(at, Score(sums, history.task).estimates().get(name)) for at, sums in bins.items()]
        held = [(at + bins.width_ms // 2, estimate) for at, estimate in points if estimate is not None]
        traces += _course(held, name, colour, GAP_BINS * bins.width_ms)
    share = history.task is not Task.REGRESSION
    figure: Figure = {
        "data": traces,
        "layout": {
            "xaxis": time_axis(),
            "yaxis": axis("", **({"tickformat": SHARE_TICKS, "rangemode": "tozero"} if share else {})),
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
            "hovermode": "x unified",
        },
    }
    said = " and ".join(names)
    return Chart(
        f"{said.capitalize()} over time", f"{said}, by the time of the prediction, with 95 % intervals", figure
    )


def _course(held: list[tuple[int, Estimate]], name: str, colour: str, gap_ms: int) -> list[Figure]:
    """A line in its band. Where nothing came for long, there is no line, and the band has no width."""
    times = [at for at, _ in held]
    columns = [[e.low for _, e in held], [e.high for _, e in held]]
    line_times: list[int] = []
    line: list[float | None] = []
    for place, (at, estimate) in enumerate(held):
        if place and at - held[place - 1][0] > gap_ms:
            line_times.append(at)
            line.append(None)
        line_times.append(at)
        line.append(estimate.value)
    for place in range(len(held) - 1, 0, -1):
        if times[place] - times[place - 1] > gap_ms:
            ends = [held[place - 1][1].value, held[place][1].value]
            times[place:place] = [times[place - 1], times[place]]
            for column in columns:
                column[place:place] = ends
    edge = {"type": "scatter", "mode": "lines", "x": times, "line": {"width": 0, "color": colour}, "hoverinfo": "skip"}
    return [
        {**edge, "y": short(columns[0]), "showlegend": False},
        {**edge, "y": short(columns[1]), "showlegend": False, "fill": "tonexty", "fillcolor": f"{colour}-fill"},
        {
            "type": "scatter",
            "mode": "lines",
            "x": line_times,
            "y": short(line),
            "name": name,
            "line": {"color": colour, "width": 1.8},
        },
    ]


def coverage(bins: Bins) -> Chart | None:
    """Predictions and those with a label, by the time of the prediction."""
    held = bins.items()
    if not held:
        return None
    times = [at + bins.width_ms // 2 for at, _ in held]
    bars = [
        {
            "type": "bar",
            "x": times,
            "y": [int(sums[place]) for _, sums in held],
            "name": name,
            "marker": {"color": colour},
            "width": bins.width_ms,
        }
        for place, name, colour in ((0, "predictions", "$then"), (1, "with a label", "$now"))
    ]
    figure: Figure = {
        "data": bars,
        "layout": {
            "barmode": "overlay",
            "xaxis": time_axis(),
            "yaxis": axis("rows", rangemode="tozero"),
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
            "hovermode": "x unified",
        },
    }
    labelled, all_ = (sum(float(sums[place]) for _, sums in held) for place in (1, 0))
    says = (
        f"predictions and those that got a label, by the time of the prediction: {percent(labelled / max(all_, 1.0))}"
    )
    return Chart("Label coverage over time", says, figure)


def delays(history: LabelledHistory) -> Chart | None:
    """How long after the prediction did labels become known?"""
    seconds, rows = history.delay_curve()
    if not rows:
        return None
    unit, name = (
        (_DAY_S, "days") if seconds[-1] > 2 * _DAY_S else (3600.0, "hours") if seconds[-1] > 7200 else (1.0, "s")
    )
    figure: Figure = {
        "data": [
            {
                "type": "scatter",
                "mode": "lines" if len(seconds) > 1 else "markers",  # of one delay there is no line
                "x": short([s / unit for s in seconds]),
                "y": short([count / rows[-1] for count in rows]),
                "line": {"color": "$now", "shape": "hv", "width": 1.8},
                "fill": "tozeroy",
                "fillcolor": "$now-fill",
                "hovertemplate": "%{y:.1%} within %{x}<extra></extra>",
            }
        ],
        "layout": {
            "showlegend": False,
            "xaxis": axis(f"label delay, {name}, to the end of its pane", type="log"),
            "yaxis": axis("share of labels", tickformat=SHARE_TICKS, range=[0, 1.02]),
        },
    }
    marks = [next(s for s, count in zip(seconds, rows, strict=True) if count >= q * rows[-1]) for q in (0.5, 0.9, 0.99)]
    said = ", ".join(
        f"{percent(q)} within {number(s / unit)} {name}" for q, s in zip((0.5, 0.9, 0.99), marks, strict=True)
    )
    return Chart("Label delay", f"how long labels took: {said}", figure)


def qualities(history: LabelledHistory) -> Iterable[Chart]:
    """Charts of what the task allows."""
    names = list(history.score(()).estimates())
    main = MAIN[history.task]
    charts = [quality_by_segment(history, main), quality_over_time(history, [main])]
    if history.task is Task.BINARY:
        charts.append(quality_over_time(history, ["said positive", "truly positive"]))
        charts += [quality_by_segment(history, name) for name in ("truly positive", "precision", "recall")]
    elif history.task is Task.REGRESSION and "bias" in names:
        charts += [quality_by_segment(history, "bias"), quality_over_time(history, ["bias"])]
    yield from (chart for chart in charts if chart is not None)


def labels(history: LabelledHistory, covered: Bins) -> Iterable[Chart]:
    """Charts of labels."""
    yield from (chart for chart in (delays(history), coverage(covered)) if chart is not None)


def label_facts(reading: EngineReading) -> tuple[tuple[str, str], ...]:
    """The books of the join, with shares."""
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
