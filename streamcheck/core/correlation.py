"""Does one series follow another, how long after it, and how sure is that?"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from streamcheck.core.types import BoolArray, FloatArray

SURE = 0.95
PAIRS_MIN = 24
"""Below which nothing is said."""
WORTH_MIN = 10.0
"""Independent pairs below which Fisher's transformation is no guide any more."""
ALIKE_PART = 4
"""How alike a series is to itself is looked at up to a quarter of its length; further on there is only noise."""


@dataclass(frozen=True, slots=True)
class Following:
    """The lag at which a series follows another most clearly.

    r: their correlation there, with an interval that holds at all lags (and looks) at once, 95 times of 100; pairs:
    behind it; worth: as many independent pairs would tell as much.
    """

    lag: int
    r: float
    low: float
    high: float
    pairs: int
    worth: float

    @property
    def shown(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0.0 or self.high < 0.0


def following(behind: FloatArray, ahead: FloatArray, lags: int, looks: int = 1, spent: int = 0) -> Following | None:
    """How does `behind` (n,) follow `ahead` (n,), 0 to `lags` steps later? NaN: no value there.

    looks: how many series it is compared with in all; spent: means that were taken off before. Neighbours of a series
    resemble one another, so that n pairs are worth n / (1 + 2 sum (1 - k/n) a_k b_k) independent ones, a and b the
    correlations of each series with itself (Bartlett 1935; Bayley, Hammersley 1946), never more than first-order ones
    come to. The interval is Fisher's, the lags and looks by Bonferroni. None where no lag has PAIRS_MIN pairs, worth
    WORTH_MIN.

    >>> rng = np.random.default_rng(1)
    >>> ahead = rng.normal(size=200)
    >>> found = following(np.roll(ahead, 3) + rng.normal(size=200), ahead, 12)
    >>> found.lag, round(found.r, 2), found.pairs, found.shown
    (3, 0.72, 197, True)
    """
    fields = [(np.isfinite(series), series) for series in (behind, ahead)]
    centred = [np.where(has, series - series[has].mean(), 0.0) for has, series in fields if has.any()]
    if len(centred) < 2:
        return None
    (has_behind, _), (has_ahead, _) = fields
    alike = _alike(centred[0], has_behind), _alike(centred[1], has_ahead)
    surest, found = -1.0, None
    bar = float(ndtri(1.0 - (1.0 - SURE) / (2.0 * (lags + 1) * looks)))
    for lag in range(min(lags + 1, len(behind))):
        end = len(ahead) - lag
        both = has_behind[lag:] & has_ahead[:end]
        r, pairs = _correlation(centred[0][lag:], centred[1][:end], both)
        worth = _worth(pairs, *alike) * max(1.0 - spent / max(pairs, 1), 0.0)
        if r is None or pairs < PAIRS_MIN or worth < WORTH_MIN:
            continue
        z, half = math.atanh(r), bar / math.sqrt(worth - 3.0)
        if abs(z) / half > surest:
            surest = abs(z) / half
            found = Following(lag, r, math.tanh(z - half), math.tanh(z + half), pairs, worth)
    return found


def _correlation(one: FloatArray, other: FloatArray, both: BoolArray) -> tuple[float | None, int]:
    """Of the pairs that are there, and how many they are; None where one does not vary."""
    pairs = int(both.sum())
    if pairs < 3:
        return None, pairs
    x, y = one[both], other[both]
    x, y = x - x.mean(), y - y.mean()
    spread = math.sqrt(float((x * x).sum()) * float((y * y).sum()))
    if spread <= 0.0:
        return None, pairs
    return min(max(float((x * y).sum()) / spread, -1.0 + 1e-12), 1.0 - 1e-12), pairs


def _alike(series: FloatArray, has: BoolArray) -> FloatArray:
    """Its correlations with itself (K,), 1 to K steps apart; freed of most of the bias that short series have."""
    n = int(has.sum())
    variance = float((series * series).sum()) / max(n, 1)
    found = np.zeros(max(len(series) // ALIKE_PART, 1))
    for at in range(len(found)):
        both = has[at + 1 :] & has[: -at - 1]
        pairs = int(both.sum())
        if pairs and variance > 0.0:
            raw = float((series[at + 1 :] * series[: -at - 1]).sum()) / pairs / variance
            found[at] = min(max(raw + (1.0 + 3.0 * max(raw, 0.0)) / n, -0.99), 0.99)
    return found


def _worth(pairs: int, one: FloatArray, other: FloatArray) -> float:
    """Independent pairs that tell as much as so many of two series that are alike to themselves."""
    product = one * other
    ends = np.flatnonzero(product <= 0.0)
    steps = np.arange(1, 1 + (int(ends[0]) if len(ends) else len(product)))
    summed = 1.0 + 2.0 * float((np.maximum(1.0 - steps / max(pairs, 1), 0.0) * product[: len(steps)]).sum())
    first = max(float(product[0]), 0.0)
    return pairs / max(summed, (1.0 + first) / (1.0 - first), 1.0)
