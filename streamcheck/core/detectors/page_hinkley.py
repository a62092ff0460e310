"""Page-Hinkley: has the mean of the rows moved by more than `delta` for long enough to matter?"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.river_base import Evidence, RiverDetector, strongest

CHUNK_ROWS = 1_024
"""Rows for which 1/n is known beforehand; a drift makes the rest of them be done again."""
TOLERANCE_SD = 0.1
"""Of a tuned detector: shifts of twice as many sd are what it is best at; those below go unseen."""
TUNED_ROWS_MIN = 100


@dataclass(slots=True)
class _Sums:
    """What river's PageHinkley keeps from row to row."""

    n: float
    mean: float
    rise: float
    fall: float
    least: float
    most: float
    drifting: bool

    @staticmethod
    def of(river: Any) -> "_Sums":
        """Out of the river object."""
        mean = river._x_mean  # noqa: SLF001 (as `inner`)
        sums = (river._sum_increase, river._sum_decrease, river._min_increase, river._max_decrease)  # noqa: SLF001
        return _Sums(mean.n, mean.get(), *sums, river.drift_detected)

    def into(self, river: Any) -> None:
        """Back into the river object."""
        river._x_mean.n, river._x_mean._mean = self.n, self.mean  # noqa: SLF001
        river._sum_increase, river._sum_decrease = self.rise, self.fall  # noqa: SLF001
        river._min_increase, river._max_decrease = self.least, self.most  # noqa: SLF001
        river._drift_detected = self.drifting  # noqa: SLF001


@register
class PageHinkley(RiverDetector):
    """Has the mean moved? Accumulates the rows' excess over their mean and looks how far it is from its extreme.

    Page (1954), Continuous inspection schemes, Biometrika 41. Rows: any finite number; delta and threshold are in its
    unit, so that rows are best standardised (river's defaults alarm about 60 times in 100,000 rows of N(0, 1)).
    State: five floats and three counts. `since`: the rows after the accumulated excess stood at its extreme.

    >>> import numpy as np
    >>> verdict = PageHinkley(threshold=5.0).step(np.repeat([0.0, 2.0], [40, 20]))
    >>> verdict.drifts, verdict.since, verdict.direction
    (array([42]), 3, 1)
    """

    domain = Domain.REAL

    min_instances: int = param(30, ge=1, doc="Rows before the first drift.")
    delta: float = param(0.005, ge=0, doc="Change of the mean that is tolerated, in the rows' unit.")
    threshold: float = param(50.0, gt=0, doc="Accumulated excess that counts as drift, in the rows' unit.")
    alpha: float = param(1 - 0.0001, gt=0, le=1, doc="How much of the accumulated excess each row keeps.")
    mode: str = param("both", choices=("up", "down", "both"), doc="Which way the mean may not move.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """A tolerance of a tenth of an sd without forgetting; log(rows) = 3.3 + 2 delta threshold / dispersion.

        In units of the sd: Lorden's exponent of a sum with drift -delta, its constant measured (decision 0011). A rare
        event carries the sum beyond its threshold by half an event on average.
        """
        sd = math.sqrt(normal.variance)
        threshold = normal.dispersion * max(math.log(rows) - 3.3, 1.0) / (2 * TOLERANCE_SD)
        overshoot = 0.5 if normal.shares else 0.0
        tuned = {"delta": TOLERANCE_SD * sd, "threshold": threshold * sd + overshoot}
        return {"min_instances": TUNED_ROWS_MIN, "alpha": 1.0, **tuned} if sd > 0.0 else None

    def setup(self) -> None:
        """As RiverDetector, with both extremes at the row that comes next."""
        super().setup()
        self.rising = 0
        self.falling = 0

    def make(self) -> Any:
        """The PageHinkley of river."""
        from river.drift import PageHinkley as River  # noqa: PLC0415 (takes 0.7 s: only when needed)

        return River(self.min_instances, self.delta, self.threshold, self.alpha, self.mode)

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """As river's update, row by row, with its state in local names: the same operations in the same order.

        A test holds it against river bit for bit. Besides, it notes at which rows the accumulated excess stood at its
        low and at its high.
        """
        s = _Sums.of(self.river)
        n, mean, rise, fall, least, most, drifting = s.n, s.mean, s.rise, s.fall, s.least, s.most, s.drifting
        alpha, delta, end = self.alpha, self.delta, 0
        low, high = -1 - self.rising, -1 - self.falling
        drifts, at_drift = [], None
        while end < len(rows):
            if drifting:
                n, mean, rise, fall, least, most = 0.0, 0.0, 0.0, 0.0, math.inf, -1
                drifting = False
            begin, end = end, self._alike(n, end, len(rows))
            up, down = self._limits(n + 1.0)
            shares = array("d", (1.0 / np.arange(n + 1.0, n + 1.0 + end - begin)).tobytes())
            for at, value, share in zip(range(begin, end), rows[begin:end], shares, strict=True):
                mean += share * (value - mean)  # the recurrence needs each row's result for the next
                excess = value - mean
                rise = alpha * rise + excess - delta
                fall = alpha * fall + excess + delta
                if rise <= least:
                    low, least = at, min(least, rise)
                if fall >= most:
                    high, most = at, max(most, fall)
                if rise - least > up or most - fall > down:
                    drifting, end = True, at + 1
                    break
            n += end - begin
            if drifting:
                drifts.append(end - 1)
                at_drift = self._evidence(n, rise - least, most - fall, end - 1 - low, end - 1 - high)
        _Sums(n, mean, rise, fall, least, most, drifting).into(self.river)
        self.rising, self.falling = len(rows) - 1 - low, len(rows) - 1 - high
        return drifts, at_drift or self._evidence(n, rise - least, most - fall, self.rising, self.falling)

    def _alike(self, n: float, begin: int, rows: int) -> int:
        """Where the next rows end that all may drift, or all may not, after n rows; CHUNK_ROWS at most."""
        quiet = self.min_instances - 1 - int(n)
        return min(rows, begin + (quiet if quiet > 0 else CHUNK_ROWS))

    def _limits(self, n: float) -> tuple[float, float]:
        """Beyond which rise and fall the n-th row is a drift."""
        may = n >= self.min_instances
        up = self.threshold if may and self.mode != "down" else math.inf
        return up, self.threshold if may and self.mode != "up" else math.inf

    def _evidence(self, n: float, rise: float, fall: float, rising: int, falling: int) -> Evidence:
        if n < self.min_instances:
            return Evidence()
        tests = [] if self.mode == "down" else [Evidence(max(rising, 1), rise, self.threshold, 1)]
        if self.mode != "up":
            tests.append(Evidence(max(falling, 1), fall, self.threshold, -1))
        return strongest(tests)

    def export(self) -> State:
        """As RiverDetector, with the rows since both extremes."""
        return {**super().export(), "rising": self.rising, "falling": self.falling}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.rising, self.falling = state["rising"], state["falling"]
