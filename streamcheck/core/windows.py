"""Rolling windows over labelled rows: the newest N, or those of the newest T of event time. Corrections revise them."""

from collections import deque

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

PARTS_MAX = 16
"""Pieces in which rows lie, one for each pane that brought some, before they become one."""
ROW_BYTES = 2 * 8 * _COLUMNS + 16
"""Of memory for each row: twice its columns, for a part from which most has left stays until the next merge."""
WINDOW_BYTES = 8_000
"""Of a window beside its rows: PARTS_MAX arrays, the object, its places in tables."""


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
        self._parts: deque[FloatArray] = deque()
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, ordinals: IntArray, rows: LabelledRows, time_ms: int) -> None:
        """Rows (n,) that were completed in the pane that ends at `time_ms`."""
        self.expire(time_ms)
        score, new = kept_score(rows), len(rows.label)
        times = np.full(new, time_ms)
        room = self._n + self._room.take_some(min(self._n + new, self.rows_max) - self._n, ROW_BYTES)
        self._parts.append(np.stack([ordinals, rows.prediction, rows.label, score, times]).astype(np.float64))
        self._n += new
        if self.window.rows is None:
            self.cut += max(0, self._n - self.rows_max)
        self._drop(self._n - room)
        if len(self._parts) > PARTS_MAX:
            self._merged()

    def expire(self, now_ms: int) -> None:
        """Drop rows that a window by time has left behind."""
        if self.window.span_ms is None:
            return
        before = self._n
        while self._parts and self._parts[0][4, 0] <= now_ms - self.window.span_ms:
            old = self._parts[0]
            self._drop(int(np.searchsorted(old[4], now_ms - self.window.span_ms, side="right")))
        self._room.give((before - self._n) * ROW_BYTES)

    def _drop(self, n: int) -> None:
        """The oldest n rows leave."""
        while n > 0:
            part = self._parts[0]
            if part.shape[1] <= n:
                self._parts.popleft()
                gone = part.shape[1]
            else:
                self._parts[0] = part[:, n:]
                gone = n
            self._n -= gone
            n -= gone

    def revise(self, ordinal: int, label: float) -> bool:
        """A later label for the row with this ordinal counts instead; False when the row has left the window."""
        merged = self._merged()
        at = int(np.searchsorted(merged[0], ordinal))
        if at >= merged.shape[1] or merged[0, at] != ordinal:
            return False
        merged[2, at] = label
        return True

    def rows(self) -> LabelledRows:
        """All rows of the window, oldest first."""
        merged = self._merged()
        return LabelledRows(merged[1], merged[2], shown_score(merged[3]) if self.scored else None, self.task)

    def _merged(self) -> FloatArray:
        if not self._parts:
            return np.empty((_COLUMNS, 0))
        if len(self._parts) > 1:
            self._parts = deque([np.concatenate(list(self._parts), axis=1)])
        return self._parts[0]

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"rows": self._merged().copy()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        rows = np.array(state["rows"])
        self._room.give(self._n * ROW_BYTES)
        self._n = rows.shape[1]
        self._room.force(self._n * ROW_BYTES)
        self._parts = deque([rows] if self._n else [])


def kept_score(rows: LabelledRows) -> FloatArray:
    """The scores as a state may hold them: UNUSABLE where a row has none."""
    if rows.score is None:
        return np.full(len(rows.label), UNUSABLE)
    return np.where(np.isnan(rows.score), UNUSABLE, rows.score)


def shown_score(score: FloatArray) -> FloatArray:
    """The scores as measures take them: NaN where a row has none."""
    return np.where(score == UNUSABLE, np.nan, score)
