"""Has a numeric column become wider or narrower?"""

import math
from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.measures.base import value_size
from streamcheck.core.summaries import Moment

LOG_PER_SCORE = math.sqrt(math.pi / 2 - 1)
"""Of normal values: the log of their scale moves by sd|z| / E|z| = 0.756 for each standard deviation of |z|."""
_LOG_MAX = 600.0


@register
class Scale(ScoreMeasure):
    """How much wider or narrower has the column become? The mean absolute normal score of its rows, standardised.

    The absolute score, not its square: that is too skewed for alarms that are to be rare. level and baseline are the
    raw standard deviations. A column whose first values were of two kinds only scores 0 for ever.
    """

    column = 1
    unit: ClassVar[str] = "standard deviation"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In its unit, and in per cent."""
        return value_size(level, baseline)

    def shown(self, moment: Moment) -> float:
        """The raw standard deviation."""
        return moment.sd

    def spread(self, errors: float, sd: float, baseline: float) -> Interval:  # noqa: ARG002 (the baseline is the sd)
        """As many standard deviations of |score| as LOG_PER_SCORE says that the column's own has changed by."""
        factor = math.exp(min(errors * LOG_PER_SCORE, _LOG_MAX))
        return Interval(baseline / factor, baseline * factor)
