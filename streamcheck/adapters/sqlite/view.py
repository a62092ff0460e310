"""What does a state database hold? A consistent look that changes nothing, also while a run holds the directory."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from streamcheck.adapters.sqlite.count import counted_commits, lost_commits
from streamcheck.adapters.sqlite.lock import SharedLock
from streamcheck.adapters.sqlite.schema import FORMAT, checksum, open_view, start_afresh
from streamcheck.adapters.sqlite.store import STATE_FILE, SqliteStore, outbox_checksum
from streamcheck.core.shelf import PREFIX as SHELF
from streamcheck.core.wording import counted
from streamcheck.errors import StateError
from streamcheck.runtime.ports import OutboxEntry

ALL_FAULTS = 100
"""Findings of one kind that are listed; a state with more is lost anyway."""


class SqliteView(SqliteStore):
    """The state in `dir`/state.sqlite as it was committed last, read-only; what would write fails.

    holder: the process that runs with this state, None where none does: then none can start until this is closed.
    lost: why a run would refuse the file although it is whole in itself: commits that were made are missing; else None.
    """

    def __init__(self, dir: Path, identity: str) -> None:  # noqa: A002 - the config's own word
        self.exists(dir)
        self.path = dir / STATE_FILE
        self._connection: sqlite3.Connection | None = None
        self._shared = SharedLock(dir)
        self.holder = self._shared.holder
        counted = counted_commits(dir)  # before the database is read: a run beside it may go on
        try:
            with self._explained("opened"):
                self._connection = open_view(self.path, identity, alone=self.holder is None)
                self._sequence = self._number("sequence") or 0
                self._delivered = self._number("delivered") or 0
                self.lost = lost_commits(self.path, self._number("commits") or 0, counted)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def exists(dir: Path) -> bool:  # noqa: A002 - the config's own word
        """Whether there is a state to look at. Raises StateError where there can be none: no directory lies there."""
        there = next((path for path in (dir, *dir.absolute().parents) if path.exists() or path.is_symlink()), dir)
        if not there.is_dir():
            kind = "a link to nothing" if there.is_symlink() else "a file"
            raise StateError(
                f"state.dir {dir} cannot hold a state: {there} is {kind}, no directory. Move it away, or name another "
                "directory in state.dir"
            )
        return (dir / STATE_FILE).exists()

    @property
    def format(self) -> int:
        """The layout of the tables."""
        return FORMAT

    @property
    def sequence(self) -> int:
        """The number of the last alert transition."""
        return self._sequence

    @property
    def delivered_until(self) -> int:
        """The number of the last transition that is known to have arrived."""
        return self._delivered

    def close(self) -> None:
        """Release the file; a second call does nothing."""
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            self._connection = None
            self._shared.release()

    def sizes(self) -> dict[str, int]:
        """Bytes of each part of the state, by key."""
        with self._explained("read"):
            return dict(self._open().execute("SELECT key, length(value) FROM state ORDER BY key"))

    def shelf(self) -> Iterator[tuple[str, bytes]]:
        """All parts that `load` leaves out, ascending by key."""
        with self._explained("read"):
            named = self._open().execute("SELECT key FROM state WHERE key GLOB ? ORDER BY key", (f"{SHELF}*",))
            keys = [row[0] for row in named]
        for key in keys:
            yield key, self.read(key)

    def faults(self) -> list[str]:
        """Everything that is damaged, each by itself, with the way out."""
        connection, found = self._open(), []
        with self._explained("read"):
            rows = connection.execute(f"PRAGMA integrity_check({ALL_FAULTS})").fetchall()
            found += [str(row[0]) for row in rows if row[0] != "ok"]
            for key, value, stored in connection.execute("SELECT key, value, checksum FROM state ORDER BY key"):
                if not isinstance(value, bytes) or checksum(str(key).encode(), value) != stored:
                    found.append(f"state {key!r} does not match its checksum")
            sequences = []
            for row in connection.execute("SELECT sequence, key, value, checksum FROM outbox ORDER BY sequence"):
                entry = OutboxEntry(*row[:3])
                sequences.append(entry.sequence)
                if not isinstance(entry.key, bytes) or outbox_checksum(entry) != row[3]:
                    found.append(f"outbox entry {entry.sequence} does not match its checksum")
        if sequences != list(range(self._delivered + 1, self._sequence + 1)):
            due = f"{self._delivered + 1} to {self._sequence}"
            found.append(f"the outbox holds {_listed(sequences)}, but {due} are due")
        if not found:
            try:
                self.load()
            except StateError as error:
                return [str(error)]
        if self.lost and not found:
            return [self.lost]
        return [f"{self.path} is damaged ({fault}): {start_afresh(self.path)}" for fault in found[:ALL_FAULTS]]

    def copy_to(self, path: Path) -> None:
        """A copy of the database as a file of its own."""
        with self._explained("copied"):
            target = sqlite3.connect(path)
            try:
                self._open().backup(target)
            finally:
                target.close()


def _listed(sequences: list[int]) -> str:
    held = counted(len(sequences), "entry", "entries")
    return f"{sequences[0]} to {sequences[-1]} ({held})" if sequences else "nothing"
