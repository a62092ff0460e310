"""Rolling windows over labelled rows: the newest N, or those of the newest T of event time. Corrections revise them."""

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.joining import UNUSABLE
from streamcheck.core.plan import Task, Window
from streamcheck.core.room import Room, unlimited
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray, IntArray

SPAN_ROWS_MAX = 100_000
"""Rows that a window by time keeps at most: 100,000 x 5 columns x 8 B = 4 MB for each segment."""
_COLUMNS = 5  # ordinal, prediction, label, score, time: all exact in float64 (ordinals and ms below 2^53)

ROOM = 1.5
"""Columns are made for so many times the rows: there is room behind the newest, and they move once for many panes."""
ROWS_MIN = 16
ROW_BYTES = 2 * 8 * _COLUMNS + 16
"""Of memory for each row: twice its columns, for half of what there is room for may have left."""
WINDOW_BYTES = 8_000
"""Of a window beside its rows: ROWS_MIN of them, the object, its places in tables."""


class RollingWindow:
    """The labelled rows that count now. Rows enter in canonical order, each with its ordinal (ascending).

    cut: rows that left a window by time before their time, because it holds at most SPAN_ROWS_MAX.
    """

    def __init__(self, window: Window, task: Task, *, scored: bool, room: Room | None = None) -> None:
        self.window = window
        self._room = room or unlimited()
        self.task = task
        self.scored = scored
        self.rows_max = window.rows or SPAN_ROWS_MAX
        self.cut = 0
        self._columns: FloatArray = np.empty((_COLUMNS, ROWS_MIN))
        self._first = 0
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, ordinals: IntArray, rows: LabelledRows, time_ms: int) -> None:
        """Rows (n,) that were completed in the pane that ends at `time_ms`."""
        self.expire(time_ms)
        new = len(rows.label)
        room = self._n + self._room.take_some(min(self._n + new, self.rows_max) - self._n, ROW_BYTES)
        if self.window.rows is None:
            self.cut += max(0, self._n + new - self.rows_max)
        left = max(0, self._n + new - room)
        first = max(0, left - self._n)
        self._drop(min(left, self._n))
        self._append(ordinals[first:], rows.cut(first, new), time_ms)

    def expire(self, now_ms: int) -> None:
        """Drop rows that a window by time has left behind."""
        if self.window.span_ms is None:
            return
        gone = int(np.searchsorted(self._rows()[4], now_ms - self.window.span_ms, side="right"))
        self._drop(gone)
        self._room.give(gone * ROW_BYTES)

    def _append(self, ordinals: IntArray, rows: LabelledRows, time_ms: int) -> None:
        n = self._n + len(rows)
        if self._first + n > self._columns.shape[1]:
            self._move(max(int(ROOM * n), ROWS_MIN))
        at = slice(self._first + self._n, self._first + n)
        self._n = n
        for column, values in enumerate((ordinals, rows.prediction, rows.label, kept_score(rows))):
            self._columns[column, at] = values
        self._columns[-1, at] = time_ms

    def _drop(self, n: int) -> None:
        """The oldest n rows leave."""
        self._first, self._n = self._first + n, self._n - n
        if self._columns.shape[1] > 2 * self._n + ROWS_MIN:
            self._move(max(int(ROOM * self._n), ROWS_MIN))

    def _move(self, room: int) -> None:
        """All rows to the beginning of columns that have this room."""
        columns = np.empty((_COLUMNS, room))
        columns[:, : self._n] = self._rows()
        self._columns, self._first = columns, 0

    def revise(self, ordinal: int, label: float) -> bool:
        """A later label for the row with this ordinal counts instead; False when the row has left the window."""
        held = self._rows()
        at = int(np.searchsorted(held[0], ordinal))
        if at >= self._n or held[0, at] != ordinal:
            return False
        held[2, at] = label
        return True

    def rows(self) -> LabelledRows:
        """All rows of the window, oldest first; views, good until the next rows come."""
        held = self._rows()
        return LabelledRows(held[1], held[2], shown_score(held[3]) if self.scored else None, self.task)

    def _rows(self) -> FloatArray:
        return self._columns[:, self._first : self._first + self._n]

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"rows": self._rows().copy()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._room.give(self._n * ROW_BYTES)
        self._columns, self._first = np.array(state["rows"], np.float64), 0
        self._n = self._columns.shape[1]
        self._room.force(self._n * ROW_BYTES)


def kept_score(rows: LabelledRows) -> FloatArray:
    """The scores as a state may hold them: UNUSABLE where a row has none."""
    if rows.score is None:
        return np.full(len(rows.label), UNUSABLE)
    return np.where(np.isnan(rows.score), UNUSABLE, rows.score)


def shown_score(score: FloatArray) -> FloatArray:
    """The scores as measures take them: NaN where a row has none."""
    return np.where(score == UNUSABLE, np.nan, score)
