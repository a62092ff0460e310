"""How do two profiles differ? One line for each column, measure and segment that both hold."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.measures._categories import CategoryAccumulator
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._share_table import ShareAccumulator
from streamcheck.core.measures._shares import near_equal_groups, stability
from streamcheck.core.measures.outside import BinsAccumulator
from streamcheck.core.measures.psi import HistogramAccumulator
from streamcheck.core.measures.schema_changes import FormsAccumulator
from streamcheck.core.profile_text import accumulator
from streamcheck.core.profiles import Key, Label, Profile
from streamcheck.core.summaries import Layout
from streamcheck.core.types import FloatArray, IntArray

GROUPS = 10
SLIGHT, CLEAR = 0.1, 0.25
"""Of a stability index: what is usually called a slight and a clear change (Siddiqi 2006, Credit Risk Scorecards)."""
SD_SLIGHT, SD_CLEAR = 0.1, 0.3
"""Of a difference of means, in standard deviations of the first profile's rows."""
ERRORS = 3.0
"""A difference of means within so many standard errors is none."""
Categories = CategoryAccumulator | ShareAccumulator
Bins = HistogramAccumulator | BinsAccumulator


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. first, second: what people see (None for shapes); shift: an index, or standard deviations.

    Shapes (the bins that `outside` keeps, too) and categories are compared by a stability index.

    word: "none", "slight" or "clear"; only: 1 or 2 where just one of the profiles holds it.
    """

    column: str
    segment: Label
    measure: str
    first: float | None
    second: float | None
    shift: float | None
    word: str
    only: int | None = None


def drift(first: Profile, second: Profile) -> tuple[Drift, ...]:
    """Everything that both hold, and what only one of them does, in the order of columns; all rows before segments."""
    keys = sorted({*first.contents, *second.contents}, key=_order)
    return tuple(_compared(key, first, second) for key in keys)


def _order(key: Key) -> tuple[Any, ...]:
    return (key.column, key.by, key.segment, key.measure, key.target, str(key.params))


def _compared(key: Key, first: Profile, second: Profile) -> Drift:
    one, two = first.contents.get(key), second.contents.get(key)
    if one is None or two is None:
        return Drift(key.column, key.segment, key.measure, None, None, None, "–", 2 if one is None else 1)
    then, now = accumulator(key, one.state), accumulator(key, two.state)
    shown: tuple[float | None, float | None] = (None, None)
    index = None
    if isinstance(then, Categories) and isinstance(now, Categories):
        index = _index(*_categories(then, now))
    elif isinstance(then, Bins) and isinstance(now, Bins):
        layouts = first.layouts[key.column], second.layouts[key.column]
        index = _index(*_bins(then, now, layouts))
        if isinstance(then, BinsAccumulator) and isinstance(now, BinsAccumulator):
            shown = then.moment.mean if then.moment.n else None, now.moment.mean if now.moment.n else None
    elif isinstance(then, FormsAccumulator) and isinstance(now, FormsAccumulator):
        same = all(then.kinds(name) == now.kinds(name) for name, _ in (*then.counts, *now.counts))
        return Drift(key.column, key.segment, key.measure, None, None, None, "none" if same else "clear")
    elif isinstance(then, MomentAccumulator) and isinstance(now, MomentAccumulator):
        return _means(key, then, now)
    word = "–" if index is None else _word(index, SLIGHT, CLEAR)
    return Drift(key.column, key.segment, key.measure, *shown, index, word)


def _means(key: Key, then: MomentAccumulator, now: MomentAccumulator) -> Drift:
    """Raw means where the measure counts scores of bins: two profiles may have laid them out differently."""
    raw = bool(then.shown.n and now.shown.n)
    a, b = (then.shown, now.shown) if raw else (then.moment, now.moment)
    if not a.n or not b.n:
        return Drift(key.column, key.segment, key.measure, None, None, None, "–")
    if key.measure == "scale":
        shift = math.log((b.sd or 1e-300) / (a.sd or 1e-300)) if a.sd != b.sd else 0.0
        error = math.sqrt(1 / (2 * a.n) + 1 / (2 * b.n))
        shown = a.sd, b.sd
    else:
        sd = a.sd or b.sd
        shift = (b.mean - a.mean) / sd if sd else 0.0
        error = math.sqrt(sum(max(part.mean_variance(part.within()), 1e-300) for part in (then, now)))
        error = error / sd if sd and not raw else math.sqrt(1 / a.n + 1 / b.n)
        shown = a.mean, b.mean
    word = _word(abs(shift), SD_SLIGHT, SD_CLEAR) if abs(shift) > ERRORS * error else "none"
    return Drift(key.column, key.segment, key.measure, *shown, shift, word)


def _word(shift: float, slight: float, clear: float) -> str:
    return "clear" if shift >= clear else "slight" if shift >= slight else "none"


def _index(then: IntArray, now: IntArray) -> float | None:
    if not then.sum() or not now.sum():
        return None
    found = stability(now, then)
    return max(0.0, found.value - found.center)


def _categories(then: Categories, now: Categories) -> tuple[IntArray, IntArray]:
    """Names that are frequent on either side stand alone, the rest is one group."""
    named = {**then.counts, **{name: max(rows, then.counts.get(name, 0)) for name, rows in now.counts.items()}}
    kept = [name for name, _ in sorted(named.items(), key=lambda pair: (-pair[1], pair[0]))[: 2 * GROUPS]]
    return _named(then, kept), _named(now, kept)


def _named(held: Categories, kept: Iterable[str]) -> IntArray:
    counts = [held.counts.get(name, 0) for name in kept]
    return np.array([*counts, held.n - sum(counts)], np.int64)


def _bins(then: Bins, now: Bins, layouts: tuple[Layout, Layout]) -> tuple[IntArray, IntArray]:
    """About GROUPS groups of equal parts of the first; where bins differ, the second's rows are spread over them."""
    empty = np.zeros(1, np.int64)
    if then.counts is None or now.counts is None:
        return empty, empty
    counts: FloatArray = now.counts.astype(np.float64)
    if not np.array_equal(layouts[0].edges, layouts[1].edges):
        counts = _spread(counts, layouts[1].edges, layouts[0].edges)
    group = near_equal_groups(then.counts, GROUPS)
    pooled = [np.round(np.bincount(group, weights=held)).astype(np.int64) for held in (then.counts, counts)]
    return pooled[0], pooled[1]


def _spread(counts: FloatArray, edges: FloatArray, onto: FloatArray) -> FloatArray:
    """Counts of bins with these edges, as of bins with those: a bin's rows lie evenly over its width."""
    reached = np.concatenate([[0.0], np.cumsum(counts)])
    below = np.interp(onto, edges, reached[1:-1], left=0.0, right=float(counts.sum()))
    return np.diff(np.concatenate([[0.0], below, [counts.sum()]]))
