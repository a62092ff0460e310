"""How often is the model wrong?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._moments import LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows


@register
class ErrorRate(LabelledRate):
    """Which share of the predicted classes is wrong?"""

    needs = Needs.LABELLED_CLASS
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "error rate"

    def count(self, summary: LabelledRows) -> tuple[int, int]:
        """Wrong predictions, of all rows."""
        return int((summary.prediction != summary.label).sum()), len(summary)
