"""Has a numeric column become wider or narrower?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.summaries import Moment


@register
class Scale(ScoreMeasure):
    """How much wider or narrower has the column become? The mean absolute normal score of its rows, standardised.

    The absolute score, not its square: that is too skewed for alarms that are to be rare. level and baseline are the
    raw standard deviations. A column whose first values were of two kinds only scores 0 for ever.
    """

    column = 1
    unit: ClassVar[str] = "standard deviation"

    def shown(self, moment: Moment) -> float:
        """The raw standard deviation."""
        return moment.sd
