"""What did other configs give over the same rows? Alerts that appear or vanish, recall beside false alarms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamcheck.core.wording import moment, number, percent
from streamcheck.report.html.marks import HEIGHT, SHARE_TICKS, Chart, Figure, axis, text, time_axis
from streamcheck.report.html.timeline import shade
from streamcheck.report.record.alerts import FiredAlert
from streamcheck.report.result.compare import Compared
from streamcheck.report.result.truth import Score
from streamcheck.report.tables import Table, configs, cut, name_of

CHANGES_MAX = 100
"""Alerts of each config that are listed as appearing or vanishing."""
MARKS_MAX = 1_000
KINDS = (
    ("as in the first", "$then", "circle-open", 0.0),
    ("appears", "$now", "circle", -0.25),
    ("vanishes", "$alarm", "x", 0.25),
)
"""What an alert is to a config: name, colour, sign, and how far below the config's line it stands."""
LINE_HEIGHT = 56
NAMED_MAX = 8
"""Configs that are named in a chart of points."""


Points = dict[str, list[tuple[int, FiredAlert]]]
"""Alerts by kind, with the place of their config."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Alerts in which one config differs from the first. more: how many are not listed."""

    name: str
    table: Table
    more: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All configs: side by side, over time, one by one."""

    table: Table
    charts: tuple[Chart, ...]
    changes: tuple[Changes, ...]


def comparison(compared: Sequence[Compared], from_ms: int, to_ms: int) -> Comparison:
    """Everything that the page says of several configs."""
    charts = [_over_time(compared, from_ms, to_ms)]
    if compared[0].config.truth is not None and compared[0].config.truth.incidents:
        charts.append(_trade_off(compared))
    changes = tuple(_changes(row) for row in compared if row.vanished or row.appeared)
    return Comparison(configs(compared), tuple(charts), changes)


def _changes(row: Compared) -> Changes:
    found = sorted(
        [("vanishes", alert) for alert in row.vanished] + [("appears", alert) for alert in row.appeared],
        key=lambda pair: (pair[1].fired_ms, pair[0]),
    )
    rows = tuple(
        (word, moment(a.fired_ms), a.monitor, name_of(a.segment, 80), cut(a.summary, 300))
        for word, a in found[:CHANGES_MAX]
    )
    heads = ("", "fired", "monitor", "segment", "what")
    return Changes(cut(row.config.written.name, 200), Table(heads, rows), max(0, len(found) - CHANGES_MAX))


def _over_time(compared: Sequence[Compared], from_ms: int, to_ms: int) -> Chart:
    names = _names(compared)
    points: Points = {kind: [] for kind, *_ in KINDS}
    for place, row in enumerate(compared):
        appeared = {id(alert) for alert in row.appeared}
        for alert in row.config.alerts[:MARKS_MAX]:
            points["appears" if id(alert) in appeared else "as in the first"].append((place, alert))
        points["vanishes"] += [(place, alert) for alert in row.vanished[:MARKS_MAX]]
    truth = compared[0].config.truth
    figure: Figure = {
        "data": list(_traces(points)),
        "layout": {
            "xaxis": time_axis(range=[from_ms, to_ms]),
            "yaxis": {
                "tickvals": list(range(len(names))),
                "ticktext": names,
                "range": [len(names) - 0.5, -0.5],
                "automargin": True,
            },
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
            "shapes": []
            if truth is None
            else [shade(k.incident, found=k.found_ms is not None) for k in truth.incidents],
        },
    }
    says = f"When alerts of {len(compared)} configs fired, and which of them appear or vanish against the first"
    return Chart("Alerts of each config", says, figure, 110 + LINE_HEIGHT * max(len(names), 2))


def _names(compared: Sequence[Compared]) -> list[str]:
    """One for each config, as an axis shows them: different also where they are cut."""
    names = [text(row.config.written.name, 50) for row in compared]
    return [name if names.count(name) == 1 else f"{place + 1}: {name}" for place, name in enumerate(names)]


def _traces(points: Points) -> Iterable[Figure]:
    for kind, colour, symbol, below in KINDS:
        if points[kind]:
            yield {
                "type": "scatter",
                "mode": "markers",
                "x": [alert.fired_ms for _, alert in points[kind]],
                "y": [place + below for place, _ in points[kind]],
                "text": [text(alert.summary, 160) for _, alert in points[kind]],
                "marker": {"color": colour, "size": 8, "symbol": symbol},
                "name": kind,
                "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
            }


def _trade_off(compared: Sequence[Compared]) -> Chart:
    """Recall against false alarms: up and to the left is better; the dummies show what costs nothing."""
    judged = zip(_names(compared), compared, strict=True)
    found = [(name, row.config.truth.scores[0]) for name, row in judged if row.config.truth is not None]
    assert compared[0].config.truth is not None, "all configs were judged"
    dummies = [(score.name, score) for score in compared[0].config.truth.scores[1:]]
    weekly = compared[0].config.truth.scores[0].false_per_week is not None
    rate = "false alarms a week" if weekly else "false alarms per 10,000 rows"
    traces = [
        _scored(scores, name, colour, symbol, rate=rate, weekly=weekly)
        for scores, name, colour, symbol in (
            (found, "configs", "$now", "circle"),
            (dummies, "dummies", "$then", "diamond-open"),
        )
    ]
    figure: Figure = {
        "data": traces,
        "layout": {
            "xaxis": axis(rate, rangemode="tozero"),
            "yaxis": axis("recall", tickformat=SHARE_TICKS, range=[-0.04, 1.08]),
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        },
    }
    said = "; ".join(f"{name}: {percent(s.recall)} at {number(_rate(s, weekly=weekly))}" for name, s in found[:6])
    says = f"Share of incidents that were found against {rate}, beside the dummies. {said}"
    return Chart("Recall against false alarms", says, figure, HEIGHT)


def _rate(score: Score, *, weekly: bool) -> float | None:
    return score.false_per_week if weekly else score.false_per_10000_rows


def _scored(
    found: Sequence[tuple[str, Score]], name: str, colour: str, symbol: str, *, rate: str, weekly: bool
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers+text" if len(found) <= NAMED_MAX else "markers",
        "textposition": "bottom center",
        "cliponaxis": False,
        "x": [_rate(score, weekly=weekly) for _, score in found],
        "y": [score.recall for _, score in found],
        "text": [text(each, 50) for each, _ in found],
        "marker": {"color": colour, "size": 10, "symbol": symbol},
        "name": name,
        "hovertemplate": "%{text}: %{y:.0%} found, %{x} " + f"{rate}<extra></extra>",
    }
