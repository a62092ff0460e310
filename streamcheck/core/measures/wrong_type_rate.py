"""Does a field hold values that it cannot hold?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import CategoricalSummary, NumericSummary


@register
class WrongTypeRate(RateMeasure):
    """Which share of the rows holds something else than the declared kind? NaN and infinities count as well."""

    needs = Needs.FIELD
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of values of a wrong type"
    broken: ClassVar[str] = "of the wrong type"

    def count(self, summary: NumericSummary | CategoricalSummary) -> tuple[int, int]:
        """Wrong and non-finite values, of all rows."""
        non_finite = summary.non_finite if isinstance(summary, NumericSummary) else 0
        return summary.wrong_type + non_finite, summary.rows
