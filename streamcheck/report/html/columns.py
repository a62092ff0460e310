"""What has a column held, over all and for each segment, before and after any moment?"""

from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.plan import Column
from streamcheck.core.summaries import CategoricalSummary, Layout, Moment, NumericSummary
from streamcheck.core.types import FloatArray
from streamcheck.report.html.ages import Ages

NAMES_MAX = 200
"""Categories of a column that are counted by name, by first appearance; later ones together."""
HEAD = ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range", "total", "square")
_AT = {name: place for place, name in enumerate(HEAD)}

Label = tuple[tuple[str, str], ...]
"""A segment as field and value pairs; empty for all rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What some rows held: the numbers of HEAD, and counts by bin of the layout, or by name (last: all other names)."""

    head: FloatArray
    counts: FloatArray
    origin: float

    def __getitem__(self, name: str) -> float:
        return float(self.head[_AT[name]]) if len(self.head) else 0.0

    @property
    def moment(self) -> Moment:
        """Of the usable numbers."""
        return Moment(int(self["ok"]), self["total"], self["square"], self.origin)

    def share(self, name: str) -> float | None:
        """How many of the rows were missing, of a wrong type …; None without rows."""
        return self[name] / self["rows"] if self["rows"] else None


@dataclass(slots=True, eq=False)
class ColumnHistory:
    """One column: `ages` by segment. Numbers are summed from `origin`, the first pane's mean."""

    column: Column
    numeric: bool
    ages: dict[Label, Ages] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    origin: float | None = None
    layout: Layout | None = None
    low: float | None = None
    high: float | None = None

    def add_numbers(self, start_ms: int, end_ms: int, label: Label, summary: NumericSummary) -> None:
        """One pane of a numeric column."""
        if self.origin is None and summary.ok:
            self.origin = summary.moment.mean
        if self.layout is None:
            self.layout = summary.layout
        if not label and summary.low is not None and summary.high is not None:
            self.low = summary.low if self.low is None else min(self.low, summary.low)
            self.high = summary.high if self.high is None else max(self.high, summary.high)
        moment = summary.moment.about(self.origin or 0.0)
        status = (summary.ok, summary.missing, summary.wrong_type, summary.non_finite, summary.out_of_range)
        head = [summary.rows, *status, moment.total, moment.square]
        counts = np.zeros(0) if summary.counts is None else summary.counts
        self._add(start_ms, end_ms, label, np.concatenate([head, counts]))

    def add_categories(self, start_ms: int, end_ms: int, label: Label, summary: CategoricalSummary) -> None:
        """One pane of a categorical or binary column. Where counts begin, 0 is for names without a place."""
        taken = np.flatnonzero(summary.counts)
        for k in taken.tolist():
            if len(self.names) < NAMES_MAX:
                self.names.setdefault(summary.categories[k], len(self.names) + 1)
        counts = np.zeros(len(self.names) + 1)
        for k in taken.tolist():
            counts[self.names.get(summary.categories[k], 0)] += summary.counts[k]
        head = [summary.rows, summary.ok, summary.missing, summary.wrong_type, 0, 0, 0, 0]
        self._add(start_ms, end_ms, label, np.concatenate([head, counts]))

    def _add(self, start_ms: int, end_ms: int, label: Label, content: FloatArray) -> None:
        self.ages.setdefault(label, Ages()).add(start_ms, end_ms, content)

    def look(self, content: FloatArray) -> Look:
        """A sum, read."""
        return Look(content[: len(HEAD)], content[len(HEAD) :], self.origin or 0.0)

    def mapped(self, counts: dict[str, int], beyond: int) -> FloatArray:
        """Counts by name, as in a Look."""
        made = np.zeros(len(self.names) + 1)
        made[0] = beyond
        for name, rows in counts.items():
            made[self.names.get(name, 0)] += rows
        return made
