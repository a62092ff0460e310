"""Avro: records by the schema that they were written by.

Values are what JSON would have in their place: enums and uuids are texts, unions what they hold, decimals numbers,
records and maps objects. Bytes, fixed and arrays are no scalars. Times are numbers in the unit of their type; where the
config takes the event time from one, that unit counts, and dates, times of day and local times are no moments.
"""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import fastavro

from streamcheck.core.plan import Path, TimeUnit
from streamcheck.runtime.decode.schema_reader import Unusable
from streamcheck.runtime.decode.shape import NOT_SCALAR
from streamcheck.runtime.schemas import WriterSchema

HOLLOW_MAX, HOLLOW_PER_BYTE = 1_000, 4
"""Parts of a schema that take no byte (nulls, empty records), of a record, and of an item of an array or map for each
byte that it takes at least: a few bytes must not become millions of objects."""

DECIMAL_BYTES_MAX, SCALE_MAX = 256, 1_000
"""Of a decimal: a longer one is beyond the range of a float, whatever its scale."""

Scale = Callable[[Path], int | None]

_UNITS = {
    "timestamp-millis": TimeUnit.MS,
    "timestamp-micros": TimeUnit.US,
    "timestamp-nanos": TimeUnit.NS,
    **dict.fromkeys(
        ("date", "time-millis", "time-micros", "local-timestamp-millis", "local-timestamp-micros",
         "local-timestamp-nanos"), TimeUnit.ISO8601,
    ),
}  # fmt: skip
_PRIMITIVES = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))
_PLAIN = frozenset((int, str, bool, type(None)))
_PLAIN_OR_FLOAT = _PLAIN | {float}


class AvroSchema:
    """A parsed schema, and the paths that are wanted of its records."""

    def __init__(self, parsed: Any, paths: Sequence[Path], scale: Scale, unit: TimeUnit | None) -> None:
        self._paths, self._scale, self.unit = paths, scale, unit
        self._scales = [scale(path) for path in paths]
        self._read = partial(fastavro.schemaless_reader, writer_schema=parsed, reader_schema=None)

    def decode(self, payload: bytes) -> Any:
        """One record. Raises whatever its bytes lead to."""
        stream = io.BytesIO(payload)
        event = self._read(stream)
        if stream.tell() != len(payload):
            raise ValueError("bytes are left over")
        return event

    def leaves(self, events: Sequence[Any]) -> list[Sequence[Any]]:
        """What each path holds."""
        known: dict[Path, Sequence[Any]] = {(): events}
        return [_plain(_at(known, path), scale) for path, scale in zip(self._paths, self._scales, strict=True)]

    def whole(self, event: Any, path: Path = ()) -> Any:
        """All of a record."""
        if isinstance(event, Mapping):
            return {name: self.whole(value, (*path, name)) for name, value in event.items()}
        return (
            [self.whole(value, path) for value in event]
            if isinstance(event, list)
            else _scalar(event, self._scale(path))
        )


def _at(known: dict[Path, Sequence[Any]], path: Path) -> Sequence[Any]:
    """The values at a path; those on the way there are kept for others."""
    if path not in known:
        name = path[-1]
        known[path] = [
            value.get(name) if type(value) is dict else None if value is None else NOT_SCALAR
            for value in _at(known, path[:-1])
        ]
    return known[path]


def _plain(values: Sequence[Any], scale: int | None) -> Sequence[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return values
    if kinds <= _PLAIN_OR_FLOAT:
        return [value if value == value else math.inf for value in values]  # noqa: PLR0124 - NaN
    return [_scalar(value, scale) for value in values]


def _scalar(value: Any, scale: int | None) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return math.inf if value != value else value  # noqa: PLR0124 - NaN, which is no absent number here
    return NOT_SCALAR if scale is None or not isinstance(value, bytes) else _decimal(value, scale)


def _decimal(value: bytes, scale: int) -> Any:
    r"""The number of a decimal: a whole one exactly, others as the nearest float.

    >>> _decimal(b"\x04\xe2", 2), _decimal(b"\x05", 0)
    (12.5, 5)
    """
    if len(value) > DECIMAL_BYTES_MAX:
        return math.inf
    unscaled, unit = int.from_bytes(value, "big", signed=True), 10**scale
    if unscaled % unit == 0:
        return unscaled // unit
    try:
        return unscaled / unit
    except OverflowError:
        return math.inf


def compiled(
    written: WriterSchema, name: str, paths: Sequence[Path], time: Path | None, _message: str | None = None
) -> AvroSchema:
    """The schema, ready to read by. Raises Unusable."""
    try:
        references = [json.loads(content) for _, content in written.references]
        top = json.loads(written.content)
        known = _Names(name)
        for each in references:
            known.take(each, "")
        known.take(top, "")
        _check(known, top, name, record=() not in paths)
        named: dict[str, Any] = {}
        for each in references:
            fastavro.parse_schema(_bare(each), named_schemas=named)
        parsed = fastavro.parse_schema(_bare(top), named_schemas=named)
    except Unusable:
        raise
    except Exception as error:  # whatever a broken schema leads to
        raise Unusable(f"{name} is no Avro schema") from error
    return AvroSchema(parsed, paths, partial(known.scale, top), known.unit(top, time) if time else None)


def _check(known: "_Names", top: Any, name: str, *, record: bool) -> None:
    """Raises Unusable for a schema by which nothing may be read. record: whether it must be one's."""
    if record and (not isinstance(top, dict) or top.get("type") not in ("record", "error")):
        raise Unusable(f"{name} is of no record")
    if known.weight(top, "", ())[1] > HOLLOW_MAX:
        raise Unusable(f"{name} has too many parts that hold nothing")


def _bare(schema: Any) -> Any:
    """The schema without logical types: times stay numbers, uuids texts, decimals bytes, which are read here."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = ("type", "items", "values", "fields")
    return {key: _bare(value) if key in inner else value for key, value in schema.items() if key != "logicalType"}


class _Names:
    """The named types of schemas, and what they come to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._types: dict[str, tuple[Any, str]] = {}
        self._weights: dict[str, tuple[int, int]] = {}

    def take(self, schema: Any, space: str) -> None:
        """Learn the names in a schema."""
        if isinstance(schema, list):
            for each in schema:
                self.take(each, space)
        elif isinstance(schema, dict):
            kind = schema.get("type")
            if kind in ("record", "error", "enum", "fixed"):
                full = _full(str(schema["name"]), schema.get("namespace", space))
                self._types[full] = (schema, full.rpartition(".")[0])
                for each in schema.get("fields", ()) if kind in ("record", "error") else ():
                    self.take(each["type"], full.rpartition(".")[0])
            elif isinstance(kind, list | dict):
                self.take(kind, space)
            for key in ("items", "values"):
                if key in schema:
                    self.take(schema[key], space)

    def weight(self, schema: Any, space: str, above: tuple[str, ...]) -> tuple[int, int]:  # noqa: PLR0911 - a case each
        """The bytes that a value takes at least, and how many parts of it take none. Raises Unusable."""
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return (0, 1) if schema == "null" else (1, 0)
            named, space = self._named(schema, space)
            return self.weight(named, space, above)
        if isinstance(schema, list):
            found = [self.weight(each, space, above) for each in schema]
            return 1 + min((least for least, _ in found), default=0), max((hollow for _, hollow in found), default=0)
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema, _full(str(schema["name"]), schema.get("namespace", space)), above)
        if kind in ("array", "map"):
            least, hollow = self.weight(schema["items" if kind == "array" else "values"], space, above)
            if hollow > HOLLOW_PER_BYTE * max(least, kind == "map") or (kind == "array" and least == 0):
                raise Unusable(f"{self._name} has arrays of nothing")
            return 1, 0
        if kind == "fixed":
            return (int(schema["size"]), 0) if int(schema["size"]) else (0, 1)
        return (1, 0) if kind == "enum" else self.weight(kind, space, above)

    def _record(self, schema: Any, full: str, above: tuple[str, ...]) -> tuple[int, int]:
        if full in above:
            raise Unusable(f"{self._name} contains itself")
        if full not in self._weights:
            fields = [self.weight(each["type"], full.rpartition(".")[0], (*above, full)) for each in schema["fields"]]
            least = sum(each for each, _ in fields)
            self._weights[full] = least, sum(hollow for _, hollow in fields) + (least == 0)
        return self._weights[full]

    def _named(self, name: str, space: str) -> tuple[Any, str]:
        full = _full(name, space)
        return self._types[full] if full in self._types else self._types[name]

    def unit(self, schema: Any, path: Path, space: str = "") -> TimeUnit | None:
        """The unit of the times at a path, where their type says it."""
        found = self._said(schema, path, space)
        return None if found is None else _UNITS.get(found["logicalType"])

    def scale(self, schema: Any, path: Path) -> int | None:
        """The digits behind the point of the decimals at a path; None where there are none."""
        found = self._said(schema, path, "")
        if found is None or found["logicalType"] != "decimal":
            return None
        scale = found.get("scale", 0)
        return scale if type(scale) is int and 0 <= scale <= SCALE_MAX else None

    def _said(self, schema: Any, path: Path, space: str) -> Any:  # noqa: PLR0911 - a case each
        """The type of what stands at a path, where it is a logical one; of a union, where all say the same."""
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return None
            named, inner = self._named(schema, space)
            return self._said(named, path, inner)
        if isinstance(schema, list):
            said = [self._said(each, path, space) for each in schema if each != "null"]
            return said[0] if said and all(each == said[0] for each in said) else None
        if not path and "logicalType" in schema:
            return schema
        kind = schema["type"]
        if kind in ("record", "error") and path:
            inner = _full(str(schema["name"]), schema.get("namespace", space)).rpartition(".")[0]
            types = [each["type"] for each in schema["fields"] if each["name"] == path[0]]
            return self._said(types[0], path[1:], inner) if types else None
        if kind == "map" and path:
            return self._said(schema["values"], path[1:], space)
        return self._said(kind, path, space) if isinstance(kind, dict | list) else None


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"
