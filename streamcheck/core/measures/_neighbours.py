"""Is a pane like the panes just before it? Sums over neighbours that merge, whatever the mean turns out to be."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from streamcheck.core.likeness import LAG1_MAX, LAGS, PANES_MIN, VISIBLE
from streamcheck.core.summaries import Moment


class Dependence(NamedTuple):
    """How neighbouring panes are correlated: lag1 * decay^(i-1) at distance i; 0 and 0 where it is not visible."""

    lag1: float
    decay: float


INDEPENDENT = Dependence(0.0, 0.0)


class Neighbours:
    """How do panes t and t + i vary together, for i = 1, 2, 3?

    sums: for each distance x x', x y' + x' y and y y', where x = total / sqrt(n) and y = sqrt(n) of a pane: about any
    mean m the products of standardised panes come to xx - m xy + m^2 yy. oldest, newest: x and y of the first panes and
    of the last ones, the last one first.
    """

    __slots__ = ("newest", "oldest", "sums")

    def __init__(self) -> None:
        self.sums = [0.0] * (3 * LAGS)
        self.oldest: list[tuple[float, float]] = []
        self.newest: list[tuple[float, float]] = []

    def add(self, moment: Moment) -> None:
        """The next pane, seen from the same origin as those before it."""
        y = math.sqrt(moment.n)
        x = moment.total / y
        sums, at = self.sums, 0
        for x0, y0 in self.newest:  # as `_pair`, for every pane of every reference
            sums[at] += x0 * x
            sums[at + 1] += x0 * y + x * y0
            sums[at + 2] += y0 * y
            at += 3
        self.newest = [(x, y), *self.newest[: LAGS - 1]]
        if len(self.oldest) < LAGS:
            self.oldest.append((x, y))

    def _pair(self, at: int, one: tuple[float, float], other: tuple[float, float]) -> None:
        sums = self.sums
        sums[3 * at] += one[0] * other[0]
        sums[3 * at + 1] += one[0] * other[1] + other[0] * one[1]
        sums[3 * at + 2] += one[1] * other[1]

    def merge(self, other: "Neighbours", d: float) -> None:
        """Those of the panes that follow, seen from an origin that lies higher by d."""
        for at in range(0, 3 * LAGS, 3):
            xx, xy, yy = other.sums[at : at + 3]
            self.sums[at] += xx + d * xy + d * d * yy
            self.sums[at + 1] += xy + 2.0 * d * yy
            self.sums[at + 2] += yy
        oldest, newest = ([(x + d * y, y) for x, y in panes] for panes in (other.oldest, other.newest))
        for back, pane in enumerate(self.newest):
            for ahead, later in enumerate(oldest[: LAGS - back]):
                self._pair(back + ahead, pane, later)
        self.oldest = [*self.oldest, *oldest][:LAGS]
        self.newest = [*newest, *self.newest][:LAGS]

    def products(self, mean: float) -> list[float]:
        """The sums of products of standardised panes (not divided by their variance) about a mean, by distance."""
        parts = (self.sums[at : at + 3] for at in range(0, 3 * LAGS, 3))
        return [xx - mean * xy + mean * mean * yy for xx, xy, yy in parts]

    def export(self) -> list[float]:
        """The state: the sums, then x and y of the oldest and of the newest panes, as many."""
        return [*self.sums, *(number for pair in (*self.oldest, *self.newest) for number in pair)]

    def restore(self, state: list[float]) -> None:
        """Replace the content by an exported state."""
        self.sums = [float(number) for number in state[: 3 * LAGS]]
        rest = [float(number) for number in state[3 * LAGS :]]
        panes = list(zip(rest[::2], rest[1::2], strict=True))
        self.oldest, self.newest = panes[: len(panes) // 2], panes[len(panes) // 2 :]


def dependence(products: Sequence[float], squares: float, panes: int) -> Dependence:
    """How alike are neighbours? products: as of `Neighbours`, by distance; squares: the same at distance 0.

    Estimates are corrected for their bias in short series, lag1 is raised by a standard error, 1 / sqrt(n): what is
    taken for independent and is not costs more than the reverse. Decay is not: one chart in ten looks alike by chance.
    """
    if panes < PANES_MIN or squares <= 0.0:
        return INDEPENDENT
    error = 1.0 / math.sqrt(panes)
    r1, r2, r3 = (product / squares for product in products)
    r1 += (1.0 + 3.0 * r1) / panes
    r2, r3 = max(r2 + 1.0 / panes, 0.0), max(r3 + 1.0 / panes, 0.0)
    if r1 <= VISIBLE * error:
        return INDEPENDENT
    lag1 = min(r1 + error, LAG1_MAX)
    return Dependence(lag1, min(max((r2 + r3) / (r1 + r2), lag1), LAG1_MAX))


def bare(series: Sequence[Sequence[float]], squares: float, panes: int) -> Dependence:
    """How alike are neighbours within some short series, each about its own mean? As `dependence`, a plain estimate.

    series: the products of each; squares, panes: of all together. No standard error is added: of 30 panes it would hide
    changes of half a standard deviation.
    """
    if panes < PANES_MIN or squares <= 0.0:
        return INDEPENDENT
    bias = len(series) / panes
    r1, r2, r3 = (sum(lags) / squares for lags in zip(*series, strict=True))
    r1 += bias * (1.0 + 3.0 * r1)
    r2, r3 = max(r2 + bias, 0.0), max(r3 + bias, 0.0)
    if r1 <= 0.0:
        return INDEPENDENT
    lag1 = min(r1, LAG1_MAX)
    return Dependence(lag1, min(max((r2 + r3) / (r1 + r2), lag1), LAG1_MAX))


def inflation(lag1: float, decay: float, panes: float) -> float:
    """By how much is the variance of a mean of so many panes larger than that of independent ones?

    >>> inflation(0.5, 0.5, 2)
    1.5
    """
    left = 1.0 - decay
    return 1.0 + 2.0 * lag1 * (1.0 - (1.0 - math.pow(decay, panes)) / (panes * left)) / left
