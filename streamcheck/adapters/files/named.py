"""Which fields do the records of a file have, declared or not? By names alone: a header, a schema, what is all null."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import pyarrow as pa

from streamcheck.core.columns import Fields
from streamcheck.core.plan import Schema

_NONE: frozenset[str] = frozenset()


def of_header(names: Iterable[str], schema: Schema) -> Fields | None:
    """Of CSV: the columns of its header, whatever their cells hold. None where nobody asks, here and below."""
    if not schema.looks:
        return None
    flat = _flat(schema)
    return {name: None for name in names if name not in flat}


def of_arrow(known: Any, schema: Schema, nulls: AbstractSet[str] = _NONE) -> Fields | None:
    """Of an Arrow schema, but for fields without any value. nulls: their paths, with dots.

    >>> from streamcheck.core.types import StreamRole
    >>> declared = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), None, (), 1_000, 0, looks=True)
    >>> inner = pa.struct({"name": pa.string(), "site": pa.string()})
    >>> known = pa.schema({"id": pa.string(), "model": inner, "fee": pa.int64(), "model.old": pa.int64()})
    >>> of_arrow(known, declared, {"fee", "model.site"})
    {'model': {'name': None}, 'model.old': None}
    """
    if not schema.looks:
        return None
    flat = _flat(schema)
    return _inside([field for field in known if field.name not in flat], "", nulls)


def all_null(group: Any, leaves: Iterable[int]) -> frozenset[str]:
    """The paths of columns of a Parquet row group that hold no value, where it says so. leaves: which to look at."""
    found = []
    for at in leaves:
        column = group.column(at)
        told = column.statistics if column.is_stats_set else None
        if told is not None and told.has_null_count and told.null_count == column.num_values == group.num_rows:
            found.append(column.path_in_schema)
    return frozenset(found)


def undeclared_leaves(metadata: Any, schema: Schema) -> list[int]:
    """The leaf columns of a Parquet file that no declared path names; none where nobody asks."""
    flat = _flat(schema)
    paths = [metadata.schema.column(at).path for at in range(len(metadata.schema))] if schema.looks else []
    return [at for at, path in enumerate(paths) if path not in flat]


def _flat(schema: Schema) -> frozenset[str]:
    """The declared paths as a column may be called that holds one: they are no fields of their own."""
    return frozenset(".".join(path) for path in schema.paths)


def _inside(fields: Iterable[Any], before: str, nulls: AbstractSet[str]) -> dict[str, Fields | None]:
    found: dict[str, Fields | None] = {}
    for field in fields:
        path = before + field.name
        if pa.types.is_struct(field.type):
            inner = _inside((field.type.field(at) for at in range(field.type.num_fields)), f"{path}.", nulls)
            if inner or not field.type.num_fields:
                found[field.name] = inner
        elif path not in nulls:
            found[field.name] = None
    return found
