"""What a replay shows beside its alerts: series of monitors, columns over time, labels. In bounded memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamcheck.core.alerts import Change, alert_id
from streamcheck.core.engine import Engine
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.monitors import Instance, Span
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Role, Target
from streamcheck.core.summaries import Layout
from streamcheck.core.watching import Step
from streamcheck.report.columns import ColumnHistory
from streamcheck.report.labels import LabelledHistory
from streamcheck.report.series import Series

SERIES_MAX = 300
"""Monitors times segments of which the course is kept, by first appearance: at 40 kB each, 12 MB."""
SAMPLES_MAX = 5
SAMPLED_MAX = 10_000
_NONE = float("nan")
_SHOWN = (Role.FEATURE, Role.PREDICTION, Role.SCORE)

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


class Trace:
    """A core Watcher that remembers what charts need. series_left_out: monitors and segments beyond SERIES_MAX."""

    def __init__(self, engine: Engine) -> None:
        plan = self._plan = engine.plan
        self._board = engine.board
        self._series: dict[SeriesKey, tuple[Instance, Series]] = {}
        self._left_out: dict[SeriesKey, None] = {}
        columns = [column for column in plan.predictions.columns if column.role in _SHOWN]
        self._columns = [ColumnHistory(column, plan.time.pane_ms) for column in columns]
        self._labelled = LabelledHistory(plan.segmentations, plan.task)
        self._pane: PaneRows | None = None
        self.samples: dict[str, list[list[Any]]] = {}
        """Of each alert that fired, by its id: topic, partition and offset of the first rows of the pane."""

    def pane(self, span: Span, pane: PaneRows, layouts: Mapping[str, Layout]) -> None:
        """Every column of the pane."""
        self._pane = pane
        for history in self._columns:
            name = history.column.name
            coded = pane.is_coded(name) and history.column.kind != "binary"
            summary = (
                pane.coded_summary(name, None, 0) if coded else pane.numeric_summary(name, None, 0, layouts.get(name))
            )
            history.add(span.start_ms, summary)

    def labelled(self, span: Span, pane: LabelledPane) -> None:
        """Rows with their label."""
        self._labelled.add(span.end_ms, pane)

    def judged(self, step: Step) -> None:
        """Single signals are in the course of their monitor."""

    def published(self, change: Change, alert: str, incident: str) -> None:
        """Alerts are in the history."""

    def stepped(self, span: Span, instance: Instance, changes: Sequence[Change]) -> None:
        """One point of the monitor's course; and which rows were there when an alert fired."""
        key = (instance.spec.id, instance.segment)
        held = self._series.get(key)
        if held is None and len(self._series) < SERIES_MAX:
            held = self._series[key] = (instance, Series())
        if held is None:
            if len(self._left_out) < SAMPLED_MAX:
                self._left_out[key] = None
        else:
            shown = (instance.level, instance.baseline, instance.score, instance.threshold)
            value, reference, score, threshold = (_NONE if number is None else number for number in shown)
            held[1].add(span.end_ms, instance.rows, (value, reference, score, threshold))
        for change in changes:
            if change.transition.state == "firing" and instance.spec.target is Target.COLUMN:
                self._sample(instance, change)

    def _sample(self, instance: Instance, change: Change) -> None:
        if self._pane is None or len(self.samples) >= SAMPLED_MAX:
            return
        spec = instance.spec
        values = tuple(value for _, value in instance.segment)
        number = self._board.tables[spec.by.name].number(values) if spec.by else 0
        rows = self._pane.positions(spec.by, number, SAMPLES_MAX)
        key = alert_id(self._plan.name, spec.id, instance.segment, change.transition.opened_ms)
        self.samples[key] = [[source.topic, source.partition, offset] for source, offset in rows]

    # ------------------------------------------------------------------ for JSON
    def export(self) -> dict[str, Any]:
        """Everything, as JSON holds it; times in ms since 1970."""
        series = [
            {
                "monitor": instance.spec.id,
                "column": instance.spec.column,
                "segment": dict(instance.segment),
                "measure": instance.spec.measure.name if instance.spec.measure else None,
                "detector": instance.spec.detector.name,
                "noun": instance.noun,
                "status": instance.status(),
                **points.export(),
            }
            for instance, points in self._series.values()
        ]
        return {
            "series": series,
            "series_left_out": len(self._left_out),
            "columns": [history.export() for history in self._columns],
            "labelled": self._labelled.export(self._board),
        }
