"""What has a column held, over all and for each segment, before and after any moment?"""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.plan import Column, Kind
from streamcheck.core.summaries import CategoricalSummary, Layout, Moment, NumericSummary
from streamcheck.core.types import FloatArray
from streamcheck.report.record.ages import Ages
from streamcheck.report.record.alerts import Label
from streamcheck.report.record.bins import Bins

NAMES_MAX = 200
"""Categories of a column that are counted by name, by first appearance; later ones together."""
HEAD = ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range", "total", "square")
_AT = {name: place for place, name in enumerate(HEAD)}


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


class ColumnHistory:
    """One column: `ages` by segment, and all rows over time. Numbers are summed from `origin`, the first pane's mean.

    bins: sums by time, as in a Look; extremes: minus the lowest, and the highest number by time; names: of categories,
    with their places in counts, where 0 is for names without one. layout: the first; panes counted in the bins of
    another one, the column having been laid out anew, are not in counts.
    """

    def __init__(self, column: Column, pane_ms: int) -> None:
        self.column = column
        self.numeric = column.kind is Kind.NUMERIC
        self.ages: dict[Label, Ages] = {}
        self.bins = Bins(pane_ms)
        self.extremes = Bins(pane_ms, np.maximum)
        self.names: dict[str, int] = {}
        self.origin: float | None = None
        self.layout: Layout | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest usable number."""
        held = [content for _, content in self.extremes.items()]
        return (-float(max(e[0] for e in held)), float(max(e[1] for e in held))) if held else None

    def add_numbers(self, start_ms: int, end_ms: int, label: Label, summary: NumericSummary) -> None:
        """One pane of a numeric column."""
        if self.origin is None and summary.ok:
            self.origin = summary.moment.mean
        if self.layout is None:
            self.layout = summary.layout
        if not label and summary.low is not None and summary.high is not None:
            self.extremes.put(start_ms, np.array([-summary.low, summary.high]))
        moment = summary.moment.about(self.origin or 0.0)
        status = (summary.ok, summary.missing, summary.wrong_type, summary.non_finite, summary.out_of_range)
        head = [summary.rows, *status, moment.total, moment.square]
        same = summary.counts is not None and summary.layout is self.layout
        counts = summary.counts if same and summary.counts is not None else np.zeros(0)
        self._add(start_ms, end_ms, label, np.concatenate([head, counts]))

    def add_categories(self, start_ms: int, end_ms: int, label: Label, summary: CategoricalSummary) -> None:
        """One pane of a categorical or binary column."""
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
        if label not in self.ages:
            self.ages[label] = Ages()
        self.ages[label].add(start_ms, end_ms, content)
        if not label:
            self.bins.put(start_ms, content)

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
