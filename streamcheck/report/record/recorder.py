"""What does a replay remember beside its alerts? One watcher of the engine, in bounded memory, for all reports.

It looks at what the engine computes anyway and changes nothing: the alerts are the same with and without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.alerts import Change
from streamcheck.core.engine import Engine
from streamcheck.core.instances import Span
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.measures._categories import CategoryAccumulator
from streamcheck.core.measures.psi import HistogramAccumulator
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import MonitorSpec, Plan, Role, Segmentation, Target
from streamcheck.core.records import summarise
from streamcheck.core.summaries import Layout
from streamcheck.core.types import FloatArray
from streamcheck.core.watching import Step, Watcher
from streamcheck.report.record import samples
from streamcheck.report.record.ages import Ages
from streamcheck.report.record.alerts import Label
from streamcheck.report.record.bins import Bins
from streamcheck.report.record.columns import ColumnHistory
from streamcheck.report.record.evidence import Evidence, Sample, Shift
from streamcheck.report.record.labelled import LabelledHistory
from streamcheck.report.record.series import Series

SERIES_MAX = 1_000
"""Monitors times segments whose signal is kept, by first appearance: at 400 stretches of 15 numbers, 70 MB."""
HISTORIES_MAX = 500
"""Columns times segments whose content is kept: at about 100 pieces of at most 280 numbers, 110 MB."""
EVIDENCE_MAX = 300
"""Alerts whose evidence is kept, the first ones."""
BEFORE_ROWS_MIN = 1_000
BEFORE_FACTOR = 5
"""Before a change, so many times the rows since it are looked at, and BEFORE_ROWS_MIN at least."""


@dataclass(slots=True)
class LeftOut:
    """What found no place, by limit."""

    series: int = 0
    histories: int = 0
    evidence: int = 0


class Recorder(Watcher):
    """Columns and labelled rows by age and over time, the signal of every monitor, evidence of alerts.

    coverage: rows predicted and rows labelled, by the time of the prediction.
    """

    def __init__(self, engine: Engine) -> None:
        plan = self.plan = engine.plan
        self._board = engine.board
        self.series: dict[tuple[str, Label], Series] = {}
        columns = [c for c in plan.predictions.columns if c.role is not Role.LABEL]
        self.columns = {c.name: ColumnHistory(c, plan.time.pane_ms) for c in columns}
        self.labelled_rows = None if plan.task is None else LabelledHistory(plan.task, plan.time.pane_ms)
        self.coverage = Bins(plan.time.pane_ms)
        self.evidence: dict[str, Evidence] = {}
        self.left_out = LeftOut()
        self._followed = _followed(plan)
        self._normal: dict[tuple[str, Label], Any] = {}
        self._refused: set[tuple[str, Label]] = set()
        self._histories = 0
        self._pane: PaneRows | None = None
        self._labelled: LabelledPane | None = None
        self._now_ms = 0

    # ------------------------------------------------------------------ Watcher
    def pane(self, span: Span, pane: PaneRows, layouts: Mapping[str, Layout]) -> None:
        """The on-time predictions of a pane that is about to be judged."""
        self._pane, self._labelled, self._now_ms = pane, None, span.end_ms
        start_ms, end_ms = span.start_ms, span.end_ms
        times = pane.rows.times
        self.coverage.add(times, np.repeat([[1.0, 0.0]], len(times), axis=0))
        for column, by in self._followed:
            history = self.columns[column]
            layout = layouts.get(column)
            for number in pane.segments(by):
                label = () if by is None else self._board.tables[by.name].label(number)
                if not self._has_room(history, label):
                    continue
                if history.numeric:
                    summary = pane.numeric_summary(column, by, number, layout)
                    history.add_numbers(start_ms, end_ms, label, summary)
                else:
                    history.add_categories(start_ms, end_ms, label, pane.coded_summary(column, by, number))

    def labelled(self, span: Span, pane: LabelledPane) -> None:
        """Rows whose label came in this pane."""
        self._reach(span.end_ms)
        self._labelled = pane
        times = pane.joined.times
        self.coverage.add(times, np.repeat([[0.0, 1.0]], len(times), axis=0))
        assert self.labelled_rows is not None, "labelled rows belong to a task"
        numbers = {name: pane.joined.segments[at] for at, name in enumerate(pane.segmentations)}
        labels = {
            name: {number: self._board.tables[name].label(number) for number in np.unique(held).tolist()}
            for name, held in numbers.items()
        }
        self.labelled_rows.add(span.end_ms, pane, labels)

    def judged(self, step: Step) -> None:
        """A monitor has judged a signal."""
        self._reach(step.end_ms)
        key = step.spec.id, step.segment
        series = self.series.get(key)
        if series is None and len(self.series) < SERIES_MAX:
            series = self.series[key] = Series()
        if series is None:
            self._refuse(key)
        else:
            series.add(step)
        if isinstance(step.normal, HistogramAccumulator | CategoryAccumulator):
            self._normal[step.spec.column, step.segment] = step.normal

    def published(self, change: Change, alert: str, incident: str) -> None:
        """An alert has changed its state."""
        transition = change.transition
        if transition.state == "firing" and alert not in self.evidence:
            self._fired(change, alert, incident)
        elif transition.state == "resolved" and alert in self.evidence:
            self._close(self.evidence[alert], transition.end_ms)

    def ended(self) -> None:
        """The replay is over: alerts that are still open are shown as far as they came."""
        self._pane = self._labelled = None
        for evidence in self.evidence.values():
            if evidence.resolved_ms is None:
                self._close(evidence, None)

    def _reach(self, end_ms: int) -> None:
        """A pane of no predictions, or of nothing at all: the rows of the one before are not its own."""
        if self._now_ms < end_ms:
            self._pane = self._labelled = None
            self._now_ms = end_ms

    # ------------------------------------------------------------------ alerts
    def _fired(self, change: Change, alert: str, incident: str) -> None:
        if len(self.evidence) >= EVIDENCE_MAX:
            self.left_out.evidence += 1
            return
        spec, finding = change.spec, change.transition.finding
        made = self.evidence[alert] = Evidence(
            alert, incident, spec, change.segment, change.transition.end_ms, finding, summarise(change)
        )
        made.samples = self._samples(spec, change.segment, finding.direction)
        ages = self._ages(spec, change.segment)
        if ages is None:
            return
        since = ages.since(finding.change_at_ms)
        made.until_change, _ = ages.until(finding.change_at_ms, np.inf)
        wanted = max(BEFORE_ROWS_MIN, BEFORE_FACTOR * since[0] if len(since) else 0.0)
        made.before, made.before_ms = ages.until(finding.change_at_ms, wanted)
        made.normal = self._normal_counts(spec, change.segment)

    def _close(self, evidence: Evidence, at_ms: int | None) -> None:
        evidence.resolved_ms = at_ms
        ages = self._ages(evidence.spec, evidence.segment)
        if ages is not None:
            evidence.since = ages.total.copy()
            evidence.since[: len(evidence.until_change)] -= evidence.until_change
        evidence.segments = self._shifts(evidence)

    def _shifts(self, evidence: Evidence) -> tuple[Shift, ...]:
        """Every segment's part in it: of the alert's own segmentation, else of all that cut by one field."""
        change_ms, by = evidence.finding.change_at_ms, evidence.spec.by
        shifts = []
        for label, ages in self._by_segment(evidence.spec).items():
            fields = tuple(name for name, _ in label)
            wanted_here = len(fields) == 1 if by is None else fields == by.fields
            since = ages.since(change_ms)
            if wanted_here and len(since) and since[0]:
                wanted = max(BEFORE_ROWS_MIN, BEFORE_FACTOR * float(since[0]))
                shifts.append(Shift(label, ages.until(change_ms, wanted)[0], since))
        return tuple(shifts)

    def _by_segment(self, spec: MonitorSpec) -> dict[Label, Ages]:
        if spec.target is Target.LABELLED:
            return {} if self.labelled_rows is None else self.labelled_rows.ages
        return self.columns[spec.column].ages if spec.target is Target.COLUMN else {}

    def _ages(self, spec: MonitorSpec, label: Label) -> Ages | None:
        return self._by_segment(spec).get(label)

    def _normal_counts(self, spec: MonitorSpec, label: Label) -> FloatArray | None:
        """What the reference of the column's shape holds, as it is now."""
        normal = self._normal.get((spec.column, label))
        if spec.target is not Target.COLUMN or normal is None:
            return None
        if isinstance(normal, CategoryAccumulator):
            return self.columns[spec.column].mapped(normal.counts, normal.beyond)
        return None if normal.counts is None else normal.counts.astype(np.float64)

    def _samples(self, spec: MonitorSpec, label: Label, direction: int) -> tuple[Sample, ...]:
        number = 0
        if spec.by is not None:
            number = self._board.tables[spec.by.name].number(tuple(value for _, value in label))
        if spec.target is Target.LABELLED:
            by = spec.by.name if spec.by else None
            return () if self._labelled is None else samples.of_labelled(self._labelled, by, number)
        if self._pane is None or spec.target is Target.KPI:
            return ()
        return samples.of_pane(self._pane, spec, number, direction)

    # ------------------------------------------------------------------ room
    def _has_room(self, history: ColumnHistory, label: Label) -> bool:
        if label in history.ages:
            return True
        if self._histories >= HISTORIES_MAX:
            if (history.column.name, label) not in self._refused:
                self.left_out.histories += 1
                self._refused.add((history.column.name, label))
            return False
        self._histories += 1
        return True

    def _refuse(self, key: tuple[str, Label]) -> None:
        if key not in self._refused:
            self.left_out.series += 1
            self._refused.add(key)


def _followed(plan: Plan) -> list[tuple[str, Segmentation | None]]:
    """Columns and segmentations whose content is kept: all rows, then what is monitored, then what is declared."""
    names = [c.name for c in plan.predictions.columns if c.role is not Role.LABEL]
    watched = [c.name for c in plan.predictions.columns if c.role in (Role.FEATURE, Role.PREDICTION, Role.SCORE)]
    found: list[tuple[str, Segmentation | None]] = [(name, None) for name in names]
    found += [(s.column, s.by) for s in plan.monitors if s.target is Target.COLUMN and s.by is not None]
    found += [(name, by) for by in plan.segmentations if len(by.fields) == 1 for name in watched]
    return list(dict.fromkeys(found))
