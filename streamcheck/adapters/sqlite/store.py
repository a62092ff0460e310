"""Where is the state kept between runs? In one SQLite file, one durable transaction per commit."""

import errno
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import reduce
from operator import xor
from pathlib import Path

from streamcheck.adapters.sqlite.count import CommitCount, lost_commits
from streamcheck.adapters.sqlite.lock import DirectoryLock
from streamcheck.adapters.sqlite.schema import (
    about_checksum,
    checksum,
    open_database,
    read_about,
    start_afresh,
    write_about,
)
from streamcheck.core.shelf import PREFIX as SHELF
from streamcheck.errors import StateError, StateUnavailable
from streamcheck.runtime.ports import Commit, OutboxEntry, Saved

log = logging.getLogger(__name__)

STATE_FILE = "state.sqlite"
OTHERS = 0o077
"""Rights of group and world. Whoever made the directory beforehand may mean them: a warning, no refusal."""

NUMBER_BYTES = 8

# What SQLite says when the outer world fails, and what a person can do about it.
PASSING = {
    "SQLITE_FULL": "the disk is full: free some space, nothing was lost",
    "SQLITE_READONLY": "the file cannot be written: check its owner and whether the disk is mounted read-only",
    "SQLITE_IOERR": "the disk failed to read or write: check it",
    "SQLITE_BUSY": "another program holds the file: close it",
}
ERRNOS = {
    errno.ENOSPC: "SQLITE_FULL",
    errno.EDQUOT: "SQLITE_FULL",
    errno.EROFS: "SQLITE_READONLY",
    errno.EIO: "SQLITE_IOERR",
}
"""The same where it is the system that says so."""
LASTING = {
    "SQLITE_CANTOPEN": "the file cannot be opened: check state.dir and its owner",
    "SQLITE_TOOBIG": "the state has outgrown what SQLite can keep: lower limits.segments or the horizon",
}


class SqliteStore:
    """Keyed state and outbox in `dir`/state.sqlite; implements ports.Store.

    dir: made with mode 0700 where it is missing; one process at a time. identity: the config's name, which the file
    must bear. Raises StateError, with the way out, for whatever cannot be used or done; what was committed before stays
    as it was.

    Every value has its own checksum, and a mark of the whole (their sum without carry, that of the last sequence number
    included) says that all of them are of one commit and none is missing: a damaged write-ahead log makes SQLite fall
    back to older pages, beside newer ones that had been copied into the file already. A count beside the database tells
    when it has fallen back as a whole.
    """

    def __init__(self, dir: Path, identity: str) -> None:  # noqa: A002 - the config's own word
        self.path = dir / STATE_FILE
        self._connection: sqlite3.Connection | None = None
        self._count: CommitCount | None = None
        try:
            dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if dir.stat().st_mode & OTHERS:
                log.warning("others can look into the state directory %s: chmod 700 it (its files stay private)", dir)
            self._lock = DirectoryLock(dir)
        except OSError as error:
            reason = f"the state directory {dir} cannot be made or used ({error.strerror})"
            if error.errno in ERRNOS:
                raise StateUnavailable(f"{reason}: {PASSING[ERRNOS[error.errno]]}") from error
            raise StateError(f"{reason}: check state.dir and its owner") from error
        try:
            with self._explained("opened"):
                self._count = CommitCount(dir)
                self._connection = open_database(self.path, identity)
                self._commits = self._number("commits") or 0
                self._sequence = self._number("sequence") or 0
                self._delivered = self._number("delivered") or 0
            self._refuse_fallen_back(self._count.read())
        except BaseException:
            self.close()
            raise

    def _refuse_fallen_back(self, counted: int) -> None:
        lost = lost_commits(self.path, self._commits, counted)
        if lost:
            raise StateError(lost)

    def load(self) -> Saved | None:
        """What was committed last; None for a fresh store. Raises StateError where anything in it is damaged."""
        with self._explained("read"):
            connection = self._open()
            if self._number("sequence") is None:
                return None
            state = dict(self._state(connection))
            outbox = tuple(self._outbox(connection))
            if self._whole() != _sum(row[0] for row in connection.execute("SELECT checksum FROM state")):
                raise self._damaged("parts of it are missing or of another commit")
        expected = tuple(range(self._delivered + 1, self._sequence + 1))
        if tuple(entry.sequence for entry in outbox) != expected:
            raise self._damaged("the outbox has gaps")
        return Saved(state, outbox, self.read)

    def read(self, key: str) -> bytes:
        """A part of the shelf. Raises StateError where it is missing or damaged."""
        with self._explained("read"):
            row = self._open().execute("SELECT value, checksum FROM state WHERE key = ?", (key,)).fetchone()
        if row is None or not isinstance(row[0], bytes) or checksum(key.encode(), row[0]) != row[1]:
            raise self._damaged(f"state {key!r}")
        return row[0]

    def commit(self, commit: Commit) -> None:
        """Apply one step durably, all or nothing. Outbox entries must follow the last one without a gap."""
        both = commit.delete & commit.put.keys()
        assert not both, f"both put and deleted: {sorted(both)}"
        last = self._sequence
        for entry in commit.outbox:
            if entry.sequence != last + 1:
                expected = f"expected {last + 1}; nothing was saved"
                raise StateError(f"outbox entry {entry.sequence} cannot follow {last}: {expected}")
            last = entry.sequence
        with self._explained("written"), self._transaction() as connection:
            rows = self._whole() ^ self._put(connection, commit.put) ^ self._delete(connection, sorted(commit.delete))
            connection.executemany(
                "INSERT INTO outbox (sequence, key, value, checksum) VALUES (?, ?, ?, ?)",
                ((entry.sequence, entry.key, entry.value, outbox_checksum(entry)) for entry in commit.outbox),
            )
            write_about(connection, "sequence", last.to_bytes(NUMBER_BYTES, "little"))
            write_about(connection, "commits", (self._commits + 1).to_bytes(NUMBER_BYTES, "little"))
            write_about(connection, "whole", (rows ^ _sequence_mark(last)).to_bytes(NUMBER_BYTES, "little"))
        self._sequence, self._commits = last, self._commits + 1
        if self._count is not None:
            self._count.write(self._commits)

    def delivered(self, sequence: int) -> None:
        """Forget outbox entries up to this sequence number, durably."""
        arrived = max(self._delivered, min(sequence, self._sequence))
        with self._explained("written"), self._transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE sequence <= ?", (arrived,))
            write_about(connection, "delivered", arrived.to_bytes(NUMBER_BYTES, "little"))
        self._delivered = arrived

    def close(self) -> None:
        """Release the file and the directory; a second call does nothing."""
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            self._connection = None
            if self._count is not None:
                self._count.close()
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateError(f"the store {self.path} is closed")
        return self._connection

    def _number(self, key: str) -> int | None:
        value = read_about(self._open(), key, self.path)
        return None if value is None else int.from_bytes(value, "little")

    def _whole(self) -> int:
        """The sum of all checksums in the table of the state, as it was committed."""
        sequence = self._number("sequence")
        return 0 if sequence is None else (self._number("whole") or 0) ^ _sequence_mark(sequence)

    def _put(self, connection: sqlite3.Connection, parts: Mapping[str, bytes]) -> int:
        """Write parts of the state; how that changes the sum of all checksums."""
        change = 0
        for key, value in parts.items():
            mark = checksum(key.encode(), value)
            change ^= self._mark(connection, key) ^ _sum([mark])
            row = (key, value, mark)
            connection.execute("INSERT OR REPLACE INTO state (key, value, checksum) VALUES (?, ?, ?)", row)
        return change

    def _delete(self, connection: sqlite3.Connection, keys: Iterable[str]) -> int:
        """The same for parts that go."""
        change = 0
        for key in keys:
            change ^= self._mark(connection, key)
            connection.execute("DELETE FROM state WHERE key = ?", (key,))
        return change

    def _mark(self, connection: sqlite3.Connection, key: str) -> int:
        found = connection.execute("SELECT checksum FROM state WHERE key = ?", (key,)).fetchone()
        if found is not None and not isinstance(found[0], bytes):
            raise self._damaged(f"state {key!r}")
        return _sum(found or ())

    def _state(self, connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
        # Not the shelf, which may be much larger than memory: its parts are checked as they are read.
        wanted = "SELECT key, value, checksum FROM state WHERE key NOT GLOB ? ORDER BY key"
        for key, value, stored in connection.execute(wanted, (f"{SHELF}*",)):
            if not isinstance(value, bytes) or checksum(str(key).encode(), value) != stored:
                raise self._damaged(f"state {key!r}")
            yield key, value

    def _outbox(self, connection: sqlite3.Connection) -> Iterator[OutboxEntry]:
        for row in connection.execute("SELECT sequence, key, value, checksum FROM outbox ORDER BY sequence"):
            entry = OutboxEntry(*row[:3])
            typed = isinstance(entry.key, bytes) and isinstance(entry.value, bytes)
            if not typed or outbox_checksum(entry) != row[3]:
                raise self._damaged(f"outbox entry {entry.sequence}")
            yield entry

    def _damaged(self, what: str) -> StateError:
        return StateError(f"{self.path} is damaged ({what}): {start_afresh(self.path)}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # the first error counts; without a COMMIT the file stays as it was
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Turn what SQLite raises into a StateError with the way out."""
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as error:
            # Extended codes (SQLITE_IOERR_WRITE) begin with the plain one.
            passing = [text for code, text in PASSING.items() if _code(error).startswith(code)]
            lasting = [text for code, text in LASTING.items() if _code(error).startswith(code)]
            way_out = (passing + lasting or [start_afresh(self.path)])[0]
            kind = StateUnavailable if passing else StateError
            raise kind(f"{self.path} could not be {done} ({error}): {way_out}") from error


def _code(error: sqlite3.Error | OSError | OverflowError) -> str:
    """SQLite's name for an error; text in the file that is no UTF-8 has none, nor has a value beyond 2 GiB."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")
    if isinstance(error, OverflowError):
        return "SQLITE_TOOBIG"
    return ERRNOS.get(error.errno or 0, "SQLITE_CANTOPEN")


def outbox_checksum(entry: OutboxEntry) -> bytes:
    """The checksum of an entry and its place."""
    return checksum(entry.sequence.to_bytes(8, "little"), entry.key, entry.value)


def _sequence_mark(sequence: int) -> int:
    return _sum([about_checksum("sequence", sequence.to_bytes(NUMBER_BYTES, "little"))])


def _sum(checksums: Iterable[bytes]) -> int:
    """Without carry, so that the order does not matter and what is added again is taken away."""
    return reduce(xor, (int.from_bytes(each, "little") for each in checksums), 0)
