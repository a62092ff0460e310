"""Recurrences of floats over many rows at once, with the very bits that one row after the other gives.

The rounding of each row enters the next, so nothing that numpy sums gives these bits. But a recurrence is a system of
equations in which each unknown follows from those before it, and BLAS solves such systems by doing just that, in
compiled code (dtbsv; Dongarra et al. 1988). With one operation for each unknown there is one way to round: a product is
added to zero, or one of the factors is 1 or -1. Nothing is taken on trust: a path in which each row follows exactly
from the one before it, from the first on, is the path, and numpy can look at all rows at once whether that is so.
"""

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np

from streamcheck.core.types import FloatArray

PATH_ROWS_MAX = 4_096
"""Rows of a path: each call takes numpy 30 µs."""
_AT_ONCE_MIN = 400
"""Rows below which Python is faster."""
_UNKNOWNS = 3
"""For each row."""
ALPHAS = 4
"""Whose equations are kept: 200 kB each."""


def running_means(values: FloatArray, n: float, mean: float) -> FloatArray:
    """The mean after each of the values (k,), of n rows before them: mean += (1 / n) * (value - mean).

    At most PATH_ROWS_MAX values.

    >>> running_means(np.array([3.0, 8.0]), 1.0, 1.0).tolist()
    [2.0, 4.0]
    """
    shares = 1.0 / np.arange(n + 1.0, n + 1.0 + len(values))
    found = _means(values, shares, mean) if len(values) >= _AT_ONCE_MIN else None
    return _means_one_by_one(values, shares, mean) if found is None else found


def _means(values: FloatArray, shares: FloatArray, mean: float) -> FloatArray | None:
    """As a system. Of each row: away + mean before = value; part - share * away = 0; mean - mean before - part = 0."""
    band = _of_means()[:, : _UNKNOWNS * len(values)].copy(order="F")
    np.negative(shares, out=band[1, ::_UNKNOWNS])
    right = np.zeros(_UNKNOWNS * len(values))
    right[::_UNKNOWNS] = values
    right[0], right[2] = values[0] - mean, mean

    def follow(before: FloatArray) -> FloatArray:
        after = values - before
        after *= shares
        after += before
        return after

    return _checked(_solved(band, right), mean, follow)


def _means_one_by_one(values: FloatArray, shares: FloatArray, mean: float) -> FloatArray:
    """Few rows, or a BLAS that rounds in another way."""
    rows = zip(values.tolist(), shares.tolist(), strict=True)
    return np.array([mean := mean + share * (value - mean) for value, share in rows])


def decaying_sums(values: FloatArray, start: float, alpha: float, delta: float) -> FloatArray | None:
    """The sum after each of the values (k,): sum = alpha * sum + value - delta, from `start` on.

    At most PATH_ROWS_MAX values. None where BLAS rounds in another way.

    >>> decaying_sums(np.array([1.0, 1.0]), 0.0, 0.5, 0.5).tolist()
    [0.5, 0.75]
    """
    # Of each row: kept - alpha * sum before = 0; gross - kept = value; sum - gross = -delta.
    right = np.zeros(_UNKNOWNS * len(values))
    right[0] = alpha * start
    right[1::_UNKNOWNS] = values
    right[2::_UNKNOWNS] = -delta

    def follow(before: FloatArray) -> FloatArray:
        after = before * alpha
        after += values
        after -= delta
        return after

    return _checked(_solved(_of_sums(alpha)[:, : _UNKNOWNS * len(values)], right), start, follow)


def _solved(band: FloatArray, right: FloatArray) -> FloatArray:
    """Every third unknown. band (w + 1, n): what unknown j has in equations j to j + w."""
    from scipy.linalg.blas import dtbsv  # noqa: PLC0415 (0.2 s; river has it, and only its detectors come here)

    found: FloatArray = dtbsv(len(band) - 1, band, right, lower=1, diag=1, overwrite_x=1)
    return found[_UNKNOWNS - 1 :: _UNKNOWNS]


def _checked(found: FloatArray, start: float, follow: Callable[[FloatArray], FloatArray]) -> FloatArray | None:
    """What was found, if each row follows from the one before it."""
    after = follow(np.concatenate(([start], found[:-1])))
    return after if np.array_equal(after, found) else None


@cache
def _of_means() -> FloatArray:
    """The equations of means, without shares."""
    band = np.zeros((4, _UNKNOWNS * PATH_ROWS_MAX), order="F")
    band[0] = 1.0
    band[1, 2::3], band[3, 2::3] = 1.0, -1.0  # a mean in the next row: what is away from it, and the next mean
    band[1, 1::3] = -1.0
    return band


@lru_cache(maxsize=ALPHAS)
def _of_sums(alpha: float) -> FloatArray:
    """The equations of sums."""
    band = np.full((2, _UNKNOWNS * PATH_ROWS_MAX), -1.0, order="F")
    band[0] = 1.0
    band[1, 2::3] = -alpha
    return band
