"""The newest labelled rows with their segments, searched now and then for where the model is weak or leans."""

from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.joining import UNUSABLE
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.plan import Plan, Role, Task
from streamcheck.core.readings import BiasedSegment, WeakSegment
from streamcheck.core.room import Room
from streamcheck.core.segments import SegmentTable
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.worst import Cell, biased, weakest

CHUNK_ROWS = 1_000
"""Of which a part of the state consists: what is written at a commit is what is new."""
PARTS = 4
"""A search comes whenever a PARTS-th of the rows is new."""
FIELDS_MAX = 20
"""Segmentations that are searched, the first of the config: 190 pairs."""
ROOM_PART = 8
"""Where the rows would take more than this part of limits.monitor_memory, there is no search: monitors come first."""
SEARCHED_BYTES = 2_500
"""Of memory for each row while a search goes on: its place in 210 columns and pairs, and copies of what is compared."""
_FOUND = "pool/found"


class Pool:
    """The newest `plan.search_rows` labelled rows; nothing where there is nothing to search.

    exporters: of the state by key; touched: keys that have changed. weak, biased: what the last search has found.
    """

    def __init__(
        self,
        plan: Plan,
        tables: Mapping[str, SegmentTable],
        room: Room,
        exporters: dict[str, Callable[[], State]],
        touched: set[str],
    ) -> None:
        self.weak: tuple[WeakSegment, ...] = ()
        self.biased: tuple[BiasedSegment, ...] = ()
        self._plan, self._touched, self._exporters = plan, touched, exporters
        self._names = [s.name for s in plan.segmentations if len(s.fields) == 1][:FIELDS_MAX]
        self._tables = [tables[name] for name in self._names]
        self._scored = any(c.role is Role.SCORE for c in plan.predictions.columns)
        self._rows = plan.search_rows if plan.task is not None and self._names else 0
        if self.held_bytes > room.bytes_max // ROOM_PART or not room.take(self.held_bytes):
            self._rows = 0
        self._seen = 0
        self._segments: IntArray = np.zeros((len(self._names), self._rows), np.int32)
        self._values: FloatArray = np.zeros((3, self._rows))

    @property
    def held_bytes(self) -> int:
        """Of all rows, full or not."""
        return self._rows * (24 + 4 * len(self._names))

    # ------------------------------------------------------------------ rows
    def add(self, labelled: LabelledPane) -> None:
        """Rows that a pane has completed; a search where enough of them are new."""
        index = labelled.usable(with_score=False) if self._rows else np.empty(0, np.int64)
        if not len(index):
            return
        joined, before = labelled.joined, self._seen
        self._seen = before + len(index)
        at = (before + np.arange(len(index))) % self._rows
        keep = slice(max(0, len(index) - self._rows), None)  # of more than it holds, the newest
        at, index = at[keep], index[keep]
        for place, name in enumerate(self._names):
            self._segments[place, at] = joined.segments[labelled.segmentations.index(name)][index]
        for place, values in enumerate((joined.prediction, joined.label, joined.score)):
            self._values[place, at] = values[index]
        for chunk in np.flatnonzero(np.bincount(at // CHUNK_ROWS)).tolist():
            self._touched |= {self._enrol(chunk), _FOUND}
        step = self._rows // PARTS
        if self._seen // step > before // step:
            self._search()

    def _enrol(self, chunk: int) -> str:
        """The key of a part of the state, which is there from now on."""
        key = f"pool/{chunk}"
        self._exporters[key] = lambda: self._chunk(chunk)
        self._exporters[_FOUND] = self._found
        return key

    def _oldest_first(self) -> IntArray:
        held = min(self._seen, self._rows)
        return (np.arange(held) + (self._seen - held)) % self._rows

    # ------------------------------------------------------------------ search
    def _search(self) -> None:
        order = self._oldest_first()
        columns, (said, label, score) = self._segments[:, order], self._values[:, order]
        number = self._plan.task is Task.REGRESSION
        with np.errstate(over="ignore"):
            error = np.nan_to_num(np.abs(said - label)) if number else (said != label).astype(np.float64)
        self.weak = tuple(weakest(columns, error, self._label, classes=not number))
        if number:
            self.biased = tuple(biased(columns, said, label, self._label))
        elif self._plan.task is Task.BINARY and self._scored:
            has = score != UNUSABLE
            self.biased = tuple(biased(columns[:, has], np.clip(score[has], 0.0, 1.0), label[has], self._label))

    def _label(self, cell: Cell | None) -> tuple[tuple[str, str], ...]:
        if cell is None:
            return ()
        pairs = zip(cell.columns, cell.numbers, strict=True)
        return tuple(part for place, number in pairs for part in self._tables[place].label(number))

    # ------------------------------------------------------------------ state
    def _chunk(self, chunk: int) -> State:
        part = slice(chunk * CHUNK_ROWS, (chunk + 1) * CHUNK_ROWS)
        return {"segments": self._segments[:, part].copy(), "values": self._values[:, part].copy()}

    def _found(self) -> State:
        return {
            "columns": list(self._names),
            "rows": self._rows,
            "seen": self._seen,
            "weak": [_listed(each) for each in self.weak],
            "biased": [_listed(each) for each in self.biased],
        }

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where the exported parts stood; afresh where what is searched is another."""
        state = states.get(_FOUND)
        if state is None or (state["columns"], state["rows"]) != (self._names, self._rows):
            return
        self._seen = state["seen"]
        self.weak = tuple(WeakSegment(_pairs(each[0]), *each[1:]) for each in state["weak"])
        self.biased = tuple(BiasedSegment(_pairs(each[0]), *each[1:]) for each in state["biased"])
        for chunk in range(-(-min(self._seen, self._rows) // CHUNK_ROWS)):
            part = states[f"pool/{chunk}"]
            self._segments[:, chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS] = part["segments"]
            self._values[:, chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS] = part["values"]
            self._enrol(chunk)


def _listed(found: WeakSegment | BiasedSegment) -> list[Any]:
    segment, *numbers = astuple(found)
    return [[list(pair) for pair in segment], *numbers]


def _pairs(segment: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((field, value) for field, value in segment)
