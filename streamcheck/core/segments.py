"""Which slice does a row belong to? Segment values become numbers by first canonical appearance, up to a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.plan import Segmentation
from streamcheck.core.rows import Rows
from streamcheck.core.types import MISSING_SEGMENT, OTHER_SEGMENT, CodeArray, Dictionary, IntArray

if TYPE_CHECKING:  # it groups its rows by what is here
    from streamcheck.core.panes import PaneRows

_CELLS_MAX = 2**62
"""Combinations of field values that an int64 can number; a dictionary and a pane hold less than 2^31 each."""

_DENSE, _DENSE_MIN = 4, 1_024
"""Numbers up to so many times the rows, and this, are counted in a table, which is faster than sorting the rows."""

SegmentKey = tuple[str, ...]
"""The values of a segmentation's fields, in its order."""


@dataclass(frozen=True, slots=True, eq=False)
class PaneGroups:
    """How one segmentation cuts a pane: the segment numbers that occur (ascending), and each row's place among them."""

    segments: IntArray
    groups: CodeArray


class SegmentTable:
    """The segments of one segmentation. Number 0 is `__other__`: everything beyond `segments_max` distinct values.

    >>> table = SegmentTable(Segmentation(("tier",)), 2)
    >>> [table.number(("premium",)), table.number(("general",)), table.number(("new",)), table.number(("premium",))]
    [1, 2, 0, 1]
    """

    def __init__(self, segmentation: Segmentation, segments_max: int) -> None:
        self.segmentation = segmentation
        self.segments_max = segments_max
        self.keys: list[SegmentKey] = [(OTHER_SEGMENT,) * len(segmentation.fields)]
        self._numbers: dict[SegmentKey, int] = {self.keys[0]: 0}
        self.overflowed = 0

    def number(self, key: SegmentKey) -> int:
        """The segment's number, given a new one while there is room, else 0."""
        known = self._numbers.get(key)
        if known is not None:
            return known
        if len(self.keys) > self.segments_max:
            return 0
        self._numbers[key] = len(self.keys)
        self.keys.append(key)
        return len(self.keys) - 1

    def known(self, key: SegmentKey) -> int | None:
        """The segment's number, if it has one of its own."""
        return self._numbers.get(key)

    def numbers(self, rows: Rows, columns: Sequence[int], order: IntArray) -> CodeArray:
        """Each row's segment number (n,).

        columns: places of the fields in `rows.codes`; order: canonical order of the rows.
        New values are numbered by first canonical appearance.
        """
        distinct, place = self._combinations(rows, columns, order)
        first = np.empty(len(distinct), np.int64)
        first[place[::-1]] = np.arange(len(place))[::-1]  # of several that are written to one place, the last stays
        numbers = np.zeros(len(distinct), np.int32)
        for at in np.argsort(first).tolist():
            numbers[at] = self.number(self._key(rows, columns, int(order[first[at]])))
        out = np.empty(len(rows), np.int32)
        out[order] = numbers[place]
        if len(self.keys) > self.segments_max:
            self.overflowed += int((out == 0).sum())
        return out

    @staticmethod
    def _combinations(rows: Rows, columns: Sequence[int], order: IntArray) -> tuple[IntArray, IntArray]:
        """The distinct combinations of the fields' codes, as numbers, and the place among them of each row in order."""
        combined, n_cells = np.zeros(len(rows), np.int64), 1
        for column in columns:
            width = len(rows.dictionaries[column]) + 1
            if n_cells * width > _CELLS_MAX:  # number the combinations that occur instead
                combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
                n_cells = len(rows)
            combined, n_cells = combined * width + (rows.codes[column] + 1), n_cells * width
        return _distinct(combined[order], n_cells)

    def _key(self, rows: Rows, columns: Sequence[int], row: int) -> SegmentKey:
        return tuple(self._value(rows.dictionaries[c], int(rows.codes[c, row])) for c in columns)

    @staticmethod
    def _value(dictionary: Dictionary, code: int) -> str:
        return MISSING_SEGMENT if code < 0 else dictionary.values[code]

    def label(self, number: int) -> tuple[tuple[str, str], ...]:
        """Field and value pairs, for alerts and gauges."""
        return tuple(zip(self.segmentation.fields, self.keys[number], strict=True))

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"keys": [list(key) for key in self.keys], "overflowed": self.overflowed}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.keys = [tuple(key) for key in state["keys"]]
        self._numbers = {key: number for number, key in enumerate(self.keys)}
        self.overflowed = state["overflowed"]


def group(numbers: CodeArray) -> PaneGroups:
    """The distinct segment numbers of a pane and each row's place among them."""
    segments, groups = _distinct(numbers, int(numbers.max(initial=0)) + 1)
    return PaneGroups(segments.astype(np.int64), groups.astype(np.int32))


def _distinct(cells: CodeArray | IntArray, n_cells: int) -> tuple[IntArray, IntArray]:
    """The distinct numbers among these (n,), all below n_cells, ascending; and the place of each number among them."""
    if n_cells > _DENSE * len(cells) + _DENSE_MIN:
        found, place = np.unique(cells, return_inverse=True)
        return found.astype(np.int64), place
    found = np.flatnonzero(np.bincount(cells, minlength=n_cells))
    places = np.empty(n_cells, np.int64)
    places[found] = np.arange(len(found))
    return found, places[cells]


def segment_label(table: SegmentTable | None, number: int) -> tuple[tuple[str, str], ...]:
    """Field and value pairs of a segment; empty for all rows together."""
    return () if table is None else table.label(number)


def number_segments(
    segmentations: Sequence[Segmentation], tables: Mapping[str, SegmentTable], pane: "PaneRows", touched: set[str]
) -> CodeArray:
    """Give each row of the pane its segment number in every segmentation: (S, n). touched: parts of the state."""
    numbers = np.empty((len(segmentations), len(pane)), np.int32)
    for place, segmentation in enumerate(segmentations):
        table = tables[segmentation.name]
        before = len(table.keys), table.overflowed
        numbers[place] = table.numbers(pane.rows, pane.coded_places(segmentation.fields), pane.order)
        pane.add_segments(segmentation, numbers[place])
        if (len(table.keys), table.overflowed) != before:
            touched.add(f"segments/{segmentation.name}")
    return numbers
