"""Which windows does a chart look at, and what does chance make of the largest of them?

Windows hold the last 1 to 16 steps, then about 24, 32, 48, 64 ... steps. A window above 16 begins at every 2^j-th step
only, so that 17 running sums for each doubling are enough: 85 for windows of up to 256 steps, where one for each step
would be 257.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from streamcheck.core.types import FloatArray, IntArray

SLOTS = 17
"""Running sums kept for each doubling: its longest window is 16 of its grains, and one more has begun."""
LEVELS_MIN, LEVELS_MAX = 5, 8
"""Doublings of a chart: windows of up to 256 steps, and up to 2,048 where steps are small."""
WINDOW_ROWS = 12_800
"""Rows that the longest window should hold, 256 steps of 50: small changes need as many, however they are cut."""
_FINE = (1, 2, 3, 4, 6, 8, 12, 16)
_COARSE = (12, 16)
LENGTHS: IntArray = np.array(
    [*_FINE, *(grains << level for level in range(1, LEVELS_MAX) for grains in _COARSE)], np.int64
)
"""Steps of each window."""
LEVEL_OF: IntArray = np.array([0] * len(_FINE) + [level for level in range(1, LEVELS_MAX) for _ in _COARSE], np.int64)
"""The doubling that it begins in: its beginning is a multiple of 2^level."""

PHASES = SLOTS << (LEVELS_MAX - 1)
"""Steps after which all windows begin in the same slots again."""
_COUNTS, _GRAINS = np.arange(PHASES), LEVEL_OF[:, None]
_BEGINS = (_COUNTS - LENGTHS[:, None]) >> _GRAINS
SLOT_AT: IntArray = _GRAINS * SLOTS + _BEGINS % SLOTS
"""(WINDOWS, PHASES): the slot in which each window begins, after a number of steps, modulo PHASES."""
LENGTH_AT: IntArray = _COUNTS - (_BEGINS << _GRAINS)
"""(WINDOWS, PHASES): how many steps it holds then. Longer windows hold more, so that those that a chart has no steps
for are the last of them."""
LONGEST: IntArray = LENGTH_AT.max(axis=1)
"""The most steps that each window ever holds."""

_LAW = 1.5
H_MIN, H_MAX = 1.5, 15.0


def windows_of(levels: int) -> int:
    """How many windows a chart with so many doublings has.

    >>> LENGTHS[:windows_of(5)].tolist()
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
    """
    return len(_FINE) + len(_COARSE) * (levels - 1)


def levels_for(step_rows: float) -> int:
    """How many doublings until the longest window holds WINDOW_ROWS rows?

    >>> levels_for(50), levels_for(25), levels_for(1)
    (5, 6, 8)
    """
    levels = LEVELS_MIN
    while levels < LEVELS_MAX and step_rows * (SLOTS - 1) * 2 ** (levels - 1) < WINDOW_ROWS:
        levels += 1
    return levels


@lru_cache(maxsize=1_024)
def threshold(arl: float) -> float:
    """Which h does the largest |z| of all windows exceed once in `arl` steps, for independent normal steps, two-sided?

    log arl = h^2/2 - log h + 1.5, fitted to 16 million simulated steps (h from 3.25 to 5: 1.49 to 1.54); tests hold it
    to simulations of the windows here. The form is that of the tail of a normal number.

    >>> round(threshold(14_000), 2), round(threshold(2.8e6), 2)
    (4.36, 5.49)
    """
    low, high = H_MIN, H_MAX
    for _ in range(60):
        middle = (low + high) / 2
        if middle * middle / 2 - math.log(middle) + _LAW < math.log(arl):
            low = middle
        else:
            high = middle
    return low


class Dependence(NamedTuple):
    """How neighbouring steps of a stable stream are correlated: lag1, lag1 * decay, lag1 * decay^2 ..."""

    lag1: FloatArray
    decay: FloatArray


def inflation(lag1: FloatArray, decay: FloatArray, steps: FloatArray) -> FloatArray:
    """By how much is the variance of a mean of so many steps larger than that of independent ones?

    1 + 2 sum_{i<k} (1 - i/k) lag1 decay^(i-1), arrays that broadcast; decay < 1, and 1 where lag1 is 0.

    >>> inflation(np.array([0.5]), np.array([0.5]), np.array([2.0])).tolist()
    [1.5]
    """
    left = 1.0 - decay
    series = (1.0 - (1.0 - decay**steps) / (steps * left)) / left
    return np.asarray(1.0 + 2.0 * lag1 * series)


def freed(z: FloatArray, freedom: FloatArray) -> FloatArray:
    """A statistic of Student's t with this freedom (>= 2) as the normal number of the same tail, |z| alike (z >= 0).

    Wallace (1959), Annals of Mathematical Statistics 30: within 0.02 for freedom >= 10 in the whole range of alarms.

    >>> freed(np.array([5.0]), np.array([99.0])).round(3).tolist()
    [4.709]
    """
    eight = 8.0 * freedom
    return np.asarray((eight + 1.0) / (eight + 3.0) * np.sqrt(freedom * np.log1p(z * z / freedom)))


def needed(h: float, freedom: float) -> float:
    """Which statistic of Student's t with this freedom is as rare as a normal number h? The inverse of `freed`.

    >>> round(needed(4.709, 99), 2)
    5.0
    """
    root = h * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return math.sqrt(freedom * math.expm1(root * root / freedom))
