"""Is the model right as often as its scores said before the labels came?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray


@register
class EstimateGap(LabelledMean):
    """How far does accuracy lie above its estimate, on the same rows? Below 0: the model is worse than it says.

    The mean of (right or wrong) - (chance to be right), by calibrated scores. Other inputs alone move both: where the
    gap moves, what the scores stand for has changed (concept drift).

    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([0.75, 0.5]), Task.BINARY)
    >>> EstimateGap().values(rows).tolist()
    [0.25, -0.5]
    """

    needs = Needs.LABELLED_SCORE
    calibrated: ClassVar[bool] = True
    direction: ClassVar[int] = 0
    unit: ClassVar[str] = "accuracy less its estimate"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The gap of each row that has a score."""
        if rows.score is None:
            return np.empty(0)
        has = np.isfinite(rows.score)
        score, said = np.clip(rows.score[has], 0.0, 1.0), positive(rows.prediction[has])
        return np.asarray((rows.prediction[has] == rows.label[has]) - np.where(said, score, 1.0 - score))
