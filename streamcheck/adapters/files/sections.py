"""Files as sections for others to read: what is handed out before it has been read, and numbered when it comes back.

A plain JSON Lines file is cut at ends of lines, so that several read it at once. CSV (whose quotes may hide such ends),
Parquet and packed files are one section each, which one reader goes through turn by turn.
"""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

from streamcheck.adapters.files.blocks import told
from streamcheck.adapters.files.log import FileLog, open_reader
from streamcheck.adapters.files.paths import PACKED, Form, form_of
from streamcheck.core.plan import Schema
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.ports import Reader, Section, Taken, Unread

SECTION_BYTES = 1 << 20
"""Of plain text: some 3,000 events of 350 bytes, so that a pane of 10,000 is read by several."""
TURN_ROWS = 16_384
"""Of Parquet, in one turn: 3 MiB of columns for 15 of them."""
_PROBE_BYTES = 16 << 10
_NOWHERE = SourcePartition("", 0)  # who asked for the section knows where it belongs
_numbers = itertools.count()


def open_section(section: Section, schema: Schema) -> Reader:
    """A reader of one section. Raises SourceError."""
    return open_reader(section, _NOWHERE, schema, TURN_ROWS)


class Ahead:
    """How far one log has been handed out, and how far those who read it have come."""

    def __init__(self, log: FileLog) -> None:
        self._log = log
        self.position = log.first_offset
        """The next row that has not come back."""
        self.done_bytes = 0
        self.rows = 0
        """Rows that have come back."""
        self._sections = self._all()
        self._current: _Handed | None = None
        self._exhausted = False
        self._out = 0
        self._base = log.first_offset
        """The offset of row 0 of the section that comes back next."""

    @property
    def ended(self) -> bool:
        """Whether all has come back."""
        return self._exhausted and not self._out

    def read(self) -> Unread | None:
        """The next turn; None where there is none left."""
        if self._current is None or self._current.ended or self._current.section.end is not None:
            self._current = next(self._sections, None)
            if self._current is None:
                self._exhausted = True
                return None
            self._out += 1
        return Unread(self._log.source, self._current)

    def took(self, handed: "_Handed", taken: Taken) -> int:
        """Count what has come of a turn. Returns the offset of the section's row 0."""
        if handed.ended:  # asked for before anybody knew that it had ended
            return self._base - taken.rows
        base, now = self._base, self._base + taken.rows
        self.rows += now - self.position
        self.position = now
        size = handed.bytes if taken.ended else taken.bytes
        self.done_bytes += size - handed.done_bytes
        handed.done_bytes = size
        if taken.ended:
            handed.ended = True
            self._out -= 1
            self._base = now
        return base

    def _all(self) -> "Iterator[_Handed]":
        """The sections of all files, each found when it is wanted."""
        for path in self._log.paths:
            if form_of(path) is Form.JSONL and path.suffix.lower() not in PACKED:
                for begin, end in _cuts(path):
                    yield _Handed(self, Section(str(path), begin, end), end - begin)
            else:
                yield _Handed(self, Section(str(path)), path.stat().st_size)

    def close(self) -> None:
        """Hand nothing out any more."""
        self._sections = iter(())


class _Handed:
    """A section that is out."""

    def __init__(self, ahead: Ahead, section: Section, size: int) -> None:
        self._ahead = ahead
        self.section, self.bytes = section, size
        self.number = next(_numbers)
        self.done_bytes = 0
        self.ended = False

    def took(self, taken: Taken) -> int:
        """Be told of a turn. Returns the offset of its row 0."""
        return self._ahead.took(self, taken)


def _cuts(path: Path) -> Iterator[tuple[int, int]]:
    """Where sections of a text begin and end: behind ends of lines, SECTION_BYTES apart at least."""
    with told(path), io.FileIO(path) as file:
        size = file.seek(0, io.SEEK_END)
        begin = 0
        while begin < size:
            end = _behind_line(file, begin + SECTION_BYTES, size)
            yield begin, end
            begin = end


def _behind_line(file: io.FileIO, place: int, size: int) -> int:
    """The first beginning of a line at `place` or later."""
    place = file.seek(max(place - 1, 0))
    while place < size:
        probe = file.read(_PROBE_BYTES)
        if not probe:
            break
        at = probe.find(b"\n")
        if at >= 0:
            return place + at + 1
        place += len(probe)
    return size
