"""All monitors of a plan: which instances exist, and how one pane passes through them, always in the same order."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from streamcheck.core.alerts import Change, digest
from streamcheck.core.components import State, find
from streamcheck.core.detectors.base import RowDetector
from streamcheck.core.join import Correction
from streamcheck.core.labelled import LabelledInstance, LabelledPane
from streamcheck.core.measures.base import Needs
from streamcheck.core.monitors import Instance, PaneInstance, RowInstance, Span, segment_label, steps_per_false_alarm
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Kind, MonitorSpec, Plan, Segmentation, Target, Task, Window
from streamcheck.core.qualities import labelled_readings
from streamcheck.core.readings import Reading
from streamcheck.core.segments import SegmentTable
from streamcheck.core.summaries import Layout, StreamSummary
from streamcheck.core.types import CodeArray, FloatArray
from streamcheck.core.windows import RollingWindow

LAYOUT_ROWS = 1_000
"""Values from which a column's histogram is laid out: enough for 254 quantiles to mean something."""

WindowKey = tuple[str, Window, int]


class Board:
    """The monitors of a plan, with their segments, layouts and windows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tables: dict[str, SegmentTable] = {
            s.name: SegmentTable(s, plan.limits.segments) for s in plan.segmentations
        }
        self.layouts: dict[str, Layout] = {}
        self._first_values: dict[str, list[FloatArray]] = {}
        self._instances: list[dict[int, Instance]] = [{} for _ in plan.monitors]
        self._windows: dict[WindowKey, RollingWindow] = {}
        self._touched: set[str] = set()
        self._stale: set[str] = set()
        self._exporters: dict[str, Callable[[], State]] = {}
        self._kinds = {c.name: c.kind for c in plan.predictions.columns}
        self._scored = any(c.role == "score" for c in plan.predictions.columns)
        self._laid_out = sorted(
            {
                m.column
                for m in plan.monitors
                if m.target is Target.COLUMN and m.measure is not None and self._kinds[m.column] is Kind.NUMERIC
            }
        )
        for name, table in self.tables.items():
            self._exporters[f"segments/{name}"] = table.export
        for column in self._laid_out:
            self._exporters[f"layout/{column}"] = partial(self._export_layout, column)

    # ------------------------------------------------------------------ segments
    def number_segments(self, pane: PaneRows) -> CodeArray:
        """Give each row of the pane its segment number in every segmentation: (S, n), in the order of the plan."""
        numbers = np.empty((len(self.plan.segmentations), len(pane)), np.int32)
        for place, segmentation in enumerate(self.plan.segmentations):
            table = self.tables[segmentation.name]
            before = len(table.keys), table.overflowed
            numbers[place] = table.numbers(pane.rows, pane.coded_places(segmentation.fields), pane.order)
            pane.add_segments(segmentation, numbers[place])
            if (len(table.keys), table.overflowed) != before:
                self._touched.add(f"segments/{segmentation.name}")
        return numbers

    # ------------------------------------------------------------------ one pane
    def step_rows(self, span: Span, pane: PaneRows) -> list[Change]:
        """Monitors of columns see the pane's predictions."""
        changes: list[Change] = []
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.COLUMN:
                if _is_row(spec):
                    changes += self._step_row_monitor(place, spec, span, pane)
                else:
                    changes += self._step_pane_monitor(place, spec, span, pane)
        self._lay_out(pane)
        return changes

    def step_stream(self, span: Span, summary: StreamSummary) -> list[Change]:
        """Monitors of the stream see how much arrived, also when it was nothing."""
        changes: list[Change] = []
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.STREAM:
                instance = self._pane_instance(place, spec, 0)
                changes += instance.step(span, [summary])
        return changes

    def step_labelled(self, span: Span, labelled: LabelledPane, corrections: list[Correction]) -> list[Change]:
        """Monitors of labelled rows see what the pane completed; windows take corrections in."""
        self._fill_windows(span, labelled)
        for correction in corrections:
            self._revise(correction, labelled.segmentations)
        changes: list[Change] = []
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.LABELLED:
                changes += self._step_labelled_monitor(place, spec, span, labelled)
        return changes

    def _step_row_monitor(self, place: int, spec: MonitorSpec, span: Span, pane: PaneRows) -> list[Change]:
        changes: list[Change] = []
        for number, values in pane.split(pane.select(spec.column), spec.by):
            instance = self._row_instance(place, spec, number)
            summary = (
                pane.numeric_summary(spec.column, spec.by, number, self.layouts.get(spec.column))
                if instance.standardise
                else None
            )
            changes += instance.step(span, values, summary)
        return changes

    def _step_pane_monitor(self, place: int, spec: MonitorSpec, span: Span, pane: PaneRows) -> list[Change]:
        coded, layout = pane.is_coded(spec.column), self.layouts.get(spec.column)
        changes: list[Change] = []
        for number in pane.segments(spec.by):
            instance = self._pane_instance(place, spec, number)
            if layout is None and instance.measure.needs is Needs.NUMERIC and not coded:
                continue  # no histogram yet: the signal begins once it is laid out
            summary: Any = (
                pane.coded_summary(spec.column, spec.by, number)
                if coded
                else pane.numeric_summary(spec.column, spec.by, number, layout)
            )
            changes += instance.step(span, [summary])
        return changes

    def _step_labelled_monitor(self, place: int, spec: MonitorSpec, span: Span, labelled: LabelledPane) -> list[Change]:
        by = spec.by.name if spec.by else None
        changes: list[Change] = []
        if _is_row(spec):
            for number, index in labelled.split(labelled.usable(with_score=False), by):
                rows = labelled.rows(index)
                changes += self._row_instance(place, spec, number).step(span, rows.error(), rows)
            return changes
        needs_score = find("measure", spec.measure.name).needs is Needs.LABELLED_SCORE if spec.measure else False  # type: ignore[attr-defined]
        for number, index in labelled.split(labelled.usable(with_score=needs_score), by):
            instance = self._pane_instance(place, spec, number)
            assert isinstance(instance, LabelledInstance)
            changes += instance.step_rows(span, labelled.rows(index))
        return changes

    def _lay_out(self, pane: PaneRows) -> None:
        """Columns without a histogram collect values until there are enough to lay one out."""
        for column in (name for name in self._laid_out if name not in self.layouts):
            held = self._first_values.setdefault(column, [])
            held.append(pane.select(column).values)
            if sum(map(len, held)) >= LAYOUT_ROWS:
                self.layouts[column] = Layout.build(np.concatenate(held))
                del self._first_values[column]
            self._touched.add(f"layout/{column}")

    # ------------------------------------------------------------------ windows
    def _fill_windows(self, span: Span, labelled: LabelledPane) -> None:
        filled: set[tuple[str, Window]] = set()
        index = labelled.usable(with_score=False)
        for spec in self.plan.monitors:
            if (
                spec.window is None
                or spec.target is not Target.LABELLED
                or _is_row(spec)
                or (key := (_by_name(spec), spec.window)) in filled
            ):
                continue
            filled.add(key)
            for number, rows in labelled.split(index, spec.by.name if spec.by else None):
                window = self._window(spec, number)
                window.add(labelled.joined.ordinals[rows], labelled.rows(rows), span.end_ms)
                self._touched.add(_window_key(*key, number))

    def _window(self, spec: MonitorSpec, number: int) -> RollingWindow:
        assert spec.window is not None
        assert self.plan.task is not None
        key = (_by_name(spec), spec.window, number)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = RollingWindow(spec.window, self.plan.task, scored=self._scored)
            self._exporters[_window_key(*key)] = window.export
        return window

    def _revise(self, correction: Correction, segmentations: tuple[str, ...]) -> None:
        of = {"": 0} | dict(zip(segmentations, correction.segments, strict=True))
        for key, window in self._windows.items():
            if of.get(key[0]) == key[2] and window.revise(correction.ordinal, correction.label):
                self._touched.add(_window_key(*key))

    # ------------------------------------------------------------------ instances
    def _row_instance(self, place: int, spec: MonitorSpec, number: int) -> RowInstance:
        instance = self._instances[place].get(number)
        if instance is None:
            instance = RowInstance(spec, segment_label(self._table(spec.by), number), self._standard_measure(spec))
            self._enrol(place, spec, number, instance)
        self._touched.add(_instance_key(spec, number))
        assert isinstance(instance, RowInstance)
        return instance

    def _pane_instance(self, place: int, spec: MonitorSpec, number: int) -> PaneInstance:
        instance = self._instances[place].get(number)
        if instance is None:
            instance = self._new_pane_instance(spec, number)
            self._enrol(place, spec, number, instance)
        self._touched.add(_instance_key(spec, number))
        assert isinstance(instance, PaneInstance)
        return instance

    def _enrol(self, place: int, spec: MonitorSpec, number: int, instance: Instance) -> None:
        self._instances[place][number] = instance
        mark = fingerprint(spec, self.plan)
        made_of = [part and part.name for part in (spec.detector, spec.measure, spec.reference)]
        self._exporters[_instance_key(spec, number)] = lambda: {
            "fingerprint": mark,
            "made_of": made_of,
            "instance": instance.export(),
        }

    def _standard_measure(self, spec: MonitorSpec) -> str:
        """Whose reference standardises a row detector's input."""
        if spec.target is Target.COLUMN:
            return "mean"
        return "mae" if self.plan.task is Task.REGRESSION else "error_rate"

    def _new_pane_instance(self, spec: MonitorSpec, number: int) -> PaneInstance:
        label = segment_label(self._table(spec.by), number)
        arl = steps_per_false_alarm(spec, self.plan.budget, self.plan.time, number)
        if spec.target is Target.LABELLED:
            return LabelledInstance(spec, label, arl, self._window(spec, number) if spec.window else None)
        return PaneInstance(spec, label, arl)

    def _table(self, by: Segmentation | None) -> SegmentTable | None:
        return None if by is None else self.tables[by.name]

    def instances(self) -> Iterator[Instance]:
        """All instances, in the order of the plan and of their segments."""
        for members in self._instances:
            for number in sorted(members):
                yield members[number]

    # ------------------------------------------------------------------ shown
    def readings(self) -> tuple[Reading, ...]:
        """Every monitor and segment, now."""
        plain = [i.reading() for i in self.instances() if not isinstance(i, LabelledInstance) or i.window is None]
        windowed = [i for i in self.instances() if isinstance(i, LabelledInstance) and i.window is not None]
        return (*plain, *labelled_readings(windowed, self.plan.task, scored=self._scored))

    def overflowed(self) -> int:
        """Rows that the limit on segments has sent to `__other__`."""
        return sum(table.overflowed for table in self.tables.values())

    # ------------------------------------------------------------------ state
    def take_changes(self) -> dict[str, State]:
        """The parts of the state that changed since the last call, by key."""
        keys, self._touched = sorted(self._touched), set()
        return {key: self._exporters[key]() for key in keys}

    def take_stale(self) -> frozenset[str]:
        """Keys of the restored state that belong to no monitor of this config any more, once."""
        stale, self._stale = frozenset(self._stale), set()
        return stale

    def _export_layout(self, column: str) -> State:
        layout = self.layouts.get(column)
        held = self._first_values.get(column, [])
        return {
            "layout": None if layout is None else layout.export(),
            "first_values": np.concatenate(held) if held else np.empty(0),
        }

    def restore(self, states: dict[str, State]) -> list[str]:
        """Continue where the exported parts stood. Returns monitors that start afresh because their config changed."""
        for name, table in self.tables.items():
            if f"segments/{name}" in states:
                table.restore(states[f"segments/{name}"])
        for column in self._laid_out:
            state = states.get(f"layout/{column}")
            if state is not None and state["layout"] is not None:
                self.layouts[column] = Layout.restore(state["layout"])
            elif state is not None:
                self._first_values[column] = [np.asarray(state["first_values"])]
        restarted = [
            spec.id for place, spec in enumerate(self.plan.monitors) if not self._restore_monitor(place, spec, states)
        ]
        # What is left of changed and removed monitors must go: found at the next restart, it would restart them again.
        self._stale = states.keys() - self._exporters.keys()
        return restarted

    def _restore_monitor(self, place: int, spec: MonitorSpec, states: dict[str, State]) -> bool:
        prefix = f"monitor/{spec.id}/"
        mine = {
            int(key[len(prefix) :]): state
            for key, state in states.items()
            if key.startswith(prefix) and key[len(prefix) :].isdigit()
        }
        if any(state["fingerprint"] != fingerprint(spec, self.plan) for state in mine.values()):
            return False
        for number, state in sorted(mine.items()):
            if spec.window is not None and spec.target is Target.LABELLED and not _is_row(spec):
                window = states.get(_window_key(_by_name(spec), spec.window, number))
                if window is not None and (_by_name(spec), spec.window, number) not in self._windows:
                    self._window(spec, number).restore(window)
            instance = (
                self._row_instance(place, spec, number) if _is_row(spec) else self._pane_instance(place, spec, number)
            )
            instance.restore(state["instance"])
        return True


def fingerprint(spec: MonitorSpec, plan: Plan) -> str:
    """Changes when anything changes that gives a monitor's state its meaning.

    Its owner and runbook do not, nor does its share of the budget: that only moves the threshold of what is measured.
    """
    return digest(
        spec.target,
        spec.column,
        spec.detector,
        spec.measure,
        spec.by,
        spec.block_rows,
        spec.reference,
        plan.time.pane_ms,
    )


def _instance_key(spec: MonitorSpec, number: int) -> str:
    return f"monitor/{spec.id}/{number}"


def _window_key(by: str, window: Window, number: int) -> str:
    size = f"rows{window.rows}" if window.rows else f"span{window.span_ms}"
    return f"window/{by}/{size}/{number}"


def _by_name(spec: MonitorSpec) -> str:
    return spec.by.name if spec.by else ""


def _is_row(spec: MonitorSpec) -> bool:
    return issubclass(find("detector", spec.detector.name), RowDetector)
