"""How many rows came when? For delays in rows, and for a dummy that alarms every so many rows."""

import numpy as np

from streamcheck.core.types import IntArray

CELLS_MAX = 65_536
"""Cells of time, each a pane at first; twice as many are merged two by two: 1 MiB."""


class RowsInTime:
    """Counts rows by their time, to the pane while there are at most CELLS_MAX of them, else coarser.

    seen_ms: the times of the first and the last row.

    >>> rows = RowsInTime(1_000)
    >>> rows.add(np.array([500, 1_500, 1_700, 9_000]))
    >>> rows.total, rows.between(1_000, 2_000), rows.every(3), rows.span_ms
    (4, 2, [2000], 8500)
    """

    def __init__(self, pane_ms: int) -> None:
        self._cell_ms = pane_ms
        self._counts: dict[int, int] = {}
        self.seen_ms: tuple[int, int] | None = None
        self.total = 0

    def add(self, times: IntArray) -> None:
        """Rows with these times."""
        if not len(times):
            return
        ends = int(times.min()), int(times.max())
        first, last = self.seen_ms or ends
        self.seen_ms = min(first, ends[0]), max(last, ends[1])
        self.total += len(times)
        cells, counts = np.unique(times // self._cell_ms, return_counts=True)
        for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
            self._counts[cell] = self._counts.get(cell, 0) + count
        while len(self._counts) > 2 * CELLS_MAX:
            self._widen()

    def _widen(self) -> None:
        self._cell_ms *= 2
        merged: dict[int, int] = {}
        for cell, count in self._counts.items():
            merged[cell // 2] = merged.get(cell // 2, 0) + count
        self._counts = merged

    @property
    def span_ms(self) -> int:
        """From the first row to the last."""
        return 0 if self.seen_ms is None else self.seen_ms[1] - self.seen_ms[0]

    def overlaps(self, start_ms: int, end_ms: int) -> bool:
        """Whether some of this time was replayed."""
        return self.seen_ms is not None and start_ms <= self.seen_ms[1] and end_ms > self.seen_ms[0]

    def between(self, start_ms: int, end_ms: int) -> int:
        """Rows of the cells that begin in [start_ms, end_ms)."""
        return sum(count for cell, count in self._counts.items() if start_ms <= cell * self._cell_ms < end_ms)

    def every(self, rows: int) -> list[int]:
        """When every so many rows had come: the ends of those cells."""
        ends, seen = [], 0
        for cell in sorted(self._counts):
            before, seen = seen // rows, seen + self._counts[cell]
            ends += [(cell + 1) * self._cell_ms] * (seen // rows - before)
        return ends
