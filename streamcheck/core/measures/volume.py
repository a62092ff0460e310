"""Do as many events come as always?"""

import math
from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._compared import judged
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import Measure, Needs, bare_signal, value_size
from streamcheck.core.summaries import Moment, StreamSummary
from streamcheck.core.types import Signal


@register
class Volume(Measure):
    """How many events came in the pane, for each one that the reference expects?

    value is rows / expected, center 1. se from the variance between the reference's panes, and never below that of a
    Poisson count; rises are judged as those of a count, which is skewed where few events come. A pane without rows is a
    signal too, and says as much as a full one: `rows` of the signal are those that came, or were expected if that is
    more. level and baseline are rows per pane, which is what a limit (`threshold`) judges.

    >>> volume = Volume()
    >>> usual = volume.accumulator()
    >>> [usual.add(StreamSummary(rows)) for rows in (90, 110, 100, 100)]
    [True, True, True, True]
    >>> signal = volume.signal(StreamSummary(0), usual)
    >>> signal.value, signal.center, round(signal.se, 4), signal.level, signal.baseline
    (0.0, 1.0, 0.1117, 0.0, 100.0)
    """

    needs = Needs.STREAM
    empty_panes: ClassVar[bool] = True
    bare: ClassVar[bool] = True
    sure: ClassVar[bool] = True
    unit: ClassVar[str] = "events per pane"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In its unit, and in per cent."""
        return value_size(level, baseline)

    def moment(self, summary: StreamSummary) -> Moment:
        """One pane as one value: its rows."""
        return Moment(1, float(summary.rows), float(summary.rows) ** 2)

    def usual(self, signal: Signal, reference: MomentAccumulator) -> Interval:
        """In rows per pane, none below 0."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0) * signal.baseline, high * signal.baseline)

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def signal(self, summary: StreamSummary, reference: MomentAccumulator | None) -> Signal | None:
        """The pane's rows; se^2 = max(variance between panes, mean) (1 + 1/panes) / mean^2."""
        if reference is None:
            return bare_signal(float(summary.rows), max(summary.rows, 1))
        then = reference.moment
        if not then.n:
            return None
        expected = (then.total + 0.5) / then.n
        sample = then.variance * then.n / (then.n - 1) if then.n > 1 else 0.0
        own, center = max(sample, expected), reference.mean_variance(max(sample, expected))
        evidence = max(summary.rows, math.ceil(expected))
        known = reference.background(1, own)._replace(pane_rows=then.mean, skew=math.sqrt(own) / expected, counted=True)
        se, center_se = math.sqrt(own + center) / expected, math.sqrt(center) / expected
        signal = Signal(summary.rows / expected, 1.0, se, evidence, float(summary.rows), then.mean)
        return judged(signal._replace(center_se=center_se, background=known))
