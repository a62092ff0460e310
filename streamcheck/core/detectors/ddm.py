"""DDM: has the error rate risen clearly above the lowest it has been?"""

import math
from typing import Any

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import Domain
from streamcheck.core.detectors.river_base import Evidence, WarningDetector
from streamcheck.errors import ParameterError


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

    def evidence(self) -> Evidence:
        """The error rate plus its standard deviation, against the lowest such sum with `drift_threshold` deviations."""
        if self.inner("_p_min") is None:
            return Evidence()
        mean = self.inner("_p")
        rate = mean.get()
        score = rate + math.sqrt(rate * (1 - rate) / mean.n)
        return Evidence(1, score, self.inner("_p_min") + self.drift_threshold * self.inner("_s_min"), 1)
