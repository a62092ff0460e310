"""Has a quantile of a numeric column moved, such as the 99 % of a latency?"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from streamcheck.core.components import State, param, register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures._following import Within
from streamcheck.core.measures._moments import MomentAccumulator, MomentOf
from streamcheck.core.measures.base import Needs, value_size
from streamcheck.core.summaries import Layout, ValuesSummary
from streamcheck.core.summaries.sketch import SKETCH_BYTES, Sketch
from streamcheck.core.types import Signal

ERRORS = 1.96


class SketchAccumulator(MomentAccumulator):
    """As of any share, with the reference's own quantiles."""

    __slots__ = ("sketch",)

    def __init__(self, moment_of: MomentOf) -> None:
        super().__init__(moment_of)
        self.sketch = Sketch()

    def add(self, summary: ValuesSummary) -> bool:
        """Take one more pane in."""
        if not super().add(summary):
            return False
        self.sketch.add(summary.values)
        return True

    @property
    def held_bytes(self) -> int:
        """The sketch as well."""
        return super().held_bytes + SKETCH_BYTES

    def merge(self, other: MomentAccumulator) -> None:
        """Take another accumulator in, of later panes."""
        super().merge(other)
        if isinstance(other, SketchAccumulator):
            self.sketch.merge(other.sketch)

    def seasoned(self, beside: MomentAccumulator | None, weight: float, scatter: Within) -> "SketchAccumulator":
        """The share as of any; the quantiles are the slot's own."""
        made = type(self)(self._moment_of)
        made.take(super().seasoned(beside, weight, scatter))
        made.sketch = self.sketch
        return made

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"sketch": self.sketch.export()}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        super().restore(state)
        self.sketch = Sketch.restored(state["sketch"])


@register
class Quantile(RateMeasure):
    """Which share of the values lies above what used to be the quantile `p`?

    The line is drawn once, at that bin of the histogram above which about 1 - p of the first values lay: a share of a
    known line has a known error, however few rows a pane has, where a quantile of few rows has none. People are shown
    quantiles, of the newest `over_s` seconds: the p of config, and .5, .95, .99 beside it; each is the value of a row
    to 1/128 (a sketch by logarithmic buckets, merged in any order). With the detector `threshold` it is the quantile
    itself that is judged, in its own unit, from the first pane on, without a reference and outside the budget.
    """

    needs = Needs.VALUES
    binned = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share above the usual quantile"

    p: float = param(0.95, gt=0, lt=1, doc="Share of the values that lie below the quantile.")
    over_s: int = param(300, ge=1, le=86_400, doc="Seconds whose quantile people are shown, and a threshold judges.")

    @classmethod
    def called(cls, params: Mapping[str, Any]) -> str:
        """Which quantile.

        >>> Quantile.called({"p": 0.999}), Quantile.called({})
        ('p99.9', 'p95')
        """
        return f"p{100 * params.get('p', 0.95):.6g}"

    def accumulator(self) -> SketchAccumulator:
        """An empty reference content for this measure."""
        return SketchAccumulator(self.moment)

    def count(self, summary: ValuesSummary) -> tuple[int, int]:
        """Values above the line, of the usable ones; nothing without a layout."""
        counts, layout = summary.folded.counts, summary.folded.layout
        if counts is None or layout is None:
            return 0, 0
        return int(counts[above(layout, self.p) :].sum()), summary.ok

    def size(self, level: float, baseline: float, reference: Any) -> Mapping[str, float]:  # noqa: ARG002
        """Of the quantile: in its unit, and in per cent."""
        return value_size(level, baseline)

    def between(self, signal: Signal, reference: SketchAccumulator, rows: int) -> Interval:
        """Between which values would the quantile of so many rows lie, 95 times of 100, if nothing had changed?

        signal: of a pane, whose share has its own error and the reference's.
        """
        own = max(signal.se**2 - signal.center_se**2, 0.0) * signal.rows / max(rows, 1)
        wide = ERRORS * math.sqrt(own + signal.center_se**2)
        ends = (max(self.p - wide, 0.0), min(self.p + wide, 1.0))
        return Interval(*(reference.sketch.quantile(end) for end in ends))


def above(layout: Layout, p: float) -> int:
    """From which bin on did about 1 - p of the first values lie? At the latest those beyond the largest of them."""
    inside = layout.weights[layout.inside, 0]
    over = np.flatnonzero(inside >= float(ndtri(p))) if inside[0] != inside[-1] else np.empty(0, np.int64)
    return int(layout.inside.start + over[0]) if len(over) else int(layout.inside.stop)
