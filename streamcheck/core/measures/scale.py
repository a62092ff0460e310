"""Has a numeric column become wider or narrower?"""

import math
from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.measures.base import value_size
from streamcheck.core.summaries import Moment, NumericSummary

LOG_PER_SCORE = math.sqrt(math.pi / 2 - 1)
"""Of normal values: the log of their scale moves by sd|z| / E|z| = 0.756 for each standard deviation of |z|."""
SHIFTED = math.sqrt(1 / (2 * math.pi)) / math.sqrt(1 - 2 / math.pi)
"""Normal values that move by d standard deviations have a mean |z| that is larger by 0.66 d^2, in its own."""
_LOG_MAX = 600.0


@register
class Scale(ScoreMeasure):
    """How much wider or narrower has the column become? The mean absolute normal score of its rows, standardised.

    The absolute score, not its square: that is too skewed for alarms that are to be rare. What the pane's own location
    adds to it is taken off, so that panes which move up and down look no wider. level and baseline are the raw standard
    deviations. A column whose first values were of two kinds only scores 0 for ever.
    """

    column = 1
    unit: ClassVar[str] = "standard deviation"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In its unit, and in per cent."""
        return value_size(level, baseline)

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the pane's scale scores, less 0.66 (m^2 - s^2/n) each; m, s: of its location scores."""
        scale, location = summary.scores(self.column), summary.scores(0)
        if scale is None or location is None or not scale.square:
            return scale
        moved = location.total * location.total / scale.n - location.variance
        return Moment(scale.n, scale.total - SHIFTED * moved, scale.square)

    def shown(self, moment: Moment) -> float:
        """The raw standard deviation."""
        return moment.sd

    def spread(self, errors: float, sd: float, baseline: float) -> Interval:  # noqa: ARG002 (the baseline is the sd)
        """As many standard deviations of |score| as LOG_PER_SCORE says that the column's own has changed by."""
        factor = math.exp(min(errors * LOG_PER_SCORE, _LOG_MAX))
        return Interval(baseline / factor, baseline * factor)
