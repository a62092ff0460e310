"""FHDDM: has the error rate of the newest rows risen above the lowest such rate by more than chance allows?"""

import math
from array import array
from collections.abc import Mapping
from typing import Any

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.river_base import (
    EXPONENT_MAX,
    TUNED_WINDOW_MAX,
    Evidence,
    RiverDetector,
    strongest,
    tuned_window,
)
from streamcheck.core.types import FloatArray
from streamcheck.errors import ParameterError


@register
class FHDDM(RiverDetector):
    """Has the error rate of a sliding window risen? Compares it with the lowest it has been, by Hoeffding's inequality.

    Pesaranghader and Viktor (2016), Fast Hoeffding drift detection method. Rows: errors, 1 = wrong, 0 = right, as for
    all detectors here. river's FHDDM really watches for a falling share of ones (contrary to its documentation), so it
    is fed 1 - error. State: the window. `since`: the length of the window (long or short) whose rate has risen.

    >>> import numpy as np
    >>> verdict = FHDDM().step(np.repeat([0.0, 1.0], [200, 50]))
    >>> verdict.drifts, verdict.since, verdict.score, round(verdict.threshold, 4)
    (array([226]), 100, 0.27, 0.2628)
    """

    domain = Domain.BINARY
    tuned_bytes = 40 * TUNED_WINDOW_MAX

    sliding_window_size: int = param(100, ge=1, le=100_000, doc="Rows of the window.")
    confidence_level: float = param(0.000001, gt=0, lt=1, doc="Chance of a false drift per look: smaller is stricter.")
    short_window_size: int | None = param(None, ge=1, le=100_000, doc="Rows of a second, shorter window (stacking).")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """A window in which the share is known, and its range (river_base.tuned_window) as the bound."""
        window = tuned_window(normal, rows)
        exponent = 2.0 * window.heights**2 * normal.dispersion * normal.variance
        if not window.rows or exponent > EXPONENT_MAX:
            return None
        return {"sliding_window_size": window.rows, "confidence_level": math.exp(-exponent)}

    def check(self) -> None:
        """Windows in which no rise could ever be signalled, or that do not fit into one another, are mistakes."""
        short = self.short_window_size
        if short is not None and short > self.sliding_window_size:
            raise ParameterError(
                f"short_window_size ({short}) must not be above sliding_window_size ({self.sliding_window_size})",
                "short_window_size",
            )
        for name, size in (("sliding_window_size", self.sliding_window_size), ("short_window_size", short)):
            if size is not None and self._epsilon(size) >= 1:
                least = math.floor(math.log(1 / self.confidence_level) / 2) + 1
                raise ParameterError(
                    f"{name} must be at least {least} for confidence_level {self.confidence_level:g}, not {size}: "
                    "in a smaller window no rise could ever be signalled",
                    name,
                )

    def make(self) -> Any:
        """The FHDDM of river."""
        from river.drift.binary import FHDDM as River  # noqa: PLC0415,N811 (takes 0.7 s: only when needed)

        return River(self.sliding_window_size, self.confidence_level, self.short_window_size)

    def rows(self, values: FloatArray) -> "array[float]":
        """What river really wants: 1 = right."""
        return super().rows(1.0 - values)

    def feed(self, rows: "array[float]") -> tuple[list[int], Evidence]:
        """As RiverDetector; the newest full window's sum is only known before river drops its oldest row."""
        river, update = self.river, self.river.update
        drifts, at_drift = [], None
        for at, value in enumerate(rows):
            ones = river.n_one
            update(value)
            if river.drift_detected:
                drifts.append(at)
                at_drift = self._evidence((ones + value) / self.sliding_window_size)
        if at_drift is not None:
            return drifts, at_drift
        # One less than the window: river has just judged a full one and dropped its oldest row.
        full = len(self.inner("_sliding_window")) == self.sliding_window_size - 1 and self.inner("_u_max") > 0
        return drifts, self._evidence((ones + value) / self.sliding_window_size) if full else Evidence()

    def _evidence(self, share: float) -> Evidence:
        size = self.sliding_window_size
        tests = [Evidence(size, self.inner("_u_max") - share, self._epsilon(size), 1, 1.0 - share)]
        short = self.short_window_size
        if short is not None and short < size:
            share = sum(list(self.inner("_sliding_window"))[-short:]) / short
            risen = self.inner("_u_short_max") - share
            tests.append(Evidence(short, risen, self._epsilon(short), 1, 1.0 - share))
        return strongest(tests)

    def _epsilon(self, size: int) -> float:
        return math.sqrt(math.log(1 / self.confidence_level) / (2 * size))
