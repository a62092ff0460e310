"""The first rows of a file as events, to look at."""

import io
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from streamcheck.adapters.files.jsonl import Lines
from streamcheck.adapters.files.paths import Form, form_of
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.ports import RawBatch, Section

LINE_BYTES_MAX = 1 << 20
BATCH_ROWS = 10_000


def first_values(path: Path, rows: int) -> list[bytes | None]:
    """The first lines of a JSON Lines file. Raises SourceError."""
    lines = Lines(Section(str(path)), SourcePartition(path.name, 0), LINE_BYTES_MAX)
    found: list[bytes | None] = []
    try:
        while len(found) < rows:
            batch = lines.read()
            if batch is None:
                break
            assert isinstance(batch, RawBatch)
            found += batch.values
    finally:
        lines.close()
    return found[:rows]


def first_rows(path: Path, rows: int) -> list[Mapping[str, Any]]:
    """The first rows of a CSV or Parquet file, each as an event. Raises SourceError; ImportError without pyarrow."""
    found: list[Mapping[str, Any]] = []
    for table in _tables(path):
        found += [_nested(row) for row in table.slice(0, rows).to_pylist()]
        if len(found) >= rows:
            break
    return found[:rows]


def _tables(path: Path) -> Iterator[Any]:
    import pyarrow.csv as pacsv  # noqa: PLC0415 - an extra, and half a second
    import pyarrow.parquet as papq  # noqa: PLC0415

    from streamcheck.adapters.files.tables import header, stream, told_by_arrow  # noqa: PLC0415

    with told_by_arrow(path):
        if form_of(path) is Form.PARQUET:
            with papq.ParquetFile(path) as file:
                yield from file.iter_batches(BATCH_ROWS)
            return
        _, separator = header(path)
        with io.FileIO(path) as file:
            yield from pacsv.open_csv(stream(file, path), parse_options=pacsv.ParseOptions(delimiter=separator))


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with columns such as `model.version` as an event that has them as inner fields."""
    event: dict[str, Any] = {}
    for name, value in row.items():
        *outer, last = name.split(".")
        at = event
        for part in outer:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at[last] = _plain(value)
    return event


def _plain(value: Any) -> Any:
    """A value as JSON would have it: times as ISO 8601, what has no such form as text."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return msgspec.to_builtins(value)
