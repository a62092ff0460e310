"""ADWIN: has the mean of the rows changed, at whatever scale of time shows it best?"""

import math
from array import array
from collections.abc import Mapping
from operator import length_hint
from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors.base import DETECTOR_BYTES, Domain, Normal
from streamcheck.core.detectors.river_base import EXPONENT_MAX, Evidence, RiverDetector, rust_bytes


@register
class ADWIN(RiverDetector):
    """Has the mean changed? Keeps a window that grows while the rows agree and is cut where its two parts differ.

    Bifet and Gavaldà (2007), Learning from time-changing data with adaptive windowing. Rows: any finite number; the
    bound depends on the unit, so that rows are best standardised. One enormous outlier inflates the window's variance
    and hides smaller changes from then on. State: O(max_buckets * log n) numbers. `since`: the length of the window
    after the cut.

    >>> import numpy as np
    >>> verdict = ADWIN().step(np.repeat([0.0, 5.0], 500))
    >>> verdict.drifts, verdict.since, verdict.direction
    (array([511]), 32, 1)
    """

    domain = Domain.REAL

    delta: float = param(0.002, gt=0, lt=1, doc="Significance of a cut: smaller means fewer alarms.")
    clock: int = param(32, ge=1, le=1_000_000, doc="Rows between two looks for a cut.")
    max_buckets: int = param(5, ge=2, le=1_000, doc="Buckets of each size before two are merged: more is finer.")
    min_window_length: int = param(5, ge=1, le=1_000_000, doc="Rows that each part of the window needs.")
    grace_period: int = param(10, ge=0, le=1_000_000, doc="Rows before the first look.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """Delta by log(rows) = 7 - 1.5 log(dispersion) + log(1 / delta) / dispersion, measured (decision 0011)."""
        wanted = math.log(rows) - 7.0 + 1.5 * math.log(normal.dispersion)
        exponent = max(normal.dispersion * wanted, 0.1)
        return None if exponent > EXPONENT_MAX else {"delta": math.exp(-exponent)}

    @property
    def held_bytes(self) -> int:
        """A total and a variance for each bucket of a window of up to 2^40 rows, twice."""
        return DETECTOR_BYTES + 2 * 40 * 16 * (self.max_buckets + 1)

    def make(self) -> Any:
        """The Rust window that river's ADWIN drives: the same decisions at a third of the time per row."""
        from river._river_rust.drift import AdaptiveWindowing  # noqa: PLC0415 (takes 0.7 s: only when needed)

        return AdaptiveWindowing(
            delta=self.delta,
            clock=self.clock,
            max_buckets=self.max_buckets,
            min_window_length=self.min_window_length,
            grace_period=self.grace_period,
        )

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """Feed the rows at C speed: `any` stops right after the row that made the window shrink.

        river's ADWIN makes a new window at the row after a drift; here it is made at once, which no row can tell.
        """
        drifts: list[int] = []
        evidence = Evidence()
        begin, todo = 0, iter(rows.tolist())
        total, width = self.river.get_total(), self.river.get_width()
        while any(map(self.river.update, todo)):
            at = len(rows) - length_hint(todo) - 1
            drifts.append(at)
            evidence = self._cut(math.fsum([total, *rows[begin : at + 1]]), width + at + 1 - begin)
            self.river = self.make()
            begin, total, width = at + 1, 0.0, 0.0
        return drifts, evidence

    def _cut(self, total: float, width: float) -> Evidence:
        """What was kept of a window with this sum and length: how many rows, and did they rise or fall?"""
        kept = self.river.get_width()
        dropped_mean = (total - self.river.get_total()) / (width - kept)
        kept_mean = self.river.get_total() / kept
        return Evidence(since=int(kept), direction=1 if kept_mean > dropped_mean else -1, level=kept_mean)

    def export(self) -> State:
        """The window in river's own bytes."""
        return {"window": rust_bytes(self.river)}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.river = self.make()
        type(self.river).__setstate__(self.river, state["window"])
