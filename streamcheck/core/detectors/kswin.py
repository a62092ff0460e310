"""KSWIN: do the newest rows come from another distribution than the rows before them?"""

import math
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Any

import numpy as np

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import DETECTOR_BYTES, Domain, Normal
from streamcheck.core.detectors.river_base import EXPONENT_MAX, Evidence, RiverDetector
from streamcheck.errors import ParameterError

TUNED_STAT_ROWS, TUNED_WINDOW_ROWS = 60, 200
"""Samples of 60: a shift of one sd stays visible at a p value of 1e-8."""
LEAST_P = 5e-324  # where a p value underflows to zero, its logarithm is still finite
LEAST_STATISTIC = 0.1  # river's: smaller differences are no drift, whatever their p value
TESTS_KEPT = 4_096


@register
class KSWIN(RiverDetector):
    """Do the newest `stat_size` rows differ from a random sample of the window's older rows (Kolmogorov-Smirnov test)?

    Raab, Heusinger and Schleif (2020), Reactive soft prototype computing for concept drift streams. Rows: any finite
    number. One test per row: slow (0.02 ms a row), and about 140 alarms in 100,000 stable rows by default; a smaller
    alpha means fewer. Random, with a seed made of the monitor's id and segment: the same in every run. State: the
    window, the generator. `score`: -log10 of the p value. `since`: the newest rows that were compared.

    >>> import numpy as np
    >>> verdict = KSWIN(alpha=1e-6).step(np.concatenate([np.arange(200) % 7, np.arange(40) % 7 + 5]).astype(float))
    >>> verdict.drifts[:1], verdict.since
    (array([222]), 30)
    """

    domain = Domain.REAL
    tuned_bytes = 40 * TUNED_WINDOW_ROWS

    alpha: float = param(0.005, gt=0, lt=1, doc="p value at which drift is signalled; below 0.01 is advised.")
    window_size: int = param(100, ge=2, le=10_000, doc="Rows of the window.")
    stat_size: int = param(30, ge=1, le=5_000, doc="Newest rows that are compared with as many older ones.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """Alpha = 1 / rows: the test is exact for independent rows, so that each drifts with this chance at most.

        For others, alpha to the power of the dispersion: what the test says of n rows then holds for n / dispersion.
        """
        exponent = normal.dispersion * math.log(rows)
        alpha = math.exp(-min(exponent, EXPONENT_MAX))
        fits = math.log(2) - _log_arrangements(TUNED_STAT_ROWS) <= -exponent
        return {"alpha": alpha, "window_size": TUNED_WINDOW_ROWS, "stat_size": TUNED_STAT_ROWS} if fits else None

    def check(self) -> None:
        """The older rows must suffice for the sample, and the sample for the smallest p value asked for."""
        if self.stat_size * 2 > self.window_size:
            raise ParameterError(
                f"stat_size ({self.stat_size}) must be at most half of window_size ({self.window_size}): "
                "as many older rows are drawn from the rest of the window",
                "stat_size",
            )
        # Two samples of r rows with nothing in common: the most extreme of C(2r, r) arrangements, in either order.
        if math.log(2) - _log_arrangements(self.stat_size) > math.log(self.alpha):
            least = next(r for r in range(1, 10_000) if math.log(2) - _log_arrangements(r) <= math.log(self.alpha))
            raise ParameterError(
                f"stat_size must be at least {least} for alpha {self.alpha:g}, not {self.stat_size}: "
                "with fewer rows no difference could ever be signalled",
                "stat_size",
            )

    def setup(self) -> None:
        """As RiverDetector, with seed 0 until another is given."""
        self.seed_value = 0
        super().setup()

    @property
    def held_bytes(self) -> int:
        """The window's rows as Python floats, the generator's 625 words twice."""
        return DETECTOR_BYTES + 40 * self.window_size + 2 * 8 * 625 * 5

    def make(self) -> Any:
        """The KSWIN of river."""
        return _quick()(self.alpha, self.window_size, self.stat_size, self.seed_value)

    def seed(self, value: int) -> None:
        """Make the samples reproducible. river begins the same sequence again after each drift."""
        self.seed_value = value
        self.river = self.make()

    def evidence(self) -> Evidence:
        """The newest test's p value, on a scale on which more means less alike."""
        if self.inner("n") < self.window_size:
            return Evidence()
        score = -math.log10(max(self.inner("p_value"), LEAST_P))
        newest = list(self.inner("window"))[-self.stat_size :]
        level = math.fsum(newest) / self.stat_size
        return Evidence(self.stat_size, score, -math.log10(self.alpha), level=level)


@cache
def _quick() -> Any:
    """The class of river, whose update asks the same of the same samples without a call of scipy for each row."""
    from river import drift  # noqa: PLC0415 (takes 0.7 s: only when needed)

    river: Any = drift.KSWIN

    class Quick(river):  # type: ignore[misc]
        """The p value of two samples of equal size depends on that size and on their largest distance only."""

        window: deque[float]

        def update(self, x: float) -> None:
            """One row more. Line by line what river 0.26.1 does, but for where the p value is from."""
            if self.drift_detected:
                self._reset()
            self.n += 1
            self.window.append(x)
            self._drift_detected = False
            if len(self.window) < self.window_size:
                return
            older = self.window_size - self.stat_size
            drawn = [self.window[at] for at in self._rng.sample(range(older), self.stat_size)]
            newest = list(islice(self.window, older, self.window_size))
            statistic, self.p_value = _tested(self.stat_size, _distance(drawn, newest))
            if self.p_value <= self.alpha and statistic > LEAST_STATISTIC:
                self._drift_detected = True
                self.window = deque(newest, maxlen=self.window_size)

    return Quick


def _distance(one: Sequence[float], other: Sequence[float]) -> int:
    """How far apart, in rows, are the cumulative counts of two samples of equal size at most?

    >>> _distance([1.0, 2.0, 3.0], [2.0, 3.0, 9.0]), _distance([1.0, 1.0], [1.0, 1.0])
    (1, 0)
    """
    first, second = np.array(one), np.array(other)
    first.sort()
    second.sort()
    places = np.concatenate((first, second))
    return int(np.abs(first.searchsorted(places, "right") - second.searchsorted(places, "right")).max())


@lru_cache(TESTS_KEPT)
def _tested(rows: int, distance: int) -> tuple[float, float]:
    """The statistic and p value that scipy finds for any two samples of so many rows that are so far apart."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 (takes 0.5 s: only when needed)

    one, other = np.zeros(rows), np.ones(rows)
    other[distance:] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where scipy leaves the exact method, as river does
        statistic, p = ks_2samp(one, other, method="auto")
    return statistic, p


def _log_arrangements(rows: int) -> float:
    return math.lgamma(2 * rows + 1) - 2 * math.lgamma(rows + 1)
