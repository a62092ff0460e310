"""How far the shares of two samples lie apart, and how far chance would put them."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from streamcheck.core.measures._compared import judged
from streamcheck.core.types import FloatArray, IntArray, Signal

EXPECTED_ROWS_MIN = 5
"""Rows that a pane should hold of every group when nothing has changed, as for any chi-square test."""
DISPERSION_PANES_MIN = 30
REFERENCE_PANES_MIN = 10
"""A pane says something about scatter once the reference holds this many times its rows."""


class Stability(NamedTuple):
    """A population stability index, with its mean and standard deviation when nothing has changed.

    freedom: degrees of the chi-square distribution that it then follows.
    """

    value: float
    center: float
    se: float
    freedom: int


def stability(now: IntArray, then: IntArray) -> Stability:
    """Do two samples have the same shares? now, then (B,): rows per group, n and N in all (each >= 1).

    PSI = sum (q - p) ln(q / p). Without change PSI / (1/n + 1/N) is about chi-square with B - 1 degrees of freedom:
    Yurdakul and Naranjo (2020), Statistical properties of the population stability index, Journal of Risk Model
    Validation 14(4). B counts the groups that the reference holds (at least 2). Both shares are smoothed by half a row
    of the pane in each group: the log stays finite, and one row in a group that the reference lacks is no surprise.

    >>> result = stability(np.array([60, 40]), np.array([500, 500]))
    >>> round(result.value, 4), round(result.center, 4), round(result.se, 4)
    (0.0397, 0.011, 0.0156)
    """
    n, reference, half = int(now.sum()), int(then.sum()), 0.5 / int(now.sum())
    q = (now / n + half) / (1 + len(now) * half)
    p = (then / reference + half) / (1 + len(now) * half)
    freedom = max(int(np.count_nonzero(then)), 2) - 1
    scale = 1 / n + 1 / reference
    return Stability(float(((q - p) * np.log(q / p)).sum()), freedom * scale, math.sqrt(2 * freedom) * scale, freedom)


def index_signal(index: Stability, phi: float, rows: int) -> Signal:
    """The index as a signal that a detector may take for a normal one; phi: overdispersion, as of Scatter.

    Chi-square is skewed, the more the fewer groups there are: over two groups an index 4 standard deviations above its
    mean is 300 times as frequent as a normal number would be, and charts made for normal signals would cry wolf. An
    index above its mean therefore gets the larger standard error of two: its own, and the one that puts it as many
    errors from its mean as Wilson and Hilferty (1931), PNAS 17, put the cube root of chi-square.

    >>> signal = index_signal(Stability(value=0.17, center=0.01, se=0.01 * math.sqrt(2), freedom=1), 1.0, rows=100)
    >>> round((signal.value - signal.center) / signal.se, 2), round(0.16 / 0.01 / math.sqrt(2), 2)
    (3.8, 11.31)
    """
    center, se = phi * index.center, phi * index.se
    if index.value > center:
        spread = 2 / (9 * index.freedom)
        errors = ((index.value / center) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
        se = max(se, (index.value - center) / errors)
    return judged(Signal(index.value, center, se, rows, index.value, center))


class Scatter:
    """How much more do a reference's own panes scatter than chance has it? phi, from PSI over its expected value.

    Each pane is compared with what was there before it. phi = max(1, mean ratio), 1 below DISPERSION_PANES_MIN panes.
    """

    __slots__ = ("panes", "ratios")

    def __init__(self) -> None:
        self.panes = 0
        self.ratios = 0.0

    def add(self, now: IntArray, then: IntArray) -> None:
        """One pane's groups against those of the panes before it."""
        if now.sum() and then.sum() >= REFERENCE_PANES_MIN * now.sum():
            result = stability(now, then)
            self.panes += 1
            self.ratios += result.value / result.center

    def merge(self, other: "Scatter") -> None:
        """Take the panes of another reference content in."""
        self.panes += other.panes
        self.ratios += other.ratios

    def phi(self) -> float:
        """The factor by which chance's expectation is to be multiplied."""
        return max(1.0, self.ratios / self.panes) if self.panes >= DISPERSION_PANES_MIN else 1.0

    def export(self) -> list[float]:
        """The state."""
        return [self.panes, self.ratios]

    def restore(self, state: list[float]) -> None:
        """Replace the content by an exported state."""
        self.panes, self.ratios = int(state[0]), float(state[1])


class Shaped:
    """A reference content that compares shares of groups, and knows how they scatter."""

    __slots__ = ("scatter",)

    def __init__(self) -> None:
        self.scatter = Scatter()

    def apart(self, other: Self, scatter: Scatter) -> float:  # noqa: ARG002
        """Nothing: how far shares scatter cannot be told from a handful of panes."""
        return 0.0

    def scatter_within(self, slots: "Sequence[Shaped]") -> Scatter:
        """That of the panes of all slots."""
        total = Scatter()
        for slot in slots:
            total.merge(slot.scatter)
        return total


def near_equal_groups(counts: IntArray, groups: int) -> IntArray:
    """The group of each bin (n_bins,), so that about `groups` of them hold about equal parts of the counts.

    Bins keep their order; a bin with a large part stays alone. Groups are numbered from 0 without gaps.

    >>> near_equal_groups(np.array([0, 25, 25, 25, 25, 0]), 2).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    share: FloatArray = counts / counts.sum()
    middle = np.cumsum(share) - share / 2
    raw = np.minimum((middle * groups).astype(np.int64), groups - 1)
    return np.asarray(np.unique(raw, return_inverse=True)[1], dtype=np.int64)
