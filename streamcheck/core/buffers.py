"""What has one source partition brought for one open pane? Rows, up to a limit that bites by content."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.ids import KEY_BYTES
from streamcheck.core.plan import Limits
from streamcheck.core.rows import Rows, concatenate, occurring

TEXT_BYTES = 200
"""A category beside its characters: a str's head, places in a dictionary's table and list, and in `_seen`."""
WIDE = 4
"""Bytes of a character in a str that is not plain ASCII, at most."""
LATE_PART = 4
"""Late rows may take a quarter of what the rows on time may: they are few, and only the join wants them."""
SMALL_ROWS = (64, 2_048)
SMALL_PARTS = 32
"""So many small parts in a row become one, at two sizes: a part costs about 1 KiB, a row 100 to 300 bytes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where reading may start again: an offset, with newest and floor as they were just before it."""

    offset: int
    newest: int
    floor: int


class Kept:
    """The first rows of a pane, in the order in which they came, as many as fit into `rows_max` and `bytes_max`.

    Bytes are counted by content (numbers, keys, each category's text once), so that the limit bites at the same row
    however the rows were cut into batches. From the first row that does not fit on, none is kept. bytes: what the kept
    rows count.
    """

    __slots__ = ("_seen", "bytes", "full", "n", "parts")

    def __init__(self) -> None:
        self.parts: list[Rows] = []
        self.n = 0
        self.bytes = 0
        self.full = False
        self._seen: list[set[str]] = []

    def add(self, part: Rows, rows_max: int, bytes_max: int) -> int:
        """Take rows in, or as many of the first of them as there is room for. Returns what they count."""
        if self.full:
            return 0
        cost, texts = self._cost(part)
        if self.n + len(part) > rows_max or self.bytes + cost > bytes_max:
            self.full = True
            part = part.take(np.arange(self._fitting(part, rows_max - self.n, bytes_max - self.bytes)))
            if not len(part):
                return 0
            cost, texts = self._cost(part)
        for seen, new in zip(self._seen, texts, strict=True):
            seen.update(new)
        self.n += len(part)
        self.bytes += cost
        self._append(part.bare())
        return cost

    def _append(self, part: Rows) -> None:
        self.parts.append(part)
        for small in SMALL_ROWS:
            if len(self.parts) >= SMALL_PARTS and all(len(p) < small for p in self.parts[-SMALL_PARTS:]):
                self.parts[-SMALL_PARTS:] = [concatenate(self.parts[-SMALL_PARTS:])]

    def merged(self) -> Rows | None:
        """All kept rows; None when there are none."""
        if not self.parts:
            return None
        self.parts = [concatenate(self.parts)]
        return self.parts[0]

    def take(self) -> Rows | None:
        """All kept rows, which are the caller's from now on; None when there are none."""
        rows, self.parts = self.merged(), []
        return rows

    def _cost(self, part: Rows) -> tuple[int, list[list[str]]]:
        """What the rows count, and the categories of each column that are new."""
        if not self._seen:
            self._seen = [set() for _ in part.dictionaries]
        texts = []
        for codes, dictionary, seen in zip(part.codes, part.dictionaries, self._seen, strict=True):
            values = [dictionary.values[code] for code in occurring(codes, dictionary).tolist()]
            texts.append([value for value in values if value not in seen])
        new = sum(map(_text_bytes, (text for column in texts for text in column)))
        return len(part) * _row_bytes(part) + new, texts

    def _fitting(self, part: Rows, rows: int, room: int) -> int:
        """How many of the first rows fit. Row by row, but only once for each buffer that fills up."""
        cost = np.full(len(part), _row_bytes(part), np.int64)
        for codes, dictionary, seen in zip(part.codes, part.dictionaries, self._seen, strict=True):
            used, first = np.unique(codes, return_index=True)
            for code, at in zip(used.tolist(), first.tolist(), strict=True):
                if code >= 0 and dictionary.values[code] not in seen:
                    cost[at] += _text_bytes(dictionary.values[code])
        return min(rows, int(np.searchsorted(np.cumsum(cost), room, side="right")))


@dataclass(slots=True)
class PaneBuffer:
    """One source partition's part of one open pane. late_rows: predictions that enter this pane's join only.

    n_rows: rows on time, n_late: late rows that join here, be they kept or not; late, rejected: events that are
    accounted for in this pane.
    """

    mark: Mark
    on_time: Kept = field(default_factory=Kept)
    late_rows: Kept = field(default_factory=Kept)
    n_rows: int = 0
    n_late: int = 0
    late: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, part: Rows, limits: Limits) -> int:
        """Rows on time. Returns the bytes by which the buffer grew."""
        self.n_rows += len(part)
        return self.on_time.add(part, limits.pane_rows, limits.pane_bytes)

    def add_late(self, part: Rows, limits: Limits) -> int:
        """Late predictions, at the time at which they join. Returns the bytes by which the buffer grew."""
        self.n_late += len(part)
        return self.late_rows.add(part, max(1, limits.pane_rows // LATE_PART), limits.pane_bytes // LATE_PART)

    @property
    def bytes(self) -> int:
        """What the kept rows count."""
        return self.on_time.bytes + self.late_rows.bytes

    @property
    def excess(self) -> int:
        """Rows that found no room."""
        return self.n_rows - self.on_time.n + self.n_late - self.late_rows.n


def row_bytes(numeric: int, coded: int) -> int:
    """What a row counts beside its categories' texts: offset, time and order; key; values; codes; states."""
    return 24 + KEY_BYTES + 9 * numeric + 5 * coded


def _row_bytes(part: Rows) -> int:
    return row_bytes(len(part.numeric), len(part.codes))


def _text_bytes(text: str) -> int:
    return TEXT_BYTES + len(text) * (1 if text.isascii() else WIDE)

