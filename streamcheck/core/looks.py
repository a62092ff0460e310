"""What do a column's newest rows hold, beside what its reference holds? For pages, of columns that somebody looks at.

All rows of every watched column are always looked at; a segment's from the moment on that it is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamcheck.core import bars
from streamcheck.core.instances import Instance, Span
from streamcheck.core.measures._categories import CategoryAccumulator, held
from streamcheck.core.measures._share_table import ShareAccumulator
from streamcheck.core.measures.outside import BinsAccumulator
from streamcheck.core.measures.psi import HistogramAccumulator
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan, Segmentation, Target
from streamcheck.core.readings import Comparison, Segment
from streamcheck.core.summaries import CategoricalSummary, Layout, NumericSummary
from streamcheck.core.summaries.layout import TAIL_EDGES
from streamcheck.core.types import FloatArray

ROWS_ENOUGH = 1_000
"""Between so many and twice as many of the newest rows are shown, and at least those of one pane."""
COLUMNS_MAX = 200
"""Columns whose rows are all looked at without being asked for, the first of the config."""
ASKED_MAX = 16
"""Segments that are looked at because somebody asked, the last ones."""
NAMES_MAX = 200
"""Categories that are counted by name, by first appearance."""
LOOK_BYTES = 2 * (8 * 300 + NAMES_MAX * 200)
"""Of one column and segment: rows by bin, or by name, twice."""

Wanted = tuple[str, Segmentation | None, int]
"""A column and a segment's number in a segmentation."""
Key = tuple[str, Segment]


@dataclass(slots=True, eq=False)
class _Half:
    """Usable rows since a moment: by bin, or by name (rows of further names in `beyond`), with their extremes."""

    since_ms: int
    rows: int = 0
    bins: FloatArray | None = None
    names: dict[str, int] = field(default_factory=dict)
    beyond: int = 0
    low: float = np.inf
    high: float = -np.inf


class Look:
    """The newest rows of one column and segment. Two halves: once the newer is full, the older one goes."""

    def __init__(self) -> None:
        self.halves: list[_Half] = []
        self.layout: Layout | None = None

    def add(self, start_ms: int, summary: NumericSummary | CategoricalSummary) -> None:
        """One more pane."""
        if not summary.ok:
            return
        if not self.halves or self.halves[-1].rows >= ROWS_ENOUGH:
            self.halves = [*self.halves[-1:], _Half(start_ms)]
        half = self.halves[-1]
        if isinstance(summary, CategoricalSummary):
            for name, rows in held(summary):
                if name in half.names or len(half.names) < NAMES_MAX:
                    half.names[name] = half.names.get(name, 0) + rows
                else:
                    half.beyond += rows
        elif summary.counts is None or summary.low is None or summary.high is None:
            return
        else:
            if summary.layout is not self.layout:  # the first, or the column was laid out anew
                self.layout, self.halves = summary.layout, [half := _Half(start_ms)]
            half.bins = summary.counts.astype(np.float64) if half.bins is None else half.bins + summary.counts
            half.low, half.high = min(half.low, summary.low), max(half.high, summary.high)
        half.rows += summary.ok

    def against(self, normal: Any) -> Comparison:
        """Side by side with a reference's content; None where it keeps no counts."""
        now_ms = self.halves[0].since_ms if self.halves else None
        rows = sum(half.rows for half in self.halves)
        if isinstance(normal, CategoryAccumulator | ShareAccumulator):
            return Comparison(self._categories(normal), now_ms, rows, normal.n)
        counts = getattr(normal, "counts", None)
        if counts is None:
            return Comparison(None, now_ms, rows, 0)
        return Comparison(self._histogram(counts), now_ms, rows, int(counts.sum()))

    def _histogram(self, then: FloatArray) -> bars.Bars | None:
        layout, found = self.layout, [half for half in self.halves if half.rows]
        counted = [half.bins for half in found if half.bins is not None]
        if layout is None or not counted:
            return None
        now = np.sum(counted, axis=0)
        inner = layout.edges[TAIL_EDGES : len(layout.edges) - TAIL_EDGES]
        if not len(inner):
            return None
        first, last = float(inner[0]), float(inner[-1])
        # What lies further out than the column's own range once more is in the outermost bars, or it would squeeze all.
        low = max(min(first, *(half.low for half in found)), first - (last - first))
        high = min(max(last, *(half.high for half in found)), last + (last - first))
        return bars.histogram(then.astype(np.float64), now, layout, (low, high))

    def _categories(self, normal: CategoryAccumulator | ShareAccumulator) -> bars.Bars | None:
        since: Counter[str] = Counter()
        for half in self.halves:
            since.update(half.names)
        full = normal.rest if isinstance(normal, ShareAccumulator) else normal.beyond
        names = dict.fromkeys((*normal.counts, *(() if full else since)))
        then, now = [normal.counts.get(name, 0) for name in names], [since[name] for name in names]
        beyond = normal.n - sum(then), since.total() - sum(now) + sum(half.beyond for half in self.halves)
        before, after = np.array([beyond[0], *then], np.float64), np.array([beyond[1], *now], np.float64)
        return bars.categories(before, after, list(names))


class Looks:
    """The looks that there are."""

    def __init__(self, plan: Plan) -> None:
        watched = (spec.column for spec in plan.monitors if spec.target is Target.COLUMN and spec.by is None)
        columns = list(dict.fromkeys(watched))[:COLUMNS_MAX]
        self._always: dict[Wanted, Look] = {(column, None, 0): Look() for column in columns}
        self._asked: dict[Wanted, Look] = {}

    def add(self, span: Span, pane: PaneRows, layouts: Mapping[str, Layout]) -> None:
        """A pane's rows, once its segments are numbered."""
        for (column, by, number), look in (*self._always.items(), *self._asked.items()):
            if by is None or number in pane.segments(by):
                look.add(span.start_ms, pane.summary(column, by, number, layouts.get(column)))

    def reading(self, asked: Iterable[Key], instances: Iterable[Instance]) -> dict[Key, Comparison]:
        """All of them, those that are asked for now as well, against the references of monitors of the same column."""
        wanted = frozenset(asked)
        found: dict[Key, tuple[Wanted, Any]] = {}
        for one in instances:
            spec, key = one.spec, (one.spec.column, one.segment)
            if spec.target is not Target.COLUMN or (one.segment and key not in wanted):
                continue
            number = int(one.key.rpartition("/")[2])
            known = found.get(key, (None, None))[1]
            found[key] = (spec.column, spec.by, number), _counted(one) if known is None else known
        for place in [place for (_, segment), (place, _) in found.items() if segment and place not in self._asked]:
            self._asked[place] = Look()
        self._asked = dict(list(self._asked.items())[-ASKED_MAX:])
        looks = self._always | self._asked
        return {key: looks[place].against(normal) for key, (place, normal) in found.items() if place in looks}


def _counted(one: Instance) -> Any:
    """What the reference of a monitor holds, where that is counts by bin or by category."""
    start_ms = one.shown.judged_ms
    content = None if one.reference is None or start_ms is None else one.reference.baseline(start_ms)
    counted = HistogramAccumulator | BinsAccumulator | CategoryAccumulator | ShareAccumulator
    return content if isinstance(content, counted) else None
