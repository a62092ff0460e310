"""How many commits were there? A number beside the database, which a database that has lost some cannot know."""

import contextlib
import os
import struct
from pathlib import Path

from streamcheck.adapters.sqlite.schema import checksum

COUNT_FILE = "commits"
_LAYOUT = struct.Struct("<Q8s")


class CommitCount:
    """The number of commits that have become durable, in `directory`/commits.

    SQLite drops what it cannot read of its write-ahead log without a word, and so falls back to an earlier commit, or
    to none at all. The number is written after each commit and never synced: it may be too small after a power cut,
    which says nothing, and is never too large.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / COUNT_FILE
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> int:
        """At least so many commits were made; 0 where nobody knows."""
        found = os.pread(self._descriptor, _LAYOUT.size, 0)
        if len(found) < _LAYOUT.size:
            return 0
        number, stored = _LAYOUT.unpack(found)
        return number if stored == _checksum(number) else 0

    def write(self, number: int) -> None:
        """So many commits are durable now."""
        with contextlib.suppress(OSError):  # a full disk: the commit has been made, and the old number is not wrong
            os.pwrite(self._descriptor, _LAYOUT.pack(number, _checksum(number)), 0)

    def close(self) -> None:
        """Release the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _checksum(number: int) -> bytes:
    return checksum(b"commits", number.to_bytes(8, "little"))
