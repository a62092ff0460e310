"""What moved? Bins or categories whose shares changed most, and quantiles: one pane against a reference.

A pane of few rows differs from any reference: of 60 rows in ten equal bins, 15 % "lie elsewhere" by chance alone, and
one row is one category with 100 %. So how many rows there are is said, and how much of it is chance.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.measures._categories import CategoryAccumulator, held
from streamcheck.core.measures._share_table import ShareAccumulator
from streamcheck.core.measures._shares import near_equal_groups
from streamcheck.core.summaries import CategoricalSummary, Layout
from streamcheck.core.summaries.layout import INNER_EDGES_MAX
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.wording import apart, number, percent

SHOWN_MAX = 5
"""Bins, categories or segments that an alert's evidence names, those that changed most."""
SAID_MAX = 2
"""Of them, in the summary for people."""
ROWS_MIN = 20
"""Of a pane with fewer rows people are not told the median, nor how many of them lie elsewhere."""
ERRORS_MIN, ROWS_APART_MIN = 2.0, 2.0
"""By so many standard errors, and rows, a share differs that is named to people."""
NAME_MAX = 64
GROUPS = 10
QUANTILES = (0.1, 0.5, 0.9)
TIED = 2 / INNER_EDGES_MAX
"""A bin with more of the reference than twice what lies between two of its inner edges holds one value above all."""
_DIGITS = 6


def bins_moved(
    layout: Layout, now: IntArray, then: IntArray, low: float | None = None, high: float | None = None
) -> tuple[dict[str, Any], str]:
    """Evidence and words on a numeric column. now, then (n_bins,): rows of the pane and of the reference by bin.

    low, high: the least and largest value of the pane, where they are known.

    Bins are pooled into about GROUPS groups of equal parts of the reference. `moved` is the share of rows that lie
    elsewhere than the reference has them (half the sum of differences), moved_by_chance what it would be on average if
    nothing had changed, with moved_rows in the pane. from is inclusive, to is not; null: no end.
    """
    group = near_equal_groups(then, GROUPS)
    ends = np.searchsorted(group, np.arange(group[-1] + 2))
    edges = [None, *layout.edges.tolist(), None]
    before, after = _shares(np.bincount(group, then)), _shares(np.bincount(group, now))
    column = _Column(layout, then)
    named = [
        {
            "name": column.name(int(ends[k]), int(ends[k + 1])),
            "from": edges[ends[k]],
            "to": edges[ends[k + 1]],
            **_pair(before[k], after[k]),
        }
        for k in _most(before, after)
    ]
    ranged = (-math.inf if low is None else low, math.inf if high is None else high)
    quantiles = {"before": column.quantiles(then), "after": column.quantiles(now, *ranged)}
    counted = _Counted(int(now.sum()), int(then.sum()))
    evidence = {**counted.moved(before, after), "quantiles": {"at": list(QUANTILES), **quantiles}, "bins": named}
    median = _median(quantiles["before"][1], quantiles["after"][1])
    bins = [(str(one["name"]), one) for one in named]
    return evidence, counted.said([*(median if counted.now >= ROWS_MIN else ()), *counted.elsewhere(evidence)], bins)


def categories_moved(
    now: CategoricalSummary, then: CategoryAccumulator | ShareAccumulator
) -> tuple[dict[str, Any], str]:
    """The same for categories; those that the reference had no place for are counted with its rows only."""
    rows = dict(held(now))
    names = sorted(rows.keys() | then.counts.keys())
    before = _shares(np.array([then.counts.get(name, 0) for name in names], np.float64), then.n)
    after = _shares(np.array([rows.get(name, 0) for name in names], np.float64))
    most = _most(before, after)
    named: list[dict[str, Any]] = [{"category": names[k][:NAME_MAX], **_pair(before[k], after[k])} for k in most]
    counted = _Counted(sum(rows.values()), then.n)
    evidence = {**counted.moved(before, after), "categories": named}
    return evidence, counted.said(counted.elsewhere(evidence), [(str(one["category"]), one) for one in named])


class _Column:
    """What values may stand behind a column's bins? Of its layout, and the reference's rows by bin, then (n_bins,).

    An inner edge is a value of the column. Where a bin holds more of the reference than lies between two of them, that
    value is most of it (a rating, a flag). Where all of them are whole numbers, so are the values.
    """

    def __init__(self, layout: Layout, then: IntArray) -> None:
        self.layout = layout
        inside = layout.inside
        inner = layout.edges[inside.start - 1 : inside.stop - 1]
        self.whole = bool((inner == np.floor(inner)).all())
        self.tied = np.zeros(layout.n_bins, bool)
        self.tied[inside] = then[inside] > TIED * then.sum()
        self.top = float(layout.edges[inside.stop - 1])
        """The edge just above the largest of the first values."""
        self.high = math.nextafter(self.top, -math.inf)
        spread = self.high - float(inner[0]) or abs(self.high) or 1.0
        self.decimals = _DIGITS - 1 - math.floor(math.log10(spread)) if math.isfinite(spread) else 0

    def quantiles(self, counts: IntArray, low: float = -math.inf, high: float = math.inf) -> list[float | None]:
        """Its values at QUANTILES, straight between the ends of a bin that holds many. None: beyond all bins.

        low, high: the least and largest of these values, where they are known.

        >>> layout = Layout.build(np.arange(100.0))
        >>> then = layout.counts(np.arange(100.0))
        >>> _Column(layout, then).quantiles(then)
        [10.0, 50.0, 90.0]
        """
        shares = np.concatenate(([0.0], np.cumsum(counts) / counts.sum()))
        found: list[float | None] = []
        for at in QUANTILES:
            k = min(int(np.searchsorted(shares, at, side="right")) - 1, len(counts) - 1)
            start = max(float(self.layout.edges[k - 1]) if k else -math.inf, low)
            end = min(float(self.layout.edges[k]) if k < len(self.layout.edges) else math.inf, high)
            value = start
            if not self.tied[k]:
                part = (at - shares[k]) / (shares[k + 1] - shares[k]) if shares[k + 1] > shares[k] else 0.0
                value = start + float(part) * (end - start)
                value = float(math.floor(value)) if self.whole and math.isfinite(value) else value
            found.append(round(value, self.decimals) + 0.0 if math.isfinite(value) else None)
        return found

    def name(self, first: int, end: int) -> str:
        """The values of the bins first to before end, for people."""
        edges = self.layout.edges
        if first == 0:
            return f"below {number(float(edges[end - 1]))}"
        start = float(edges[first - 1])
        if end > len(edges):
            return f"above {number(self.high)}" if start == self.top else f"{number(start)} and above"
        stop = float(edges[end - 1])
        if self.whole:
            start = math.floor(start) + 1.0 if start == self.top else start
            stop = self.high if stop == self.top else stop - 1.0
        elif stop == self.top:
            stop = self.high
        if stop <= start or (end == first + 1 and self.tied[first]):
            return number(start)
        return " … ".join(apart(start, stop))


def _median(before: float | None, after: float | None) -> list[str]:
    return [] if before is None or after is None else ["median " + " -> ".join(apart(before, after))]


def _shares(counts: FloatArray | IntArray, rows: int = 0) -> FloatArray:
    return np.asarray(counts / max(rows or float(counts.sum()), 1.0), np.float64)


class _Counted(NamedTuple):
    """How many rows shares come from: of the pane, and of the reference."""

    now: int
    then: int

    def moved(self, before: FloatArray, after: FloatArray) -> dict[str, Any]:
        """Half the sum of differences; what chance makes of it on average (of normal numbers of the same spread)."""
        by_chance = min(float(self._errors(before).sum()) / math.sqrt(2.0 * math.pi), 1.0)
        moved = float(np.abs(after - before).sum()) / 2
        return {"moved_rows": self.now, "moved": round(moved, _DIGITS), "moved_by_chance": round(by_chance, _DIGITS)}

    def _errors(self, share: FloatArray) -> FloatArray:
        return np.sqrt(share * (1.0 - share) * (1.0 / max(self.now, 1) + 1.0 / max(self.then, 1)))

    def elsewhere(self, told: dict[str, Any]) -> list[str]:
        """How many rows lie elsewhere, where that is more than chance makes of it."""
        if self.now < ROWS_MIN or told["moved"] <= told["moved_by_chance"]:
            return []
        return [f"{percent(told['moved'])} lie elsewhere ({percent(told['moved_by_chance'])} by chance)"]

    def said(self, words: list[str], named: list[tuple[str, dict[str, Any]]]) -> str:
        """For people: these words, and the shares that moved most, as far as they did so visibly."""
        words = words + [f"{name}: {_said(one)}" for name, one in named if self._visibly(**one)][:SAID_MAX]
        return f"of the newest {self.now:,} rows: {', '.join(words)}" if words else ""

    def _visibly(self, before: float, after: float, **_: Any) -> bool:
        both = (before * self.then + after * self.now) / (self.then + self.now)
        error = float(self._errors(np.array([both]))[0])
        return abs(after - before) > max(ERRORS_MIN * error, ROWS_APART_MIN / self.now)


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
