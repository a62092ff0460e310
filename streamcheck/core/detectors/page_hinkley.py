"""Page-Hinkley: has the mean of the rows moved by more than `delta` for long enough to matter?"""

from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors.base import Domain
from streamcheck.core.detectors.river_base import Evidence, RiverDetector, strongest


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

    def setup(self) -> None:
        """As RiverDetector, with both extremes at the row that comes next."""
        super().setup()
        self.rising = 0
        self.falling = 0

    def make(self) -> Any:
        """The PageHinkley of river."""
        from river.drift import PageHinkley as River  # noqa: PLC0415 (takes 0.7 s: only when needed)

        return River(self.min_instances, self.delta, self.threshold, self.alpha, self.mode)

    def feed(self, rows: list[float]) -> tuple[list[int], Evidence]:
        """As RiverDetector, noting at which rows the accumulated excess stood at its low and at its high."""
        river, update = self.river, self.river.update
        low, high = -1 - self.rising, -1 - self.falling
        drifts, at_drift = [], None
        for at, value in enumerate(rows):
            update(value)
            if river._sum_increase == river._min_increase:  # noqa: SLF001 (as `inner`, but once per row)
                low = at
            if river._sum_decrease == river._max_decrease:  # noqa: SLF001
                high = at
            if river.drift_detected:
                drifts.append(at)
                at_drift = self._evidence(at - low, at - high)
        self.rising, self.falling = len(rows) - 1 - low, len(rows) - 1 - high
        return drifts, at_drift or self._evidence(self.rising, self.falling)

    def _evidence(self, rising: int, falling: int) -> Evidence:
        if self.inner("_x_mean").n < self.min_instances:
            return Evidence()
        rise = self.inner("_sum_increase") - self.inner("_min_increase")
        fall = self.inner("_max_decrease") - self.inner("_sum_decrease")
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
