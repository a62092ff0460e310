"""Means and shares of a pane against those of a reference: what all measures of that kind have in common."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from streamcheck.core.intervals import Interval
from streamcheck.core.likeness import DISPERSION_EVENTS_MIN
from streamcheck.core.measures._moments import ERRORS_MAX, ROUNDING, MomentAccumulator
from streamcheck.core.measures._standing import Standing, standing_mean, standing_share
from streamcheck.core.measures.base import Measure, bare_signal, share_size, value_size
from streamcheck.core.summaries import Moment
from streamcheck.core.types import Background, Signal
from streamcheck.core.wording import percent

SKEW_MIN = 0.2
"""Rows that are less skewed are taken for normal ones: of 50 the tail of their mean, at 1 in 100,000, is 1.4 times as
likely."""
BROKEN_MIN = 0.05
"""By so much a share of broken rows must have risen to explain what else has changed."""


def judged(signal: Signal) -> Signal:
    """The signal with a standard error that detectors can divide by: above rounding, never 0, z within ERRORS_MAX."""
    floor = max(ROUNDING * abs(signal.center), abs(signal.value - signal.center) / ERRORS_MAX, 1e-150)
    if signal.se >= floor:
        return signal
    return signal._replace(se=floor)


class Figures(NamedTuple):
    """All that a comparison takes from a pane.

    rows: at least one; value: their mean, or of a share the rows that count; level: what people see of it. lopsided,
    pull: of rows whose skewness is known, as in Layout.
    """

    rows: int
    value: float
    level: float
    lopsided: float = 0.0
    pull: float = 0.0


class Compared(Measure):
    """A measure that compares a few figures of a pane with a reference made of moments.

    `signal` is one pane at a time; many monitors of one measure are asked together by `figures` and `standing`.
    """

    shares: ClassVar[bool]
    """Whether its figures are of a share, not of a mean."""

    def figures(self, summary: Any) -> Figures | None:
        """What is to be compared; None where the pane holds nothing of it."""
        raise NotImplementedError

    def against(self, figures: Figures, reference: Any) -> Signal | None:
        """The figures judged against the reference; None where that holds nothing."""
        raise NotImplementedError

    def standing(self, reference: MomentAccumulator) -> Standing[float] | None:
        """The same as numbers, which hold as long as the reference does; None where it must be asked each time."""
        raise NotImplementedError

    def signal(self, summary: Any, reference: Any) -> Signal | None:
        """The pane judged against the reference: its figures, as `against` says; without one, what people see."""
        if reference is None:
            return self.seen(summary)
        figures = self.figures(summary)
        return None if figures is None else self.against(figures, reference)

    def seen(self, summary: Any) -> Signal | None:
        """What people see of the pane, whatever the reference says."""
        figures = self.figures(summary)
        return None if figures is None else bare_signal(figures.level, figures.rows)

    @property
    def together(self) -> bool:
        """Whether `signal` is nothing but that."""
        return type(self).signal is Compared.signal


class MeanMeasure(Compared):
    """The mean of the rows against that of the reference's rows; subclasses say of what."""

    shares = False
    bare: ClassVar[bool] = True

    def moment(self, summary: Any) -> Moment | None:
        """The moment of one pane; None when it has none."""
        raise NotImplementedError

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def size(self, level: float, baseline: float, reference: MomentAccumulator) -> Mapping[str, float]:
        """In the rows' unit, and in their standard deviation."""
        return value_size(level, baseline, reference.moment.sd)

    def figures(self, summary: Any) -> Figures | None:
        """The pane's mean."""
        now = self.moment(summary)
        return None if now is None or not now.n else Figures(now.n, mean := now.mean, mean)

    def against(self, figures: Figures, reference: Any) -> Signal | None:
        """se^2: the mean's own variance and that of the reference's mean, both as in MomentAccumulator."""
        if not reference.moment.n:
            return None
        return mean_signal(figures, reference, reference.within(), reference.moment.mean)

    def standing(self, reference: MomentAccumulator) -> Standing[float] | None:
        """As `against` has it."""
        return standing_mean(reference, reference.within(), 0.0, reference.moment.mean)


def mean_signal(figures: Figures, reference: MomentAccumulator, within: float, baseline: float) -> Signal:
    """A pane's mean beside that of the reference. within: the variance of a row; baseline: what people see."""
    rows, value, level, *_ = figures
    variance, center = reference.variance(rows, within), reference.mean_variance(within)
    background = reference.background(rows, within, variance)
    if figures.lopsided and within > 0.0:
        skew = (figures.lopsided - figures.pull * reference.moment.mean) / math.sqrt(within)
        background = background._replace(skew=skew if abs(skew) >= SKEW_MIN else 0.0)
    se, center_se = math.sqrt(variance / rows + center), math.sqrt(center)
    return judged(Signal(value, reference.moment.mean, se, rows, level, baseline, None, center_se, background))


class RateMeasure(Compared):
    """The share of rows that count against that of the reference's rows; subclasses say which count."""

    shares = True
    bare: ClassVar[bool] = True
    broken: ClassVar[str] = ""
    """What rows that count are, where many of them are a fault of the pipeline, not of the world; "" elsewhere."""

    def size(self, level: float, baseline: float, reference: Any) -> Mapping[str, float]:  # noqa: ARG002
        """In percentage points."""
        return share_size(level, baseline)

    def told(self, summary: Any, reference: Any) -> tuple[Mapping[str, Any], str]:
        """How many are broken, where they have become many."""
        events, rows = self.count(summary)
        share, before = events / max(rows, 1), 0.0 if reference is None else reference.moment.mean
        if not self.broken or share < before + BROKEN_MIN:
            return {}, ""
        known = "" if reference is None else f" ({percent(before)} before)"
        return {}, f"{self.broken} in {percent(share)} of rows{known}"

    def count(self, summary: Any) -> tuple[int, int]:
        """Rows that count, and rows."""
        raise NotImplementedError

    def usual(self, signal: Signal, reference: Any) -> Interval:
        """As for any measure, within 0 and 1."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0), min(high, 1.0))

    def moment(self, summary: Any) -> Moment | None:
        """The moment of a 0/1 column."""
        events, rows = self.count(summary)
        return Moment(rows, float(events), float(events))

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def figures(self, summary: Any) -> Figures | None:
        """How many of the pane's rows count."""
        events, rows = self.count(summary)
        return Figures(rows, events, events / rows) if rows else None

    def against(self, figures: Figures, reference: Any) -> Signal | None:
        """The pane's share; center smoothed, so that it is never 0 or 1."""
        rows, events, *_ = figures
        return share_signal(int(events), rows, reference) if reference.moment.n else None

    def standing(self, reference: MomentAccumulator) -> Standing[float] | None:
        """As `against` has it."""
        return standing_share(reference)


def share_signal(events: int, rows: int, reference: MomentAccumulator) -> Signal:
    """A pane's share (of rows >= 1) beside that of the reference's rows."""
    expected = expected_share(events, rows, reference)
    share, baseline = events / rows, reference.moment.mean
    center, se, center_se, background = expected
    return judged(Signal(share, center, se, rows, share, baseline, events, center_se, background))


class Expected(NamedTuple):
    """A share as the reference expects it; fields as in Signal."""

    center: float
    se: float
    center_se: float
    background: Background


def expected_share(events: int, rows: int, reference: MomentAccumulator) -> Expected:
    """The share that the reference expects of a pane with these rows.

    center = (X + .5) / (N + 1). se^2 = p (1 - p) (1/n + 1/N), p from reference and pane pooled (the two-sample score
    test: where the reference has hardly any event, its own p would make one event a surprise), n and N as what the rows
    are worth where panes scatter more than chance has it. They do not, as far as can be known, where the reference has
    fewer than DISPERSION_EVENTS_MIN events or non-events.
    """
    then = reference.moment
    center = (then.total + 0.5) / (then.n + 1)
    pooled = (then.total + events + 0.5) / (then.n + rows + 1)
    if min(then.total, then.n - then.total) >= DISPERSION_EVENTS_MIN:
        known = reference.background(rows, center * (1 - center))
    else:
        known = Background(reference.panes, then.n / reference.panes, float(then.n), float(rows))
    se = math.sqrt(pooled * (1 - pooled) * (1 / known.weight + 1 / known.rows))
    return Expected(center, se, math.sqrt(center * (1 - center) / known.rows), known)
