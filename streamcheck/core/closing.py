"""What happens to one pane when it closes.

Rows into canonical order, labels to predictions, everything to the monitors.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.alerts import Change
from streamcheck.core.board import Board
from streamcheck.core.buffers import PaneBuffer
from streamcheck.core.components import State
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.instances import Span
from streamcheck.core.join import CONTENT, Join
from streamcheck.core.joining import UNUSABLE, Correction, Joined, Labels, Predictions, first_of_each
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.pace import Pace
from streamcheck.core.panes import PaneRows
from streamcheck.core.partitions import Partition
from streamcheck.core.plan import Column, Kind, Plan, Role, Target
from streamcheck.core.readings import JoinPlaces, JoinReading
from streamcheck.core.remembering import Memory
from streamcheck.core.rows import Rows, concatenate, occurring
from streamcheck.core.shadow import Labelled, Shadow, Telling
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import CodeArray, FieldStatus, FloatArray, IntArray, KeyArray, SourcePartition, StreamRole

CLASSES_MAX = 1_000
"""Distinct classes of a multiclass model.

A prediction beyond them is never right (code -1), a label beyond them code -2.
"""


class Met(NamedTuple):
    """Rows that a pane completed, labels that it corrected; predictions that came, and those whose id had come.

    matched, expired: predictions that met their label, or will not any more; keys: of the joined rows' ids, where a
    challenger is to be compared on them.
    """

    joined: Joined
    corrections: list[Correction]
    identified: int = 0
    repeated: int = 0
    matched: int = 0
    expired: int = 0
    keys: KeyArray = NO_KEYS


class Closing:
    """Feeds closed panes to the join and to the board of monitors."""

    def __init__(self, plan: Plan, board: Board) -> None:
        self.plan = plan
        self.board = board
        self.shadow = Shadow(plan.shadow_rules.join, len(plan.segmentations)) if plan.shadow_rules is not None else None
        joining = Join if self.shadow is None else Telling
        self.join = joining(plan.join, len(plan.segmentations), plan.limits.segments) if plan.join is not None else None
        self.watches_silence = any(m.target is Target.STREAM for m in plan.monitors)
        self.pace = Pace(plan.time.pane_ms)
        self.memory: Memory | None = None
        """What is remembered for pages; None where nothing is."""
        self._classes: dict[str, int] = {}
        self.overflowed = 0
        """Classes beyond CLASSES_MAX, once for each pane in which they came."""
        self._ordinal = 0  # of labelled rows, where labels sit in the prediction event
        self._prediction = _place(plan, Role.PREDICTION)
        self._score = _place(plan, Role.SCORE)
        self._label = _place(plan, Role.LABEL)
        self._deltas: dict[str, dict[int, State]] = {name: {} for name in self.joins}
        self._uncommitted = 0

    def step(self, span: Span, buffers: Sequence[tuple[Partition, PaneBuffer]], *, complete: bool) -> list[Change]:
        """One pane with events.

        complete: nothing more could have come (a pane cut off by the end of a file says nothing of volume).
        """
        predictions = self._parts(buffers, StreamRole.PREDICTIONS)
        pane = PaneRows(self.plan.predictions, predictions) if predictions else None
        del predictions  # the pane has copied them: up to limits.pane_memory for each source partition
        self.pace.add(span.start_ms, 0 if pane is None else len(pane))
        segments = self.board.number_segments(pane) if pane is not None else None
        if self.board.watcher is not None and pane is not None:
            self.board.watcher.pane(span, pane, self.board.layouts)
        if self.memory is not None and pane is not None:
            self.memory.rows(span, pane, self.board.layouts)
        changes = self.board.step_rows(span, pane) if pane is not None else []
        met = self._meet(span, self.join, pane, segments, buffers) if self.join is not None else None
        if complete and self.watches_silence:
            heard = [p.source for p, b in buffers if p.role is StreamRole.PREDICTIONS and (b.n_rows or b.late)]
            changes += self.board.step_stream(span, _stream_summary(span, buffers, pane, met), heard)
        completed, keys = None, NO_KEYS
        if met is not None:
            completed, keys = met.joined, met.keys
            changes += self._labelled(span, completed, met.corrections)
        elif self._label is not None and pane is not None:
            assert segments is not None
            completed, keys = self._inline(pane, segments)
            changes += self._labelled(span, completed, [])
        if self.shadow is not None:
            self._compare(span, self.shadow, completed, keys, self._parts(buffers, StreamRole.SHADOW))
        if self.plan.kpi is not None and (values := self._parts(buffers, StreamRole.KPI)):
            changes += self.board.step_kpi(span, PaneRows(self.plan.kpi, values))
        return changes

    def step_empty(self, span: Span) -> list[Change]:
        """One pane without events."""
        return self.board.step_stream(span, StreamSummary(0, 0, 0, span_ms=span.end_ms - span.start_ms))

    def _parts(
        self, buffers: Sequence[tuple[Partition, PaneBuffer]], role: StreamRole
    ) -> list[tuple[SourcePartition, Rows]]:
        parts = []
        for partition, buffer in buffers:
            rows = buffer.on_time.take() if partition.role is role else None
            if rows is not None:
                parts.append((partition.source, rows))
        return parts

    # ------------------------------------------------------------------ labels
    def _late(self, buffers: Sequence[tuple[Partition, PaneBuffer]]) -> PaneRows | None:
        """Predictions that came late to earlier panes."""
        parts = [(p.source, rows) for p, b in buffers if (rows := b.late_rows.take()) is not None]
        return PaneRows(self.plan.predictions, parts) if parts else None

    def _meet(
        self,
        span: Span,
        join: Join,
        pane: PaneRows | None,
        segments: CodeArray | None,
        buffers: Sequence[tuple[Partition, PaneBuffer]],
    ) -> Met | None:
        """The rows that the pane completes; None where nothing of it can meet."""
        labels, late = self._parts(buffers, StreamRole.LABELS), self._late(buffers)
        if pane is None and not labels and late is None:
            return None
        before = join.reading()
        entering = self._entering(pane, segments, late)
        known = self._labels(labels)
        joined, corrections, delta = join.step(span.end_ms, entering, known)
        if any(len(delta[part]) for part in CONTENT):
            self._deltas["join"][span.end_ms] = delta
        self._uncommitted += len(entering.keys) + len(known.keys)
        after = join.reading()
        repeated = after.predictions_duplicate - before.predictions_duplicate
        matched = after.predictions_matched - before.predictions_matched
        expired = after.predictions_expired - before.predictions_expired
        keys = join.completed if isinstance(join, Telling) else NO_KEYS
        return Met(joined, corrections, len(entering.keys), repeated, matched, expired, keys)

    def _entering(self, pane: PaneRows | None, segments: CodeArray | None, late: PaneRows | None) -> Predictions:
        """The pane's predictions in canonical order: on time, then those that came late to earlier panes."""
        blocks = []
        if pane is not None:
            assert segments is not None
            rows = pane.rows
            blocks.append(self._block(rows, pane.order, segments))
        if late is not None:
            blocks.append(self._block(late.rows, late.order, self.board.number_segments(late)))
        if not blocks:
            n = len(self.plan.segmentations)
            return Predictions(NO_KEYS, np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty((n, 0), np.int32))
        if len(blocks) == 1:
            return blocks[0]
        return Predictions(
            np.concatenate([b.keys for b in blocks]),
            np.concatenate([b.value for b in blocks]),
            np.concatenate([b.score for b in blocks]),
            np.concatenate([b.times for b in blocks]),
            np.concatenate([b.segments for b in blocks], axis=1),
        )

    def _block(self, rows: Rows, order: np.ndarray[tuple[int], np.dtype[np.int64]], segments: CodeArray) -> Predictions:
        value = self._column(rows, self._prediction, missing_class=-1)[order]
        score = self._column(rows, self._score, missing_class=-1)[order]
        return Predictions(rows.keys.take(order, axis=0), value, score, rows.times[order], segments.take(order, axis=1))

    def _labels(self, parts: list[tuple[SourcePartition, Rows]]) -> Labels:
        if not parts:
            return Labels(NO_KEYS, np.empty(0))
        assert self.plan.labels is not None
        rows, order = _in_order(parts)
        column = self.plan.labels.columns[0]
        value = self._column(rows, (column, 0), missing_class=-2)[order]
        return Labels(rows.keys[order], value)

    def _compare(
        self,
        span: Span,
        shadow: Shadow,
        completed: Joined | None,
        keys: KeyArray,
        parts: list[tuple[SourcePartition, Rows]],
    ) -> None:
        """Rows that the pane completed, of which the champion said something, and what the challenger said."""
        if completed is None and not parts:
            return
        n = len(self.plan.segmentations)
        rows = Labelled(np.empty(0, np.int64), np.empty((2, 0)), np.empty((n, 0), np.int32))
        if completed is not None:
            usable = np.flatnonzero(completed.prediction != UNUSABLE)
            rows, keys = Labelled.of(completed).take(usable), keys[usable]
        pairs, delta = shadow.meet(span.end_ms, self._said(parts), rows, keys)
        if any(len(delta[part]) for part in CONTENT):
            self._deltas["shadow"][span.end_ms] = delta
        self._uncommitted += len(rows.numbers) + sum(len(part) for _, part in parts)
        self.board.paired.add(pairs)

    def _said(self, parts: list[tuple[SourcePartition, Rows]]) -> Predictions:
        """What the challenger said, in canonical order."""
        if not parts:
            return Predictions(NO_KEYS, np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty((0, 0), np.int32))
        assert self.plan.shadow is not None
        rows, order = _in_order(parts)
        value = self._column(rows, (self.plan.shadow.columns[0], 0), missing_class=-3)[order]
        nothing = np.full(len(order), UNUSABLE), rows.times[order], np.empty((0, len(order)), np.int32)
        return Predictions(rows.keys[order], value, *nothing)

    def _inline(self, pane: PaneRows, segments: CodeArray) -> tuple[Joined, KeyArray]:
        """Labels inside the prediction event: rows are complete as they come. Their ids' keys, where they have ids."""
        label = self._column(pane.rows, self._label, missing_class=-2)[pane.order]
        at = np.flatnonzero(label != UNUSABLE)
        order = pane.order[at]
        ordinals = np.arange(self._ordinal, self._ordinal + len(at))
        self._ordinal += len(at)
        value, score = (self._column(pane.rows, c, missing_class=-1)[order] for c in (self._prediction, self._score))
        joined = Joined(ordinals, value, label[at], score, pane.rows.times[order], segments[:, order])
        return joined, NO_KEYS if self.shadow is None else pane.rows.keys[order]

    def _labelled(self, span: Span, joined: Joined, corrections: list[Correction]) -> list[Change]:
        if self.plan.task is None or not (len(joined.ordinals) or corrections):
            return []
        if self.memory is not None:
            self.memory.labelled(span, joined.times)
        names = tuple(s.name for s in self.plan.segmentations)
        labelled = LabelledPane(joined, self.plan.task, self._score is not None, names)
        if self.board.watcher is not None:
            self.board.watcher.labelled(span, labelled)
        return self.board.step_labelled(span, labelled, corrections)

    def _column(self, rows: Rows, place: tuple[Column, int] | None, *, missing_class: int) -> FloatArray:
        """A prediction, score or label as numbers; UNUSABLE where the event has none."""
        if place is None:
            return np.full(len(rows), UNUSABLE)
        column, at = place
        if column.kind is Kind.NUMERIC:
            return np.where(rows.status[at] == FieldStatus.OK, rows.numeric[at], UNUSABLE)
        codes = rows.codes[at]
        usable = rows.status[len(rows.numeric) + at] == FieldStatus.OK
        if column.kind is Kind.BINARY:
            return np.where(usable, codes, UNUSABLE)
        return np.where(usable, self._class_codes(rows, at, missing_class)[codes], UNUSABLE)

    def _class_codes(self, rows: Rows, at: int, missing_class: int) -> FloatArray:
        """Numbers of the classes, given by first appearance in this call's rows (sorted by text).

        One pane gives one order, whatever its batches were.
        """
        values = rows.dictionaries[at].values
        table = np.full(len(values) + 1, float(missing_class))
        for code in sorted(occurring(rows.codes[at], rows.dictionaries[at]).tolist(), key=values.__getitem__):
            known = self._classes.get(values[code])
            if known is None and len(self._classes) < CLASSES_MAX:
                known = self._classes[values[code]] = len(self._classes)
            if known is None:
                self.overflowed += 1
            else:
                table[code] = known
        return table

    # ------------------------------------------------------------------ shown, state
    def join_reading(self) -> JoinReading:
        """The join's books; all zero where there is no join."""
        return JoinReading() if self.join is None else self.join.reading()

    def join_places(self) -> JoinPlaces:
        """Where its predictions lie."""
        return JoinPlaces() if self.join is None else self.join.places()

    @property
    def evicting(self) -> str:
        """The limit for which predictions leave the join before their time: memory, only where no disk is behind it."""
        return "join_memory" if self.join is not None and not self.join.has_shelf else "join_disk"

    @property
    def uncommitted(self) -> int:
        """Predictions and labels that the join took in since the deltas were taken."""
        return self._uncommitted

    @property
    def joins(self) -> dict[str, Join]:
        """Of labels, and of a challenger's predictions, by the family of the state's parts that hold their deltas."""
        return {name: join for name, join in (("join", self.join), ("shadow", self.shadow)) if join is not None}

    def take_deltas(self) -> dict[str, dict[int, State]]:
        """What each join took in since the last call, by end of pane."""
        taken, self._deltas, self._uncommitted = self._deltas, {name: {} for name in self.joins}, 0
        return taken

    def export(self) -> State:
        """The state, sharing no memory; the join's entries are in the deltas."""
        return {
            "classes": list(self._classes),
            "ordinal": self._ordinal,
            "join": None,
            **{name: join.export() for name, join in self.joins.items()},
        }

    def restore(self, state: State, deltas: Callable[[str], Iterable[State]]) -> None:
        """Continue where `export` stood. deltas: of a join, by its family, ascending by pane."""
        self._classes = {name: code for code, name in enumerate(state["classes"])}
        self._ordinal = state["ordinal"]
        for name, join in self.joins.items():
            if name in state:  # a challenger may have come since
                join.restore(state[name], deltas(name))


def _in_order(parts: list[tuple[SourcePartition, Rows]]) -> tuple[Rows, IntArray]:
    """The rows of several source partitions, at least one, and their canonical order."""
    rows = concatenate([part for _, part in parts])
    rank = np.repeat(np.arange(len(parts)), [len(part) for _, part in parts])
    return rows, np.lexsort((rows.offsets, rank, rows.times))


def _place(plan: Plan, role: Role) -> tuple[Column, int] | None:
    """A column of the predictions stream by its role, with its place among its kind."""
    for members in (plan.predictions.numeric, plan.predictions.coded):
        for at, column in enumerate(members):
            if column.role is role:
                return column, at
    return None


def _stream_summary(
    span: Span, buffers: Sequence[tuple[Partition, PaneBuffer]], pane: PaneRows | None, met: Met | None
) -> StreamSummary:
    """met: what came of the join; without it (None) ids are compared within the pane."""
    of_predictions = [b for p, b in buffers if p.role is StreamRole.PREDICTIONS]
    identified, repeated = (0, 0) if met is None else (met.identified, met.repeated)
    labelled, unlabelled = (0, 0) if met is None else (met.matched, met.expired)
    if met is None and pane is not None and len(pane.rows.keys):
        identified, repeated = len(pane), len(pane) - len(first_of_each(pane.rows.keys))
    forms, usable = ((), ()) if pane is None else pane.forms()
    return StreamSummary(
        rows=sum(b.n_rows for b in of_predictions),
        late=sum(b.late for b in of_predictions),
        rejected=sum(b.rejected.total() for b in of_predictions),
        identified=identified,
        repeated=repeated,
        labelled=labelled,
        unlabelled=unlabelled,
        forms=forms,
        usable=usable,
        span_ms=span.end_ms - span.start_ms,
        names=None if pane is None else pane.names(),
    )
