"""Do ids come again, as where a producer sends twice or old traffic is replayed?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import StreamSummary


@register
class DuplicateRate(RateMeasure):
    """Which share of the predictions has an id that came before?

    With a labels stream: within its horizon, late predictions included. Without one: within the pane.
    """

    needs = Needs.STREAM
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of repeated ids"
    broken: ClassVar[str] = "with an id that came before"

    def count(self, summary: StreamSummary) -> tuple[int, int]:
        """Predictions whose id came before, of those with an id."""
        return summary.repeated, summary.identified
