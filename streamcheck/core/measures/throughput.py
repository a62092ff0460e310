"""How many events a second come?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import bare_signal
from streamcheck.core.measures.volume import Volume
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import Signal


@register
class Throughput(Volume):
    """How many events a second come, beside the reference's?

    `volume` in another unit: level and baseline are events a second. With the detector `threshold` that is what is
    judged, from the first pane on, without a reference; a pane without events counts as one row.

    >>> signal = Throughput().signal(StreamSummary(120, span_ms=10_000), None)
    >>> signal.value, signal.rows
    (12.0, 120)
    """

    unit: ClassVar[str] = "events a second"

    def signal(self, summary: StreamSummary, reference: MomentAccumulator | None) -> Signal | None:
        """As of volume; without a reference the rate itself."""
        per_second = 1_000.0 / summary.span_ms
        rate = summary.rows * per_second
        if reference is None:
            return bare_signal(rate, max(summary.rows, 1))
        signal = super().signal(summary, reference)
        return None if signal is None else signal._replace(level=rate, baseline=signal.baseline * per_second)
