"""All rows of one pane that closes.

In canonical order for row detectors and the join, folded per segment for the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.measures.base import Needs
from streamcheck.core.plan import Column, Kind, Schema, Segmentation
from streamcheck.core.rows import Rows, concatenate, occurring
from streamcheck.core.segments import PaneGroups, group
from streamcheck.core.summaries import (
    CategoricalPane,
    CategoricalSummary,
    FeaturesSummary,
    Layout,
    NumericPane,
    NumericSummary,
    ValuesSummary,
    fold_categorical,
    fold_features,
    fold_numeric,
)
from streamcheck.core.summaries.stream import Form, Names
from streamcheck.core.summaries.top import TopSummary, fold_top, halves
from streamcheck.core.types import (
    OTHER_SEGMENT,
    BoolArray,
    CodeArray,
    FieldStatus,
    FloatArray,
    IntArray,
    SourcePartition,
    StatusArray,
)
from streamcheck.core.undeclared import NAMES_MAX, parted

Summary = NumericSummary | CategoricalSummary | ValuesSummary | TopSummary

FOLD_ROWS = 65_536
"""Rows that are summed in one go.

Sums are cut here, never where a poll happened to end, so that their bits are always the same.
"""
FORM_ROWS_MIN = 10
FORM_SHARE = 0.9
"""A field has a form where more of the rows than this have it."""
CATEGORIES_MAX = 1_000
"""Distinct categories of one column in one pane; the rest, by first canonical appearance, count as `__other__`."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The usable values of one column in canonical order, and the positions of their rows in the pane."""

    values: FloatArray
    rows: IntArray


class PaneRows:
    """The on-time predictions of one pane, one part for each source partition (ascending), each in offset order."""

    def __init__(self, schema: Schema, parts: Sequence[tuple[SourcePartition, Rows]]) -> None:
        self._numeric = {c.name: place for place, c in enumerate(schema.numeric)}
        self._coded = {c.name: place for place, c in enumerate(schema.coded)}
        self._columns: Mapping[str, Column] = {c.name: c for c in schema.columns}
        self._sources = [(source, len(rows)) for source, rows in parts]
        self.rows = concatenate([rows for _, rows in parts])
        self._looked = len(self.rows.codes) > len(self._coded)
        ends = np.cumsum([len(rows) for _, rows in parts])
        self._cuts = [
            (int(a), min(int(a) + FOLD_ROWS, int(end)))
            for start, end in zip([0, *ends[:-1]], ends, strict=True)
            for a in range(start, end, FOLD_ROWS)
        ]
        rank = np.repeat(np.arange(len(parts)), [len(rows) for _, rows in parts])
        self.order: IntArray = np.lexsort((self.rows.offsets, rank, self.rows.times))
        self._groups: dict[str, PaneGroups] = {}
        self._selections: dict[str, Selection] = {}
        self._numeric_folds: dict[tuple[str, str], NumericPane] = {}
        self._coded_folds: dict[tuple[str, str], CategoricalPane] = {}
        self._coded_summaries: dict[tuple[str, str, int], CategoricalSummary] = {}
        self._numeric_summaries: dict[tuple[str, str, int], NumericSummary] = {}
        self._values: dict[tuple[str, str, int], ValuesSummary] = {}
        self._categories: dict[str, tuple[CodeArray, tuple[str, ...]]] = {}
        self.overflowed = 0
        """Categories that count as `__other__` for want of a place."""

    def __len__(self) -> int:
        return len(self.rows)

    def coded_places(self, names: Sequence[str]) -> list[int]:
        """Where these categorical columns stand in `rows.codes`."""
        return [self._coded[name] for name in names]

    def add_segments(self, segmentation: Segmentation, numbers: CodeArray) -> None:
        """Say how a segmentation cuts this pane: each row's segment number."""
        self._groups[segmentation.name] = group(numbers)

    def numbers_of(self, by: Segmentation) -> IntArray:
        """Each row's segment number, in the pane's own order."""
        groups = self._groups[by.name]
        return np.asarray(groups.segments[groups.groups])

    def grouping(self, by: Segmentation | None) -> tuple[CodeArray | None, int]:
        """Each row's place among the segments that occur, and their number; None for all rows together."""
        return (None, 1) if by is None else (self._groups[by.name].groups, len(self._groups[by.name].segments))

    def segments(self, by: Segmentation | None) -> list[int]:
        """The segment numbers that occur, ascending; a single 0 for all rows together."""
        return [0] if by is None else self._groups[by.name].segments.tolist()

    def is_coded(self, column: str) -> bool:
        """Whether the column is categorical or binary."""
        return column in self._coded

    def source_of(self, row: int) -> SourcePartition:
        """Where the row at this position in the pane's own order came from."""
        ends = np.cumsum([n for _, n in self._sources])
        return self._sources[int(np.searchsorted(ends, row, side="right"))][0]

    def rows_of(self, by: Segmentation | None, segment: int) -> IntArray:
        """Positions of a segment's rows in the pane's own order, in canonical order; of all rows where by is None."""
        if by is None:
            return self.order
        mine = self._groups[by.name].groups[self.order] == self._group_of(by, segment)
        return np.asarray(self.order[mine], np.int64)

    # ------------------------------------------------------------------ rows
    def usable(self, column: str) -> BoolArray:
        """Which rows have a usable value, in the pane's own order."""
        return np.asarray(self._status(column) == FieldStatus.OK)

    def _status(self, column: str) -> StatusArray:
        place = self._numeric[column] if column in self._numeric else len(self._numeric) + self._coded[column]
        status: StatusArray = self.rows.status[place]
        return status

    def forms(self) -> tuple[tuple[tuple[str, Form], ...], tuple[int, ...]]:
        """What nearly all rows hold of each field, and how many have it; nothing with too few rows to tell."""
        rows = len(self)
        if rows < FORM_ROWS_MIN:
            return (), ()
        status = self.rows.status[: len(self._columns)]
        missing = (status == FieldStatus.MISSING).sum(axis=1)
        other = (status >= FieldStatus.WRONG_TYPE).sum(axis=1)
        usable = rows - missing - other
        alike = [part > FORM_SHARE * rows for part in (usable, missing, other)]
        mixed = np.where(2 * usable >= rows, Form.MOST, Form.SOME)
        forms = np.select(alike, [Form.PRESENT, Form.ABSENT, Form.OTHER_TYPE], mixed).tolist()
        names = (*self._numeric, *self._coded)
        return tuple((name, Form(form)) for name, form in zip(names, forms, strict=True)), tuple(usable.tolist())

    def names(self) -> Names | None:
        """Undeclared fields of rows that were looked at, the most frequent NAMES_MAX; None where none was."""
        if not self._looked:
            return None
        seen, values = np.bincount(self.rows.codes[-1] + 1)[1:], self.rows.dictionaries[-1].values
        counts: Counter[str] = Counter()
        for code in np.flatnonzero(seen).tolist():
            counts.update(dict.fromkeys(parted(values[code]), int(seen[code])))
        kept = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:NAMES_MAX]
        return Names(int(seen.sum()), tuple(sorted(kept))) if seen.any() else None

    def status_of(self, column: str, row: int) -> FieldStatus:
        """What became of one field of the row at this position."""
        return FieldStatus(int(self._status(column)[row]))

    def text_of(self, column: str, row: int) -> str:
        """A usable value as text."""
        if column in self._numeric:
            return repr(float(self.values(column)[row]))
        place = self._coded[column]
        return self.rows.dictionaries[place].values[int(self.rows.codes[place, row])]

    def values(self, column: str) -> FloatArray:
        """The column as numbers, in the pane's own order: codes 0 and 1 of a binary column, else its numeric values."""
        if column in self._numeric:
            values: FloatArray = self.rows.numeric[self._numeric[column]]
            return values
        assert self._columns[column].kind is Kind.BINARY, f"{column} is not a number"
        return np.asarray(self.rows.codes[self._coded[column]], np.float64)

    def select(self, column: str) -> Selection:
        """The usable values in canonical order."""
        if column not in self._selections:
            rows = self.order[self.usable(column)[self.order]]
            self._selections[column] = Selection(self.values(column)[rows], rows)
        return self._selections[column]

    def split(self, selection: Selection, by: Segmentation | None) -> list[tuple[int, FloatArray]]:
        """The selected values of each segment that occurs among them, canonical order kept."""
        if by is None:
            return [(0, selection.values)] if len(selection.values) else []
        groups = self._groups[by.name]
        of_row = groups.groups[selection.rows]
        order = np.argsort(of_row, kind="stable")
        bounds = np.searchsorted(of_row[order], np.arange(len(groups.segments) + 1))
        return [
            (int(number), selection.values[order[start:stop]])
            for number, start, stop in zip(
                groups.segments.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
            )
            if stop > start
        ]

    # ------------------------------------------------------------------ summaries
    def look(self, needs: Needs, column: str, by: Segmentation | None, segment: int, layout: Layout | None) -> Summary:
        """What a measure with these needs is to see."""
        if needs is Needs.TOP:
            return self.top_summary(column, by, segment)
        by_value = needs is Needs.VALUES or (needs is Needs.CODES and column in self._numeric)
        return (self.values_summary if by_value else self.summary)(column, by, segment, layout)

    def top_summary(self, column: str, by: Segmentation | None, segment: int) -> TopSummary:
        """Which value of a coded column comes most often in one segment that occurs."""
        place, offsets = self._coded[column], self.rows.offsets
        codes, values = self.rows.codes[place], self.rows.dictionaries[place].values
        if by is not None:
            mine = self._groups[by.name].groups == self._group_of(by, segment)
            codes, offsets = codes[mine], offsets[mine]
        return fold_top(codes, halves(offsets), values)

    def summary(
        self, column: str, by: Segmentation | None, segment: int, layout: Layout | None
    ) -> NumericSummary | CategoricalSummary:
        """What is remembered of a column for one segment that occurs; the same object for all who ask."""
        if not self.is_coded(column):
            return self.numeric_summary(column, by, segment, layout)
        key = (column, by.name if by else "", segment)
        found = self._coded_summaries.get(key)
        if found is None:
            found = self._coded_summaries[key] = self.coded_summary(column, by, segment)
        return found

    def numeric_summary(
        self, column: str, by: Segmentation | None, segment: int, layout: Layout | None
    ) -> NumericSummary:
        """What is remembered of a numeric (or binary) column for one segment that occurs; one object for all."""
        key = (column, by.name if by else "", segment)
        found = self._numeric_summaries.get(key)
        if found is None:
            fold = self._numeric_fold(column, by, layout)
            found = self._numeric_summaries[key] = fold.summary(self._group_of(by, segment))
        return found

    def _numeric_fold(self, column: str, by: Segmentation | None, layout: Layout | None) -> NumericPane:
        key = (column, by.name if by else "")
        fold = self._numeric_folds.get(key)
        if fold is None:
            groups, n_groups = self.grouping(by)
            fold = self._numeric_folds[key] = fold_numeric(
                self.values(column),
                self._status(column),
                layout,
                self._columns[column].range,
                groups,
                n_groups,
                self._cuts,
            )
        return fold

    def values_summary(
        self, column: str, by: Segmentation | None, segment: int, layout: Layout | None
    ) -> ValuesSummary:
        """The usable values of a numeric column for one segment that occurs, partition by partition."""
        key = (column, by.name if by else "", segment)
        found = self._values.get(key)
        if found is None:
            folded = self.numeric_summary(column, by, segment, layout)
            ends = np.cumsum([n for _, n in self._sources])
            values = self.values(column)
            if folded.ok < len(values):
                mine = self.usable(column)
                if by is not None:
                    mine &= self._groups[by.name].groups == self._group_of(by, segment)
                values, ends = values[mine], np.concatenate(([0], np.cumsum(mine)))[ends]
            found = ValuesSummary(folded, values, tuple(source for source, _ in self._sources), ends)
            self._values[key] = found
        return found

    def features_summary(self, columns: Sequence[str], layouts: Mapping[str, Layout]) -> FeaturesSummary:
        """What is remembered of these numeric columns together. All sums are exact: no cuts, no order is needed."""
        usable = np.logical_and.reduce([self.usable(column) for column in columns])
        values = [self.values(column) for column in columns]
        return fold_features(columns, values, usable, [layouts[column] for column in columns])

    def coded_summary(self, column: str, by: Segmentation | None, segment: int) -> CategoricalSummary:
        """What is remembered of a categorical column for one segment that occurs."""
        key = (column, by.name if by else "")
        fold = self._coded_folds.get(key)
        if fold is None:
            codes, categories = self._compact(column)
            groups, n_groups = self.grouping(by)
            fold = self._coded_folds[key] = fold_categorical(
                codes, self._status(column), categories, groups, n_groups
            )  # counts: no cuts needed
        return fold.summary(self._group_of(by, segment))

    def _group_of(self, by: Segmentation | None, segment: int) -> int:
        return 0 if by is None else int(np.searchsorted(self._groups[by.name].segments, segment))

    def _compact(self, column: str) -> tuple[CodeArray, tuple[str, ...]]:
        """The column's codes into just the categories of this pane, which are sorted as texts."""
        if column not in self._categories:
            place = self._coded[column]
            codes, values = self.rows.codes[place], self.rows.dictionaries[place].values
            used = occurring(codes, self.rows.dictionaries[place])
            if len(used) > CATEGORIES_MAX:  # which are kept depends on the order of rows
                found, first = np.unique(codes[self.order], return_index=True)
                found = found[np.argsort(first)]
                used = found[found >= 0]
            self.overflowed += max(0, len(used) - CATEGORIES_MAX)
            named = sorted(used[:CATEGORIES_MAX].tolist(), key=values.__getitem__)
            if len(used) > CATEGORIES_MAX:  # a category of that name is counted with the rest
                named = [code for code in named if values[code] != OTHER_SEGMENT]
            table = np.full(len(values) + 1, -1, np.int32)  # the last place serves code -1
            table[used] = len(named)
            table[named] = np.arange(len(named), dtype=np.int32)
            names = tuple(values[code] for code in named) + ((OTHER_SEGMENT,) if len(used) > CATEGORIES_MAX else ())
            self._categories[column] = (table[codes], names)
        return self._categories[column]
