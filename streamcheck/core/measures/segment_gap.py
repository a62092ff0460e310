"""Is the model as much better for one segment than for another as it used to be?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import build, param, register
from streamcheck.core.measures._compared import MeanMeasure
from streamcheck.core.measures._labelled_moments import LabelledMean, LabelledRate
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import LabelledRows, Moment
from streamcheck.core.types import FloatArray

QUALITIES = ("accuracy", "error_rate", "mae", "bias")


@register
class SegmentGap(MeanMeasure):
    """How far does a quality of one segment lie above that of another? Each block holds rows of both.

    A block counts as the smaller segment's rows, with the variance that the difference of both means has.

    >>> first, second = Moment.of(np.array([1.0, 1.0, 0.0, 1.0])), Moment.of(np.array([0.0, 1.0]))
    >>> made = difference(first, second)
    >>> made.n, made.mean, made.variance
    (2, 0.25, 0.34375)
    """

    needs = Needs.DIFFERENCE
    direction: ClassVar[int] = 0
    unit: ClassVar[str] = "difference between two segments"

    of: str = param("accuracy", choices=QUALITIES, doc="The quality that is compared.")

    def moment(self, summary: Moment) -> Moment:
        """The block's own."""
        return summary

    def values(self, rows: LabelledRows) -> FloatArray:
        """What each row contributes to the quality."""
        made = build("measure", self.of, {})
        if isinstance(made, LabelledRate):
            return made.which(rows)[0].astype(np.float64)
        assert isinstance(made, LabelledMean), self.of
        return made.values(rows)


def difference(first: Moment, second: Moment) -> Moment:
    """Of two segments' rows (one at least in each): the mean's difference, worth the smaller number of rows."""
    n = min(first.n, second.n)
    mean = first.mean - second.mean
    variance = n * (first.variance / first.n + second.variance / second.n)
    return Moment(n, n * mean, n * (variance + mean * mean))
