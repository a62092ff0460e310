"""How often is the model right?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled_moments import LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import BoolArray


@register
class Accuracy(LabelledRate):
    """Which share of the predicted classes is right?"""

    needs = Needs.LABELLED_CLASS
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "accuracy"

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """Right predictions, of all rows."""
        return np.asarray(rows.prediction == rows.label), None
