"""Which stationary streams does a detector meet? Seeded, several columns at once, all with mean 0 and sd 1.

Columns are independent of one another unless a stream says otherwise. Of `flags` and `zeros` (both of two kinds of rows
before they are standardised) a few rows are most of the mean. Rates (`errors`) are 0 or 1 and say their share.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rng = np.random.Generator

LOGNORMAL_MEAN = float(np.exp(0.5))
LOGNORMAL_SD = float(np.sqrt((np.e - 1) * np.e))
T3_SD = float(np.sqrt(3.0))


class Purpose(IntEnum):
    """What a seed is for: parameters that were chosen on one are never judged on it."""

    TUNING = 1
    REPORTING = 3
    """2 was for reporting until its figures told which shares of the budget lay idle: they served for choosing then."""


def rng(purpose: Purpose, cell: str, part: int) -> Rng:
    """The generator of one part of one cell; other purposes, cells and parts have others."""
    return np.random.default_rng([int(purpose), *cell.encode(), part])


class Stream(Protocol):
    """A source of rows that goes on where it stopped."""

    def rows(self, sizes: Ints) -> Floats:
        """The next panes, of so many rows each (0 for an empty one): (columns, sum of sizes)."""


Make = Callable[[int, Rng], Stream]
"""A stream of so many columns."""


@dataclass(slots=True)
class Independent:
    """Rows that have nothing to do with one another."""

    columns: int
    rng: Rng
    draw: Callable[[Rng, tuple[int, int]], Floats]

    def rows(self, sizes: Ints) -> Floats:
        return self.draw(self.rng, (self.columns, int(sizes.sum())))


def _normal(rng: Rng, shape: tuple[int, int]) -> Floats:
    return rng.standard_normal(shape)


def _lognormal(rng: Rng, shape: tuple[int, int]) -> Floats:
    return np.asarray((np.exp(rng.standard_normal(shape)) - LOGNORMAL_MEAN) / LOGNORMAL_SD)


def _t3(rng: Rng, shape: tuple[int, int]) -> Floats:
    return np.asarray(rng.standard_t(3, shape) / T3_SD)


def _flags(rng: Rng, shape: tuple[int, int]) -> Floats:
    """One row in 100 is set."""
    return np.asarray(((rng.random(shape) < RARE) - RARE) / np.sqrt(RARE * (1 - RARE)))


def _mostly_zero(rng: Rng, shape: tuple[int, int]) -> Floats:
    """One row in 20 holds an amount, exponential."""
    amounts = np.where(rng.random(shape) < AMOUNTS, rng.standard_exponential(shape), 0.0)
    return np.asarray((amounts - AMOUNTS) / np.sqrt(2 * AMOUNTS - AMOUNTS**2))


class Autoregressive:
    """AR(1) in rows: each row keeps `rho` of the one before it. Normal."""

    def __init__(self, columns: int, rng: Rng, rho: float) -> None:
        self.rng, self.rho = rng, rho
        self.last = rng.standard_normal((columns, 1))

    def rows(self, sizes: Ints) -> Floats:
        fresh = self.rng.standard_normal((len(self.last), int(sizes.sum()))) * np.sqrt(1 - self.rho**2)
        if not fresh.shape[1]:
            return np.asarray(fresh)
        values, _ = lfilter([1.0], [1.0, -self.rho], fresh, zi=self.rho * self.last)
        self.last = values[:, -1:]
        return np.asarray(values)


class PaneEffects:
    """Rows of a pane have something in common, and so have panes that follow one another. Normal.

    The mean of a pane is an AR(1) over panes with `sd` and `rho`; the rows lie around it.
    """

    def __init__(self, columns: int, rng: Rng, sd: float, rho: float) -> None:
        self.rng, self.sd = rng, sd
        self.effect = Autoregressive(columns, rng, rho)

    def rows(self, sizes: Ints) -> Floats:
        effects = self.sd * self.effect.rows(np.ones(len(sizes), np.int64))
        own = self.rng.standard_normal((len(effects), int(sizes.sum())))
        return np.asarray(np.repeat(effects, sizes, axis=1) + np.sqrt(1 - self.sd**2) * own)


class Season:
    """A sine of this amplitude and period (in panes) that all columns share, under independent normal rows."""

    def __init__(self, columns: int, rng: Rng, amplitude: float, period: int) -> None:
        self.columns, self.rng = columns, rng
        self.amplitude, self.period = amplitude, period
        self.pane = 0

    def rows(self, sizes: Ints) -> Floats:
        panes = self.pane + np.arange(len(sizes))
        self.pane += len(sizes)
        level = self.amplitude * np.sin(2 * np.pi * panes / self.period)
        return self.rng.standard_normal((self.columns, int(sizes.sum()))) + np.repeat(level, sizes)


class Sticky:
    """0 or 1 with this share of ones; a row repeats the one before it with probability `rho`, its lag-1 correlation."""

    def __init__(self, columns: int, rng: Rng, share: float, rho: float) -> None:
        self.rng, self.share, self.rho = rng, share, rho
        self.last = (rng.random((columns, 1)) < share).astype(np.float64)

    def rows(self, sizes: Ints) -> Floats:
        n = int(sizes.sum())
        shape = (len(self.last), n)
        fresh = np.concatenate([self.last, self.rng.random(shape) < self.share], axis=1)
        kept = np.where(self.rng.random(shape) < self.rho, 0, np.arange(1, n + 1))
        source = np.maximum.accumulate(kept, axis=1)
        values = np.take_along_axis(fresh, source, axis=1)
        self.last = values[:, -1:] if n else self.last
        return values


class BetaBinomial:
    """0 or 1 where each pane has a share of its own, drawn from a beta distribution around `share` with this sd."""

    def __init__(self, columns: int, rng: Rng, share: float, sd: float) -> None:
        self.columns, self.rng = columns, rng
        strength = share * (1 - share) / sd**2 - 1
        self.shape = share * strength, (1 - share) * strength

    def rows(self, sizes: Ints) -> Floats:
        shares = np.repeat(self.rng.beta(*self.shape, (self.columns, len(sizes))), sizes, axis=1)
        return (self.rng.random(shares.shape) < shares).astype(np.float64)


class Categories:
    """Independent draws of codes, with the shares of CATEGORIES."""

    def __init__(self, columns: int, rng: Rng) -> None:
        self.columns, self.rng = columns, rng

    def rows(self, sizes: Ints) -> Floats:
        drawn = self.rng.random((self.columns, int(sizes.sum())))
        return np.searchsorted(np.cumsum(CATEGORIES)[:-1], drawn, side="right").astype(np.float64)


CATEGORIES = (0.40, 0.25, 0.15, 0.08, 0.05, 0.04, 0.02, 0.01)
"""Shares of a categorical feature; the last one is the rare one."""
ERRORS = 0.1
"""The share of errors in stationary streams."""
RARE = 0.01
AMOUNTS = 0.05
DAY_PANES = 144

NUMBERS: dict[str, Make] = {
    "iid": lambda columns, rng: Independent(columns, rng, _normal),
    "ar-.5": lambda columns, rng: Autoregressive(columns, rng, 0.5),
    "ar-.95": lambda columns, rng: Autoregressive(columns, rng, 0.95),
    "lognormal": lambda columns, rng: Independent(columns, rng, _lognormal),
    "t3": lambda columns, rng: Independent(columns, rng, _t3),
    "flags": lambda columns, rng: Independent(columns, rng, _flags),
    "zeros": lambda columns, rng: Independent(columns, rng, _mostly_zero),
    "pane-effects": lambda columns, rng: PaneEffects(columns, rng, 0.2, 0.7),
    "season-.1": lambda columns, rng: Season(columns, rng, 0.1, DAY_PANES),
    "season-.5": lambda columns, rng: Season(columns, rng, 0.5, DAY_PANES),
}
RATES: dict[str, Make] = {
    "errors": lambda columns, rng: Independent(columns, rng, _share(ERRORS)),
    "rare": lambda columns, rng: Independent(columns, rng, _share(RARE)),
    "errors-sticky": lambda columns, rng: Sticky(columns, rng, ERRORS, 0.5),
    "errors-beta": lambda columns, rng: BetaBinomial(columns, rng, ERRORS, 0.05),
}


def _share(share: float) -> Callable[[Rng, tuple[int, int]], Floats]:
    return lambda rng, shape: (rng.random(shape) < share).astype(np.float64)


def sizes_fixed(panes: int, rows: int) -> Ints:
    """As many rows in every pane."""
    return np.full(panes, rows, np.int64)


def sizes_varying(panes: int, generator: Rng) -> Ints:
    """5 to 99 rows, 52 on average."""
    return generator.integers(5, 100, panes)
