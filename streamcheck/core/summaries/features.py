"""What is remembered of several numeric columns together: sums of products of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.summaries.layout import Layout
from streamcheck.core.types import BoolArray, FloatArray

SCORE_STEPS = 1_024
"""Scores are rounded to 1/1,024: their products are whole numbers then, of 4 x 1,024 squared at most, and sums of them
are exact in a float64 for 500 million rows. So no order of summing, and no BLAS, changes a bit."""
R_MAX = 0.9999


@dataclass(frozen=True, slots=True, eq=False)
class FeaturesSummary:
    """rows: those in which every column has a usable value; totals (d,) and products (d, d): of rounded scores."""

    names: tuple[str, ...]
    rows: int
    totals: FloatArray
    products: FloatArray

    def correlations(self) -> FloatArray:
        """Of each pair of columns, (d (d - 1) / 2,), in the order of np.triu_indices; 0 where one does not vary."""
        covariance = self.products * self.rows - np.outer(self.totals, self.totals)
        variance = np.diag(covariance)
        scale = np.sqrt(np.outer(variance, variance))
        found = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0.0)
        return np.asarray(np.clip(found[np.triu_indices(len(self.names), 1)], -R_MAX, R_MAX))


def fold_features(
    names: Sequence[str], columns: Sequence[FloatArray], usable: BoolArray, layouts: Sequence[Layout]
) -> FeaturesSummary:
    """Columns (n,) each with its layout; usable (n,): rows in which all of them are.

    >>> x = np.arange(100.0)
    >>> layout = Layout.build(x)
    >>> fold_features(["a", "b"], [x, x[::-1]], x >= 0, [layout, layout]).correlations().round(3).tolist()
    [-1.0]
    """
    scores = np.stack([
        np.rint(layout.weights[layout.bins(column[usable]), 0] * SCORE_STEPS)
        for column, layout in zip(columns, layouts, strict=True)
    ])
    return FeaturesSummary(tuple(names), scores.shape[1], scores.sum(axis=1), scores @ scores.T)
