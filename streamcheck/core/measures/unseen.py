"""Do categories come that the reference never saw?"""

import math
from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._categories import CategoryAccumulator, held
from streamcheck.core.measures._compared import judged
from streamcheck.core.measures.base import Measure, Needs, share_size
from streamcheck.core.summaries import CategoricalSummary
from streamcheck.core.types import Background, Signal

PANES_MANY = 1_000_000
"""Chance alone is taken to move this share between panes, as it is known, not estimated."""


@register
class Unseen(Measure):
    """Which share of the usable values has a category that the reference never saw?

    Some are to be expected: of N rows, about the share of categories seen just once, N1 / N (Good 1953, Biometrika 40),
    at least one in N + 1. se^2 = p (1 - p) / n + (N1 + 2 N2) / N^2 - N1^2 / N^3 (the estimate's own error: Esty 1983,
    Annals of Statistics 11), N2: categories seen twice, p from reference and pane pooled.
    """

    needs = Needs.CATEGORICAL
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of unseen categories"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In percentage points."""
        return share_size(level, baseline)

    def accumulator(self) -> CategoryAccumulator:
        """An empty reference content for this measure."""
        return CategoryAccumulator()

    def signal(self, summary: CategoricalSummary, reference: CategoryAccumulator) -> Signal | None:
        """The pane's share; None without usable values."""
        rows, then = summary.ok, reference.n
        if not rows or not then:
            return None
        events = sum(count for name, count in held(summary) if name not in reference.counts)
        once = reference.seen(1) + reference.beyond
        pooled = (max(once, 1) + events) / (then + rows + 1)
        own = max(once + 2 * reference.seen(2) - once * once / then, 1.0) / then**2
        se = math.sqrt(pooled * (1 - pooled) / rows + own)
        share = events / rows
        center = max(once, 1) / (then + 1)
        known = Background(PANES_MANY, rows, max(center * (1 - center) / own, 1.0), rows)
        signal = Signal(share, center, se, rows, share, once / then, events)
        return judged(signal._replace(center_se=math.sqrt(own), background=known))
