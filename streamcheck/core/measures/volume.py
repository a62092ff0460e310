"""Do as many events come as always?"""

import math
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._moments import MomentAccumulator, judged
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.summaries import Moment, StreamSummary
from streamcheck.core.types import Signal


@register
class Volume(Measure):
    """How many events came in the pane, for each one that the reference expects?

    value is rows / expected, center 1. se from the variance between the reference's panes, and never below that of a
    Poisson count. A pane without rows is a signal too. level and baseline are rows per pane.
    """

    needs = Needs.STREAM
    empty_panes: ClassVar[bool] = True
    unit: ClassVar[str] = "events per pane"

    def moment(self, summary: StreamSummary) -> Moment:
        """One pane as one value: its rows."""
        return Moment(1, float(summary.rows), float(summary.rows) ** 2)

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def signal(self, summary: StreamSummary, reference: MomentAccumulator) -> Signal | None:
        """The pane's rows; se^2 = max(variance between panes, mean) (1 + 1/panes) / mean^2."""
        then = reference.moment
        if not then.n:
            return None
        expected = (then.total + 0.5) / then.n
        sample = then.variance * then.n / (then.n - 1) if then.n > 1 else 0.0
        se = math.sqrt(max(sample, expected) * (1 + 1 / then.n)) / expected
        return judged(Signal(summary.rows / expected, 1.0, se, summary.rows, float(summary.rows), then.mean))
