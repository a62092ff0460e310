"""What did a column hold before and since? Histograms and bars of categories, as charts."""

from dataclasses import dataclass

import numpy as np

from streamcheck.core import bars
from streamcheck.core.bars import Bars
from streamcheck.core.summaries import Layout
from streamcheck.core.types import FloatArray
from streamcheck.core.wording import percent
from streamcheck.report.html.marks import ROW_HEIGHT, SHARE_TICKS, Chart, Figure, axis, short, text
from streamcheck.report.tables import Table, cut


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Counts of two samples, and what they are called."""

    then: FloatArray
    now: FloatArray
    then_name: str
    now_name: str


def histogram(column: str, pair: Pair, layout: Layout, ends: tuple[float, float]) -> Chart | None:
    """Bars of a numeric column; None where one of the samples is empty. ends: its lowest and highest value ever."""
    made = bars.histogram(pair.then, pair.now, layout, ends)
    if made is None or made.edges is None:
        return None if made is None else _few(column, made, pair)
    middles = (made.edges[1:] + made.edges[:-1]) / 2
    width = float(made.edges[1] - made.edges[0])
    traces = [
        _bar(middles, bar, name, colour, width=width)
        for bar, name, colour in ((made.then, pair.then_name, "$then"), (made.now, pair.now_name, "$now"))
    ]
    figure: Figure = {
        "data": traces,
        "layout": {
            "barmode": "overlay",
            "xaxis": axis(text(column)),
            "yaxis": axis("share of rows", tickformat=SHARE_TICKS),
            "legend": {"orientation": "h", "y": 1.12},
        },
    }
    rows = zip(made.names, map(percent, made.then.tolist()), map(percent, made.now.tolist()), strict=True)
    says = f"Distribution of {column}: {pair.then_name} against {pair.now_name}"
    return Chart(f"Values of {cut(column, 60)}", says, figure, table=_table(pair, tuple(rows)))


def categories(column: str, pair: Pair, names: list[str]) -> Chart | None:
    """Bars of the categories that are frequent before or since, the rest in one. Counts begin with nameless ones."""
    made = bars.categories(pair.then, pair.now, names)
    return None if made is None else _few(column, made, pair)


def _few(column: str, made: Bars, pair: Pair) -> Chart:
    """Few bars with names: lying down, one pair below the other."""
    names = made.names
    shown = _distinct([text(name) for name in names])
    traces = [
        _bar(shares, shown, name, colour, orientation="h")
        for shares, name, colour in ((made.now, pair.now_name, "$now"), (made.then, pair.then_name, "$then"))
    ]
    figure: Figure = {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.3,
            "xaxis": axis("share of rows", tickformat=SHARE_TICKS, rangemode="tozero"),
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "reversed"},
        },
    }
    said = (map(percent, shares.tolist()) for shares in (made.then, made.now))
    rows = zip((cut(n, 200) for n in names), *said, strict=True)
    says = f"Shares of the values of {column}: {pair.then_name} against {pair.now_name}"
    height = 110 + 2 * ROW_HEIGHT * max(len(names), 3)
    return Chart(f"Values of {cut(column, 60)}", says, figure, min(height, 700), _table(pair, tuple(rows)))


def _bar(x: FloatArray, y: FloatArray | list[str], name: str, colour: str, **more: float | str) -> Figure:
    lying = more.get("orientation") == "h"
    value = "x" if lying else "y"
    held = [short(side.tolist()) if isinstance(side, np.ndarray) else side for side in (x, y)]
    return {
        "type": "bar",
        "x": held[0],
        "y": held[1],
        "name": name,
        "marker": {"color": colour},
        "opacity": 1.0 if lying else 0.6,
        "hovertemplate": "%{" + value + ":.2%}<extra>%{fullData.name}</extra>",
        **more,
    }


def _distinct(names: list[str]) -> list[str]:
    """Names that differ also when they were cut: places of a category axis."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _table(pair: Pair, rows: tuple[tuple[str, ...], ...]) -> Table:
    return Table(("value", pair.then_name, pair.now_name), rows)
