"""Is the error budget of a service level objective used up too fast, as far as a numeric column tells?"""

from typing import Any, ClassVar

import numpy as np

from streamcheck.core.components import param, register
from streamcheck.core.measures._compared import judged
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.summaries import Moment, ValuesSummary
from streamcheck.core.summaries.service import ServiceSummary, Windows
from streamcheck.core.types import Signal
from streamcheck.core.wording import number, percent, span

ROWS_MIN = 30
"""Rows that the shorter window needs."""


@register
class BurnRate(Measure):
    """How many times faster than the objective allows is the error budget burning, in a long and a short window?

    A row is good while its value is below `below`; one that lacks the field (a timeout) is bad. Two pairs of windows,
    as in Beyer et al. (2018), The Site Reliability Workbook, chapter 5: 1 h and 5 min above 14.4, 6 h and 30 min above
    6; both windows of a pair must burn. Value: the worst pair's slower window by its factor; too much above 1. A limit,
    outside the budget. level and baseline: the share of bad rows in that window, and what the objective allows.
    """

    needs = Needs.VALUES
    learns: ClassVar[bool] = False
    direction: ClassVar[int] = 1
    limit: ClassVar[float | None] = 1.0
    ratio: ClassVar[str] = "burn rate by its factor"
    unit: ClassVar[str] = "share of bad rows"

    below: float = param(500.0, doc="A value below it is good: a latency, or a status code.")
    objective: float = param(0.99, gt=0, lt=1, doc="Share of rows that are to be good.")

    def accumulator(self) -> MomentAccumulator:
        """Nothing is learned by a reference."""
        return MomentAccumulator(lambda _: Moment())

    def bad(self, summary: ValuesSummary) -> int:
        """Rows that are not good."""
        return summary.folded.rows - int(np.count_nonzero(summary.values < self.below))

    def pane(self, summary: ValuesSummary) -> ServiceSummary:
        """A pane by itself, as both windows of a pair."""
        here = self.bad(summary), summary.folded.rows
        return ServiceSummary((Windows(1.0, 0, here, here),))

    def _worst(self, summary: ServiceSummary) -> tuple[float, float, float, int] | None:
        """The pair that burns fastest: how fast, for which factor, the share of bad rows, and of how many."""
        allowed, found = 1.0 - self.objective, []
        for pair in summary.pairs:
            if pair.short[1] >= ROWS_MIN:
                rates = [bad / rows / allowed for bad, rows in (pair.long, pair.short)]
                share = pair.long[0] / pair.long[1]
                found.append((min(rates) / pair.factor, pair.long_ms / 1_000, share, pair.long[1]))
        return max(found) if found else None

    def signal(self, summary: Any, reference: Any) -> Signal | None:  # noqa: ARG002
        """The pair that burns fastest; None with too few rows."""
        worst = self._worst(summary if isinstance(summary, ServiceSummary) else self.pane(summary))
        if worst is None:
            return None
        burning, _, share, rows = worst
        return judged(Signal(burning, 0.0, 1.0, rows, share, 1.0 - self.objective))

    def told(self, summary: ServiceSummary, reference: Any) -> tuple[dict[str, Any], str]:  # noqa: ARG002
        """How bad, over which window."""
        worst = self._worst(summary)
        if worst is None:
            return {}, ""
        _, long_s, share, rows = worst
        rate = share / (1.0 - self.objective)
        words = f"{percent(share)} of {rows:,} rows bad in {span(long_s)}, where {percent(1.0 - self.objective)} may be"
        return {"burn_rate": rate, "window_s": long_s}, f"{words}: the error budget burns {number(rate)} times too fast"
