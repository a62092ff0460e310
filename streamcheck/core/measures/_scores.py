"""Means of a layout's bounded scores, with the raw column beside them for people."""

from streamcheck.core.intervals import Interval, normal_interval
from streamcheck.core.measures._moments import MomentAccumulator, mean_signal
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.summaries import Moment, NumericSummary
from streamcheck.core.types import Signal

SPARSE = 0.25
"""Variance of a score, the layout's own being 1, below which a handful of rows makes it: most rows score alike."""


class ScoreMeasure(Measure):
    """The mean of one of the layout's two scores against the reference; subclasses say which, and what people see."""

    needs = Needs.NUMERIC
    binned = True
    column: int

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the pane's scores; None without a layout."""
        return summary.scores(self.column)

    def shown(self, moment: Moment) -> float:
        """What people see of the raw values."""
        raise NotImplementedError

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment, lambda summary: summary.moment)

    def spread(self, errors: float, sd: float, baseline: float) -> Interval:
        """What `errors` (1.96 standard errors, in standard deviations of the score) come to around the baseline.

        sd: the reference's, raw.
        """
        raise NotImplementedError

    def usual(self, signal: Signal, reference: MomentAccumulator) -> Interval:
        """Around the raw baseline, as far as the score's own errors reach."""
        low, high = normal_interval(0.0, signal.se)
        return self.spread((high - low) / 2, reference.shown.sd, signal.baseline)

    def signal(self, summary: NumericSummary, reference: MomentAccumulator) -> Signal | None:
        """The pane's mean score; se^2: its own variance and that of the reference's mean, as in MomentAccumulator.

        One row of variance 1 (the layout's own) is added to the reference's: where all its rows score alike, the
        standard error does not vanish. Where nearly all score alike, as in a segment that lies beyond the first values
        of the column, their mean jumps with each row that does not: one row by 1 in a pane is chance then.
        """
        now, then = self.moment(summary), reference.moment
        if now is None or not now.n or not then.n:
            return None
        within = (then.n * reference.within() + 1.0) / (then.n + 1)
        within += max(1.0 - within / SPARSE, 0.0) / now.n
        return mean_signal(now, reference, within, self.shown(summary.moment), self.shown(reference.shown))
