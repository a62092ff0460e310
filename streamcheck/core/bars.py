"""How do two samples of a column stand side by side, in few bars? Out of counts by bin, or by category."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streamcheck.core.summaries import Layout
from streamcheck.core.summaries.layout import TAIL_EDGES
from streamcheck.core.types import FloatArray
from streamcheck.core.wording import number

BARS_MAX = 30
"""Bars of equal width for a column of many values."""
FEW_MAX = 24
"""A column of so few bins is shown bin by bin."""
CATEGORIES_MAX = 12
OTHER = "all others"
OUTSIDE = 0.005
"""The share at either end that lies in the outermost bars, so that a few far values do not squeeze all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Shares (n,) of two samples, each bar with its name; edges (n + 1,): of bars of equal width, None for others."""

    names: tuple[str, ...]
    then: FloatArray
    now: FloatArray
    edges: FloatArray | None = None


def histogram(then: FloatArray, now: FloatArray, layout: Layout, ends: tuple[float, float]) -> Bars | None:
    """Of a numeric column, from rows by bin; None where one sample is empty. ends: its lowest and highest value."""
    then, now = (_padded(counts, layout.n_bins) for counts in (then, now))
    if not then.sum() or not now.sum():
        return None
    shares = then / then.sum(), now / now.sum()
    taken = np.flatnonzero(then + now)
    if len(taken) <= FEW_MAX:
        return Bars(tuple(_bin_name(layout, int(k)) for k in taken), shares[0][taken], shares[1][taken])
    known = np.clip(layout.edges, *ends)
    edges = _equal(known, shares[0] + shares[1])
    names = tuple(f"{number(a)} to {number(b)}" for a, b in pairwise(edges.tolist()))
    return Bars(names, _spread(known, shares[0], edges), _spread(known, shares[1], edges), edges)


def categories(then: FloatArray, now: FloatArray, names: list[str]) -> Bars | None:
    """Of the categories that are frequent in either sample, the rest in one; None where one sample is empty.

    Counts begin with rows of nameless categories.

    >>> made = categories(np.array([0.0, 3.0, 1.0]), np.array([1.0, 1.0]), ["DE", "FR"])
    >>> made.names, made.then.tolist(), made.now.tolist()
    (('DE', 'FR', 'all others'), [0.75, 0.25, 0.0], [0.5, 0.0, 0.5])
    """
    size = len(names) + 1
    then, now = (_padded(counts, size) for counts in (then, now))
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
        for bar, left in zip(bars, rest, strict=True):
            bar.append(max(left, 0.0))
    return Bars(tuple(found), np.array(bars[0]), np.array(bars[1]))


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
