"""Page-Hinkley: has the mean of the rows moved by more than `delta` for long enough to matter?"""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors._recurrence import PATH_ROWS_MAX, decaying_sums, running_means
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.river_base import Evidence, RiverDetector, strongest
from streamcheck.core.types import FloatArray, IntArray

CHUNK_ROWS = PATH_ROWS_MAX
"""Rows taken in at once; a drift makes the rest of them be done again."""
AT_ONCE_MIN = 768
"""Rows from which on arrays are faster than Python, row by row."""
TOLERANCE_SD = 0.1
"""Of a tuned detector: shifts of twice as many sd are what it is best at; those below go unseen."""
TUNED_ROWS_MIN = 100


@dataclass(slots=True)
class _Sums:
    """What river's PageHinkley keeps from row to row; and the rows since either sum stood at its extreme."""

    n: float
    mean: float
    rise: float
    fall: float
    least: float
    most: float
    drifting: bool
    rising: int
    falling: int

    @staticmethod
    def of(river: Any, rising: int, falling: int) -> "_Sums":
        """Out of the river object."""
        mean = river._x_mean  # noqa: SLF001 (as `inner`)
        sums = (river._sum_increase, river._sum_decrease, river._min_increase, river._max_decrease)  # noqa: SLF001
        return _Sums(mean.n, mean.get(), *sums, river.drift_detected, rising, falling)

    def reset(self) -> None:
        """As river does at the row after a drift."""
        self.n, self.mean, self.rise, self.fall, self.least, self.most = 0.0, 0.0, 0.0, 0.0, math.inf, -1
        self.drifting = False

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
        """As river's update, row by row: the same operations in the same order, of many rows at once where these are.

        A test holds it against river bit for bit. Besides, it notes at which rows the accumulated excess stood at its
        low and at its high.
        """
        s = _Sums.of(self.river, self.rising, self.falling)
        drifts: list[int] = []
        at_drift: Evidence | None = None
        end = 0
        while end < len(rows):
            if s.drifting:
                s.reset()
            chunk = rows[end : end + CHUNK_ROWS]
            end += self._at_once(s, chunk) or self._one_by_one(s, chunk)
            if s.drifting:
                drifts.append(end - 1)
                at_drift = self._evidence(s)
        s.into(self.river)
        self.rising, self.falling = s.rising, s.falling
        return drifts, at_drift or self._evidence(s)

    def _one_by_one(self, s: _Sums, rows: "array[float]") -> int:
        """Take in the rows up to the first drift, with the state in local names. Returns how many those are."""
        quiet = self.min_instances - 1 - int(s.n)
        rows = rows[:quiet] if quiet > 0 else rows  # all may drift, or none
        mean, rise, fall, least, most = s.mean, s.rise, s.fall, s.least, s.most
        low, high, taken = -1 - s.rising, -1 - s.falling, len(rows)
        alpha, delta = self.alpha, self.delta
        up, down = (math.inf, math.inf) if quiet > 0 else self._limits
        shares = array("d", (1.0 / np.arange(s.n + 1.0, s.n + 1.0 + len(rows))).tobytes())
        for at, (value, share) in enumerate(zip(rows, shares, strict=True)):
            mean += share * (value - mean)  # the recurrence needs each row's result for the next
            excess = value - mean
            rise = alpha * rise + excess - delta
            fall = alpha * fall + excess + delta
            if rise <= least:
                low, least = at, min(least, rise)
            if fall >= most:
                high, most = at, max(most, fall)
            if rise - least > up or most - fall > down:
                s.drifting, taken = True, at + 1
                break
        s.n += taken
        s.mean, s.rise, s.fall, s.least, s.most = mean, rise, fall, least, most
        s.rising, s.falling = taken - 1 - low, taken - 1 - high
        return taken

    def _at_once(self, s: _Sums, rows: "array[float]") -> int:
        """The same as arrays. Returns 0, with nothing taken in, where there are few rows, or where that did not work.

        The second sum is that of the rows turned round: a fall with the other sign.
        """
        if len(rows) < AT_ONCE_MIN:
            return 0
        values = np.frombuffer(rows, np.float64)
        means = running_means(values, s.n, s.mean)
        excess = values - means
        rises = decaying_sums(excess, s.rise, self.alpha, self.delta)
        falls = decaying_sums(-excess, -s.fall, self.alpha, self.delta)
        if rises is None or falls is None:
            return 0
        up, down = self._limits
        quiet = max(self.min_instances - 1 - int(s.n), 0)
        low, risen = _course(rises, s.least, up, quiet)
        high, fallen = _course(falls, -s.most, down, quiet)
        taken = min(risen, fallen) + 1
        s.drifting = taken <= len(rows)
        taken = min(taken, len(rows))
        s.n += taken
        s.mean, s.rise, s.fall = float(means[taken - 1]), float(rises[taken - 1]), 0.0 - float(falls[taken - 1])
        s.rising, s.falling = s.rising + taken, s.falling + taken
        if (at := _last_before(low, taken)) is not None:
            s.least, s.rising = float(rises[at]), taken - 1 - at
        if (at := _last_before(high, taken)) is not None:
            s.most, s.falling = 0.0 - float(falls[at]), taken - 1 - at
        return taken

    @property
    def _limits(self) -> tuple[float, float]:
        """Beyond which rise and fall a row is a drift, once rows may drift."""
        up = self.threshold if self.mode != "down" else math.inf
        return up, self.threshold if self.mode != "up" else math.inf

    def _evidence(self, s: _Sums) -> Evidence:
        if s.n < self.min_instances:
            return Evidence()
        tests = [] if self.mode == "down" else [Evidence(max(s.rising, 1), s.rise - s.least, self.threshold, 1)]
        if self.mode != "up":
            tests.append(Evidence(max(s.falling, 1), s.most - s.fall, self.threshold, -1))
        return strongest(tests)

    def export(self) -> State:
        """As RiverDetector, with the rows since both extremes."""
        return {**super().export(), "rising": self.rising, "falling": self.falling}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.rising, self.falling = state["rising"], state["falling"]


def _course(sums: FloatArray, least: float, limit: float, quiet: int) -> tuple[IntArray, int]:
    """Rows at which the sum is as low as never before; the first, of those from `quiet` on, that is too far above.

    Too far: more than `limit` above the lowest so far; where no row is, their number.
    """
    lowest = np.minimum.accumulate(np.concatenate(([least], sums)))
    at = np.flatnonzero(sums <= lowest[:-1])
    beyond = (sums - lowest[1:])[quiet:] > limit
    first = int(beyond.argmax()) if len(beyond) else 0
    return at, quiet + first if len(beyond) and beyond[first] else len(sums)


def _last_before(rows: IntArray, end: int) -> int | None:
    place = int(np.searchsorted(rows, end))
    return int(rows[place - 1]) if place else None
