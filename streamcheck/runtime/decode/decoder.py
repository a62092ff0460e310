"""Columns and rejects from the records of one source partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from streamcheck.core.ids import NO_KEYS
from streamcheck.core.plan import Column, Kind, Role, Schema, Task
from streamcheck.core.types import (
    Batch,
    BoolArray,
    CodeArray,
    Dictionary,
    FieldStatus,
    FloatArray,
    IntArray,
    KeyArray,
    Rejects,
    StatusArray,
    StreamRole,
)
from streamcheck.runtime.decode import times as event_times
from streamcheck.runtime.decode.fields import Encode, binary_encoder, category_encoder, read_codes, read_numbers
from streamcheck.runtime.decode.identity import read_keys
from streamcheck.runtime.decode.parser import Parser, Refusal
from streamcheck.runtime.decode.shape import Shape
from streamcheck.runtime.ports import RawBatch

DICTIONARY_MAX = 16_384
"""Categories after which a column's dictionary is replaced: at 64 characters 4 to 7 MiB a column."""
CHUNK_ROWS = 2_048
"""Rows parsed before they become columns: about 2 MiB of Python objects, which the cache still holds. (Measured: 2.0 µs
an event at 2,000 rows, 2.1 at 500 and at 5,000, 3.2 at 10,000.)"""

CHUNK_BYTES = 2 << 20
"""The same in bytes, but for a single larger event: named fields may hold lists of lists, 25 times as large as their
JSON."""

MISSING_TIME = "missing time"
BAD_TIME = "bad time"
IN_FUTURE = "time in future"
MISSING_LABEL = "missing label"
BAD_LABEL = "bad label"

_KIND_OF_TASK = {Task.BINARY: Kind.BINARY, Task.MULTICLASS: Kind.CATEGORICAL, Task.REGRESSION: Kind.NUMERIC}
_BINARY_VALUES = Dictionary(("0", "1"))


class Decoder:
    """Decodes one stream's records by its Schema; what counts as what is told in `streamcheck.runtime.decode`.

    Keeps one Dictionary per coded column over all batches; binary columns share the fixed one of "0" and "1".
    Raises ConfigError for a field name that JSON parsing cannot look for. No record makes it raise.

    >>> from streamcheck.core.types import SourcePartition
    >>> amount = Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE)
    >>> decoder = Decoder(Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, (amount,), 1_000, 0))
    >>> values = [b'{"id": 7, "amount": 2}', b"nonsense"]
    >>> stamps = np.array([60_000, 60_001])
    >>> batch = decoder.decode(RawBatch(SourcePartition("p", 0), np.arange(2), stamps, [None, None], values, 2))
    >>> len(batch.keys), batch.numeric.tolist(), batch.rejects.reasons
    (1, [[2.0]], ('not JSON',))
    """

    def __init__(self, schema: Schema, task: Task | None = None) -> None:
        for column in schema.columns:
            judged = task is not None and column.role in (Role.PREDICTION, Role.LABEL)
            assert not judged or column.kind is _KIND_OF_TASK[task], f"{column.name} is {column.kind} in a {task} task"  # type: ignore[index]
        self._schema = schema
        paths = [column.path for column in schema.columns]
        paths += [schema.id_path] if schema.id_path else []
        paths += [schema.time.path] if schema.time else []
        self._shape = Shape(paths)
        self._parser = Parser(self._shape, schema.message_bytes_max)
        self._dictionaries: list[Dictionary] = []
        self._encoders: list[Encode] = []
        for column in schema.coded:
            dictionary, encode = _coding(column)
            self._dictionaries.append(dictionary)
            self._encoders.append(encode)

    def decode(self, raw: RawBatch) -> Batch:
        """The rows of the batch as columns, in offset order, and one reject for every other record and fault."""
        self._replace_full_dictionaries()
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
            dictionaries=tuple(self._dictionaries),
            next_offset=raw.next_offset,
            rejects=_rejects(raw, refused),
            raw=raw,
        )

    def _part(self, values: Sequence[bytes | None], stamps: IntArray) -> "_Part":
        parsed = self._parser.parse(values)
        refused: dict[int, str] = {}
        kept = np.arange(len(parsed))
        if Refusal in set(map(type, parsed)):
            refused = {at: x.reason for at, x in enumerate(parsed) if type(x) is Refusal}
            kept = np.delete(kept, list(refused))
            parsed = [x for x in parsed if type(x) is not Refusal]
        leaves = self._shape.leaves(parsed)
        times, keys, doubts = self._key(leaves, stamps[kept])
        if doubts:
            refused.update({int(kept[at]): reason for at, reason in doubts.items()})
            good = np.ones(len(kept), np.bool_)
            good[list(doubts)] = False
            kept, times, keys = kept[good], times[good], keys[good] if len(keys) else keys
            leaves = [list(compress(leaf, good)) for leaf in leaves]
        numeric, codes, status = self._columns(leaves, len(kept))
        if self._schema.role is StreamRole.LABELS:
            good = self._labelled(status, kept, refused)
            if not good.all():
                kept, times, keys = kept[good], times[good], keys[good]
                numeric, codes, status = numeric[:, good], codes[:, good], status[:, good]
        return _Part(kept, times, keys, numeric, codes, status, refused)

    def _key(self, leaves: list[list[Any]], stamps: IntArray) -> tuple[IntArray, KeyArray, dict[int, str]]:
        """Event times and keys of parsed events, and position -> reason of those that lack one."""
        keys: KeyArray = NO_KEYS
        doubts: dict[int, str] = {}
        if self._schema.id_path:
            keys, doubts = read_keys(leaves[self._shape.slots[self._schema.id_path]])
        if self._schema.time is None:
            times = stamps
            late_doubts = [(~event_times.within_range(times), BAD_TIME)]
        else:
            times = event_times.read_times(leaves[self._shape.slots[self._schema.time.path]], self._schema.time.unit)
            ahead = (stamps >= 0) & (times - stamps > self._schema.max_future_ms)
            late_doubts = [
                (times == event_times.MISSING, MISSING_TIME),
                (times == event_times.BAD, BAD_TIME),
                (ahead, IN_FUTURE),
            ]
        for where, reason in late_doubts:
            for at in np.flatnonzero(where).tolist():
                doubts.setdefault(at, reason)
        return times, keys, doubts

    def _columns(self, leaves: list[list[Any]], rows: int) -> tuple[FloatArray, CodeArray, StatusArray]:
        plain, coded = self._schema.numeric, self._schema.coded
        numeric = np.zeros((len(plain), rows), np.float64)
        codes = np.zeros((len(coded), rows), np.int32)
        status = np.zeros((len(plain) + len(coded), rows), np.uint8)
        for at, column in enumerate(plain):
            numeric[at], status[at] = read_numbers(leaves[self._shape.slots[column.path]])
        for at, column in enumerate(coded):
            found = read_codes(leaves[self._shape.slots[column.path]], self._encoders[at])
            codes[at], status[len(plain) + at] = found
        return numeric, codes, status

    def _labelled(self, status: StatusArray, kept: IntArray, refused: dict[int, str]) -> BoolArray:
        """Which rows have a label; the reasons of the others are noted."""
        order = (*self._schema.numeric, *self._schema.coded)
        good = np.ones(len(kept), np.bool_)
        for at, column in enumerate(order):
            if column.role is Role.LABEL:
                good &= status[at] == FieldStatus.OK
                for row in np.flatnonzero(status[at] != FieldStatus.OK).tolist():
                    missing = status[at, row] == FieldStatus.MISSING
                    refused[int(kept[row])] = MISSING_LABEL if missing else BAD_LABEL
        return good

    def _replace_full_dictionaries(self) -> None:
        for at, column in enumerate(self._schema.coded):
            if len(self._dictionaries[at]) > DICTIONARY_MAX:
                self._dictionaries[at], self._encoders[at] = _coding(column)


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


def _coding(column: Column) -> tuple[Dictionary, Encode]:
    if column.kind is Kind.BINARY:
        return _BINARY_VALUES, binary_encoder(column.positive)
    dictionary = Dictionary()
    return dictionary, category_encoder(dictionary)


def _rejects(raw: RawBatch, refused: dict[int, str]) -> Rejects:
    if not refused and not raw.faults:
        return Rejects.none()
    found = sorted([(int(raw.offsets[at]), reason) for at, reason in refused.items()] + list(raw.faults))
    return Rejects(np.array([offset for offset, _ in found], np.int64), tuple(reason for _, reason in found))
