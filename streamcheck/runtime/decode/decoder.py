"""Columns and rejects from the records of one source partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.plan import Schema, Task
from streamcheck.core.types import (
    Batch,
    CodeArray,
    FloatArray,
    IntArray,
    KeyArray,
    StatusArray,
)
from streamcheck.runtime.decode import times as event_times
from streamcheck.runtime.decode.column_decoder import ColumnDecoder
from streamcheck.runtime.decode.fields import judged_numbers, read_codes, read_numbers
from streamcheck.runtime.decode.identity import read_keys
from streamcheck.runtime.decode.judgement import Codings, assert_kinds, doubt_times, doubted_labels, rejects
from streamcheck.runtime.decode.parser import Parser, Refusal
from streamcheck.runtime.decode.shape import Shape
from streamcheck.runtime.ports import RawBatch

CHUNK_ROWS = 2_048
"""Rows parsed before they become columns: about 2 MiB of Python objects, which the cache still holds. (Measured: 2.0 µs
an event at 2,000 rows, 2.1 at 500 and at 5,000, 3.2 at 10,000.)"""

CHUNK_BYTES = 2 << 20
"""The same in bytes, but for a single larger event: named fields may hold lists of lists, 25 times as large as their
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
        self._shape = Shape(paths, [column.path for column in schema.numeric if column.path not in others])
        rows = [(at, self._shape.rows.get(column.path)) for at, column in enumerate(schema.numeric)]
        self._quick = {at: row for at, row in rows if row is not None}  # numeric columns, by their place among numbers
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
        starts = _starts(raw.values)
        ends = (*starts[1:], len(raw.values))
        parts = [self._part(raw.values[a:b], raw.timestamps[a:b]) for a, b in zip(starts, ends, strict=True)]
        kept = np.concatenate([part.kept + start for part, start in zip(parts, starts, strict=True)])
        refused = {
            at + start: why for part, start in zip(parts, starts, strict=True) for at, why in part.refused.items()
        }
        assert len(kept) + len(refused) == len(raw.values), (len(kept), len(refused), len(raw.values))
        return Batch(
            source=raw.source,
            stream=self._schema.role,
            offsets=raw.offsets[kept],
            times=np.concatenate([part.times for part in parts]),
            keys=np.concatenate([part.keys for part in parts]),
            numeric=np.concatenate([part.numeric for part in parts], axis=1),
            codes=np.concatenate([part.codes for part in parts], axis=1),
            status=np.concatenate([part.status for part in parts], axis=1),
            dictionaries=tuple(self._codings.dictionaries),
            next_offset=raw.next_offset,
            rejects=rejects(raw.offsets, refused, raw.faults),
            raw=raw,
        )

    def _part(self, values: Sequence[bytes | None], stamps: IntArray) -> "_Part":
        parsed, typed = self._parser.parse(values)
        refused: dict[int, str] = {}
        kept = np.arange(len(parsed))
        if not typed and Refusal in set(map(type, parsed)):
            refused = {at: x.reason for at, x in enumerate(parsed) if type(x) is Refusal}
            kept = np.delete(kept, list(refused))
            parsed = [x for x in parsed if type(x) is not Refusal]
        leaves, numbers = self._shape.read(parsed, typed=typed)
        times, keys, doubts = self._key(leaves, stamps[kept])
        if doubts:
            refused.update({int(kept[at]): reason for at, reason in doubts.items()})
            good = np.ones(len(kept), np.bool_)
            good[list(doubts)] = False
            kept, times, keys = kept[good], times[good], keys[good] if len(keys) else keys
            leaves = [list(compress(leaf, good)) for leaf in leaves]
            numbers = None if numbers is None else numbers[:, good]
        numeric, codes, status = self._columns(leaves, numbers, len(kept))
        unlabelled = doubted_labels(self._schema, status)
        if unlabelled:
            refused.update({int(kept[at]): reason for at, reason in unlabelled.items()})
            good = np.ones(len(kept), np.bool_)
            good[list(unlabelled)] = False
            kept, times, keys = kept[good], times[good], keys[good] if len(keys) else keys
            numeric, codes, status = numeric[:, good], codes[:, good], status[:, good]
        return _Part(kept, times, keys, numeric, codes, status, refused)

    def _key(self, leaves: list[Sequence[Any]], stamps: IntArray) -> tuple[IntArray, KeyArray, dict[int, str]]:
        """Event times and keys of parsed events, and position -> reason of those that lack one."""
        keys: KeyArray = NO_KEYS
        doubts: dict[int, str] = {}
        if self._schema.id_path:
            keys, doubts = read_keys(leaves[self._shape.slots[self._schema.id_path]])
        if self._schema.time is None:
            times = stamps
        else:
            times = event_times.read_times(leaves[self._shape.slots[self._schema.time.path]], self._schema.time.unit)
        doubt_times(doubts, times, stamps, self._schema)
        return times, keys, doubts

    def _columns(
        self, leaves: list[Sequence[Any]], numbers: FloatArray | None, rows: int
    ) -> tuple[FloatArray, CodeArray, StatusArray]:
        plain, coded = self._schema.numeric, self._schema.coded
        numeric = np.zeros((len(plain), rows), np.float64)
        codes = np.zeros((len(coded), rows), np.int32)
        status = np.zeros((len(plain) + len(coded), rows), np.uint8)
        quick = self._quick if numbers is not None else {}
        if numbers is not None and quick:
            numeric[list(quick)], status[list(quick)] = judged_numbers(numbers[list(quick.values())])
        for at, column in enumerate(plain):
            if at not in quick:
                numeric[at], status[at] = read_numbers(leaves[self._shape.slots[column.path]])
        for at, column in enumerate(coded):
            found = read_codes(leaves[self._shape.slots[column.path]], self._codings.encoders[at])
            codes[at], status[len(plain) + at] = found
        return numeric, codes, status


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Rows of a few values: their positions among these, their columns, and position -> reason of the others."""

    kept: IntArray
    times: IntArray
    keys: KeyArray
    numeric: FloatArray
    codes: CodeArray
    status: StatusArray
    refused: dict[int, str]


def _starts(values: Sequence[bytes | None]) -> list[int]:
    """Where chunks begin that hold at most CHUNK_ROWS values and about CHUNK_BYTES; there is one at least."""
    ends = np.cumsum(np.fromiter((len(value or b"") for value in values), np.int64, len(values)))
    starts, at = [0], 0
    while at < len(values):
        before = int(ends[at - 1]) if at else 0
        at = max(at + 1, min(at + CHUNK_ROWS, int(np.searchsorted(ends, before + CHUNK_BYTES, side="right"))))
        starts += [at] if at < len(values) else []
    return starts
