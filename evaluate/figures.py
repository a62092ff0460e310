"""What do counts say? Rates with exact intervals, recall, delays with the interval of their median."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import beta, binom, chi2

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval. None: there is none (no event yet, or not reached by so many)."""

    value: float | None
    low: float | None
    high: float | None

    def record(self) -> dict[str, Any]:
        """As JSON, four digits."""
        return {name: None if each is None else float(f"{each:.4g}") for name, each in asdict(self).items()}


def poisson_interval(events: int) -> tuple[float, float]:
    """The exact (Garwood) interval of a Poisson mean of which so many events were seen.

    >>> [round(each, 3) for each in poisson_interval(10)]
    [4.795, 18.39]
    """
    tail = (1 - LEVEL) / 2
    low = 0.0 if events == 0 else float(chi2.ppf(tail, 2 * events) / 2)
    return low, float(chi2.ppf(1 - tail, 2 * events + 2) / 2)


def ratio(alarms: int, exposure: float, promised: float) -> Estimate:
    """Actual panes between false alarms, by promised ones: below 1 the promise is broken.

    exposure: panes in which an alarm was possible. Without alarms only its lower end is known.

    >>> ratio(alarms=10, exposure=20_000, promised=1_000).record()
    {'value': 2.0, 'low': 1.088, 'high': 4.171}
    >>> ratio(alarms=0, exposure=3_689, promised=1_000).record()
    {'value': None, 'low': 1.0, 'high': None}
    """
    expected = exposure / promised
    low, high = poisson_interval(alarms)
    if not alarms:
        return Estimate(None, expected / high, None)
    return Estimate(expected / alarms, expected / high, expected / low)


def rate(events: int, exposure: float, per: float) -> Estimate:
    """Events per so much exposure."""
    low, high = poisson_interval(events)
    return Estimate(events / exposure * per, low / exposure * per, high / exposure * per)


def share(hits: int, trials: int) -> Estimate:
    """A proportion with its exact (Clopper-Pearson) interval.

    >>> share(200, 200).record()
    {'value': 1.0, 'low': 0.9817, 'high': 1.0}
    """
    tail = (1 - LEVEL) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.ppf(1 - tail, hits + 1, trials - hits))
    return Estimate(hits / trials, low, high)


def median(delays: Sequence[float], trials: int) -> Estimate:
    """The median over all trials, those without a hit counted as later than all others; interval by order statistics.

    >>> median([50, 100, 100, 150], trials=4).record()
    {'value': 100.0, 'low': None, 'high': None}
    >>> median(list(range(1, 101)), trials=200).value is None
    True
    """
    held = np.full(trials, np.inf)
    held[: len(delays)] = np.sort(np.asarray(delays, np.float64))
    middle = float(np.median(held)) if np.isfinite(held[trials // 2]) else np.inf
    tail = (1 - LEVEL) / 2
    low = int(binom.ppf(tail, trials, 0.5))  # the order statistics low and trials + 1 - low, from 1 on
    if low < 1 or binom.cdf(low - 1, trials, 0.5) > tail:
        return Estimate(_finite(middle), None, None)
    return Estimate(_finite(middle), _finite(held[low - 1]), _finite(held[trials - low]))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def incidents(panes: Sequence[int], near: int = 30) -> int:
    """Alarms, grouped: one that follows within so many panes belongs to the one before it.

    >>> incidents([5, 20, 100, 101, 400])
    3
    """
    ordered = np.sort(np.asarray(panes, np.int64))
    return len(ordered) and 1 + int((np.diff(ordered) > near).sum())
