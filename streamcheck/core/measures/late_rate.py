"""Do more events come late than usual?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import StreamSummary


@register
class LateRate(RateMeasure):
    """Which share of the predictions comes late, and is left out of the statistics?"""

    needs = Needs.STREAM
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of late events"
    broken: ClassVar[str] = "late"

    def count(self, summary: StreamSummary) -> tuple[int, int]:
        """Late events, of those that are no rejects."""
        return summary.late, summary.rows + summary.late
