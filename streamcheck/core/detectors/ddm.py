"""DDM: has the error rate risen clearly above the lowest it has been?"""

import math
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamcheck.core.components import param, register
from streamcheck.core.detectors._recurrence import PATH_ROWS_MAX, running_means
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.river_base import Evidence, WarningDetector
from streamcheck.errors import ParameterError

TUNED_EVENTS = 100
"""Errors (or right rows, if those are rarer) before a tuned detector judges: their rate is then known to a tenth."""
CHUNK_ROWS = PATH_ROWS_MAX
"""Rows taken in at once; a drift makes the rest of them be done again."""


@register
class DDM(WarningDetector):
    """Has the error rate risen? Compares it, with its standard deviation, with the lowest it has been.

    Gama, Medas, Castillo and Rodrigues (2004), Learning with drift detection. Rows: errors, 1 = wrong, 0 = right. After
    `warm_start` rows without any error the first error counts as drift: that is the method. State: four floats.
    `since`: the rows since the warning began.

    >>> import numpy as np
    >>> verdict = DDM().step(np.concatenate([np.arange(200) % 10 == 0, np.arange(100) % 2 == 0]).astype(float))
    >>> verdict.drifts[:1], round(verdict.score, 3), round(verdict.threshold, 3), verdict.direction
    (array([222]), 0.167, 0.164, 1)
    """

    domain = Domain.BINARY

    warm_start: int = param(30, ge=1, doc="Rows before the first drift.")
    warning_threshold: float = param(2.0, gt=1, doc="Standard deviations above the lowest rate that warn.")
    drift_threshold: float = param(3.0, gt=1, doc="Standard deviations above the lowest rate that count as drift.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """A warm-up of 100 errors' worth of rows, and T sd: a doubling of rows drifts with chance exp(-.43 T^2).

        That chance is what the first doubling after the warm-up may take of `rows`; dependence widens T by the root of
        the dispersion. Measured (decision 0011).
        """
        rare = min(normal.mean, 1.0 - normal.mean)
        warm_start = math.ceil(TUNED_EVENTS * normal.dispersion / max(rare, 1e-9))
        if warm_start * 10 > rows or normal.variance <= 0.0:
            return None
        chance = math.log(2.0) * warm_start / rows
        sds = max(math.sqrt(-math.log(chance) / 0.43), 2.5) * 1.1 * math.sqrt(normal.dispersion)
        return {"warm_start": warm_start, "warning_threshold": 0.7 * sds, "drift_threshold": sds}

    def check(self) -> None:
        """The warning comes before the drift."""
        if self.warning_threshold > self.drift_threshold:
            raise ParameterError(
                f"warning_threshold ({self.warning_threshold:g}) must not be above drift_threshold "
                f"({self.drift_threshold:g}): a warning comes before a drift",
                "warning_threshold",
            )

    def make(self) -> Any:
        """The DDM of river."""
        from river.drift.binary import DDM as River  # noqa: PLC0415,N811 (takes 0.7 s: only when needed)

        return River(self.warm_start, self.warning_threshold, self.drift_threshold)

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """As river's update, row by row: the same operations in the same order, of many rows at once.

        A test holds it against river bit for bit.
        """
        drifts: list[int] = []
        at_drift: Evidence | None = None
        end = 0
        while end < len(rows):
            if self.river.drift_detected:
                self.river._reset()  # noqa: SLF001 (as `inner`)
            begin = end
            end, warned = self._until_drift(rows, begin, min(begin + CHUNK_ROWS, len(rows)))
            if self.river.drift_detected:
                drifts.append(end - 1)
                at_drift = self.evidence()._replace(since=warned + 1)
                warned = 0
            self.warned = warned
        return drifts, at_drift or self.evidence()

    def _until_drift(self, rows: "array[float]", begin: int, end: int) -> tuple[int, int]:
        """Take in the rows to `end` or to the first drift. Returns where that is, and the warnings in a row before."""
        river, mean = self.river, self.inner("_p")
        n = np.arange(mean.n + 1.0, mean.n + 1.0 + end - begin)
        p = running_means(np.frombuffer(rows)[begin:end], mean.n, mean.get())
        s = np.sqrt(p * (1 - p) / n)
        first = int(np.searchsorted(n, self.warm_start, side="right"))  # rows before it are not judged
        warning, drift = np.zeros(len(n), np.bool_), np.zeros(len(n), np.bool_)
        now = p[first:] + s[first:]
        before = np.minimum.accumulate(np.concatenate(([self.inner("_ps_min")], now)))[:-1]
        lowest = np.maximum.accumulate(np.where(now <= before, np.arange(first, len(n)), -1))
        p_min = np.where(lowest < 0, self.inner("_p_min") or 0.0, p[lowest])
        s_min = np.where(lowest < 0, self.inner("_s_min") or 0.0, s[lowest])
        warning[first:] = now > p_min + self.warning_threshold * s_min
        drift[first:] = now > p_min + self.drift_threshold * s_min
        drifting = bool(drift.any())
        last = int(drift.argmax()) if drifting else len(n) - 1
        mean.n, mean._mean = float(n[last]), float(p[last])  # noqa: SLF001
        if last >= first and lowest[last - first] >= 0:
            river._p_min, river._s_min = float(p_min[last - first]), float(s_min[last - first])  # noqa: SLF001
            river._ps_min = river._p_min + river._s_min  # noqa: SLF001
        river._drift_detected, river._warning_detected = drifting, bool(warning[last]) and not drifting  # noqa: SLF001
        calm = np.flatnonzero(~(warning[:last] if drifting else warning))
        rows_seen = last if drifting else len(n)
        return begin + last + 1, self.warned + rows_seen if not len(calm) else rows_seen - 1 - int(calm[-1])

    def evidence(self) -> Evidence:
        """The error rate plus its standard deviation, against the lowest such sum with `drift_threshold` deviations."""
        if self.inner("_p_min") is None:
            return Evidence()
        mean = self.inner("_p")
        rate = mean.get()
        score = rate + math.sqrt(rate * (1 - rate) / mean.n)
        return Evidence(1, score, self.inner("_p_min") + self.drift_threshold * self.inner("_s_min"), 1)
