"""Do scores mean what they say, or is the model surer than it may be?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive, scored
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray


@register
class CalibrationError(LabelledMean):
    """By how much is the Brier score larger than scores that mean what they say would make it?

    The mean of (score - outcome) (2 score - 1), Spiegelhalter's statistic (1986, Statistics in Medicine 5). 0 when of
    rows with score p a share p is positive, above 0 when the model is too sure, below when it is too modest.

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.75, 0.75]), Task.BINARY)
    >>> CalibrationError().values(rows).tolist()
    [-0.125, 0.375]
    """

    needs = Needs.LABELLED_SCORE
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "Brier score above that of scores that mean what they say"

    def values(self, rows: LabelledRows) -> FloatArray:
        """Of each row that has a score."""
        score, label = scored(rows)
        return np.asarray((score - positive(label)) * (2.0 * score - 1.0))
