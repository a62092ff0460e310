"""HDDM_A: has the mean of the rows risen (or fallen) since some cut point by more than Hoeffding's bound?"""

import math
from collections.abc import Mapping
from typing import Any

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.river_base import EXPONENT_MAX, Evidence, RiverDetector, strongest
from streamcheck.errors import ParameterError


@register
class HDDMA(RiverDetector):
    """Has the mean risen since the cut point? The averages of the A-test make no assumption but the range [0, 1].

    Frías-Blanco et al. (2015), Online and non-parametric drift detection methods based on Hoeffding's bounds. Rows:
    numbers in [0, 1], such as errors. State: six floats. `since`: the rows after the cut point.

    >>> import numpy as np
    >>> verdict = HDDMA().step(np.repeat([0.0, 1.0], [200, 50]))
    >>> verdict.drifts, verdict.since, round(verdict.score, 4), round(verdict.threshold, 4), verdict.direction
    (array([203]), 4, 0.0196, 0.0193, 1)
    """

    name = "hddm_a"
    domain = Domain.UNIT

    drift_confidence: float = param(0.001, gt=0, lt=1, doc="Chance of a false drift per look: smaller is stricter.")
    warning_confidence: float = param(0.005, gt=0, lt=1, doc="The same for a warning.")
    two_sided_test: bool = param(False, doc="Whether a falling mean counts as drift too.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """log(rows) = 3 + log(2 / confidence) / (1.15 dispersion): Hoeffding's exponent, measured (decision 0011)."""
        exponent = 1.15 * normal.dispersion * max(math.log(rows) - 3.0, 1.0)
        return None if exponent > EXPONENT_MAX else confidences(min(2.0 * math.exp(-exponent), 0.9))

    def check(self) -> None:
        """The warning comes before the drift."""
        warning_first(self.warning_confidence, self.drift_confidence)

    def make(self) -> Any:
        """The HDDMA of river."""
        from river.drift import binary  # noqa: PLC0415 (takes 0.7 s: only when needed)

        river: Any = binary.HDDMA
        return river(self.drift_confidence, self.warning_confidence, self.two_sided_test)

    def evidence(self) -> Evidence:
        """How far the mean lies from that before the cut point, against Hoeffding's bound for their difference."""
        total = self.inner("_z")
        cuts = [(self.inner("_x_min"), 1)] + ([(self.inner("_x_max"), -1)] if self.two_sided_test else [])
        return strongest([self._test(cut, total, direction) for cut, direction in cuts if 0 < cut.n < total.n])

    def _test(self, cut: Any, total: Any, direction: int) -> Evidence:
        ratio = (total.n - cut.n) / cut.n * (1.0 / total.n)
        bound = math.sqrt(ratio / 2 * math.log(2.0 / self.drift_confidence))
        since = int(total.n - cut.n)
        level = (total.n * total.get() - cut.n * cut.get()) / since
        return Evidence(since, direction * (total.get() - cut.get()), bound, direction, level)


def confidences(drift: float) -> Mapping[str, Any]:
    """For a drift and, at half its exponent, for the warning that dates it."""
    return {"drift_confidence": drift, "warning_confidence": math.sqrt(drift)}


def warning_first(warning_confidence: float, drift_confidence: float) -> None:
    """Refuse a warning that is stricter than the drift it should announce."""
    if warning_confidence < drift_confidence:
        raise ParameterError(
            f"warning_confidence ({warning_confidence:g}) must not be below drift_confidence ({drift_confidence:g}): "
            "a warning comes before a drift",
            "warning_confidence",
        )
