"""JSON Lines as records: one line, one record, its bytes untouched."""

import codecs
import io
from pathlib import Path

import numpy as np

from streamcheck.adapters.files.blocks import Cut, told, unpacked
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import RawBatch, Section

BLOCK_BYTES = 4 << 20


class Lines:
    """The lines of one section from line `skip` on. Offsets are line numbers from 0; blank lines are no records.

    bytes_max: of a longer line no more than one byte beyond that is kept from block to block, enough for it to be
    rejected as too large.
    """

    def __init__(self, section: Section, source: SourcePartition, bytes_max: int) -> None:
        path = Path(section.path)
        self._path, self._source, self._section = path, source, section
        self._bytes_max = bytes_max
        self._line = 0
        self._carry = b""
        self._begun = section.begin > 0
        with told(path):
            self._file = io.FileIO(path)
            self._file.seek(section.begin)
            self._blocks = unpacked(self._file, path) if section.end is None else Cut(self._file, section.end)

    @property
    def done_bytes(self) -> int:
        """Bytes of the section that have been read."""
        return self._file.tell() - self._section.begin

    @property
    def rows(self) -> int:
        """Rows of the section that have been passed, those that were skipped included."""
        return self._line

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def read(self) -> RawBatch | None:
        """The next lines; None at the end."""
        while True:
            lines = self._next_lines()
            if lines is None:
                return None
            first = max(self._section.skip - self._line, 0)
            numbers = np.arange(self._line, self._line + len(lines), dtype=np.int64)[first:]
            self._line += len(lines)
            lines = lines[first:]
            if b"" in lines or b"\r" in lines:
                kept = [at for at, line in enumerate(lines) if line not in (b"", b"\r")]
                numbers, lines = numbers[kept], [lines[at] for at in kept]
            if lines:
                nobody = np.full(len(lines), -1, np.int64)
                return RawBatch(self._source, numbers, nobody, [None] * len(lines), lines, self._line)

    def _next_lines(self) -> list[bytes] | None:
        while True:
            with told(self._path):
                block = self._blocks.read(BLOCK_BYTES)
            if not self._begun:
                self._begin(block)
                block = block.removeprefix(codecs.BOM_UTF8)
            if not block:
                last, self._carry = self._carry, b""
                return [last] if last else None
            lines = block.split(b"\n")
            lines[0] = self._carry + lines[0]
            self._carry = lines.pop()[: self._bytes_max + 1]
            if lines:
                return lines

    def _begin(self, block: bytes) -> None:
        self._begun = True
        if block.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
            raise SourceError(
                f"{self._path}: begins with '[', so it is one JSON document; expected one object on each line "
                f"(jq -c '.[]' {self._path.name} makes that of it)"
            )
