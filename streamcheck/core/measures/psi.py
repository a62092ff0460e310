"""Has the shape of a numeric column's distribution changed, in whatever way?"""

from typing import ClassVar

import numpy as np

from streamcheck.core.components import State, param, register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._shares import (
    EXPECTED_ROWS_MIN,
    Scatter,
    Shaped,
    index_signal,
    near_equal_groups,
    stability,
)
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.room import Room
from streamcheck.core.summaries import NumericSummary
from streamcheck.core.summaries.layout import BINS_MAX
from streamcheck.core.types import IntArray, Signal

HISTOGRAM_BYTES = 8 * BINS_MAX + 700


class HistogramAccumulator(Shaped):
    """How many rows of the reference fall into each bin of the layout?"""

    __slots__ = ("counts", "groups")

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.counts: IntArray | None = None

    def add(self, summary: NumericSummary) -> bool:
        """Take one more pane in; False for one without a layout or without usable values."""
        if summary.counts is None or not summary.ok:
            return False
        if self.counts is None:
            self.counts = summary.counts.copy()
        else:
            self.scatter.add(*self.grouped(summary.counts))
            self.counts = self.counts + summary.counts
        return True

    def grouped(self, now: IntArray) -> tuple[IntArray, IntArray]:
        """A pane's bins and the reference's, pooled so that the pane has about EXPECTED_ROWS_MIN rows a group."""
        assert self.counts is not None, "nothing to compare with"
        wanted = min(max(int(now.sum()) // EXPECTED_ROWS_MIN, 2), self.groups)
        group = near_equal_groups(self.counts, wanted)
        pooled = [np.bincount(group, weights=counts).astype(np.int64) for counts in (now, self.counts)]
        return pooled[0], pooled[1]

    @property
    def held_bytes(self) -> int:
        """The same whatever it holds."""
        return HISTOGRAM_BYTES

    def attach(self, room: Room) -> None:
        """It never grows."""

    def merge(self, other: "HistogramAccumulator") -> None:
        """Take another accumulator of the same layout in."""
        if other.counts is not None:
            self.counts = other.counts.copy() if self.counts is None else self.counts + other.counts
        self.scatter.merge(other.scatter)

    def seasoned(
        self, beside: "HistogramAccumulator | None", weight: float, scatter: Scatter  # noqa: ARG002
    ) -> "HistogramAccumulator":
        """The slot's own rows: a shape does not lie between two others; the scatter of all slots."""
        made = HistogramAccumulator(self.groups)
        made.counts = self.counts
        made.scatter = scatter
        return made

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"counts": None if self.counts is None else self.counts.copy(), "scatter": self.scatter.export()}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.counts = None if state["counts"] is None else np.array(state["counts"], dtype=np.int64)
        self.scatter.restore(state["scatter"])


@register
class Psi(Measure):
    """How far is the column's distribution from that of the reference? The population stability index.

    The layout's bins are pooled into about `groups` groups of equal probability in the reference (fewer for small
    panes). center = phi (B - 1) (1/n + 1/N) and se = phi sqrt(2 (B - 1)) (1/n + 1/N): what chance makes of it, see
    `stability`; se is larger for an index above the center, see `index_signal`; phi: how much more the panes of the
    reference scatter. level is the index, baseline what is expected of it.
    """

    needs = Needs.NUMERIC
    binned = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "population stability index"

    groups: int = param(10, ge=2, le=50, doc="Groups of about equal probability that the column is cut into.")

    def accumulator(self) -> HistogramAccumulator:
        """An empty reference content for this measure."""
        return HistogramAccumulator(self.groups)

    def usual(self, signal: Signal, reference: object) -> Interval:
        """As for any measure; an index is never below 0."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0), high)

    def signal(self, summary: NumericSummary, reference: HistogramAccumulator) -> Signal | None:
        """The pane's index; None without a layout or without usable values."""
        if summary.counts is None or not summary.ok or reference.counts is None:
            return None
        return index_signal(stability(*reference.grouped(summary.counts)), reference.scatter.phi(), summary.ok)
