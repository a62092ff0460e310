"""How far off are the predictions, large errors counting more?"""

import math
from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.intervals import Estimate, rmse_interval
from streamcheck.core.measures._compared import judged
from streamcheck.core.measures._labelled import ERROR_MAX
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import LabelledMeasure, Needs
from streamcheck.core.summaries import LabelledRows, Moment
from streamcheck.core.types import FloatArray, Signal


@register
class Rmse(LabelledMeasure):
    """How far are predictions from the truth? The root of the mean squared error, in the unit of the label.

    By the delta method se = se(MSE) / (2 RMSE), and the root of a mean of n squared errors is expected to lie below the
    RMSE of the reference, by the factor 1 - var(MSE) / (8 MSE^2).

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 2.0]), np.array([4.0, 6.0]), None, Task.REGRESSION)
    >>> round(Rmse().estimate(rows).value, 4)
    3.5355
    """

    needs = Needs.LABELLED_NUMBER
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "root mean squared error"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The squared error of each row."""
        return np.asarray(np.minimum(np.abs(rows.residual()), ERROR_MAX) ** 2)

    def moment(self, summary: LabelledRows | Moment) -> Moment:
        """The moment of the squared errors."""
        return summary if isinstance(summary, Moment) else Moment.of(self.values(summary))

    def summaries(self, rows: LabelledRows, size: int) -> list[Moment]:
        """The moments of all blocks, computed in one go."""
        return Moment.of_blocks(self.values(rows), size)

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def signal(self, summary: LabelledRows | Moment, reference: MomentAccumulator) -> Signal | None:
        """The block's RMSE; None without rows."""
        now, then = self.moment(summary), reference.moment
        if not now.n or not then.n:
            return None
        value, baseline, within = math.sqrt(now.mean), math.sqrt(then.mean), reference.within()
        if then.mean <= 0.0:
            return judged(Signal(value, 0.0, 0.0, now.n, value, 0.0))
        own, center = reference.variance(now.n, within) / now.n, reference.mean_variance(within)
        below = min(own / (8 * then.mean**2), 0.5)
        se, center_se = math.sqrt(own + center) / (2 * baseline), math.sqrt(center) / (2 * baseline)
        signal = Signal(value, baseline * (1 - below), se, now.n, value, baseline, center_se=center_se)
        return judged(signal._replace(background=reference.background(now.n, within)))

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The RMSE with its interval; None below two rows."""
        moment = self.moment(rows)
        if moment.n < 2:
            return None
        interval = rmse_interval(moment.n, moment.mean, moment.variance)
        return Estimate(math.sqrt(moment.mean), *interval, moment.n)
