"""How often is the model wrong?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled_moments import LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import BoolArray


@register
class ErrorRate(LabelledRate):
    """Which share of the predicted classes is wrong?"""

    needs = Needs.LABELLED_CLASS
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "error rate"

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """Wrong predictions, of all rows."""
        return np.asarray(rows.prediction != rows.label), None
