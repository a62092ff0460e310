"""Does a numeric column leave the range that it had?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import State, register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures._following import Within
from streamcheck.core.measures._moments import MomentAccumulator, MomentOf
from streamcheck.core.measures.base import Needs
from streamcheck.core.measures.psi import HISTOGRAM_BYTES
from streamcheck.core.summaries import NumericSummary
from streamcheck.core.types import IntArray


class BinsAccumulator(MomentAccumulator):
    """As of any share, with the reference's rows by bin: alerts say which of them moved."""

    __slots__ = ("counts",)

    def __init__(self, moment_of: MomentOf) -> None:
        super().__init__(moment_of)
        self.counts: IntArray | None = None

    def add(self, summary: NumericSummary) -> bool:
        """Take one more pane in."""
        if not super().add(summary) or summary.counts is None:
            return False
        self.counts = summary.counts.copy() if self.counts is None else self.counts + summary.counts
        return True

    @property
    def held_bytes(self) -> int:
        """The bins as well."""
        return super().held_bytes + HISTOGRAM_BYTES

    def merge(self, other: MomentAccumulator) -> None:
        """Take another accumulator of the same layout in, of later panes."""
        super().merge(other)
        if isinstance(other, BinsAccumulator) and other.counts is not None:
            self.counts = other.counts.copy() if self.counts is None else self.counts + other.counts

    def seasoned(self, beside: MomentAccumulator | None, weight: float, scatter: Within) -> "BinsAccumulator":
        """The share as of any; the bins are the slot's own."""
        made = type(self)(self._moment_of)
        made.take(super().seasoned(beside, weight, scatter))
        made.counts = self.counts
        return made

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"counts": None if self.counts is None else self.counts.copy()}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        super().restore(state)
        self.counts = None if state["counts"] is None else np.array(state["counts"], dtype=np.int64)


@register
class Outside(RateMeasure):
    """Which share of the usable values lies beyond the least and the largest of the column's first values?

    In the reference about two in as many values as the histogram was laid out from; of a column that was constant,
    every other value lies outside.
    """

    needs = Needs.NUMERIC
    binned = True
    bare: ClassVar[bool] = False
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of values outside the usual range"

    def accumulator(self) -> BinsAccumulator:
        """An empty reference content for this measure."""
        return BinsAccumulator(self.moment)

    def count(self, summary: NumericSummary) -> tuple[int, int]:
        """Values outside, of the usable ones; nothing without a layout."""
        outside = summary.outside()
        return (0, 0) if outside is None else (outside, summary.ok)
