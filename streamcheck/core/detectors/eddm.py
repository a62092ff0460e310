"""EDDM: do errors follow one another more closely than they used to?"""

from typing import Any

from streamcheck.core.components import param, register
from streamcheck.core.detectors.base import Domain
from streamcheck.core.detectors.river_base import Evidence, WarningDetector
from streamcheck.errors import ParameterError


@register
class EDDM(WarningDetector):
    """Do errors come closer together? Compares the mean distance between two errors with the largest it has been.

    Baena-García et al. (2006), Early drift detection method. Rows: errors, 1 = wrong, 0 = right. Meant for slow
    changes; river's defaults alarm some 200 times in 100,000 stable rows of 10 % errors. State: seven numbers.
    `score`: by which share the distance has shrunk. `since`: the rows since the warning began.

    >>> import numpy as np
    >>> chances = np.random.default_rng(5).random(1500)
    >>> verdict = EDDM(alpha=0.8, beta=0.7).step((chances < np.repeat([0.05, 0.5], [1000, 500])).astype(float))
    >>> verdict.drifts[:1], verdict.direction
    (array([1135]), 1)
    """

    domain = Domain.BINARY
    untunable = (
        "its largest distance between errors is a record of noise that it never forgets, so that no parameters keep a "
        "promised rate: give parameters, such as {beta: 0.8}, or choose ddm, fhddm, hddm_a, hddm_w or adwin"
    )

    warm_start: int = param(30, ge=1, doc="Errors before the first drift.")
    alpha: float = param(0.95, gt=0, lt=1, doc="Share of the largest distance below which it warns.")
    beta: float = param(0.9, gt=0, lt=1, doc="Share of the largest distance below which drift is signalled.")

    def check(self) -> None:
        """The warning comes before the drift."""
        if self.alpha < self.beta:
            raise ParameterError(
                f"alpha ({self.alpha:g}) must not be below beta ({self.beta:g}): a warning comes before a drift",
                "alpha",
            )

    def make(self) -> Any:
        """The EDDM of river."""
        from river.drift.binary import EDDM as River  # noqa: PLC0415,N811 (takes 0.7 s: only when needed)

        return River(self.warm_start, self.alpha, self.beta)

    def evidence(self) -> Evidence:
        """By which share the distance between errors (mean + 2 sd) has shrunk from its largest."""
        if self.inner("_n_errors") <= self.warm_start or self.inner("_p2s_prime_max") <= 0:
            return Evidence()
        distances = self.inner("_error_distances")
        level = (distances.mean.get() + 2 * distances.get() ** 0.5) / self.inner("_p2s_prime_max")
        return Evidence(1, 1 - level, 1 - self.beta, 1)
