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
        return _number(os.pread(self._descriptor, _LAYOUT.size, 0))

    def write(self, number: int) -> None:
        """So many commits are durable now."""
        with contextlib.suppress(OSError):  # a full disk: the commit has been made, and the old number is not wrong
            os.pwrite(self._descriptor, _LAYOUT.pack(number, _checksum(number)), 0)

    def close(self) -> None:
        """Release the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def counted_commits(directory: Path) -> int:
    """What a CommitCount there would read; nothing is made or held."""
    try:
        return _number((directory / COUNT_FILE).read_bytes())
    except OSError:
        return 0


def lost_commits(path: Path, commits: int, counted: int) -> str | None:
    """What is wrong with a database at `path` of so many commits, and the way out; None where none was lost."""
    if commits >= counted:
        return None
    return (
        f"{path} holds commit {commits}, but {counted} were made: its write-ahead log is damaged or was removed, or an "
        f"older copy of the file was put back. Restore the whole of {path.parent} from a backup, or replay what is "
        "missing with `streamcheck state rebuild CONFIG`; to go on from the older commit all the same, remove "
        f"{path.with_name(COUNT_FILE)}: what is behind in the alerts topic is still checked"
    )


def _number(found: bytes) -> int:
    if len(found) < _LAYOUT.size:
        return 0
    number, stored = _LAYOUT.unpack(found[: _LAYOUT.size])
    return int(number) if stored == _checksum(number) else 0


def _checksum(number: int) -> bytes:
    return checksum(b"commits", number.to_bytes(8, "little"))
