"""Do the predictions lie too high or too low?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import ERROR_MAX
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray


@register
class Bias(LabelledMean):
    """How far do predictions lie above the truth on average, in the unit of the label? Negative: below.

    The sign is what post-processing needs to correct the predictions.

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 3.5]), None, Task.REGRESSION)
    >>> estimate = Bias().estimate(rows)
    >>> round(estimate.value, 4), round(estimate.low, 4), round(estimate.high, 4), estimate.n
    (-0.8333, -1.5504, -0.1162, 3)
    """

    needs = Needs.LABELLED_NUMBER
    direction: ClassVar[int] = 0
    unit: ClassVar[str] = "mean error (prediction - label)"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The signed error of each row: prediction - label."""
        return np.asarray(np.clip(rows.residual(), -ERROR_MAX, ERROR_MAX))
