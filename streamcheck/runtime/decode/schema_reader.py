"""Events that are written by schemas, Avro's or Protobuf's: each by its writer's, or all by one."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Format, Path, Schema, TimeUnit
from streamcheck.core.types import IntArray
from streamcheck.errors import SourceError
from streamcheck.runtime.decode.found import Found, Rows
from streamcheck.runtime.decode.framing import NO_SCHEMA_ID, PREFIX_BYTES, framed, schema_ids
from streamcheck.runtime.decode.parser import TOMBSTONE, TOO_LARGE, Refusal
from streamcheck.runtime.schemas import Registry, WriterSchema

SCHEMAS_MAX, SCHEMAS_BYTES_MAX = 1_000, 4 << 20
"""Schemas, and numbers that are none's, that are remembered: those met last. One may be as large as all together."""

SCHEMA_FACTOR = 8
"""Memory of a compiled schema for each byte of its text: 8 measured for Avro, 6 for Protobuf."""

PIECE_BYTES = 192 << 10
"""Of events that are objects at one time."""

TREE_FACTOR = 250
"""Python objects for each byte of an event, at worst: a record in an array may take a byte, and 190 as a dict."""

NAMES = {Format.AVRO: "Avro", Format.PROTOBUF: "Protobuf"}
_PACKAGES = {Format.AVRO: "fastavro", Format.PROTOBUF: "protobuf"}


class Unusable(Exception):  # noqa: N818 - a fact about a schema, which becomes the reason of its records
    """Nothing can be read by a schema, and why."""


class Compiled(Protocol):
    """A schema, made ready to read by. unit: of event times, where their own type says it."""

    unit: TimeUnit | None

    def decode(self, payload: bytes) -> Any:
        """One event. Raises whatever its bytes lead to."""

    def leaves(self, events: Sequence[Any]) -> list[Sequence[Any]]:
        """What each path holds: one value for each event, as JSON would have it; a list for what is no scalar there."""

    def whole(self, event: Any) -> Any:
        """All of an event, as JSON would have it."""


class SchemaReader:
    """Values by paths. registry: who knows the schemas, where records name theirs."""

    def __init__(
        self, schema: Schema, paths: Sequence[Path], registry: Registry | None, setting: str = "format"
    ) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._schema, self._registry = schema, registry
        self._format = schema.encoding.format
        self._module = module(self._format)
        self.slots = {path: at for at, path in enumerate(self._paths)}
        self._numeric = [(at, self.slots[c.path]) for at, c in enumerate(schema.numeric) if c.path in self.slots]
        self._known: OrderedDict[int, tuple[Compiled | str, int]] = OrderedDict()
        self._known_bytes = 0
        self._only: Compiled | None = None
        if schema.encoding.schema is not None:
            try:
                self._only = self._compiled(WriterSchema(self._format.upper(), schema.encoding.schema), "the schema")
            except Unusable as error:
                raise SourceError(f"streams.{schema.role}.{setting}: {error}") from error

    def read(self, values: Pieces, where: slice, rows: Rows) -> Iterator[Found]:
        """What these values hold, those of one schema together."""
        left = self._screened(values, where.start, rows)
        if self._only is not None:
            yield from self._group(self._only, "the schema", values, 0, left, where, rows)
            return
        good = framed(values)[left]
        rows.refused.update(dict.fromkeys((where.start + left[~good]).tolist(), NO_SCHEMA_ID))
        left = left[good]
        numbers = schema_ids(values.at(left))
        for number in np.unique(numbers).tolist():
            mine = left[numbers == number]
            compiled = self._of(number)
            if isinstance(compiled, str):
                rows.refused.update(dict.fromkeys((where.start + mine).tolist(), compiled))
            else:
                yield from self._group(compiled, f"schema {number}", values, PREFIX_BYTES, mine, where, rows)

    def _screened(self, values: Pieces, first: int, rows: Rows) -> IntArray:
        """Positions of values that may be looked into."""
        lengths = values.lengths
        absent, large = lengths < 0, lengths > self._schema.message_bytes_max
        rows.refused.update(dict.fromkeys((first + np.flatnonzero(absent)).tolist(), TOMBSTONE))
        rows.refused.update(dict.fromkeys((first + np.flatnonzero(large)).tolist(), TOO_LARGE))
        return np.flatnonzero(~(absent | large))

    def _group(
        self, compiled: Compiled, name: str, values: Pieces, prefix: int, mine: IntArray, where: slice, rows: Rows
    ) -> Iterator[Found]:
        """What values of one schema hold, which stand at `mine` in the block."""
        reason = f"not {NAMES[self._format]} by {name}"
        sizes = np.cumsum(values.lengths[mine])
        for piece in np.split(mine, np.flatnonzero(np.diff(sizes // PIECE_BYTES)) + 1):
            yield self._piece(compiled, reason, values, prefix, piece, where, rows)

    def _piece(
        self, compiled: Compiled, reason: str, values: Pieces, prefix: int, mine: IntArray, where: slice, rows: Rows
    ) -> Found:
        events, good = [], []
        data = values.data
        for at, begin, end in zip(mine.tolist(), values.begins[mine].tolist(), values.ends[mine].tolist(), strict=True):
            event = decoded(compiled, data[begin + prefix : end])
            if type(event) is Refusal:
                rows.refused[where.start + at] = event.reason or reason
            else:
                events.append(event)
                good.append(at)
        all_of_it = len(good) == where.stop - where.start
        places = where if all_of_it else np.array(good, np.int64) + where.start
        return Found(places, compiled.leaves(events), self.slots, self._numeric, compiled.unit)

    def whole(self, value: bytes) -> Any:
        """All of the event that a value holds, as JSON would have it; None where it holds none."""
        compiled: Compiled | str | None = self._only
        if compiled is None:
            if value[:1] != b"\0" or len(value) < PREFIX_BYTES:
                return None
            compiled, value = self._of(int.from_bytes(value[1:PREFIX_BYTES], "big")), value[PREFIX_BYTES:]
        event = Refusal("") if isinstance(compiled, str) else decoded(compiled, value)
        return None if isinstance(compiled, str) or type(event) is Refusal else compiled.whole(event)

    def _of(self, number: int) -> Compiled | str:
        """The schema of this number, or why its records are refused."""
        if number in self._known:
            self._known.move_to_end(number)
            return self._known[number][0]
        assert self._registry is not None, "records name their schemas, and there is no registry to ask"
        written = self._registry.schema(number)
        found: Compiled | str
        if written is None:
            found = f"unknown schema id {number}"
        elif written.kind != self._format.upper():
            found = f"schema {number} is {written.kind}"
        elif written.size > SCHEMAS_BYTES_MAX:
            found = f"schema {number} is too large"
        else:
            try:
                found = self._compiled(written, f"schema {number}")
            except Unusable as error:
                found = str(error)
        size = written.size if written is not None and not isinstance(found, str) else 0
        self._known[number] = found, size
        self._known_bytes += size
        while len(self._known) > SCHEMAS_MAX or (self._known_bytes > SCHEMAS_BYTES_MAX and len(self._known) > 1):
            self._known_bytes -= self._known.popitem(last=False)[1][1]
        return found

    def _compiled(self, written: WriterSchema, name: str) -> Compiled:
        time = self._schema.time.path if self._schema.time else None
        message = self._schema.encoding.message
        compiled: Compiled = self._module.compiled(written, name, self._paths, time, message)
        return compiled


def decoded(compiled: Compiled, payload: bytes) -> Any:
    """One event; a Refusal, without a reason of its own, where the bytes are none."""
    try:
        return compiled.decode(payload)
    except Exception:  # noqa: BLE001 - libraries raise whatever the bytes lead to
        return Refusal("")


def module(format_: Format) -> ModuleType:
    """What reads a format. Raises SourceError where its package is missing."""
    try:
        if format_ is Format.AVRO:
            from streamcheck.runtime.decode import avro as found  # noqa: PLC0415 (an extra)
        else:
            from streamcheck.runtime.decode import protobuf as found  # type: ignore[no-redef] # noqa: PLC0415
    except ImportError as error:
        if (error.name or "").startswith("streamcheck"):
            raise
        package = _PACKAGES[format_]
        raise SourceError(f"format: {format_} takes {package}: pip install 'streamcheck[{format_}]'") from error
    return found
