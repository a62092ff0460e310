"""Does a numeric column leave the range that the config declares?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import NumericSummary


@register
class OutOfRange(RateMeasure):
    """Which share of the usable values lies outside the declared range? Zero for a column without one."""

    needs = Needs.NUMERIC
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of values out of range"

    def count(self, summary: NumericSummary) -> tuple[int, int]:
        """Values outside the range, of the usable ones."""
        return summary.out_of_range, summary.ok
