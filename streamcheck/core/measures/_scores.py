"""Means of a layout's bounded scores, with the raw column beside them for people."""

from typing import ClassVar

from streamcheck.core.intervals import Interval, normal_interval
from streamcheck.core.measures._compared import Compared, Figures, mean_signal
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._standing import Standing, standing_mean
from streamcheck.core.measures.base import Needs, bare_signal
from streamcheck.core.summaries import Layout, Moment, NumericSummary
from streamcheck.core.types import Signal

SPARSE = 0.25
"""Variance of a score, the layout's own being 1, below which a handful of rows makes it: most rows score alike."""

EVEN = (0.0, 0.0)


class ScoreMeasure(Compared):
    """The mean of one of the layout's two scores against the reference; subclasses say which, and what people see."""

    needs = Needs.NUMERIC
    binned = True
    bare: ClassVar[bool] = True
    shares = False
    column: int

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the pane's scores; None without a layout."""
        return summary.scores(self.column)

    def lopsided(self, layout: Layout) -> tuple[float, float]:  # noqa: ARG002
        """What tells the skewness of rows, as `Layout.lopsided`."""
        return EVEN

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

    def figures(self, summary: NumericSummary) -> Figures | None:
        """The pane's mean score, and what people see of the raw values."""
        now = self.moment(summary)
        if now is None or not now.n:
            return None
        lopsided = self.lopsided(summary.layout) if summary.layout is not None else EVEN
        return Figures(now.n, now.mean, self.shown(summary.moment), *lopsided)

    def seen(self, summary: NumericSummary) -> Signal | None:
        """Of the raw values; no layout is needed for that."""
        moment = summary.moment
        return bare_signal(self.shown(moment), moment.n) if moment.n else None

    def against(self, figures: Figures, reference: MomentAccumulator) -> Signal | None:
        """se^2: the mean's own variance and that of the reference's mean, as in MomentAccumulator.

        One row of variance 1 (the layout's own) is added to the reference's: where all its rows score alike, the
        standard error does not vanish. Where nearly all score alike, as in a segment that lies beyond the first values
        of the column, their mean jumps with each row that does not: one row by 1 in a pane is chance then.
        """
        if not reference.moment.n:
            return None
        within = _within(reference)
        within += _sparse(within) / figures.rows
        return mean_signal(figures, reference, within, self.shown(reference.shown))

    def standing(self, reference: MomentAccumulator) -> Standing[float] | None:
        """As `against` has it."""
        within = _within(reference)
        return standing_mean(reference, within, _sparse(within), self.shown(reference.shown))


def _within(reference: MomentAccumulator) -> float:
    """The variance of a row about its pane's mean, with one more row of variance 1."""
    n = reference.moment.n
    return (n * reference.within() + 1.0) / (n + 1)


def _sparse(within: float) -> float:
    """What is added to it for a pane of one row, and a part for one of more."""
    return max(1.0 - within / SPARSE, 0.0)
