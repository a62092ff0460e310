"""Columns and rejects from the records of one source partition."""

from collections.abc import Iterator

import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import HEADERS, KEY, Format, Schema, Task, TimeUnit
from streamcheck.core.types import Batch, IntArray
from streamcheck.runtime.decode import times as event_times
from streamcheck.runtime.decode.codings import Codings
from streamcheck.runtime.decode.column_decoder import ColumnDecoder
from streamcheck.runtime.decode.envelopes import MARKS
from streamcheck.runtime.decode.envelopes import doubts as envelope_doubts
from streamcheck.runtime.decode.fields import read_numbers
from streamcheck.runtime.decode.found import Found, Rows, Wholly, positions
from streamcheck.runtime.decode.identity import read_keys
from streamcheck.runtime.decode.judgement import assert_kinds, rejects
from streamcheck.runtime.decode.metadata import Metadata, number_slot
from streamcheck.runtime.decode.names import Looks
from streamcheck.runtime.decode.readers import encoded_reader, json_reader
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.schemas import Registry

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

    def __init__(self, schema: Schema, task: Task | None = None, registry: Registry | None = None) -> None:
        assert_kinds(schema, task)
        self._schema, self._envelope = schema, schema.encoding.envelope
        marks = [MARKS[self._envelope]] if self._envelope is not None else []
        self._mark = marks[0] if marks else None
        self._metadata = Metadata(schema, marks, registry)
        self._plain = json_reader(schema, [*schema.paths, *marks])
        self._encoded = self._plain
        if self._metadata.any or schema.encoding.format is not Format.JSON:
            values = [path for path in (*schema.paths, *marks) if path[0] not in (KEY, HEADERS)]
            self._encoded = encoded_reader(schema, values, registry)
        whole = self._encoded.whole if isinstance(self._encoded, Wholly) else None
        self._looks = Looks(schema, whole) if schema.looks else None
        self._codings = Codings(schema.coded)
        self._columns_decoder = ColumnDecoder(schema, self._codings, self._looks)

    def decode(self, records: RawBatch | ColumnBatch) -> Batch:
        """The rows of the batch as columns, in offset order, and one reject for every other record and fault."""
        if isinstance(records, ColumnBatch):
            return self._columns_decoder.decode(records)
        return self._decode(records)

    def _decode(self, raw: RawBatch) -> Batch:
        self._codings.replace_full()
        dictionaries = self._codings.dictionaries
        if self._looks is not None:
            self._looks.replace_full()
            dictionaries += (self._looks.dictionary,)
        values, rows = Pieces.of(raw.values), Rows.blank(self._schema, len(raw.values))
        keys = Pieces.of(raw.keys) if self._schema.wants_keys and raw.encoded else Pieces.none(len(values))
        asked = raw.headers if self._metadata.headers and raw.encoded else None
        headers = None if asked is None else Pieces.of(asked)
        for where in _blocks(values.lengths):
            for found in self._read(raw, values[where], keys, headers, where, rows):
                self._write(found, rows)
        rows.judge(self._schema, raw.timestamps)
        if self._looks is not None:
            self._looks.write(values, rows, encoded=raw.encoded)
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
            dictionaries=dictionaries,
            next_offset=raw.next_offset,
            rejects=rejects(raw.offsets, rows.refused, raw.faults),
            raw=raw,
        )

    def _read(
        self, raw: RawBatch, values: Pieces, keys: Pieces, headers: Pieces | None, where: slice, rows: Rows
    ) -> Iterator[Found]:
        """What is found in a block of records: these values; all keys and headers."""
        if not raw.encoded:
            yield from self._plain.read(values, where, rows)
            return
        for found in self._encoded.read(values, where, rows):
            yield self._metadata.added(found, keys, headers, rows) if self._metadata.any else found

    def _write(self, found: Found, rows: Rows) -> None:
        """Write what was found to its rows."""
        schema, slots, values, where = self._schema, found.slots, found.values, found.places
        doubts: dict[int, str] = {}
        if schema.id_path:
            rows.keys[where], doubts = read_keys(values[slots[schema.id_path]], json=found.json)
        if schema.time is not None:
            unit = found.unit or schema.time.unit
            slot = slots[schema.time.path] if unit is TimeUnit.ISO8601 else number_slot(slots, schema.time.path)
            rows.times[where] = event_times.read_times(values[slot], unit)
        for at, slot in found.numeric:
            rows.numeric[at, where], rows.status[at, where] = read_numbers(values[slot])
        for at, (column, coding) in enumerate(zip(schema.coded, self._codings, strict=True)):
            rows.codes[at, where], status = coding.read(values[slots[column.path]])
            if status is not None:
                rows.status[len(rows.numeric) + at, where] = status
        if self._envelope is not None and self._mark is not None:
            doubts |= envelope_doubts(self._envelope, values[slots[self._mark]])
        if doubts:
            places = positions(where)
            rows.refused.update((int(places[at]), reason) for at, reason in doubts.items())


def _blocks(lengths: IntArray) -> Iterator[slice]:
    """Blocks of values of these lengths; there may be none."""
    begin = 0
    for end in _ends(lengths):
        yield slice(begin, end)
        begin = end


def _ends(lengths: IntArray) -> list[int]:
    """Where blocks of values of these lengths end; there may be none."""
    sums, found, at = np.cumsum(np.maximum(lengths, 0)), [], 0
    while at < len(lengths):
        before = int(sums[at - 1]) if at else 0
        few, many = np.searchsorted(sums, (before + BLOCK_BYTES, before + BLOCK_BYTES_MAX), side="right").tolist()
        at = min(max(at + 1, min(many, max(few, at + BLOCK_ROWS_MIN))), at + BLOCK_ROWS, len(lengths))
        found.append(at)
    return found
