"""Which bins do a column's values fall into, and what does each bin score? Frozen once, from its first values."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which bins and scores describe a numeric column? Bin i holds edges[i-1] <= value < edges[i].

    edges (n_bins - 1,) ascending; weights (n_bins, 2): a location and a scale score for each bin. The location score is
    the normal score of the bin's mid-rank among the first values, the scale score its absolute value; over those values
    both have mean 0, variance 1 and no correlation (zeros where distinct values are too few for that: one has no
    location, two have no scale). Bins beyond the first values score as the outermost of them: scores are bounded, so
    heavy tails do no harm. origin: a typical value, from which sums are taken.

    >>> layout = Layout.build(np.array([0.0, 0.0, 1.0, 3.0]))
    >>> layout.bins(np.array([-5.0, 0.0, 0.5, 1.0, 3.0, 3.1])).tolist()
    [7, 9, 9, 10, 11, 12]
    """

    edges: FloatArray
    weights: FloatArray
    origin: float

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
        return Layout(edges, _scores(counts), float(np.clip(ordered[n // 2], -VALUE_MAX, VALUE_MAX)))

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    def bins(self, values: FloatArray) -> IntArray:
        """The bin of each finite value (n,)."""
        return np.searchsorted(self.edges, values, side="right").astype(np.int64, copy=False)

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"edges": self.edges.copy(), "weights": self.weights.copy(), "origin": self.origin}

    @staticmethod
    def restore(state: State) -> "Layout":
        """The layout that was exported."""
        held: dict[str, Any] = {key: np.array(state[key], dtype=np.float64) for key in ("edges", "weights")}
        return Layout(held["edges"], held["weights"], float(state["origin"]))


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
        if sd > SCORE_SD_MIN:
            weights[:, place] = rest / sd
            columns.append(weights[:, place])
    # A bin without values takes the score of the nearest one with values: only bins beyond the ends are empty.
    nearest = np.clip(np.searchsorted(taken, np.arange(len(counts)), side="left"), 0, len(taken) - 1)
    return np.asarray(weights[nearest])
