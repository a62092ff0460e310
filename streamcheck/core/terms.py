"""What do references that stay as they are ask of panes with so many rows? For many monitors at once, as columns.

The same bits as one signal after the other (`signal`, then `numbers`): powers are Python's, as they are there.
"""

import numpy as np

from streamcheck.core.detectors._steps import LEVEL_MAX, NUMBERS, PANE_SHARE_MAX
from streamcheck.core.measures._compared import SKEW_MIN
from streamcheck.core.measures._moments import ERRORS_MAX, ROUNDING
from streamcheck.core.measures._running import power
from streamcheck.core.measures._standing import Standing
from streamcheck.core.types import BoolArray, FloatArray

TERMS = NUMBERS + 4
"""Rows of `numbers`; then of a mean the root of its weight, its own standard error, the one of the comparison, and the
standard deviation of a row."""


def share_terms(known: Standing[FloatArray], rows: FloatArray) -> FloatArray:
    """(TERMS, N): of shares in panes with so many rows (N,), but for what depends on the events. known: columns."""
    weight = rows * known.within / _variance(known, rows, known.within)
    none = np.zeros(len(rows))
    sums = (none, weight, weight * known.mean, weight / known.root, rows)
    return _joined(np.ones(len(rows)), sums, known, (none,) * 4)


def share_steps(terms: FloatArray, events: FloatArray) -> FloatArray:
    """Shares (NUMBERS, N) as charts take them. terms: as `share_terms` gives them, an array of its own."""
    terms[1] = events * terms[2] / terms[5]
    return terms[:NUMBERS]


def mean_terms(known: Standing[FloatArray], rows: FloatArray) -> FloatArray:
    """(TERMS, N): of means in panes with so many rows (N,), but for what depends on the means. known: columns."""
    within = known.within + known.sparse / rows
    variance = _variance(known, rows, within)
    center = _variance(known, known.spread, within) * known.inflation / known.n
    least = np.maximum(ROUNDING * np.abs(known.mean), 1e-150)
    se, center_se = np.maximum(np.sqrt(variance / rows + center), least), np.sqrt(center)
    own = power(np.maximum(power(se, 2) - power(center_se, 2), 0.0), 0.5)
    own = np.maximum(own, 1e-6 * se)
    weight, none = rows * within / variance, np.zeros(len(rows))
    root = power(weight, 0.5)
    return _joined(none, (none, weight, root * center_se / own, none, rows), known, (root, own, se, np.sqrt(within)))


def mean_steps(
    terms: FloatArray, known: Standing[FloatArray], figures: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Means (NUMBERS, N) as charts take them, and which of them lie so far away that each must be asked for itself.

    terms: as `mean_terms` gives them, an array of its own; known: columns, as there; figures: rows of Figures, (5, N).
    """
    root, own, se, sd = terms[NUMBERS:]
    _, value, level, lopsided, pull = figures
    apart = value - known.mean
    terms[1] = root * np.clip(apart / own, -PANE_SHARE_MAX, PANE_SHARE_MAX)
    terms[4] = np.clip(level - known.baseline, -LEVEL_MAX, LEVEL_MAX) * terms[5]
    skew = np.where(lopsided != 0.0, (lopsided - pull * known.mean) / sd, 0.0)
    terms[NUMBERS - 1] = np.where(np.abs(skew) >= SKEW_MIN, skew, 0.0)
    return terms[:NUMBERS], np.abs(apart) / ERRORS_MAX > se


def _variance(known: Standing[FloatArray], rows: FloatArray, within: FloatArray) -> FloatArray:
    """As `MomentAccumulator.variance`."""
    told = known.typical > 0.0
    levels = np.where(told, (known.across - within) / np.where(told, known.typical, 1.0), 0.0)
    return np.where(known.across <= within, within, np.maximum(known.across, within + levels * rows))


def _joined(
    share: FloatArray, sums: tuple[FloatArray, ...], known: Standing[FloatArray], more: tuple[FloatArray, ...]
) -> FloatArray:
    behind = (known.baseline, known.freedom, known.lag1, known.decay, known.pane_rows, np.zeros(len(share)))
    made = np.stack([share, *sums, *behind, *more])
    assert made.shape[0] == TERMS, made.shape
    return made
