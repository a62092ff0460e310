"""How far off are the predictions?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import ERROR_MAX
from streamcheck.core.measures._labelled_moments import LabelledMean
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray


@register
class Mae(LabelledMean):
    """How far are predictions from the truth on average, either way, in the unit of the label?"""

    needs = Needs.LABELLED_NUMBER
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "mean absolute error"

    def values(self, rows: LabelledRows) -> FloatArray:
        """The absolute error of each row."""
        return np.asarray(np.minimum(np.abs(rows.residual()), ERROR_MAX))
