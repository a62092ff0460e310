"""One source partition out of files, and who reads a section of one."""

from dataclasses import dataclass
from pathlib import Path

from streamcheck.adapters.files.jsonl import Lines
from streamcheck.adapters.files.paths import Form, form_of
from streamcheck.core.plan import Schema
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import Reader, Section


@dataclass(frozen=True, slots=True)
class FileLog:
    """One source partition: files that are read one after the other, as if they were one.

    first_offset: of the first row. step_ms: for rows without a time: row by row, this much later, from 1970 on.
    """

    source: SourcePartition
    paths: tuple[Path, ...]
    schema: Schema
    step_ms: int | None = None
    first_offset: int = 0


def open_reader(section: Section, source: SourcePartition, schema: Schema, batch_rows: int | None = None) -> Reader:
    """A reader of a section. batch_rows: of Parquet, read at once, where that matters. Raises SourceError."""
    path = Path(section.path)
    form = form_of(path)
    if form is Form.JSONL:
        return Lines(section, source, schema.message_bytes_max)
    assert form is not None, f"{path}: paths.expand refuses such files"
    assert section.end is None, f"{path}: {form} is read as a whole"
    try:
        from streamcheck.adapters.files.tables import CsvRows, ParquetRows  # noqa: PLC0415 (pyarrow is an extra)
    except ImportError as error:
        raise SourceError(f"{path}: reading {form} takes pyarrow: pip install 'streamcheck[files]'") from error
    if form is Form.CSV:
        return CsvRows(path, source, schema, section.skip)
    return ParquetRows(path, source, schema, section.skip, batch_rows)
