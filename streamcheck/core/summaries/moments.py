"""How many, how large on average, how scattered: three sums that merge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.types import FloatArray

VALUE_MAX = 1e140
"""Sums take values beyond this as this: squares (1e280) of 1e28 rows still fit a float64 (1.8e308)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How many values, how large, how scattered? total and square: sums of (value - origin) and of its square.

    An origin near the mean keeps the variance of values like 1.7e12 +- 1 exact to many digits.

    >>> moment = Moment(4, 10.0, 30.0)
    >>> moment.mean, moment.variance
    (2.5, 1.25)
    >>> moment.about(2.0)
    Moment(n=4, total=2.0, square=6.0, origin=2.0)
    """

    n: int = 0
    total: float = 0.0
    square: float = 0.0
    origin: float = 0.0

    @staticmethod
    def of(values: FloatArray) -> "Moment":
        """The moment of these values (n,), finite, each taken as at most VALUE_MAX in size."""
        held = np.clip(values, -VALUE_MAX, VALUE_MAX)
        return Moment(len(held), float(held.sum()), float((held * held).sum()))

    @staticmethod
    def of_blocks(values: FloatArray, size: int) -> "list[Moment]":
        """The moment of each block of `size` values; there are whole blocks only. The same bits as block by block.

        >>> Moment.of_blocks(np.array([1.0, 2.0, 3.0, 4.0]), 2)[1]
        Moment(n=2, total=7.0, square=25.0, origin=0.0)
        """
        held = np.clip(values, -VALUE_MAX, VALUE_MAX).reshape(-1, size)
        totals, squares = held.sum(axis=1), (held * held).sum(axis=1)
        return [Moment(size, *sums) for sums in zip(totals.tolist(), squares.tolist(), strict=True)]

    def about(self, origin: float) -> "Moment":
        """The same values, seen from another origin."""
        if origin == self.origin:
            return self
        d = self.origin - origin
        return Moment(self.n, self.total + self.n * d, self.square + 2.0 * d * self.total + self.n * d * d, origin)

    def __add__(self, other: "Moment") -> "Moment":
        if not self.n:
            return other
        same = other.about(self.origin)
        return Moment(self.n + same.n, self.total + same.total, self.square + same.square, self.origin)

    @property
    def mean(self) -> float:
        """The mean; 0.0 without values."""
        return self.origin + self.total / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """The mean squared distance from the mean; 0.0 without values."""
        return max(self.square / self.n - (self.total / self.n) ** 2, 0.0) if self.n else 0.0

    @property
    def sd(self) -> float:
        """The standard deviation, in the unit of the values."""
        return float(self.variance**0.5)

    def export(self) -> list[float]:
        """The state."""
        return [self.n, self.total, self.square, self.origin]

    @staticmethod
    def restored(state: Sequence[float]) -> "Moment":
        """The moment that was exported."""
        return Moment(int(state[0]), float(state[1]), float(state[2]), float(state[3]))
