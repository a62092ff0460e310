"""Is the model as sure of itself as it used to be?"""

from typing import ClassVar

import numpy as np
from scipy.special import entr

from streamcheck.core.components import register
from streamcheck.core.measures._compared import MeanMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import EstimateSummary, Moment


@register
class Entropy(MeanMeasure):
    """How undecided are calibrated scores, in bits? 0: sure of every row, 1: of none.

    Rows of one of the 32 groups of scores count with the entropy of the group's mean chance.

    >>> from streamcheck.core.summaries.estimated import fold_estimated
    >>> rows = fold_estimated(np.arange(2), np.array([1.0, 0.0]), np.array([1.0, 0.5]), np.array([9, 5]))
    >>> Entropy().moment(rows.summaries(None, 1)[0]).mean
    0.5
    """

    needs = Needs.ESTIMATED
    direction: ClassVar[int] = 0
    unit: ClassVar[str] = "entropy of scores, in bits"

    def moment(self, summary: EstimateSummary) -> Moment:
        """The moment of the rows' entropies."""
        counts, sums = summary.counts.sum(axis=0), summary.sums.sum(axis=0)
        chance = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
        bits = (entr(chance) + entr(1.0 - chance)) / np.log(2.0)
        return Moment(int(counts.sum()), float((counts * bits).sum()), float((counts * bits * bits).sum()))
