"""Has a numeric column moved up or down, whatever its unit and however heavy its tails?"""

from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.measures.base import value_size
from streamcheck.core.summaries import Layout, Moment


@register
class MeanShift(ScoreMeasure):
    """How far has the column moved? The mean normal score of its rows, in standard deviations of the reference.

    Each row scores the normal quantile of its bin's rank among the column's first values (van der Waerden scores):
    bounded, so that no outlier decides, and free of the unit. Where a few rows are most of the mean (a flag that is
    rarely set, amounts among many zeros), it is judged with their skewness, as a count of events is. level and baseline
    are the raw means. A column whose first values were all equal scores 0 for ever: `psi` sees it leave them.
    """

    column = 0
    unit: ClassVar[str] = "mean"

    def lopsided(self, layout: Layout) -> tuple[float, float]:
        """Of the location scores, which are normal ones but where few values are many rows: a flag, many zeros."""
        return layout.lopsided

    def shown(self, moment: Moment) -> float:
        """The raw mean."""
        return moment.mean

    def size(self, level: float, baseline: float, reference: MomentAccumulator) -> Mapping[str, float]:
        """In the column's unit, and in its standard deviation."""
        return value_size(level, baseline, reference.shown.sd)

    def spread(self, errors: float, sd: float, baseline: float) -> Interval:
        """A score is counted in the reference's standard deviations."""
        return Interval(baseline - errors * sd, baseline + errors * sd)
