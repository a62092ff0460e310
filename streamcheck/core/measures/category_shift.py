"""Have the shares of a column's categories changed?"""

from typing import ClassVar

from streamcheck.core.components import param, register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._categories import CategoryAccumulator
from streamcheck.core.measures._shares import index_signal, stability
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.summaries import CategoricalSummary
from streamcheck.core.types import Signal


@register
class CategoryShift(Measure):
    """How far are the categories' shares from those of the reference? The population stability index.

    Rare categories form one group, unseen ones another. Center and standard error as for `psi`. level is the index,
    baseline what is expected of it.
    """

    needs = Needs.CATEGORICAL
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "population stability index"

    groups: int = param(20, ge=1, le=200, doc="Categories that stand alone, most frequent first; others are pooled.")

    def accumulator(self) -> CategoryAccumulator:
        """An empty reference content for this measure."""
        return CategoryAccumulator(self.groups)

    def usual(self, signal: Signal, reference: object) -> Interval:
        """As for any measure; an index is never below 0."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0), high)

    def signal(self, summary: CategoricalSummary, reference: CategoryAccumulator) -> Signal | None:
        """The pane's index; None without usable values."""
        if not summary.ok or not reference.n:
            return None
        return index_signal(stability(*reference.grouped(summary)), reference.scatter.phi(), summary.ok)
