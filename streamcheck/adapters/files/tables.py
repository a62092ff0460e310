"""Parquet and CSV files as columns, by pyarrow (the extra `streamcheck[files]`)."""

import csv
import difflib
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq

from streamcheck.adapters.files import arrow, named
from streamcheck.adapters.files.blocks import told
from streamcheck.adapters.files.csv_values import csv_binary, csv_category, csv_instant, csv_number
from streamcheck.core.columns import ColumnBatch, Fields, Values, nothing
from streamcheck.core.plan import Column, Kind, Schema
from streamcheck.core.types import IntArray, SourcePartition
from streamcheck.errors import SourceError

log = logging.getLogger(__name__)

BATCH_ROWS = 65_536
PAGES_BYTES = 1 << 20
"""Of a column's pages, read at once: a row group may have a gigabyte of them."""
BLOCK_BYTES = 4 << 20
"""Of CSV text; a row may not be longer."""
NAMES_SHOWN = 20
SEPARATORS = ",;\t"
"""Of cells: the one that a header line has most of."""
_PACKING = {".gz": "gzip", ".zst": "zstd"}
Path_ = tuple[str, ...]
Convert = Callable[[Any], Values]


@contextmanager
def told_by_arrow(path: Path) -> Iterator[None]:
    """What goes wrong in pyarrow, as a SourceError that names the file."""
    with told(path):
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError) as error:
            way_out = "; convert it to UTF-8" if "UTF8" in str(error).upper().replace("-", "") else ""
            if "straddl" in str(error):
                way_out = f"; expected rows of at most {BLOCK_BYTES} bytes (an unclosed quote?)"
            raise SourceError(f"{path}: {str(error).splitlines()[0]}{way_out}") from error


def paths_of(schema: Schema) -> list[Path_]:
    """Everything that a schema reads."""
    named = [column.path for column in (*schema.numeric, *schema.coded)]
    named += [schema.id_path] if schema.id_path else []
    return named + ([schema.time.path] if schema.time else [])


def check_columns(path: Path, schema: Schema, has: Callable[[Path_], bool], names: Sequence[str]) -> None:
    """Raise SourceError where a file lacks a column without which no row counts; log what else it lacks."""
    needed = {column.path for column in schema.columns if column.role is schema.needed}
    needed |= {schema.id_path} if schema.id_path else set()
    needed |= {schema.time.path} if schema.time else set()
    lacking = [wanted for wanted in dict.fromkeys(paths_of(schema)) if not has(wanted)]
    for wanted in sorted(lacking, key=lambda wanted: wanted not in needed):
        name = ".".join(wanted)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(map(repr, names[:NAMES_SHOWN]))}"
        if wanted in needed:
            raise SourceError(f"{path}: has no column {name!r}, which the config names; {hint}")
        log.warning("%s: has no column %r: its values count as missing (%s)", path, name, hint)


class ParquetRows:
    """The rows of one Parquet file from row `skip` on, whole row groups before it unread."""

    def __init__(
        self, path: Path, source: SourcePartition, schema: Schema, skip: int = 0, batch_rows: int | None = None
    ) -> None:
        self._path, self._source, self._schema = path, source, schema
        with told_by_arrow(path):
            metadata = papq.read_metadata(path)
            leaves = {metadata.schema.column(at).path for at in range(len(metadata.schema))}
            coded = sorted({".".join(column.path) for column in schema.coded} & leaves)
            # Of a row group, no buffer would read all pages at once, and pre_buffer keep them to the end of the file.
            self._file = papq.ParquetFile(
                path, metadata=metadata, read_dictionary=coded, buffer_size=PAGES_BYTES, pre_buffer=False
            )
            known = self._file.schema_arrow
            check_columns(path, schema, lambda wanted: _lies_in(known, wanted), known.names)
            counts = [self._file.metadata.row_group(at).num_rows for at in range(self._file.num_row_groups)]
            starts = np.cumsum([0, *counts])
            first = int(np.searchsorted(starts[1:], skip, side="right"))
            self._row, self._skip = int(starts[first]), skip
            self._rows = int(starts[-1])
            names = sorted({name for wanted in paths_of(schema) for name in _asked_for(known, wanted)})
            self._leaves = named.undeclared_leaves(metadata, schema)
            self._batches = self._read_groups(range(first, len(counts)), batch_rows or BATCH_ROWS, names)

    def _read_groups(self, groups: range, rows: int, names: list[str]) -> Iterator[tuple[Any, Fields | None]]:
        """Batches of some row groups, and the fields that their records have."""
        for fields, alike in groupby(groups, self._fields):
            for batch in self._file.iter_batches(rows, row_groups=list(alike), columns=names):
                yield batch, fields

    def _fields(self, group: int) -> Fields | None:
        nulls = named.all_null(self._file.metadata.row_group(group), self._leaves)
        return named.of_arrow(self._file.schema_arrow, self._schema, nulls)

    @property
    def done_bytes(self) -> int:
        """Bytes of the file that have been read, about."""
        return self._path.stat().st_size * self._row // max(self._rows, 1)

    @property
    def rows(self) -> int:
        """Rows of the file that have been passed, those that were skipped included."""
        return self._row

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def read(self) -> ColumnBatch | None:
        """The next rows; None at the end."""
        with told_by_arrow(self._path):
            for batch, fields in self._batches:
                batch.validate(full=True)  # bytes that were damaged: no text, codes beyond the dictionary
                rows = batch.slice(max(self._skip - self._row, 0))
                self._row += batch.num_rows
                if rows.num_rows:
                    offsets = np.arange(self._row - rows.num_rows, self._row, dtype=np.int64)
                    at = partial(_at, rows)
                    return _columns(self._source, self._schema, offsets, self._row, at, _PARQUET, fields=fields)
        return None


def batches_of(table: Any, source: SourcePartition, schema: Schema, first: int, rows_max: int) -> Iterator[ColumnBatch]:
    """A table with `__arrow_c_stream__` in batches, its rows numbered on from `first`.

    Columns that it lacks count as missing. Raises SourceError for what Arrow cannot read.
    """
    try:
        for batch in pa.RecordBatchReader.from_stream(table):
            for start in range(0, batch.num_rows, rows_max):
                rows = batch.slice(start, rows_max)
                offsets = np.arange(first, first + rows.num_rows, dtype=np.int64)
                first += rows.num_rows
                fields = named.of_arrow(rows.schema, schema)
                yield _columns(source, schema, offsets, first, partial(_at, rows), _PARQUET, fields=fields)
    except pa.ArrowException as error:
        raise SourceError(f"the table cannot be read: {str(error).splitlines()[0]}") from error


def _asked_for(known: Any, wanted: Path_) -> Iterable[str]:
    """What to name to the Parquet reader for a path: as much of it as there are structs for."""
    if wanted[0] not in known.names:
        return [".".join(wanted)] if ".".join(wanted) in known.names else []
    kind, name = known.field(wanted[0]).type, wanted[0]
    for part in wanted[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            break
        kind, name = kind.field(part).type, f"{name}.{part}"
    return [name]


def _lies_in(known: Any, wanted: Path_) -> bool:
    return ".".join(wanted) in _asked_for(known, wanted)


def _at(rows: Any, wanted: Path_) -> Any:
    """The array of a path; None where there is none."""
    if wanted[0] in rows.schema.names:
        return arrow.below(rows.column(wanted[0]), wanted[1:])
    name = ".".join(wanted)
    return rows.column(name) if name in rows.schema.names else None


class CsvRows:
    """The rows of one CSV file with a header line, from row `skip` on. One with other than its cells is a fault."""

    def __init__(self, path: Path, source: SourcePartition, schema: Schema, skip: int = 0) -> None:
        self._path, self._source, self._schema = path, source, schema
        self._row, self._skip = 0, skip
        self._odd: list[tuple[int, str]] = []
        with told_by_arrow(path):
            names, separator = header(path)
            self._fields = named.of_header(names, schema)
            check_columns(path, schema, lambda wanted: ".".join(wanted) in names, names)
            wanted = [name for name in dict.fromkeys(".".join(p) for p in paths_of(schema)) if name in names]
            twice = sorted(name for name in wanted if names.count(name) > 1)
            if twice:
                raise SourceError(f"{path}: the header names {twice[0]!r} twice; expected each column once")
            self._file = io.FileIO(path)
            try:
                self._batches = iter(self._open(wanted, separator))
            except BaseException:
                self._file.close()
                raise

    def _open(self, wanted: list[str], separator: str) -> Any:
        return pacsv.open_csv(
            stream(self._file, self._path),
            pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=self._note),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=wanted,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _note(self, row: Any) -> str:
        self._odd.append((row.number - 2, f"{row.actual_columns} cells, expected {row.expected_columns}"))
        return "skip"

    @property
    def done_bytes(self) -> int:
        """Bytes of the file that have been read."""
        return self._file.tell()

    @property
    def rows(self) -> int:
        """Rows of the file that have been passed, those that were skipped included."""
        return self._row

    def close(self) -> None:
        """Release the file."""
        self._batches = iter(())
        self._file.close()

    def read(self) -> ColumnBatch | None:
        """The next rows; None at the end."""
        with told_by_arrow(self._path):
            for batch in self._batches:
                offsets = self._numbered(batch.num_rows)
                faults = self._faults(self._row)
                first = int(np.searchsorted(offsets, self._skip))
                faults = tuple(fault for fault in faults if fault[0] >= self._skip)
                rows = batch.slice(first)
                if rows.num_rows or faults:
                    return self._batch(offsets[first:], partial(_at_name, rows), faults)
        faults = tuple(fault for fault in self._faults(None) if fault[0] >= self._skip)
        if not faults:
            return None
        self._row = faults[-1][0] + 1
        return self._batch(np.empty(0, np.int64), lambda _: pa.nulls(0), faults)

    def _batch(self, offsets: IntArray, at: Callable[[Path_], Any], faults: tuple[tuple[int, str], ...]) -> ColumnBatch:
        return _columns(self._source, self._schema, offsets, self._row, at, _CSV, faults, self._fields)

    def _numbered(self, rows: int) -> IntArray:
        """The numbers of the next rows, with those left out that the parser has reported as odd."""
        odd = [number for number, _ in self._odd if number >= self._row]
        numbers = np.arange(self._row, self._row + rows + len(odd), dtype=np.int64)
        found = numbers[~np.isin(numbers, odd)][:rows]
        self._row = int(found[-1]) + 1 if rows else self._row
        return found

    def _faults(self, until: int | None) -> tuple[tuple[int, str], ...]:
        """Odd rows before row `until` (None: all), reported once."""
        ready = sum(until is None or number < until for number, _ in self._odd)
        faults, self._odd = tuple(self._odd[:ready]), self._odd[ready:]
        return faults


def _at_name(rows: Any, wanted: Path_) -> Any:
    name = ".".join(wanted)
    return rows.column(name) if name in rows.schema.names else None


def stream(file: io.FileIO, path: Path) -> Any:
    """The file, unpacked where its name says that it is packed."""
    packing = _PACKING.get(path.suffix.lower())
    return file if packing is None else pa.CompressedInputStream(pa.PythonFile(file, "r"), packing)


def header(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and what separates them."""
    with io.FileIO(path) as file, io.TextIOWrapper(stream(file, path), "utf-8-sig", newline="") as text:
        line = text.readline()
        separator = max(SEPARATORS, key=line.count)
        names = next(csv.reader(chain([line], text), delimiter=separator), None)
    if not names:
        raise SourceError(f"{path}: is empty; expected a header line that names the columns")
    return names, separator


class _Uses:
    """How a file's arrays become the columns of a schema."""

    def __init__(self, instant: Convert, number: Convert, coded: Callable[[Column], Convert]) -> None:
        self.instant, self.number, self.coded = instant, number, coded


_PARQUET = _Uses(arrow.instant, arrow.number, lambda _: arrow.category)
_CSV = _Uses(
    csv_instant,
    csv_number,
    lambda column: csv_binary if column.kind is Kind.BINARY and column.positive is None else csv_category,
)


def _columns(
    source: SourcePartition,
    schema: Schema,
    offsets: IntArray,
    next_offset: int,
    at: Callable[[Path_], Any],
    uses: _Uses,
    faults: tuple[tuple[int, str], ...] = (),
    fields: Fields | None = None,
) -> ColumnBatch:
    def made(wanted: Path_, convert: Convert) -> Values:
        array = at(wanted)
        return nothing(len(offsets)) if array is None else convert(array)

    return ColumnBatch(
        source,
        offsets,
        np.full(len(offsets), -1, np.int64),
        made(schema.id_path, arrow.identity) if schema.id_path else None,
        made(schema.time.path, uses.instant) if schema.time else None,
        (
            *(made(column.path, uses.number) for column in schema.numeric),
            *(made(column.path, uses.coded(column)) for column in schema.coded),
        ),
        next_offset,
        faults,
        fields,
    )
