"""Has the mean of a numeric column changed, in its own unit?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import MeanMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import Moment, NumericSummary


@register
class Mean(MeanMeasure):
    """What is the mean of the column, in its own unit?

    For thresholds in that unit. A few huge values decide it: `mean_shift` is the measure for drift.
    """

    needs = Needs.NUMERIC
    unit: ClassVar[str] = "mean"

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the usable values."""
        return summary.moment
