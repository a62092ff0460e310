"""Of what the model should find, how much does it find?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._labelled import positive
from streamcheck.core.measures._labelled_moments import LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import BoolArray


@register
class Recall(LabelledRate):
    """Which share of the positive rows is predicted positive? Says nothing of a block without such rows.

    >>> import numpy as np
    >>> from streamcheck.core.plan import Task
    >>> Recall().count(LabelledRows(np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0]), None, Task.BINARY))
    (1, 3)
    """

    needs = Needs.LABELLED_BINARY
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "recall"

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """True positives, of the positive rows."""
        true = positive(rows.label)
        return true & positive(rows.prediction), true
