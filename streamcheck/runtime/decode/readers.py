"""Who reads the events of a stream?"""

from collections.abc import Sequence

from streamcheck.core.plan import Envelope, Format, Path, Schema
from streamcheck.runtime.decode.envelopes import MARKS
from streamcheck.runtime.decode.found import Reader
from streamcheck.runtime.decode.json_reader import EitherReader, JsonReader, PrefixedReader
from streamcheck.runtime.schemas import Registry


def json_reader(schema: Schema, paths: Sequence[Path]) -> Reader:
    """For events in JSON."""
    if schema.encoding.envelope is Envelope.DEBEZIUM:
        return EitherReader(schema, paths, MARKS[Envelope.DEBEZIUM])
    return JsonReader(schema, {path: path for path in paths})


def encoded_reader(schema: Schema, paths: Sequence[Path], registry: Registry | None) -> Reader:
    """For values as topics hold them, in the stream's format. Raises SourceError where a package for it is missing."""
    if schema.encoding.format is Format.JSON:
        return json_reader(schema, paths)
    if schema.encoding.format is Format.JSON_SCHEMA:
        return PrefixedReader(json_reader(schema, paths))
    from streamcheck.runtime.decode.schema_reader import SchemaReader  # noqa: PLC0415 (only where there are schemas)

    return SchemaReader(schema, paths, registry)
