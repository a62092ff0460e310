"""What of the model does a business figure (KPI) follow, and how much later?"""

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.correlation import following
from streamcheck.core.instances import Instance, Span
from streamcheck.core.keys import LIMIT
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan, Role, Target, Task
from streamcheck.core.readings import KpiLinked
from streamcheck.core.summaries import EstimatedPane, Moment, NumericSummary
from streamcheck.core.summaries.moments import VALUE_MAX
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.wording import span as span_text

KPI = "kpi"
ACCURACY, MAE, ESTIMATED, DRIFT = "accuracy", "mae", "estimated_accuracy", "drift"
DAY_MS = 86_400_000
DAYS_MIN = 7
"""From so many days on each series is freed of its daily course, which any two figures of a business share."""
_KEY = "kpi"


def series_of(plan: Plan) -> tuple[str, ...]:
    """Everything of a model that a KPI could be compared with."""
    found = []
    if plan.task is not None and any(spec.target is Target.LABELLED for spec in plan.monitors):
        found.append(MAE if plan.task is Task.REGRESSION else ACCURACY)
    if any(spec.target is Target.ESTIMATED for spec in plan.monitors):
        found.append(ESTIMATED)
    features = {c.name for c in plan.predictions.columns if c.role is Role.FEATURE}
    if any(spec.target is Target.COLUMN and spec.column in features for spec in plan.monitors):
        found.append(DRIFT)
    return tuple(found)


class KpiLink:
    """Sums by span of time, for the newest spans: the KPI, and what it is compared with.

    A labelled row counts in the span of its prediction, whenever its label comes; corrections do not count. Drift is
    the highest score of a feature's monitors, by its threshold; estimated accuracy is that of panes.
    """

    def __init__(self, plan: Plan, exporters: dict[str, Callable[[], State]], touched: set[str]) -> None:
        self.rules = plan.kpi_rules
        self._names = () if self.rules is None else (KPI, *self.rules.against)
        self._features = frozenset(c.name for c in plan.predictions.columns if c.role is Role.FEATURE)
        self._touched = touched
        self._first = self._newest = 0
        """Numbers of the first span that is kept, and of the newest one that was reached; 0: none yet."""
        self._sums = self._rows = np.zeros((0, 0))
        if self.rules is not None:
            exporters[_KEY] = self.export
            self._sums, self._rows = np.zeros((2, len(self._names), self.rules.spans))

    # ------------------------------------------------------------------ what a pane brings
    def take(self, span: Span, pane: PaneRows) -> NumericSummary:
        """The KPI's values of a pane. Returns what its monitors see of them."""
        assert self.rules is not None, "no KPI is declared"
        summary = pane.numeric_summary(KPI, None, 0, None)
        total = summary.moment.mean * summary.moment.n
        self._count(0, self._reach(span.start_ms), total, summary.moment.n)
        if not self.rules.added:
            return summary
        added = Moment(1, total, total * total)
        return NumericSummary(summary.rows, 1, 0, 0, 0, 0, added, summary.low, summary.high, None, None)

    def see(self, span: Span, estimated: EstimatedPane | None, judged: Iterable[Instance]) -> None:
        """What monitors said of a pane's predictions."""
        if self.rules is None:
            return
        place = self._reach(span.start_ms)
        if ESTIMATED in self._names and estimated is not None:
            (rows,) = estimated.summaries(None, 1)
            counts, positives = rows.counts.sum(axis=1), rows.sums.sum(axis=1)
            right = float(positives[1] + counts[0] - positives[0])
            self._count(self._names.index(ESTIMATED), place, right, int(counts.sum()))
        if DRIFT in self._names:
            scores = [ratio for one in judged if (ratio := self._drift(one)) is not None]
            at = self._names.index(DRIFT)
            if scores:
                self._sums[at, place] = max(*scores, self._sums[at, place])
                self._rows[at, place] = 1.0

    def _drift(self, one: Instance) -> float | None:
        """How far a monitor of a feature stands from its alarm; None where it has none that grows to it."""
        if one.spec.target is not Target.COLUMN or one.spec.column not in self._features or not one.may_alert():
            return None
        if one.score is None or not one.threshold or one.spec.detector.name == LIMIT:
            return None
        ratio = one.score / one.threshold
        return ratio if math.isfinite(ratio) and one.threshold > 0.0 else None

    def add(self, labelled: LabelledPane) -> None:
        """Rows that a pane completed."""
        at = next((self._names.index(name) for name in (ACCURACY, MAE) if name in self._names), None)
        if self.rules is None or at is None or not self._newest:
            return
        index = labelled.usable(with_score=False)
        places = labelled.joined.times[index] // self.rules.span_ms - self._first
        kept = (places >= 0) & (places < self.rules.spans)
        error, places = labelled.rows(index[kept]).error(), places[kept]
        value = 1.0 - error if self._names[at] == ACCURACY else np.minimum(error, VALUE_MAX)
        self._sums[at] += np.bincount(places, value, self.rules.spans)
        self._rows[at] += np.bincount(places, minlength=self.rules.spans)
        self._touched.add(_KEY)

    def _count(self, at: int, place: int, total: float, rows: int) -> None:
        self._sums[at, place] += total
        self._rows[at, place] += rows

    def _reach(self, at_ms: int) -> int:
        """The place of a moment's span, which is the newest, or (a KPI that is late) not."""
        assert self.rules is not None
        self._touched.add(_KEY)
        reached = at_ms // self.rules.span_ms
        if reached > self._newest:
            gone = min(reached - self.rules.spans + 1 - self._first, self.rules.spans)
            for held in (self._sums, self._rows):
                held[:, : self.rules.spans - gone] = held[:, gone:].copy()
                held[:, self.rules.spans - gone :] = 0.0
            self._newest, self._first = reached, reached - self.rules.spans + 1
        return reached - self._first

    # ------------------------------------------------------------------ shown
    def reading(self) -> tuple[KpiLinked, ...]:
        """What the KPI follows, series by series, as far as spans are over."""
        if self.rules is None or not self._newest:
            return ()
        rules, has = self.rules, self._rows > 0.0
        means = np.where(has, self._sums / np.maximum(self._rows, 1.0), np.nan)
        values = np.where(has[0], self._sums[0], np.nan) if rules.added else means[0]
        found = []
        for at, name in enumerate(self._names[1:], start=1):
            pair = values[:-1], means[at][:-1]
            both = int((np.isfinite(pair[0]) & np.isfinite(pair[1])).sum())
            slots = self._slots(both)
            behind, ahead = pair if slots is None else (_without_course(series, slots) for series in pair)
            spent = 0 if slots is None else int(slots.max()) + 1
            told = following(behind, ahead, rules.lags, len(self._names) - 1, spent)
            lag_ms, r, low, high, worth, spans = None, None, None, None, None, both
            if told is not None:
                lag_ms, spans = told.lag * rules.span_ms, told.pairs
                r, low, high, worth = told.r, told.low, told.high, told.worth
            shape = spans, rules.span_ms, slots is not None
            found.append(KpiLinked(rules.name, name, lag_ms, r, low, high, worth, *shape))
        return tuple(found)

    def _slots(self, both: int) -> IntArray | None:
        """The slot of the day of each span that is over; None where there is no course to be told from days so few."""
        assert self.rules is not None
        size = self.rules.span_ms
        if DAY_MS % size or size == DAY_MS or both * size < DAYS_MIN * DAY_MS:
            return None
        return np.asarray((np.arange(self.rules.spans - 1) + self._first) * size % DAY_MS // size)

    # ------------------------------------------------------------------ state
    def export(self) -> State:
        """The state, sharing no memory."""
        assert self.rules is not None
        like = [*self._names, str(self.rules.span_ms), str(self.rules.spans), str(self.rules.added)]
        numbers = {"first": self._first, "newest": self._newest}
        return {"like": like, **numbers, "sums": self._sums.copy(), "rows": self._rows.copy()}

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where `export` stood; afresh where something else is compared."""
        state = states.get(_KEY)
        if self.rules is not None and state is not None and state["like"] == self.export()["like"]:
            self._first, self._newest = state["first"], state["newest"]
            self._sums, self._rows = np.array(state["sums"]), np.array(state["rows"])


def _without_course(series: FloatArray, slots: IntArray) -> FloatArray:
    """The series less the mean of each slot of the day."""
    has = np.isfinite(series)
    rows = np.bincount(slots[has], minlength=int(slots.max()) + 1)
    sums = np.bincount(slots[has], series[has], int(slots.max()) + 1)
    return series - (sums / np.maximum(rows, 1))[slots]


def said(link: KpiLinked) -> str:
    """One of them, for people.

    >>> said(KpiLinked("revenue", "accuracy", 10_800_000, 0.62, 0.31, 0.81, 60.0, 96, 3_600_000, False))
    'revenue follows accuracy by 3 h: r = 0.62 (0.31..0.81), 96 hours'
    """
    spans = f"{link.spans:,} " + (
        "hours" if link.span_ms == 3_600_000 else f"spans of {span_text(link.span_ms / 1000)}"
    )
    if link.r is None or link.low is None or link.high is None or link.lag_ms is None:
        return f"whether {link.kpi} follows {link.against} cannot be told yet: {spans} with both"
    after = f"by {span_text(link.lag_ms / 1000)}" if link.lag_ms else "at once"
    numbers = f"r = {link.r:.2f} ({link.low:.2f}..{link.high:.2f}), {spans}"
    free = ", daily course removed" if link.daily else ""
    if link.shown:
        return f"{link.kpi} follows {link.against} {after}: {numbers}{free}"
    return f"that {link.kpi} follows {link.against} is not shown; most {after}: {numbers}{free}"
