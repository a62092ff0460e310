"""Batches from columns: what `Decoder` does for records that are columns already."""

import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.plan import Schema
from streamcheck.core.types import Batch, CodeArray, FieldStatus, FloatArray, KeyArray, StatusArray
from streamcheck.runtime.decode import columns
from streamcheck.runtime.decode.codings import Codings
from streamcheck.runtime.decode.judgement import doubt_times, doubted_values, rejects
from streamcheck.runtime.decode.names import Looks


class ColumnDecoder:
    """Judges columns by a stream's Schema. codings, looks: shared with the decoder of the stream's JSON.

    Columns are picked by name; of the others a source says only which there are.
    """

    def __init__(self, schema: Schema, codings: Codings, looks: Looks | None) -> None:
        self._schema = schema
        self._codings, self._looks = codings, looks

    def decode(self, batch: ColumnBatch) -> Batch:
        """The rows of the batch, in offset order, and one reject for every other record and fault."""
        self._codings.replace_full()
        if self._looks is not None:
            self._looks.replace_full()
        keys: KeyArray = NO_KEYS
        doubts: dict[int, str] = {}
        if self._schema.id_path:
            assert batch.id is not None, f"{batch.source}: no column of ids"
            keys, doubts = columns.keys(batch.id)
        times = batch.timestamps
        if self._schema.time is not None:
            assert batch.time is not None, f"{batch.source}: no column of times"
            times = columns.times(batch.time, self._schema.time.unit)
        doubt_times(doubts, times, batch.timestamps, self._schema)
        numeric, codes, status = self._columns(batch)
        if self._looks is not None and batch.fields is not None:
            self._looks.write_alike(batch.fields, keys, times, codes[-1], status[-1])
        doubts = doubted_values(self._schema, status) | doubts
        offsets = batch.offsets
        if doubts:
            good = np.delete(np.arange(len(batch)), list(doubts))
            offsets, times, keys = offsets[good], times[good], keys[good] if len(keys) else keys
            numeric, codes, status = numeric[:, good], codes[:, good], status[:, good]
        return Batch(
            source=batch.source,
            stream=self._schema.role,
            offsets=offsets,
            times=times,
            keys=keys,
            numeric=numeric,
            codes=codes,
            status=status,
            dictionaries=self._codings.dictionaries + (() if self._looks is None else (self._looks.dictionary,)),
            next_offset=batch.next_offset,
            rejects=rejects(batch.offsets, doubts, batch.faults),
        )

    def _columns(self, batch: ColumnBatch) -> tuple[FloatArray, CodeArray, StatusArray]:
        plain, coded, rows = self._schema.numeric, self._schema.coded_rows, len(batch)
        numeric = np.empty((len(plain), rows), np.float64)
        codes = np.full((coded, rows), -1, np.int32)
        status = np.full((len(plain) + coded, rows), FieldStatus.MISSING, np.uint8)
        for at in range(len(plain)):
            numeric[at], status[at] = columns.numbers(batch.columns[at])
        for at, coding in enumerate(self._codings, len(plain)):
            codes[at - len(plain)], status[at] = columns.codes(batch.columns[at], coding.encode)
        return numeric, codes, status
