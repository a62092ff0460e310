"""Does a numeric column repeat itself, as a stuck sensor or a broken lookup does?"""

from collections import Counter
from typing import Any, ClassVar

import numpy as np

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import ValuesSummary
from streamcheck.core.wording import number, percent

NAMED_SHARE_MIN = 0.5
"""A value is named as the one that a column is stuck at from this share of the repeats on."""


@register
class Stuck(RateMeasure):
    """Which share of the values equals the one before it in its partition?

    A column that is stuck in one partition only is seen too: its other statistics hardly move.
    """

    needs = Needs.VALUES
    rare = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of values that repeat the one before"

    def count(self, summary: ValuesSummary) -> tuple[int, int]:
        """Values that repeat the one before, of those that have one before."""
        return summary.repeats, summary.pairs

    def told(self, summary: ValuesSummary, reference: Any) -> tuple[dict[str, Any], str]:  # noqa: ARG002
        """At which value, and in which partitions; no value where several repeat."""
        repeated = summary.values[summary.same]
        if not len(repeated):
            return {}, ""
        found, times = np.unique(repeated, return_counts=True)
        value, most = float(found[times.argmax()]), int(times.max())
        if most < NAMED_SHARE_MIN * len(repeated):
            return {}, f"values repeat ({percent(len(repeated) / summary.pairs)} equal the one before)"
        at = np.searchsorted(summary.ends, summary.same[repeated == value], side="right")
        places = Counter(at.tolist())
        told = [str(summary.sources[k]) for k in sorted(k for k, times in places.items() if times >= most / 10)]
        where = "" if len(told) == len(summary.sources) else f" in {', '.join(told[:3])}"
        share = percent(most / summary.pairs)
        evidence = {"stuck_at": value, "partitions": told[:20]}
        return evidence, f"stuck at {number(value)}{where} ({share} of values repeat the one before)"
