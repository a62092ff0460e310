"""How much did the truth surprise the model's probabilities?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive, scored
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray

PROBABILITY_MIN = 1e-15


@register
class LogLoss(LabelledMean):
    """How far are the scores from the truth, on the log scale? The mean of -log(probability given to the true class).

    Probabilities are kept 1e-15 away from 0 and 1, so that one sure mistake costs 34.5, not infinity.

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.9, 0.9]), Task.BINARY)
    >>> LogLoss().values(rows).round(4).tolist()
    [0.1054, 2.3026]
    """

    needs = Needs.LABELLED_SCORE
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "log loss"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The loss of each row that has a score."""
        score, label = scored(rows)
        given = np.where(positive(label), score, 1.0 - score)
        return np.asarray(-np.log(np.clip(given, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)))
