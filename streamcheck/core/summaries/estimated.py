"""Rows whose label has not come, by what the model said and how likely it is to be right."""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.summaries.moments import Moment
from streamcheck.core.types import CodeArray, FloatArray, IntArray

BINS = 32
"""Groups of scores: fewer would blur the ranking of rows, more would rest on too few labelled rows each."""
FINE = 65_536
"""Chances are in steps of 1 / FINE: the sum of squares of a million rows (2^52 steps) is exact in a float64."""


@dataclass(frozen=True, slots=True, eq=False)
class EstimateSummary:
    """Rows by what the model said (0, 1) and bin of the score; chances are those of the positive class.

    counts (2, BINS) int64; sums (2, BINS): of chances; squares (2,): of their squares. All sums are exact.
    """

    counts: IntArray
    sums: FloatArray
    squares: FloatArray

    @property
    def rows(self) -> int:
        """Rows in all."""
        return int(self.counts.sum())

    def __add__(self, other: "EstimateSummary") -> "EstimateSummary":
        return EstimateSummary(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)

    def moment(self) -> Moment:
        """Of the chances to be right: the chance of the positive class where the model says 1, else its complement."""
        n, total, square = self.counts.sum(axis=1), self.sums.sum(axis=1), self.squares
        wrong_total, wrong_square = float(n[0] - total[0]), float(n[0] - 2.0 * total[0] + square[0])
        return Moment(int(n.sum()), float(total[1]) + wrong_total, float(square[1]) + wrong_square)


def no_estimates() -> EstimateSummary:
    """Of no rows."""
    return EstimateSummary(np.zeros((2, BINS), np.int64), np.zeros((2, BINS)), np.zeros(2))


@dataclass(frozen=True, slots=True, eq=False)
class EstimatedPane:
    """n rows of a pane (their places in its own order), what the model said of them (0, 1), chance, bin."""

    rows: IntArray
    said: IntArray
    chance: FloatArray
    bins: IntArray

    def summaries(self, groups: CodeArray | None, n_groups: int) -> list[EstimateSummary]:
        """One for each group; groups: of each row of the pane in its own order, None for all together."""
        mine = np.zeros(len(self.rows), np.int64) if groups is None else groups[self.rows].astype(np.int64)
        cell = (mine * 2 + self.said) * BINS + self.bins
        shape = (n_groups, 2, BINS)
        counts = np.bincount(cell, minlength=n_groups * 2 * BINS).reshape(shape)
        sums = np.bincount(cell, self.chance, n_groups * 2 * BINS).reshape(shape)
        squares = np.bincount(mine * 2 + self.said, self.chance**2, n_groups * 2).reshape(n_groups, 2)
        return [EstimateSummary(counts[at], sums[at], squares[at]) for at in range(n_groups)]


def fold_estimated(rows: IntArray, said: FloatArray, chance: FloatArray, bins: IntArray) -> EstimatedPane:
    """What is remembered of these rows (n,) of a pane."""
    return EstimatedPane(rows, (said == 1.0).astype(np.int64), chance, bins)
