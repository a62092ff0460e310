"""HDDM_W: has the weighted mean of the rows risen (or fallen) since some cut point by more than McDiarmid's bound?"""

import math
from collections.abc import Mapping
from typing import Any

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import Domain, Normal
from streamcheck.core.detectors.hddm_a import confidences, warning_first
from streamcheck.core.detectors.river_base import EXPONENT_MAX, Evidence, WarningDetector, strongest, tuned_window
from streamcheck.errors import ParameterError

FRESH_EXPONENT = 4.0
"""Of a tuned confidence at least: a first row after the cut of 1, its bound sqrt(4 / 2) of 1.4."""


@register
class HDDMW(WarningDetector):
    """Has the mean risen since the cut point? The W-test weights recent rows more, and so sees slow changes sooner.

    Frías-Blanco et al. (2015), Online and non-parametric drift detection methods based on Hoeffding's bounds. Rows:
    numbers in [0, 1], such as errors. State: five weighted means. `since`: the rows since the warning began.

    >>> import numpy as np
    >>> verdict = HDDMW().step(np.repeat([0.0, 1.0], [200, 50]))
    >>> verdict.drifts, verdict.since, round(verdict.score, 4), round(verdict.threshold, 4), verdict.direction
    (array([213]), 4, 1.0, 0.9887, 1)
    """

    name = "hddm_w"
    domain = Domain.UNIT

    drift_confidence: float = param(0.001, gt=0, lt=1, doc="Chance of a false drift per look: smaller is stricter.")
    warning_confidence: float = param(0.005, gt=0, lt=1, doc="The same for a warning.")
    lambda_val: float = param(0.05, gt=0, lt=1, doc="Weight of the newest row: smaller remembers longer.")
    two_sided_test: bool = param(False, doc="Whether a falling mean counts as drift too.")

    @classmethod
    def tuned(cls, normal: Normal, rows: float) -> Mapping[str, Any] | None:
        """As FHDDM's window: lambda so that the weighted mean varies as that of a window's rows would.

        The mean after a cut begins with a single row and keeps it for long: one error there must be no drift.
        """
        window = tuned_window(normal, rows)
        exponent = max(window.heights**2 * normal.dispersion * normal.variance, FRESH_EXPONENT)
        if not window.rows or exponent > EXPONENT_MAX:
            return None
        return {**confidences(math.exp(-exponent)), "lambda_val": 2.0 / (window.rows + 1)}

    def check(self) -> None:
        """The warning comes before the drift, and some drift must be possible at all."""
        warning_first(self.warning_confidence, self.drift_confidence)
        # Each mean's sum of squared weights tends to lambda / (2 - lambda) from above; means in [0, 1] differ by <= 1.
        weights = 2 * self.lambda_val / (2 - self.lambda_val)
        if self._bound(weights) >= 1:
            log = math.log(1 / self.drift_confidence)
            raise ParameterError(
                f"lambda_val must be below {2 / (1 + log):.3g} for drift_confidence {self.drift_confidence:g}, "
                f"not {self.lambda_val:g}: with so short a memory no change could ever be signalled",
                "lambda_val",
            )

    def make(self) -> Any:
        """The HDDMW of river."""
        from river.drift import binary  # noqa: PLC0415 (takes 0.7 s: only when needed)

        river: Any = binary.HDDMW
        return river(self.drift_confidence, self.warning_confidence, self.lambda_val, self.two_sided_test)

    def evidence(self) -> Evidence:
        """How far the weighted mean after the cut point lies from that before it, against McDiarmid's bound."""
        pairs = [(self.inner("_s1_incr"), self.inner("_s2_incr"), 1)]
        if self.two_sided_test:
            pairs.append((self.inner("_s1_decr"), self.inner("_s2_decr"), -1))
        return strongest([
            Evidence(1, direction * (after.ewma - before.ewma), self._bound(before.ibc + after.ibc), direction)
            for before, after, direction in pairs
            if before.is_init and after.is_init
        ])

    def _bound(self, weights: float) -> float:
        return math.sqrt(weights * math.log(1 / self.drift_confidence) / 2)
