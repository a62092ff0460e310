"""What moved? Bins or categories whose shares changed most, and quantiles: one pane against a reference."""

from typing import Any

import numpy as np

from streamcheck.core.measures._categories import CategoryAccumulator, held
from streamcheck.core.measures._share_table import ShareAccumulator
from streamcheck.core.measures._shares import near_equal_groups
from streamcheck.core.summaries import CategoricalSummary, Layout
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.wording import number, percent

SHOWN_MAX = 5
"""Bins, categories or segments that an alert's evidence names, those that changed most."""
SAID_MAX = 2
"""Of them, in the summary for people."""
NAME_MAX = 64
GROUPS = 10
QUANTILES = (0.1, 0.5, 0.9)
_DIGITS = 6


def bins_moved(layout: Layout, now: IntArray, then: IntArray) -> tuple[dict[str, Any], str]:
    """Evidence and words on a numeric column. now, then (n_bins,): rows of the pane and of the reference by bin.

    Bins are pooled into about GROUPS groups of equal parts of the reference. `moved` is the share of rows that lie
    elsewhere than the reference has them (half the sum of differences). from is inclusive, to is not; null: no end.
    """
    group = near_equal_groups(then, GROUPS)
    ends = np.searchsorted(group, np.arange(group[-1] + 2))
    edges = [None, *layout.edges.tolist(), None]
    before, after = _shares(np.bincount(group, then)), _shares(np.bincount(group, now))
    named = [
        {"from": edges[ends[k]], "to": edges[ends[k + 1]], **_pair(before[k], after[k])}
        for k in _most(before, after)
    ]
    quantiles = {"before": quantiles_of(layout, then), "after": quantiles_of(layout, now)}
    moved = _moved(before, after)
    words = [f"median {number(quantiles['before'][1])} -> {number(quantiles['after'][1])}"]
    words.append(f"{percent(moved)} of rows lie elsewhere")
    words += [f"{between(one['from'], one['to'])}: {_said(one)}" for one in named[:SAID_MAX]]
    evidence = {"moved": moved, "quantiles": {"at": list(QUANTILES), **quantiles}, "bins": named}
    return evidence, ", ".join(words)


def categories_moved(
    now: CategoricalSummary, then: CategoryAccumulator | ShareAccumulator
) -> tuple[dict[str, Any], str]:
    """The same for categories; those that the reference had no place for are counted with its rows only."""
    rows = dict(held(now))
    names = sorted(rows.keys() | then.counts.keys())
    before = _shares(np.array([then.counts.get(name, 0) for name in names], np.float64), then.n)
    after = _shares(np.array([rows.get(name, 0) for name in names], np.float64))
    named = [{"category": names[k][:NAME_MAX], **_pair(before[k], after[k])} for k in _most(before, after)]
    moved = _moved(before, after)
    words = [f"{one['category']}: {_said(one)}" for one in named[:SAID_MAX]]
    return {"moved": moved, "categories": named}, ", ".join([f"{percent(moved)} of rows lie elsewhere", *words])


def quantiles_of(layout: Layout, counts: IntArray) -> list[float]:
    """The column's values at QUANTILES, straight between the edges of a bin; an edge where the bin has no end.

    >>> layout = Layout.build(np.arange(100.0))
    >>> quantiles_of(layout, layout.counts(np.arange(100.0)))
    [10.0, 50.0, 90.0]
    """
    shares = np.concatenate(([0.0], np.cumsum(counts) / counts.sum()))
    lower = np.concatenate((layout.edges[:1], layout.edges))
    upper = np.concatenate((layout.edges, layout.edges[-1:]))
    found = []
    for at in QUANTILES:
        k = min(int(np.searchsorted(shares, at, side="right")) - 1, len(counts) - 1)
        inside = (at - shares[k]) / (shares[k + 1] - shares[k]) if shares[k + 1] > shares[k] else 0.0
        found.append(round(float(lower[k] + inside * (upper[k] - lower[k])), _DIGITS))
    return found


def _shares(counts: FloatArray | IntArray, rows: int = 0) -> FloatArray:
    return np.asarray(counts / max(rows or float(counts.sum()), 1.0), np.float64)


def _moved(before: FloatArray, after: FloatArray) -> float:
    return round(float(np.abs(after - before).sum()) / 2, _DIGITS)


def _most(before: FloatArray, after: FloatArray) -> list[int]:
    """Places of the largest differences, of equal ones the first; none where nothing differs."""
    differs = np.round(np.abs(after - before), _DIGITS)
    order = np.argsort(-differs, kind="stable")[:SHOWN_MAX]
    return [int(k) for k in order if differs[k] > 0]


def _pair(before: float, after: float) -> dict[str, float]:
    return {"before": round(float(before), _DIGITS), "after": round(float(after), _DIGITS)}


def _said(one: dict[str, Any]) -> str:
    return f"{percent(one['before'])} -> {percent(one['after'])}"


def between(start: float | None, end: float | None) -> str:
    """The values of a bin, for people; None: it has no end."""
    if start is None:
        return f"below {number(end)}"
    return f"{number(start)} and above" if end is None else f"{number(start)} … {number(end)}"
