"""When the model says yes, how often is it right?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive
from streamcheck.core.measures._labelled_moments import LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import BoolArray


@register
class Precision(LabelledRate):
    """Which share of the rows predicted positive is positive? Says nothing of a block without such rows.

    >>> import numpy as np
    >>> from streamcheck.core.plan import Task
    >>> Precision().count(LabelledRows(np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0]), None, Task.BINARY))
    (1, 2)
    """

    needs = Needs.LABELLED_BINARY
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "precision"

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """True positives, of the rows predicted positive."""
        said = positive(rows.prediction)
        return said & positive(rows.label), said
