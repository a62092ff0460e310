"""Keys of records that are written by schemas: what stands in them, as of values."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import KEY, Encoding, Format, Path, Schema
from streamcheck.runtime.decode.found import Rows, positions
from streamcheck.runtime.decode.framing import PREFIX_BYTES, framed
from streamcheck.runtime.decode.schema_reader import SchemaReader
from streamcheck.runtime.decode.shape import NOT_SCALAR
from streamcheck.runtime.schemas import Registry

_decode = msgspec.json.Decoder().decode


class WrittenKeys:
    """Values by paths within the key; () is all of it, where that is one value.

    A key that cannot be read is of a wrong type, and refuses nothing by itself: an id that it would be is a bad one.
    """

    def __init__(self, schema: Schema, encoding: Encoding, paths: Sequence[Path], registry: Registry | None) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._schema = replace(schema, columns=(), id_path=None, time=None, encoding=encoding, looks=False)
        self._reader: SchemaReader | None = None
        if encoding.format is not Format.JSON_SCHEMA:
            self._reader = SchemaReader(self._schema, self._paths, registry, "key_format")

    def read(self, keys: Pieces) -> dict[Path, list[Any]]:
        """What each path holds: one value for each key."""
        found = {path: [None if absent else NOT_SCALAR for absent in keys.lengths < 0] for path in self._paths}
        if self._reader is None:
            self._read_json(keys, found)
        else:
            for part in self._reader.read(keys, slice(0, len(keys)), Rows.blank(self._schema, 0)):
                places = positions(part.places).tolist()
                for path, into in found.items():
                    for place, value in zip(places, part.values[part.slots[path]], strict=True):
                        into[place] = value
        return {(KEY, *path): values for path, values in found.items()}

    def _read_json(self, keys: Pieces, found: dict[Path, list[Any]]) -> None:
        for place in np.flatnonzero(framed(keys)).tolist():
            try:
                document = _decode((keys[place] or b"")[PREFIX_BYTES:])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            for path, into in found.items():
                into[place] = _inside(document, path)


def _inside(value: Any, path: Path) -> Any:
    for name in path:
        if value is not None:
            value = value.get(name) if isinstance(value, dict) else NOT_SCALAR
    return NOT_SCALAR if isinstance(value, dict | list) else value
