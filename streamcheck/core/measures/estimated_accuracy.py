"""How often is the model right, as far as its own scores can tell, before any label comes?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import MeanMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import EstimateSummary, Moment


@register
class EstimatedAccuracy(MeanMeasure):
    """What does accuracy come to, if scores mean what they meant? The mean chance of each row to be predicted right.

    Scores are calibrated on the first 4,000 labelled rows (for each model version, where rows are cut by it). It sees
    every change of the inputs that the scores show, and none of what they stand for: that is `estimate_gap`.

    >>> import numpy as np
    >>> from streamcheck.core.summaries.estimated import fold_estimated
    >>> rows = fold_estimated(np.arange(2), np.array([1.0, 0.0]), np.array([0.75, 0.5]), np.array([9, 5]))
    >>> EstimatedAccuracy().moment(rows.summaries(None, 1)[0]).mean
    0.625
    """

    needs = Needs.ESTIMATED
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "estimated accuracy"

    def moment(self, summary: EstimateSummary) -> Moment:
        """The moment of the rows' chances to be right."""
        return summary.moment()
