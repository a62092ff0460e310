"""Do error codes, timeouts or any other given values come more often?"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from streamcheck.core.components import param, register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import CategoricalSummary, ValuesSummary
from streamcheck.core.types import BoolArray
from streamcheck.core.wording import number, percent

NAMED_MAX = 3
NAME_MAX = 60
_CLASS = re.compile(r"[1-9]xx")


@register
class ShareOf(RateMeasure):
    """Which share of the rows has one of these values?

    Of a categorical column texts, of a numeric one numbers; `5xx` is 500 to 599 in both. Rows without a value are left
    out, or count as one of these with `missing` (a timeout that wrote nothing). With the detector `threshold` the share
    itself is judged, from the first pane on, without a reference.
    """

    needs = Needs.CODES
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of such values"

    values: tuple[str, ...] = param(("error", "timeout", "5xx"), doc="Values that count.")
    missing: bool = param(default=False, doc="Whether rows that lack the field count, too.")

    @staticmethod
    def counts_numbers(value: str) -> bool:
        """Whether numbers can be meant by it.

        >>> [ShareOf.counts_numbers(value) for value in ("429", "5xx", "5XX", "timeout")]
        [True, True, False, False]
        """
        return _is_number(value) or _CLASS.fullmatch(value) is not None

    def setup(self) -> None:
        """Texts, numbers and classes of a hundred."""
        self._texts = frozenset(self.values)
        self._classes = tuple(100 * int(value[0]) for value in self.values if _CLASS.fullmatch(value))
        self._numbers = np.array([float(value) for value in self.values if _is_number(value)])

    def count(self, summary: ValuesSummary | CategoricalSummary) -> tuple[int, int]:
        """Rows with such a value, of those that count."""
        rows = summary.folded if isinstance(summary, ValuesSummary) else summary
        gone = rows.missing if self.missing else 0
        return sum(rows for _, rows in self._found(summary)) + gone, rows.ok + gone

    def _found(self, summary: ValuesSummary | CategoricalSummary) -> list[tuple[str, int]]:
        """Which of them came how often."""
        if isinstance(summary, ValuesSummary):
            held, times = np.unique(summary.values[self._among(summary.values)], return_counts=True)
            return list(zip(map(number, held.tolist()), times.tolist(), strict=True))
        named = zip(summary.categories, summary.counts.tolist(), strict=True)
        return [(name, rows) for name, rows in named if rows and self._counts(name)]

    def _among(self, values: Any) -> BoolArray:
        found = np.isin(values, self._numbers)
        for first in self._classes:
            found |= (values >= first) & (values < first + 100)
        return np.asarray(found)

    def _counts(self, name: str) -> bool:
        of_class = len(name) == 3 and name.isdecimal() and 100 * int(name[0]) in self._classes
        return name in self._texts or of_class

    def told(self, summary: ValuesSummary | CategoricalSummary, reference: Any) -> tuple[Mapping[str, Any], str]:
        """Which of them, the most frequent ones."""
        found = sorted(self._found(summary), key=lambda each: (-each[1], each[0]))[:NAMED_MAX]
        events, rows = self.count(summary)
        if not events:
            return {}, ""
        named = ", ".join(name[:NAME_MAX] for name, _ in found) or "no value"
        before = "" if reference is None else f" ({percent(reference.moment.mean)} before)"
        words = f"{named} in {percent(events / rows)} of rows{before}"
        return {"values": {name[:NAME_MAX]: times for name, times in found}}, words


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
