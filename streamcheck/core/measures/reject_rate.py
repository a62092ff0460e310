"""Do more events make no sense than usual?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import StreamSummary


@register
class RejectRate(RateMeasure):
    """Which share of the events on the topics of predictions is rejected?"""

    needs = Needs.STREAM
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of rejected events"
    broken: ClassVar[str] = "rejected"

    def count(self, summary: StreamSummary) -> tuple[int, int]:
        """Rejected events, of all."""
        return summary.rejected, summary.rows + summary.late + summary.rejected
