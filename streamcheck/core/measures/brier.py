"""How far are the model's probabilities from what happened?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive, scored
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray


@register
class Brier(LabelledMean):
    """How far are the scores from the truth, squared? The mean of (score - outcome)^2.

    Brier (1950), Monthly Weather Review 78. Between 0 (sure and right) and 1 (sure and wrong).

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.9, 0.9]), Task.BINARY)
    >>> Brier().values(rows).round(4).tolist()
    [0.01, 0.81]
    """

    needs = Needs.LABELLED_SCORE
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "Brier score"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The squared distance of each row that has a score."""
        score, label = scored(rows)
        return np.asarray((score - positive(label)) ** 2)
