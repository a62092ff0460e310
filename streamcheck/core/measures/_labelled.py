"""What the measures of labelled rows share."""

import numpy as np

from streamcheck.core.summaries import VALUE_MAX, LabelledRows
from streamcheck.core.types import BoolArray, FloatArray

ERROR_MAX = VALUE_MAX**0.5
"""Errors beyond this (1e70) count as this, so that the squares of their squares can be summed."""


def positive(values: FloatArray) -> BoolArray:
    """Which rows are of the positive class."""
    return np.asarray(values == 1.0)


def scored(rows: LabelledRows) -> tuple[FloatArray, FloatArray]:
    """Score (in [0, 1]: what lies outside is clipped) and label of the rows that have a score."""
    if rows.score is None:
        return np.empty(0), np.empty(0)
    has = np.isfinite(rows.score)
    return np.clip(rows.score[has], 0.0, 1.0), rows.label[has]
