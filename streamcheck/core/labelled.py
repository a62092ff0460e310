"""Rows whose label has joined: blocks for detectors, windows for gauges and thresholds, per segment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from streamcheck.core.alerts import Change
from streamcheck.core.budgets import STEPS_MIN, Grant
from streamcheck.core.components import State
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.instances import Span
from streamcheck.core.joining import UNUSABLE, Joined
from streamcheck.core.keys import LIMIT
from streamcheck.core.measures.base import LabelledMeasure, Needs, bare_signal
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec, Task
from streamcheck.core.references.base import Stage
from streamcheck.core.room import Room
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.windows import RollingWindow, kept_score, shown_score
from streamcheck.core.zones import Timing


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPane:
    """The rows that one pane completed, in canonical order.

    `segmentations`: the names of the rows of `joined.segments`.
    """

    joined: Joined
    task: Task
    scored: bool
    segmentations: tuple[str, ...]
    _splits: dict[tuple[str | None, bool], list[tuple[int, IntArray]]] = field(default_factory=dict, init=False)

    def usable(self, *, with_score: bool) -> IntArray:
        """Positions of rows with a prediction (and a score)."""
        usable = self.joined.prediction != UNUSABLE
        return np.flatnonzero(usable & (self.joined.score != UNUSABLE) if with_score else usable)

    def rows(self, index: IntArray) -> LabelledRows:
        """The rows at these positions."""
        j = self.joined
        score = shown_score(j.score[index]) if self.scored else None
        return LabelledRows(j.prediction[index], j.label[index], score, self.task)

    def split(self, by: str | None, *, with_score: bool) -> list[tuple[int, IntArray]]:
        """The positions of each segment that occurs, segment numbers ascending, canonical order kept; `usable` ones.

        For many monitors the same, so it is found once.
        """
        known = self._splits.get((by, with_score))
        if known is None:
            index = self.usable(with_score=with_score)
            known = self._splits[by, with_score] = list(self._split(index, by)) if len(index) else []
        return known

    def _split(self, index: IntArray, by: str | None) -> Iterator[tuple[int, IntArray]]:
        if by is None:
            yield 0, index
            return
        numbers = self.joined.segments[self.segmentations.index(by)][index]
        small = np.int16 if numbers.max() <= np.iinfo(np.int16).max else np.int32  # half as wide: a third of the time
        order = np.argsort(numbers.astype(small), kind="stable")
        ordered = numbers[order]
        begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        for start, stop in pairwise([0, *begins.tolist(), len(index)]):
            yield int(ordered[start]), index[order[start:stop]]


class LabelledInstance(PaneInstance):
    """Blocks of completed rows -> measure -> detector; or a threshold on the measure of the rolling window.

    What the budget grants is so many panes; the detector steps by blocks. How many of those a pane completes is counted
    while the reference learns, and stays when it is ready, as long as that reference lasts: `_blocks_a_pane`.
    """

    _blocks_a_pane: float = 1.0

    def __init__(
        self,
        spec: MonitorSpec,
        segment: tuple[tuple[str, str], ...],
        grant: Grant,
        room: Room,
        timing: Timing,
        window: RollingWindow | None,
        bank: Bank | None = None,
    ) -> None:
        super().__init__(spec, segment, grant, room, timing, bank)
        self.window = window
        self.on_window = spec.detector.name == LIMIT and window is not None
        if self.on_window:
            self.normal = None  # its accumulator's room is not given back: it is little, and counts as the window's
        self._open_block: FloatArray = np.empty((3, 0))

    def begin(self) -> None:
        """As for all, and count anew how many blocks a pane completes."""
        self._first_ms: int | None = None
        self._blocks = self._new_blocks = 0
        self._counts = True
        super().begin()

    def calibrate(self, grant: Grant) -> None:
        """What is granted in panes, in blocks."""
        self._granted = grant
        super().calibrate(replace(grant, steps=max(STEPS_MIN, grant.steps * self._blocks_a_pane)))

    def enter(self, span: Span) -> None:
        """As for all; when the reference is ready, it is known how many blocks a pane completes."""
        super().enter(span)
        normal = self.normal
        if normal is None or not self._counts:
            return
        self._first_ms = span.start_ms if self._first_ms is None else self._first_ms
        if normal.stage is Stage.READY:
            panes = (span.start_ms - self._first_ms) / (span.end_ms - span.start_ms)
            self._counts = False
            if self._blocks and panes:
                self._blocks_a_pane = self._blocks / panes
                self.calibrate(self._granted)
        self._blocks += self._new_blocks

    @property
    def held_bytes(self) -> int:
        """The open block as well."""
        return super().held_bytes + 2 * 24 * self.spec.block_rows

    @property
    def needs_score(self) -> bool:
        """Whether rows without a score say nothing to this monitor."""
        return self.measure.needs is Needs.LABELLED_SCORE

    @property
    def calibrated(self) -> bool:
        """Whether its scores are to be calibrated chances."""
        return isinstance(self.measure, LabelledMeasure) and self.measure.calibrated

    def step_window(self, span: Span) -> list[Change]:
        """New rows are in the window: is its measure within its limits?"""
        assert self.window is not None
        assert isinstance(self.measure, LabelledMeasure), self.spec.id
        estimate = self.measure.estimate(self.window.rows())
        if estimate is None:
            return []
        return self.judge(span, bare_signal(estimate.value, estimate.n))

    def blocks(self, rows: LabelledRows) -> Sequence[Any]:
        """New completed rows, in canonical order: the measure's summaries of complete blocks.

        What is left waits for the next pane.
        """
        assert isinstance(self.measure, LabelledMeasure), self.spec.id
        held, size = self._open_block, self.spec.block_rows
        score = None if rows.score is None else np.concatenate([shown_score(held[2]), rows.score])
        labels, predictions = np.concatenate([held[1], rows.label]), np.concatenate([held[0], rows.prediction])
        pending = LabelledRows(predictions, labels, score, rows.task)
        whole = len(pending) // size * size
        left = pending.cut(whole, len(pending))
        self._open_block = np.stack([left.prediction, left.label, kept_score(left)])
        self._new_blocks = whole // size
        return self.measure.summaries(pending.cut(0, whole), size)

    def export(self) -> State:
        """The state, sharing no memory."""
        pace = [self._first_ms, self._blocks, self._blocks_a_pane, self._counts]
        return super().export() | {"block": self._open_block.copy(), "pace": pace}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self._open_block = np.asarray(state["block"])
        self._first_ms, self._blocks, self._blocks_a_pane, self._counts = state["pace"]
        self.calibrate(self._granted)
