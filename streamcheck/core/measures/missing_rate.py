"""Is a field missing more often, or less often, than it was?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import CategoricalSummary, NumericSummary


@register
class MissingRate(RateMeasure):
    """Which share of the rows lacks the field?

    Of interest both ways: a fall to zero may be a default that hides gaps.
    """

    needs = Needs.FIELD
    rare = True
    unit: ClassVar[str] = "share of missing values"
    broken: ClassVar[str] = "missing"

    def count(self, summary: NumericSummary | CategoricalSummary) -> tuple[int, int]:
        """Missing values, of all rows."""
        return summary.missing, summary.rows
