"""Which parameters keep a row detector to its share of the false-alarm budget? Chosen once, from rows that are normal.

Rows of a reference are not kept, so they are measured as they pass: once the reference is ready, the next ones say how
many come in a pane, how they vary and how much they depend on one another (scatter.py). Each detector then solves its
own law of run lengths for its parameters (`RowDetector.tuned`; docs/decisions/0011 has how those were measured).
"""

from collections.abc import Mapping
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.detectors.base import Normal, RowDetector
from streamcheck.core.references.base import Progress, Readiness
from streamcheck.core.scatter import SCATTER_BYTES, Scatter
from streamcheck.core.types import FloatArray

PANES_MIN = 100
"""Panes of normal rows: a fifth is known of how they scatter between panes (sqrt(2 / 100))."""
ROWS_MIN = 1_000
EVENTS_MIN = 50
"""Of a share, those that count and those that do not: it is then known to a seventh (1 / sqrt(50))."""
CALIBRATION_BYTES = SCATTER_BYTES + 1_000


class Calibration:
    """From the first normal row to parameters, which then stay. shares: the rows are 0/1 or shares."""

    def __init__(self, detector: type[RowDetector], *, shares: bool) -> None:
        self._detector = detector
        self._shares = shares
        self._scatter = Scatter()
        self._panes = 0
        self.params: Mapping[str, Any] | None = None
        self.failed = False
        """No parameters could keep the promise on such rows."""

    def add(self, rows: FloatArray, panes: float) -> bool:
        """Take a pane's normal rows (n,), n >= 1, in; True once, when that has given the parameters.

        panes: to a false alarm, on average, as the budget grants.
        """
        assert self.params is None, "calibrated already"
        if self.failed:
            return False
        self._scatter.add(rows)
        self._panes += 1
        if self._panes < PANES_MIN or self._scatter.rows < ROWS_MIN or self._events() < EVENTS_MIN:
            return False
        self.params = self._detector.tuned(self._normal(), panes * self._scatter.rows / self._panes)
        self.failed = self.params is None
        return self.params is not None

    def _events(self) -> float:
        """Of a share, whichever is rarer; without end for other rows."""
        if not self._shares:
            return float("inf")
        return min(self._scatter.mean, 1.0 - self._scatter.mean) * self._scatter.rows

    def _normal(self) -> Normal:
        dispersion, mean, variance = self._scatter.dispersion(), self._scatter.mean, self._scatter.variance
        if self._shares:  # with its standard error: twice the variance is the square of the run length
            rare = min(mean, 1.0 - mean)
            rare = min(0.5, rare + (dispersion * variance / self._scatter.rows) ** 0.5)
            variance = max(variance, variance / max(mean * (1.0 - mean), 1e-12) * rare * (1.0 - rare))
        return Normal(mean, variance, dispersion, shares=self._shares)

    def progress(self) -> Progress:
        """Where it stands: panes first, then rows or, of a share, events."""
        ready = Readiness.READY if self.params is not None else Readiness.PROVISIONAL
        if self._panes < PANES_MIN or self.params is not None:
            return Progress(ready, min(self._panes, PANES_MIN), PANES_MIN, "panes")
        if self._scatter.rows < ROWS_MIN:
            return Progress(ready, self._scatter.rows, ROWS_MIN, "rows")
        return Progress(ready, int(self._events()), EVENTS_MIN, "rows of either kind")

    def export(self) -> State:
        """The state, sharing no memory."""
        params = None if self.params is None else dict(self.params)
        return {"scatter": self._scatter.export(), "panes": self._panes, "params": params, "failed": self.failed}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._scatter.restore(state["scatter"])
        self._panes, self.params, self.failed = state["panes"], state["params"], state["failed"]
