"""All monitors of a plan: which instances exist, and how one pane passes through them, always in the same order."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from streamcheck.core.abreast import Abreast
from streamcheck.core.alerts import Change
from streamcheck.core.between import BetweenInstance
from streamcheck.core.chances import Chances
from streamcheck.core.components import State, find
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.estimates import EstimatedInstance, GapInstance
from streamcheck.core.instances import Instance, Span
from streamcheck.core.joining import Correction
from streamcheck.core.keys import (
    fingerprint,
    hears,
    instance_key,
    is_row,
    roll_key,
    standard_measure,
    watched_together,
    windowed,
)
from streamcheck.core.kpi import KpiLink
from streamcheck.core.labelled import LabelledInstance, LabelledPane
from streamcheck.core.layouts import Layouts
from streamcheck.core.making import pane_instance
from streamcheck.core.measures.base import Needs
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.paired import Paired
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Between, MonitorSpec, Plan, Segmentation, Target
from streamcheck.core.pool import Pool
from streamcheck.core.profiles import fill, key_of
from streamcheck.core.qualities import labelled_readings
from streamcheck.core.readings import Reading
from streamcheck.core.relaying import Relaying
from streamcheck.core.rolls import Rolls
from streamcheck.core.room import Room
from streamcheck.core.row_monitors import RowInstance
from streamcheck.core.segments import SegmentTable, number_segments, segment_label
from streamcheck.core.shown import SHOWN_MAX, most_shown
from streamcheck.core.silences import Silences
from streamcheck.core.stepping import Stepping
from streamcheck.core.summaries import EstimatedPane, StreamSummary
from streamcheck.core.types import CodeArray, SourcePartition
from streamcheck.core.versus import Versus
from streamcheck.core.watching import Watcher
from streamcheck.core.window_set import Parts, Windows, may_grow

SILENCES = "stream/silences"


class Board:
    """The monitors of a plan, with their segments, layouts and windows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.room = Room(plan.limits.monitor_bytes)
        self.notes: list[str] = []  # what there is to be told beside alerts, since it was taken last
        self.tables: dict[str, SegmentTable] = {
            s.name: SegmentTable(s, plan.limits.segments) for s in plan.segmentations
        }
        self._instances: list[dict[int, Instance]] = [{} for _ in plan.monitors]
        self._by_row = [is_row(spec) for spec in plan.monitors]
        self._rolls = Rolls(plan, self.tables)
        self._bank = Bank()
        self._abreast = Abreast(self._bank)
        self._touched, self._stale = set[str](), set[str]()
        self._exporters: dict[str, Callable[[], State]] = {}
        self.watcher: Watcher | None = None
        self.judged: list[Instance] = []  # who has judged something in the pane that closes
        self.cut_categories = self.hidden = 0  # how many instances `readings` has left out at most
        self._sizes: dict[int, tuple[int, int]] = {}
        """Of one instance of each monitor and of its empty reference, by its place in the plan: once there is one."""
        self._chances = Chances(plan, self.room, self._exporters, self._touched)
        self.pool = Pool(plan, self.tables, self.room, self._exporters, self._touched)
        self.versus = Versus(plan, self.tables, self.room, self._exporters, self._touched)
        self.paired = Paired(plan, self.tables, self.room, self._exporters, self._touched)
        self.link = KpiLink(plan, self._exporters, self._touched)
        self._scored = any(c.role == "score" for c in plan.predictions.columns)
        self._windows = Windows(plan, self.room, Parts(self._exporters, self._touched), scored=self._scored)
        self._layouts = Layouts.of(plan)
        self._relaying = Relaying(plan, self._layouts, self.instances)
        self.layouts = self._layouts.ready
        tables = {f"segments/{name}": table.export for name, table in self.tables.items()}
        self._exporters |= tables | self._layouts.exporters()
        self.watches_freshness = any(m.measure is not None and m.measure.name == "freshness" for m in plan.monitors)
        self._silences = Silences()
        if self.watches_freshness:
            self._exporters[SILENCES] = self._silences.export

    # ------------------------------------------------------------------ segments
    def number_segments(self, pane: PaneRows) -> CodeArray:
        """Give each row of the pane its segment number in every segmentation: (S, n), in the order of the plan."""
        return number_segments(self.plan.segmentations, self.tables, pane, self._touched)

    # ------------------------------------------------------------------ one pane
    def step_rows(self, span: Span, pane: PaneRows) -> list[Change]:
        """Monitors of columns see the pane's predictions."""
        stepping, estimated = Stepping(span, self._abreast), None
        for place, (spec, by_row) in enumerate(zip(self.plan.monitors, self._by_row, strict=True)):
            if spec.target is Target.COLUMN and by_row:
                stepping.put(self._step_row_monitor(place, spec, span, pane))
            elif spec.target is Target.COLUMN:
                self._add_pane_monitor(place, spec, pane, stepping)
            elif spec.target is Target.FEATURES and not self._layouts.lack(together := watched_together(self.plan)):
                self._add_once(place, spec, pane.features_summary(together, self.layouts), stepping)
            elif spec.target is Target.ESTIMATED:
                estimated = self._chances.fold(pane) if estimated is None else estimated
                self._add_estimated(place, spec, pane, estimated, stepping)
        changes = stepping.finish()
        self.link.see(span, estimated, self.judged)
        self._call_rolls(Target.COLUMN)
        self._call_rolls(Target.ESTIMATED)
        self._touched |= self._relaying.add(span, pane)
        self.cut_categories += pane.overflowed
        return changes

    def _add_once(self, place: int, spec: MonitorSpec, summary: object, stepping: Stepping) -> None:
        instance = self._pane_instance(place, spec, 0)
        if instance is not None:
            stepping.add(instance, [summary])

    def _add_estimated(
        self, place: int, spec: MonitorSpec, pane: PaneRows, estimated: EstimatedPane, stepping: Stepping
    ) -> None:
        summaries = estimated.summaries(*pane.grouping(spec.by))
        for number, summary in zip(pane.segments(spec.by), summaries, strict=True):
            instance = self._pane_instance(place, spec, number)
            if instance is not None and summary.rows:
                assert isinstance(instance, EstimatedInstance)
                instance.see(summary)
                stepping.add(instance, [summary])

    def step_stream(self, span: Span, summary: StreamSummary, heard: Iterable[SourcePartition] = ()) -> list[Change]:
        """Monitors of the stream see how much arrived, also when it was nothing. heard: partitions with rows."""
        if self.watches_freshness:
            summary = replace(summary, silences=self._silences.step(span.start_ms, span.end_ms, heard))
            self._touched.add(SILENCES)
        stepping = Stepping(span, self._abreast)
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.STREAM and hears(spec.measure, summary):
                self._add_once(place, spec, summary, stepping)
        return stepping.finish()

    def step_kpi(self, span: Span, pane: PaneRows) -> list[Change]:
        """Monitors of the KPI see its values of the pane."""
        stepping, summary = Stepping(span, self._abreast), self.link.take(span, pane)
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.KPI:
                self._add_once(place, spec, summary, stepping)
        return stepping.finish()

    def step_labelled(self, span: Span, labelled: LabelledPane, corrections: list[Correction]) -> list[Change]:
        """Monitors of labelled rows see what the pane completed; windows take corrections in."""
        self._windows.fill(span.end_ms, labelled)
        for correction in corrections:
            self._windows.revise(correction, labelled.segmentations)
        stepping = Stepping(span, self._abreast)
        for place, spec in enumerate(self.plan.monitors):
            if spec.target is Target.LABELLED:
                self._add_labelled_monitor(place, spec, span, labelled, stepping)
        changes = stepping.finish()
        for follower in (self._chances, self.pool, self.versus, self.link):
            follower.add(labelled)
        self._call_rolls(Target.LABELLED)
        return changes

    def _step_row_monitor(self, place: int, spec: MonitorSpec, span: Span, pane: PaneRows) -> list[Change]:
        changes, layout = list[Change](), self.layouts.get(spec.column)
        for number, values in pane.split(pane.select(spec.column), spec.by):
            instance = self._row_instance(place, spec, number)
            if instance is None:
                continue
            known = instance.calibration is not None
            summary = pane.numeric_summary(spec.column, spec.by, number, layout) if known else None
            changes += instance.step(span, values, summary, layout)
        return changes

    def _add_pane_monitor(self, place: int, spec: MonitorSpec, pane: PaneRows, stepping: Stepping) -> None:
        layout = self.layouts.get(spec.column)
        for number in pane.segments(spec.by):
            instance = self._pane_instance(place, spec, number)
            if instance is None:
                continue
            needs = instance.measure.needs
            waits = layout is None and needs in (Needs.NUMERIC, Needs.VALUES) and instance.normal is not None
            if not waits or pane.is_coded(spec.column):  # no histogram yet: the signal begins once it is laid out
                stepping.add(instance, [pane.look(needs, spec.column, spec.by, number, layout)])

    def _add_labelled_monitor(
        self, place: int, spec: MonitorSpec, span: Span, labelled: LabelledPane, stepping: Stepping
    ) -> None:
        if spec.between is not None:
            self._add_between(place, spec, spec.between, labelled, stepping)
            return
        by = spec.by.name if spec.by else None
        if is_row(spec):
            for number, index in labelled.split(by, with_score=False):
                row_instance = self._row_instance(place, spec, number)
                if row_instance is not None:
                    rows = labelled.rows(index)
                    stepping.put(row_instance.step(span, rows.error(), rows))
            return
        needs_score = find("measure", spec.measure.name).needs is Needs.LABELLED_SCORE if spec.measure else False  # type: ignore[attr-defined]
        for number, index in labelled.split(by, with_score=needs_score):
            instance = self._pane_instance(place, spec, number)
            if instance is None:
                continue
            assert isinstance(instance, LabelledInstance)
            if instance.on_window:
                stepping.put(instance.step_window(span))
            else:
                rows = self._chances.calibrated(labelled, index) if instance.calibrated else labelled.rows(index)
                stepping.add(instance, instance.blocks(rows))

    def _add_between(
        self, place: int, spec: MonitorSpec, between: Between, labelled: LabelledPane, stepping: Stepping
    ) -> None:
        name = between.segmentation.name
        rows = dict(labelled.split(name, with_score=False))
        numbers = [self.tables[name].known((value,)) for value in (between.first, between.second)]
        sides = [labelled.rows(rows[number]) if number is not None and number in rows else None for number in numbers]
        instance = self._pane_instance(place, spec, 0) if any(side is not None for side in sides) else None
        if instance is not None:
            assert isinstance(instance, BetweenInstance)
            stepping.add(instance, instance.take(*sides))

    # ------------------------------------------------------------------ instances
    def _row_instance(self, place: int, spec: MonitorSpec, number: int) -> RowInstance | None:
        instance = self._instance(place, spec, number)
        assert instance is None or isinstance(instance, RowInstance)
        return instance

    def _pane_instance(self, place: int, spec: MonitorSpec, number: int) -> PaneInstance | None:
        instance = self._instance(place, spec, number)
        assert instance is None or isinstance(instance, PaneInstance)
        return instance

    def _instance(self, place: int, spec: MonitorSpec, number: int, *, known: bool = False) -> Instance | None:
        """The segment's monitor; None where there is no room for one. known: it comes from a saved state."""
        instance = self._instances[place].get(number)
        if instance is None:
            instance = self._new_instance(place, spec, number, known=known)
            if instance is None:
                return None
            self._enrol(place, spec, number, instance)
        self._touched.add(instance.key)
        return instance

    def _new_instance(self, place: int, spec: MonitorSpec, number: int, *, known: bool) -> Instance | None:
        sizes = self._sizes.get(place)
        if sizes is not None and not may_grow(self.room, *sizes, known=known):
            return None
        window = self._windows.of(spec, number, known=known) if windowed(spec) else None
        if windowed(spec) and window is None:
            self.room.give(0 if sizes is None else sizes[0])
            return None
        label = segment_label(self._table(spec.by), number)
        grant = self._rolls.grant(spec, number, label)
        if is_row(spec):
            standard = standard_measure(spec, self.plan)
            instance: Instance = RowInstance(spec, label, standard, self.room, self.plan.timing, grant)
        else:
            instance = pane_instance(spec, label, grant, self.room, self.plan.timing, self._bank, window)
        if sizes is None:  # the monitor's first, which is for all rows or the first segment: it is always there
            normal = instance.normal
            self._sizes[place] = instance.held_bytes, 0 if normal is None else normal.reference.held_bytes
            self.room.force(self._sizes[place][0])
        return instance

    def _enrol(self, place: int, spec: MonitorSpec, number: int, instance: Instance) -> None:
        self._instances[place][number], instance.watcher = instance, self.watcher
        instance.notes, instance.judged, instance.renewed = self.notes, self.judged, self._relaying.renewed
        instance.key = instance_key(spec, number)
        fill(instance, self.plan.profiles)
        mark = fingerprint(spec, self.plan)
        made_of = [part and part.name for part in (spec.detector, spec.measure, spec.reference)]
        self._exporters[instance_key(spec, number)] = lambda: {
            "fingerprint": mark,
            "made_of": made_of,
            "instance": instance.export(),
        }

    def _call_rolls(self, target: Target) -> None:
        """Once a first segment's reference is ready, it is settled who shares the monitor's part of the budget."""
        for spec, members in zip(self.plan.monitors, self._instances, strict=True):
            if spec.target is target and self._rolls.due(spec, members):
                self._rolls.call(spec, members)
                self._keep_roll(spec)
                self._touched.add(roll_key(spec))

    def _keep_roll(self, spec: MonitorSpec) -> None:
        mark = fingerprint(spec, self.plan)
        self._exporters[roll_key(spec)] = lambda: {"fingerprint": mark, "roll": self._rolls.export(spec)}

    def _table(self, by: Segmentation | None) -> SegmentTable | None:
        return None if by is None else self.tables[by.name]

    def mark(self, changed: Iterable[Instance]) -> None:
        """These have changed beside a pane."""
        touched = list(changed)
        self._touched |= {instance.key for instance in touched} | self._relaying.doubt()
        if any(isinstance(each, GapInstance) and each.anew for each in touched):
            self._chances.forget()

    def instances(self) -> Iterator[Instance]:
        """All instances, in the order of the plan and of their segments."""
        for members in self._instances:
            for number in sorted(members):
                yield members[number]

    # ------------------------------------------------------------------ shown
    def readings(self) -> tuple[Reading, ...]:
        """Every monitor and segment, now."""
        shown = self._shown()
        own_way = (LabelledInstance, EstimatedInstance)
        plain = [self._reading(i) for i in shown if not isinstance(i, own_way) or isinstance(i, GapInstance)]
        windowed = [i for i in shown if isinstance(i, LabelledInstance) and i.window is not None]
        behind, waits = self._chances.knows(), self._chances.status()
        guesses = [r for i in shown if isinstance(i, EstimatedInstance) for r in i.readings(behind, waits)]
        return (*plain, *guesses, *labelled_readings(windowed, self.plan.task, scored=self._scored))

    def _reading(self, instance: Instance) -> Reading:
        """One of them; where its column has no histogram yet, its reference has not begun."""
        reading, column = instance.reading(), instance.spec.column
        key = key_of(instance)
        needs = None if key is None else find("measure", key.measure).needs  # type: ignore[attr-defined]
        waits = self._layouts.waits(column) if needs in (Needs.NUMERIC, Needs.VALUES) else None
        return reading if waits is None else replace(reading, status=waits)

    def _shown(self) -> list[Instance]:
        """All instances; where they are too many, those with an alert and those of the first segments."""
        self.hidden = max(self.hidden, sum(map(len, self._instances)) - SHOWN_MAX)
        return most_shown(self._instances, SHOWN_MAX)

    def unlaid(self) -> list[str]:
        """Numeric columns that are watched and have no histogram yet."""
        return [column for column in self._layouts.columns if column not in self.layouts]

    def widened(self) -> list[str]:
        """Numeric columns whose histogram was laid out for a wider range while normal was learned."""
        return self._layouts.widened

    def cut_windows(self) -> int:
        """Rows that left a window by time before their time."""
        return self._windows.cut()

    def overflowed(self) -> int:
        """Rows that the limit on segments has sent to `__other__`."""
        return sum(table.overflowed for table in self.tables.values())

    # ------------------------------------------------------------------ state
    def take_changes(self) -> dict[str, Callable[[], State]]:
        """The parts of the state that changed since the last call, by key: what gives them."""
        keys = sorted(self._touched)
        self._touched.clear()
        return {key: self._exporters[key] for key in keys}

    def take_stale(self) -> frozenset[str]:
        """Keys of the restored state that belong to no monitor of this config any more, once."""
        stale, self._stale = frozenset(self._stale), set()
        return stale

    def restore(self, states: Mapping[str, State]) -> list[str]:
        """Continue where the exported parts stood. Returns monitors that start afresh because their config changed."""
        for name, table in self.tables.items():
            if f"segments/{name}" in states:
                table.restore(states[f"segments/{name}"])
        self._layouts.restore(states)
        for follower in (self._chances, self.pool, self.versus, self.paired, self.link):
            follower.restore(states)
        if self.watches_freshness and SILENCES in states:
            self._silences.restore(states[SILENCES])
        restarted = [
            spec.id for place, spec in enumerate(self.plan.monitors) if not self._restore_monitor(place, spec, states)
        ]
        # What is left of changed and removed monitors must go: found at the next restart, it would restart them again.
        self._stale = states.keys() - self._exporters.keys()
        return restarted

    def _restore_monitor(self, place: int, spec: MonitorSpec, states: Mapping[str, State]) -> bool:
        prefix = f"monitor/{spec.id}/"
        ends = (key.removeprefix(prefix) for key in states if key.startswith(prefix))
        mine = sorted(int(end) for end in ends if end.isdigit())
        mark = fingerprint(spec, self.plan)
        if any(states[f"{prefix}{number}"]["fingerprint"] != mark for number in mine):
            return False
        if windowed(spec):
            self._windows.restore(spec, states)
        if roll_key(spec) in states and states[roll_key(spec)]["fingerprint"] == mark:
            self._rolls.restore(spec, states[roll_key(spec)]["roll"])
            self._keep_roll(spec)
        for number in mine:
            instance = self._instance(place, spec, number, known=True)
            assert instance is not None, f"{prefix}{number} was there"
            instance.restore(states[f"{prefix}{number}"]["instance"])
        return True
