"""Is a numeric column zero more often than it was, as where a default takes the place of what is not known?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import ValuesSummary


@register
class Zeros(RateMeasure):
    """Which share of the usable values is zero?"""

    needs = Needs.VALUES
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of zeros"
    broken: ClassVar[str] = "zero"

    def count(self, summary: ValuesSummary) -> tuple[int, int]:
        """Zeros, of the usable values."""
        return summary.zeros, summary.ok
