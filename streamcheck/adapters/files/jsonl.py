"""JSON Lines as records: one line, one record, its bytes untouched."""

import codecs
import io
from pathlib import Path

import numpy as np

from streamcheck.adapters.files.blocks import Cut, told, unpacked
from streamcheck.core.pieces import LINE_END, Pieces
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import RawBatch, Section

BLOCK_BYTES = 4 << 20
RETURN = ord("\r")


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
            block = self._next_lines()
            if block is None:
                return None
            octets = np.frombuffer(block, np.uint8)
            ends = np.append(np.flatnonzero(octets == LINE_END), len(block))
            begins = np.append(0, ends[:-1] + 1)
            rows = np.flatnonzero(ends > begins)
            rows = rows[(ends - begins > 1)[rows] | (octets[begins[rows]] != RETURN)]
            rows = rows[rows >= self._section.skip - self._line]
            numbers = rows + self._line
            self._line += len(ends)
            if len(rows):
                lines, nobody = Pieces(block, begins[rows], ends[rows]), np.full(len(rows), -1, np.int64)
                return RawBatch(self._source, numbers, nobody, Pieces.none(len(rows)), lines, self._line)

    def _next_lines(self) -> bytes | None:
        """Whole lines, without the last one's end."""
        while True:
            with told(self._path):
                block = self._blocks.read(BLOCK_BYTES)
            if not self._begun:
                self._begin(block)
                block = block.removeprefix(codecs.BOM_UTF8)
            if not block:
                last, self._carry = self._carry, b""
                return last or None
            end = block.rfind(b"\n")
            if end >= 0:
                lines, self._carry = self._carry + block[:end], block[end + 1 :][: self._bytes_max + 1]
                return lines
            self._carry = (self._carry + block)[: self._bytes_max + 1]

    def _begin(self, block: bytes) -> None:
        self._begun = True
        if block.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
            raise SourceError(
                f"{self._path}: begins with '[', so it is one JSON document; expected one object on each line "
                f"(jq -c '.[]' {self._path.name} makes that of it)"
            )
