"""What did a column hold before and since? Histograms and bars of categories, out of counts."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streamcheck.core.summaries import Layout
from streamcheck.core.summaries.layout import TAIL_EDGES
from streamcheck.core.types import FloatArray
from streamcheck.core.wording import number, percent
from streamcheck.report.html.marks import ROW_HEIGHT, Chart, Figure, axis, short, text
from streamcheck.report.tables import Table, cut

BARS_MAX = 30
"""Bars of equal width for a column of many values."""
FEW_MAX = 24
"""A column of so few bins is shown bin by bin."""
CATEGORIES_MAX = 12
OTHER = "all others"
OUTSIDE = 0.005
"""The share at either end that lies in the outermost bars, so that a few far values do not squeeze all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Counts of two samples, and what they are called."""

    then: FloatArray
    now: FloatArray
    then_name: str
    now_name: str


def histogram(column: str, pair: Pair, layout: Layout, ends: tuple[float, float]) -> Chart | None:
    """Bars of a numeric column; None where one of the samples is empty. ends: its lowest and highest value ever."""
    then, now = (_padded(counts, layout.n_bins) for counts in (pair.then, pair.now))
    if not then.sum() or not now.sum():
        return None
    shares = then / then.sum(), now / now.sum()
    taken = np.flatnonzero(then + now)
    if len(taken) <= FEW_MAX:
        names = [_bin_name(layout, int(k)) for k in taken]
        return _few(column, names, shares[0][taken], shares[1][taken], pair)
    known = np.clip(layout.edges, *ends)
    edges = _equal(known, shares[0] + shares[1])
    bars = [_spread(known, share, edges) for share in shares]
    middles = (edges[1:] + edges[:-1]) / 2
    width = float(edges[1] - edges[0])
    traces = [
        _bar(middles, bar, name, colour, width=width)
        for bar, name, colour in ((bars[0], pair.then_name, "$then"), (bars[1], pair.now_name, "$now"))
    ]
    figure: Figure = {
        "data": traces,
        "layout": {
            "barmode": "overlay",
            "xaxis": axis(text(column)),
            "yaxis": axis("share of rows", tickformat=".0%"),
            "legend": {"orientation": "h", "y": 1.12},
        },
    }
    ranges = [f"{number(a)} to {number(b)}" for a, b in pairwise(edges.tolist())]
    rows = zip(ranges, map(percent, bars[0].tolist()), map(percent, bars[1].tolist()), strict=True)
    says = f"Distribution of {column}: {pair.then_name} against {pair.now_name}"
    return Chart(f"Values of {cut(column, 60)}", says, figure, table=_table(pair, tuple(rows)))


def categories(column: str, pair: Pair, names: list[str]) -> Chart | None:
    """Bars of the categories that are frequent before or since, the rest in one. Counts begin with nameless ones."""
    size = len(names) + 1
    then, now = (_padded(counts, size) for counts in (pair.then, pair.now))
    if not then.sum() or not now.sum():
        return None
    shares = then / then.sum(), now / now.sum()
    rank = np.argsort(-np.maximum(*shares)[1:], kind="stable") + 1
    kept = [int(k) for k in rank[:CATEGORIES_MAX] if shares[0][k] + shares[1][k] > 0]
    found = [names[k - 1] for k in kept]
    bars = [[float(share[k]) for k in kept] for share in shares]
    rest = [1.0 - sum(bar) for bar in bars]
    if max(rest) > 1e-9:
        found.append(OTHER)
        for bar, share in zip(bars, rest, strict=True):
            bar.append(max(share, 0.0))
    return _few(column, found, np.array(bars[0]), np.array(bars[1]), pair)


def _few(column: str, names: list[str], then: FloatArray, now: FloatArray, pair: Pair) -> Chart:
    """Few bars with names: lying down, one pair below the other."""
    shown = _distinct([text(name) for name in names])
    traces = [
        _bar(shares, shown, name, colour, orientation="h")
        for shares, name, colour in ((now, pair.now_name, "$now"), (then, pair.then_name, "$then"))
    ]
    figure: Figure = {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.3,
            "xaxis": axis("share of rows", tickformat=".0%", rangemode="tozero"),
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "traceorder": "reversed"},
        },
    }
    rows = zip((cut(n, 200) for n in names), map(percent, then.tolist()), map(percent, now.tolist()), strict=True)
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


def _bin_name(layout: Layout, k: int) -> str:
    """What a bin holds; where all its column's edges are whole numbers, so are its values."""
    edges = layout.edges
    inner = edges[TAIL_EDGES : -TAIL_EDGES - 1]
    whole = bool(len(inner)) and bool(np.all(inner == np.round(inner)))
    if k == 0:
        return f"below {number(float(edges[0]))}"
    if k == len(edges):
        return f"{number(float(edges[-1]))} or more"
    low, high = float(edges[k - 1]), float(edges[k])
    if whole:
        first, last = math.ceil(low), math.ceil(high) - 1
        return number(first) if last <= first else f"{number(first)} to {number(last)}"
    return number(low) if high - low <= 1e-9 * max(abs(low), 1.0) else f"{number(low)} to {number(high)}"


def _equal(known: FloatArray, share: FloatArray) -> FloatArray:
    """Edges of equal bars over the layout's bins, without OUTSIDE at either end."""
    reached = np.cumsum(share) / share.sum()
    last = len(known) - 1
    low = int(np.clip(np.searchsorted(reached, OUTSIDE) - 1, 0, last))
    high = int(np.clip(np.searchsorted(reached, 1 - OUTSIDE), 0, last))
    ends = float(known[min(low, high)]), float(known[max(low, high)])
    return np.linspace(ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1.0, BARS_MAX + 1)


def _spread(known: FloatArray, share: FloatArray, edges: FloatArray) -> FloatArray:
    """The share of each bar: what a bin holds is spread evenly over its width; the ends take what lies outside."""
    reached = np.concatenate([[0.0], np.cumsum(share)])[:-1]  # below each bin's lower edge
    below = np.interp(edges, known, reached[1:], left=0.0, right=float(share.sum()))
    below[0], below[-1] = 0.0, float(share.sum())
    return np.asarray(np.diff(below), np.float64)


def _padded(counts: FloatArray, size: int) -> FloatArray:
    made = np.zeros(size)
    made[: min(len(counts), size)] = counts[:size]
    return np.maximum(made, 0.0)


def _table(pair: Pair, rows: tuple[tuple[str, ...], ...]) -> Table:
    return Table(("value", pair.then_name, pair.now_name), rows)
