"""Columns and rejects from the records of one source partition."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Schema, Task
from streamcheck.core.types import Batch, CodeArray, FloatArray, IntArray, KeyArray, StatusArray
from streamcheck.runtime.decode import times as event_times
from streamcheck.runtime.decode.codings import Codings
from streamcheck.runtime.decode.column_decoder import ColumnDecoder
from streamcheck.runtime.decode.fields import judge_numbers, read_numbers
from streamcheck.runtime.decode.identity import read_keys
from streamcheck.runtime.decode.judgement import assert_kinds, doubt_times, doubted_labels, rejects
from streamcheck.runtime.decode.parser import Parser, Refusal
from streamcheck.runtime.decode.shape import Path, Shape
from streamcheck.runtime.ports import RawBatch

BLOCK_BYTES = 192 << 10
"""Of JSON that is parsed before it becomes columns: its objects, twice as large, are read while in the cache."""

BLOCK_ROWS, BLOCK_ROWS_MIN = 2_048, 256
"""Rows of a block, at most and at least: each takes numpy 0.1 ms. Long events make it larger than BLOCK_BYTES."""

BLOCK_BYTES_MAX = 2 << 20
"""But not larger than this, a single event excepted: named fields may hold lists of lists, 25 times as large as their
JSON."""


class Decoder:
    """Decodes one stream's records by its Schema; what counts as what is told in `streamcheck.runtime.decode`.

    Keeps one Dictionary per coded column over all batches; binary columns share the fixed one of "0" and "1".
    Raises ConfigError for a field name that JSON parsing cannot look for. No record makes it raise.

    >>> from streamcheck.core.plan import Column, Kind, Role
    >>> from streamcheck.core.types import SourcePartition, StreamRole
    >>> amount = Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE)
    >>> decoder = Decoder(Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, (amount,), 1_000, 0))
    >>> values = [b'{"id": 7, "amount": 2}', b"nonsense"]
    >>> stamps = np.array([60_000, 60_001])
    >>> batch = decoder.decode(RawBatch(SourcePartition("p", 0), np.arange(2), stamps, [None, None], values, 2))
    >>> len(batch.keys), batch.numeric.tolist(), batch.rejects.reasons
    (1, [[2.0]], ('not JSON',))
    """

    def __init__(self, schema: Schema, task: Task | None = None) -> None:
        assert_kinds(schema, task)
        self._schema = schema
        paths = [column.path for column in schema.columns]
        paths += [schema.id_path] if schema.id_path else []
        paths += [schema.time.path] if schema.time else []
        others = {*paths[len(schema.columns) :], *(column.path for column in schema.coded)}
        rows: dict[Path, int] = {}
        for at, column in enumerate(schema.numeric):
            if column.path not in others:
                rows.setdefault(column.path, at)
        self._shape = Shape(paths, rows)
        # Numeric columns that are not written by the shape itself, and where their numbers come from.
        found = [(at, column.path, self._shape.rows.get(column.path)) for at, column in enumerate(schema.numeric)]
        self._left = [(at, self._shape.slots[path]) for at, path, row in found if row is None]
        self._all = [(at, self._shape.slots[path]) for at, path, _ in found]
        self._copied = [(at, row) for at, _, row in found if row is not None and row != at]
        self._parser = Parser(self._shape, schema.message_bytes_max)
        self._codings = Codings(schema.coded)
        self._columns_decoder = ColumnDecoder(schema, self._codings)

    def decode(self, records: RawBatch | ColumnBatch) -> Batch:
        """The rows of the batch as columns, in offset order, and one reject for every other record and fault."""
        if isinstance(records, ColumnBatch):
            return self._columns_decoder.decode(records)
        return self._decode(records)

    def _decode(self, raw: RawBatch) -> Batch:
        self._codings.replace_full()
        values, rows = Pieces.of(raw.values), _Rows.blank(self._schema, len(raw.values))
        begin = 0
        for end in _ends(values.lengths):
            self._block(values[begin:end], slice(begin, end), rows)
            begin = end
        rows.judge(self._schema, raw.timestamps)
        offsets, rows = (raw.offsets[rows.good], rows.only_good()) if rows.refused else (raw.offsets, rows)
        return Batch(
            source=raw.source,
            stream=self._schema.role,
            offsets=offsets,
            times=rows.times,
            keys=rows.keys,
            numeric=rows.numeric,
            codes=rows.codes,
            status=rows.status,
            dictionaries=self._codings.dictionaries,
            next_offset=raw.next_offset,
            rejects=rejects(raw.offsets, rows.refused, raw.faults),
            raw=raw,
        )

    def _block(self, values: Pieces, where: slice, rows: "_Rows") -> None:
        """Write what these values hold to their rows."""
        parsed, typed = self._parser.parse(values)
        leaves = self._shape.read_typed(parsed, rows.numeric[:, where]) if typed else None
        if leaves is not None:
            for at, row in self._copied:
                rows.numeric[at, where] = rows.numeric[row, where]
            self._write(leaves, where, rows, self._left)
            return
        places = np.arange(where.start, where.stop)
        if Refusal in set(map(type, parsed)):
            good = [type(x) is not Refusal for x in parsed]
            rows.refused.update((where.start + at, x.reason) for at, x in enumerate(parsed) if type(x) is Refusal)
            places, parsed = places[good], list(compress(parsed, good))
        self._write(self._shape.read(parsed), places, rows, self._all)

    def _write(
        self, leaves: list[Sequence[Any]], where: slice | IntArray, rows: "_Rows", numeric: Sequence[tuple[int, int]]
    ) -> None:
        """Write leaves to these rows. numeric: which columns of numbers, and the leaf of each."""
        schema, slots = self._schema, self._shape.slots
        if schema.id_path:
            rows.keys[where], doubts = read_keys(leaves[slots[schema.id_path]])
            places = np.arange(len(rows.times))[where] if doubts else ()
            rows.refused.update((int(places[at]), reason) for at, reason in doubts.items())
        if schema.time is not None:
            rows.times[where] = event_times.read_times(leaves[slots[schema.time.path]], schema.time.unit)
        for at, slot in numeric:
            rows.numeric[at, where], rows.status[at, where] = read_numbers(leaves[slot])
        for at, (column, coding) in enumerate(zip(schema.coded, self._codings, strict=True)):
            rows.codes[at, where], status = coding.read(leaves[slots[column.path]])
            if status is not None:
                rows.status[len(rows.numeric) + at, where] = status


@dataclass(slots=True, eq=False)
class _Rows:
    """The columns of n records while they are filled, as in a Batch; and position -> reason of those that are none."""

    times: IntArray
    keys: KeyArray
    numeric: FloatArray
    codes: CodeArray
    status: StatusArray
    refused: dict[int, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, schema: Schema, count: int) -> "_Rows":
        """Rows to be filled."""
        plain, coded = len(schema.numeric), len(schema.coded)
        return cls(
            times=np.zeros(count, np.int64),
            keys=np.zeros((count, 2), np.uint64) if schema.id_path else NO_KEYS,
            numeric=np.zeros((plain, count), np.float64),
            codes=np.zeros((coded, count), np.int32),
            status=np.zeros((plain + coded, count), np.uint8),
        )

    def judge(self, schema: Schema, stamps: IntArray) -> None:
        """Judge what is the same for all: numbers that are none, times, labels."""
        if schema.time is None:
            self.times = stamps
        self.numeric += 0.0  # a zero has no sign, as a whole number has none
        judge_numbers(self.numeric, self.status[: len(self.numeric)])
        doubt_times(self.refused, self.times, stamps, schema)
        self.refused = doubted_labels(schema, self.status) | self.refused

    @property
    def good(self) -> IntArray:
        """Positions of those that are not refused."""
        return np.delete(np.arange(len(self.times)), list(self.refused))

    def only_good(self) -> "_Rows":
        """Those that are not refused."""
        good = self.good
        return _Rows(
            self.times[good],
            self.keys[good] if len(self.keys) else self.keys,
            self.numeric[:, good],
            self.codes[:, good],
            self.status[:, good],
            self.refused,
        )


def _ends(lengths: IntArray) -> list[int]:
    """Where blocks of values of these lengths end; there may be none."""
    sums, found, at = np.cumsum(np.maximum(lengths, 0)), [], 0
    while at < len(lengths):
        before = int(sums[at - 1]) if at else 0
        few, many = np.searchsorted(sums, (before + BLOCK_BYTES, before + BLOCK_BYTES_MAX), side="right").tolist()
        at = min(max(at + 1, min(many, max(few, at + BLOCK_ROWS_MIN))), at + BLOCK_ROWS, len(lengths))
        found.append(at)
    return found
