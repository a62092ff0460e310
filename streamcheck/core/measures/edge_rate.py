"""Do values crowd just inside their limits, as where somebody tries what is let through?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from streamcheck.core.components import param, register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import ValuesSummary
from streamcheck.errors import ParameterError


@register
class EdgeRate(RateMeasure):
    """Which share of the values lies just inside the column's limits?

    Limits: `low` and `high`, which a config takes from the declared range; the edge is the part `within` of the way
    from one to the other. Without them, the least and the largest of the column's first values: the edge is then where
    the lowest and highest `within` of those lay. Beyond a limit others look (`out_of_range`, `outside`).
    """

    needs = Needs.VALUES
    binned = True
    bare: ClassVar[bool] = False
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of values at the edge"

    within: float = param(0.01, gt=0, le=0.25, doc="How wide an edge is, as a part of the whole.")
    side: str = param("both", choices=("both", "low", "high"), doc="Which edges count.")
    low: float | None = param(None, doc="The lower limit; null: of the declared range, or learned.")
    high: float | None = param(None, doc="The upper limit; null: of the declared range, or learned.")

    @classmethod
    def alone(cls, params: Mapping[str, Any]) -> bool:
        """With limits that are given; others are learned with the reference."""
        return params.get("low") is not None

    def check(self) -> None:
        """Both limits or none, and room between them."""
        if (self.low is None) != (self.high is None):
            raise ParameterError("edge_rate takes low and high together", "high" if self.high is None else "low")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ParameterError(f"low ({self.low:g}) must be smaller than high ({self.high:g})", "low")

    def count(self, summary: ValuesSummary) -> tuple[int, int]:
        """Values at the edges, of the usable ones; nothing where limits are learned and there is no layout yet."""
        if self.low is None or self.high is None:
            return self._learned(summary)
        x, width = summary.values, self.within * self.high - self.within * self.low
        lower = (x >= self.low) & (x <= self.low + width) & (self.side != "high")
        upper = (x <= self.high) & (x >= self.high - width) & (self.side != "low")
        return int(np.count_nonzero(lower | upper)), summary.ok

    def _learned(self, summary: ValuesSummary) -> tuple[int, int]:
        counts, layout = summary.folded.counts, summary.folded.layout
        if counts is None or layout is None:
            return 0, 0
        held, location = counts[layout.inside], layout.weights[layout.inside, 0]
        if location[0] == location[-1]:  # a constant has no edge
            return 0, summary.ok
        far = float(ndtri(1.0 - self.within))
        lower, upper = (location <= max(-far, location[0])), (location >= min(far, location[-1]))
        at_edge = (lower & (self.side != "high")) | (upper & (self.side != "low"))
        return int(held[at_edge].sum()), summary.ok
