"""Which bins do a column's values fall into, and what does each bin score? Frozen once, from its first values."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from streamcheck.core.components import State
from streamcheck.core.summaries.moments import VALUE_MAX
from streamcheck.core.types import FloatArray, IntArray

INNER_EDGES_MAX = 254
"""Edges at values of the sample. With 1 above it and 2 x 8 in the tails: at most 272 bins, 2.2 kB a histogram."""
TAIL_EDGES = 8
"""Edges beyond each end of the sample, 1, 2, 4 ... 128 times its range away: a change of unit stays visible."""
BINS_MAX = INNER_EDGES_MAX + 1 + 2 * TAIL_EDGES + 1
SCORE_SD_MIN = 1e-9
SCALE_FOURTH_MAX = 10.0
"""The fourth moment that scale scores may have at most (of normal values 3.9). Beyond, fewer than one value in ten
tells the scale (a column that is 999 in 96 of 100 rows), and means of 50 scores lie beyond 4.6 sd ten times as often as
normal ones: such a column has no scale."""
_CELLS = 1_024
_CELL_EDGES_MAX = 8
_GRID_EDGES_MIN = 16
_GRID_MARGIN = 50
"""One inner edge in so many is left outside the grid at either end: tails would make its cells too wide."""
_GRID_ROWS = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Equal cells over most of the edges, so that a value's bin is found without a binary search.

    The cell of a value is a monotone function of it in floating point, too. Hence edges in earlier cells are at most
    the value, those in later cells above it, and only the few of its own cell must be compared.
    """

    low: float
    high: float
    scale: float
    before: IntArray
    """(_CELLS,): edges in earlier cells."""
    edges: FloatArray
    """All edges, and infinity."""
    most: int
    """Edges in one cell."""

    @staticmethod
    def over(edges: FloatArray) -> "_Grid | None":
        """A grid for these ascending edges; None where it would be no help."""
        inner = edges[TAIL_EDGES : -TAIL_EDGES - 1]
        if len(inner) < _GRID_EDGES_MIN:
            return None
        margin = len(inner) // _GRID_MARGIN
        low, high = float(inner[margin]), float(inner[-1 - margin])
        with np.errstate(over="ignore", divide="ignore"):
            scale = float(np.float64(_CELLS - 1) / (np.float64(high) - low))
        if not 0.0 < scale < np.inf:
            return None
        within = edges[(edges >= low) & (edges <= high)]
        cells = ((within - low) * scale).astype(np.int64)
        most = int(np.bincount(cells).max())
        if most > _CELL_EDGES_MAX:
            return None
        before = np.searchsorted(edges, low) + np.searchsorted(cells, np.arange(_CELLS))
        return _Grid(low, high, scale, before.astype(np.int64), np.append(edges, np.inf), most)

    def bins(self, values: FloatArray) -> IntArray:
        inside = (values >= self.low) & (values <= self.high)
        with np.errstate(over="ignore"):
            cells = np.where(inside, (values - self.low) * self.scale, 0.0).astype(np.int64)
        found: IntArray = self.before[cells]
        for _ in range(self.most):
            found += values >= self.edges[found]
        outside = np.flatnonzero(~inside)
        found[outside] = np.searchsorted(self.edges, values[outside], side="right")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which bins and scores describe a numeric column? Bin i holds edges[i-1] <= value < edges[i].

    edges (n_bins - 1,) ascending; weights (n_bins, 2): a location and a scale score for each bin. The location score is
    the normal score of the bin's mid-rank among the first values, the scale score its absolute value; over those values
    both have mean 0, variance 1 and no correlation (zeros where distinct values are too few for that: one has no
    location, two have no scale; nor has one where a handful of values would tell it). Bins beyond the first values
    score as the outermost of them: scores are bounded, so heavy tails do no harm. origin: a typical value, from which
    sums are taken. third: the mean cube of the location scores of the first values, 0 where it is not known.

    >>> layout = Layout.build(np.array([0.0, 0.0, 1.0, 3.0]))
    >>> layout.bins(np.array([-5.0, 0.0, 0.5, 1.0, 3.0, 3.1])).tolist()
    [7, 9, 9, 10, 11, 12]
    """

    edges: FloatArray
    weights: FloatArray
    origin: float
    third: float = 0.0
    _grid: _Grid | None = field(init=False, repr=False)
    inside: slice = field(init=False, repr=False)
    """The bins from the least to the largest of the first values: those beyond score as the outermost of them."""
    constant: bool = field(init=False, repr=False)
    """Whether the first values were all the same."""
    by_score: FloatArray = field(init=False, repr=False)
    """The weights as (2, n_bins): a score's own lie side by side."""
    calm: float = field(init=False, repr=False)
    """How far below 0 a scale score can lie: that of values in the middle. 0.0 where all score alike."""
    lopsided: tuple[float, float] = field(init=False, repr=False)
    """(a, b): location scores with mean m and variance v have a skewness of about (a - b m) / sqrt(v).

    Of two values, whatever their shares, that is exact: scores x and y have (x + y - 2 m) / sqrt(v). Of more, the first
    values' own is taken, as that of events which come more or less often than they did."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_grid", _Grid.over(self.edges))
        object.__setattr__(self, "constant", bool(self.weights[0, 0] == self.weights[-1, 0]))
        object.__setattr__(self, "inside", _inside(self))
        object.__setattr__(self, "by_score", self.weights.T.copy())
        object.__setattr__(self, "calm", max(-float(self.weights[:, 1].min()), 0.0))
        two = self.inside.stop - self.inside.start == 2
        sides = float(self.weights[0, 0] + self.weights[-1, 0]), 2.0
        object.__setattr__(self, "lopsided", sides if two else (self.third, 0.0))

    @staticmethod
    def build(values: FloatArray) -> "Layout":
        """Freeze a layout from the first values (n,), n >= 2, finite. A constant gets 3 bins: below, equal, above."""
        n = len(values)
        assert n >= 2, f"a layout needs two values or more, not {n}"
        assert bool(np.isfinite(values).all()), "a layout takes finite values only"
        ordered = np.sort(values)
        # Every inner edge is a value of the sample, so no inner bin is empty and equal values share a bin.
        inner = np.unique(ordered[np.arange(INNER_EDGES_MAX) * n // INNER_EDGES_MAX])
        edges = _with_tails(inner, float(ordered[0]), float(ordered[-1]))
        counts = np.bincount(np.searchsorted(edges, ordered, side="right"), minlength=len(edges) + 1)
        weights = _scores(counts)
        third = float((counts / n * weights[:, 0] ** 3).sum())
        return Layout(edges, weights, float(np.clip(ordered[n // 2], -VALUE_MAX, VALUE_MAX)), third)

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    def bins(self, values: FloatArray) -> IntArray:
        """The bin of each finite value (n,)."""
        grid = self._grid
        if grid is None:
            return np.searchsorted(self.edges, values, side="right").astype(np.int64, copy=False)
        if len(values) <= _GRID_ROWS:
            return grid.bins(values)
        cuts = range(0, len(values), _GRID_ROWS)  # what fits into the cache
        return np.concatenate([grid.bins(values[at : at + _GRID_ROWS]) for at in cuts])

    def beyond(self, values: FloatArray) -> int:
        """How many of these finite values (n,) lie below the least or above the largest of the first values.

        >>> Layout.build(np.array([7.0, 7.0])).beyond(np.array([7.0, 6.9, 7.1, 7.0]))
        2
        """
        bins = self.bins(values)
        return int(np.count_nonzero((bins < self.inside.start) | (bins >= self.inside.stop)))

    def widened(self, values: FloatArray) -> "Layout":
        """A layout for these values (n,) as well as for those that this one was laid out for, who count as much.

        Of the former its edges stand for them. Scores need an order of the values only, not their frequencies.
        """
        former = self.edges[self.inside.start - 1 : self.inside.stop - 1]
        return Layout.build(np.concatenate([np.repeat(former, max(len(values) // len(former), 1)), values]))

    def counts(self, ordered: FloatArray) -> IntArray:
        """How many of these finite values (n,), ascending, each bin holds: (n_bins,)."""
        held = np.empty(self.n_bins, np.int64)
        held[:-1] = below = np.searchsorted(ordered, self.edges, side="left")
        held[-1] = len(ordered)
        held[1:] -= below
        return held

    def export(self) -> State:
        """The state, sharing no memory."""
        arrays = {"edges": self.edges.copy(), "weights": self.weights.copy()}
        return {**arrays, "origin": self.origin, "third": self.third}

    @staticmethod
    def restore(state: State) -> "Layout":
        """The layout that was exported."""
        held: dict[str, Any] = {key: np.array(state[key], dtype=np.float64) for key in ("edges", "weights")}
        return Layout(held["edges"], held["weights"], float(state["origin"]), float(state["third"]))


def _inside(layout: Layout) -> slice:
    location = layout.weights[:, 0]
    if layout.constant:
        at = int(np.searchsorted(layout.edges, layout.origin, side="right"))
        return slice(at, at + 1)
    below, above = (int(np.count_nonzero(location == location[end])) for end in (0, -1))
    return slice(below - 1, layout.n_bins - above + 1)


def _with_tails(inner: FloatArray, low: float, high: float) -> FloatArray:
    """The inner edges, one just above the sample, and TAIL_EDGES beyond each end; those that overflow are left out."""
    with np.errstate(over="ignore"):
        reach = (np.float64(high) - low) * 2.0 ** np.arange(TAIL_EDGES)
        edges = np.concatenate([low - reach, inner, [np.nextafter(high, np.inf)], high + reach])
    return np.asarray(np.unique(edges[np.isfinite(edges)]), dtype=np.float64)


def _scores(counts: IntArray) -> FloatArray:
    """The two scores (n_bins, 2) of bins that hold these counts of the sample."""
    taken = np.flatnonzero(counts)
    share = counts[taken] / counts.sum()
    normal = ndtri(np.cumsum(share) - share / 2)
    columns: list[FloatArray] = [np.ones(len(taken))]
    weights = np.zeros((len(taken), 2))
    for place, raw in enumerate((normal, np.abs(normal))):
        rest = raw
        for column in columns:
            rest = rest - (share * rest * column).sum() * column
        sd = float(np.sqrt((share * rest * rest).sum()))
        told = sd > SCORE_SD_MIN and not (place == 1 and (share * (rest / sd) ** 4).sum() > SCALE_FOURTH_MAX)
        if told:
            weights[:, place] = rest / sd
            columns.append(weights[:, place])
    # A bin without values takes the score of the nearest one with values: only bins beyond the ends are empty.
    nearest = np.clip(np.searchsorted(taken, np.arange(len(counts)), side="left"), 0, len(taken) - 1)
    return np.asarray(weights[nearest])
