"""Is this file ours, whole, and of this format? Opens, checks and creates the state database."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from streamcheck.errors import StateError

APPLICATION_ID = 0x53434B31
"""`SCK1`: what `file` and other programs know the database by."""

FORMAT = 1
"""The layout of the tables; raised with every change to them."""

LAYOUTS: Mapping[int, Callable[[sqlite3.Connection], None]] = {}
"""What turns a file of this format into one of the next; all steps happen in the transaction that opens the file."""

BUSY_MS = 5_000
WAL_BYTES_MAX = 64 * 1024 * 1024

# The checksum first: it is read without walking through a value of many pages.
VALUE = "checksum BLOB NOT NULL, value BLOB NOT NULL"
TABLES = (
    f"CREATE TABLE about (key TEXT PRIMARY KEY, {VALUE})",
    f"CREATE TABLE state (key TEXT PRIMARY KEY, {VALUE})",
    f"CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, key BLOB NOT NULL, {VALUE})",
)

CAUTION = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
SETTINGS = (
    "PRAGMA page_size = 16384",  # of new files: deltas are hundreds of kB, and each page has its price
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns
    "PRAGMA fullfsync = ON",      # the same on macOS
    f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}",
)


def start_afresh(path: Path) -> str:
    """The way out that every damaged state has."""
    return (
        f"make it again with `streamcheck state rebuild CONFIG`, or restore {path.parent} from a backup; "
        "`streamcheck state reset CONFIG` moves it aside and begins a new life"
    )


def checksum(*parts: bytes) -> bytes:
    """Eight bytes that belong to these parts, in this order.

    >>> checksum(b"key", b"value").hex()
    '9467ef96a23cd880'
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def open_database(path: Path, identity: str) -> sqlite3.Connection:
    """The database at `path`, checked, created where there is none. identity: the config's name.

    Raises StateError for a file that is no database, damaged, of another program, a newer format or another config;
    sqlite3.Error where the file system fails.
    """
    _create_private(path)
    # The loop may open the store in one thread and run in another, one at a time.
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        _set(connection, CAUTION)
        _check_whole(connection, path)
        found = _check_ours(connection, path)
        _set(connection, SETTINGS)
        connection.execute("BEGIN IMMEDIATE")  # fails at once where the file cannot be written
        if found is None:
            _create_tables(connection, identity)
        else:
            _upgrade(connection, found)
        _check_identity(connection, path, identity)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def open_view(path: Path, identity: str, *, alone: bool) -> sqlite3.Connection:
    """The database at `path` as of now, read-only and checked. alone: nobody writes to it as long as this is open.

    Raises StateError where there is none, and as `open_database` does.
    """
    if not path.exists():
        raise StateError(f"{path} does not exist: check state.dir")
    log = path.with_name(path.name + "-wal")
    whole = alone and not (log.exists() and log.stat().st_size)  # SQLite needs no files of its own beside it then
    address = f"file:{quote(str(path.absolute()))}?{'immutable=1' if whole else 'mode=ro'}"
    connection = sqlite3.connect(address, timeout=BUSY_MS / 1000, isolation_level=None, uri=True)
    try:
        _set(connection, CAUTION)
        connection.execute("BEGIN")  # all that is read is of one commit
        _check_whole(connection, path)
        found = _check_ours(connection, path)
        if found is None:
            raise StateError(f"{path} is empty: a run was stopped before its first commit")
        if found < FORMAT:
            raise StateError(f"{path} is of the older format {found}: the next run brings it up to date")
        _check_identity(connection, path, identity)
    except BaseException:
        connection.close()
        raise
    return connection


def _create_private(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its side files the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _set(connection: sqlite3.Connection, pragmas: tuple[str, ...]) -> None:
    for pragma in pragmas:
        connection.execute(pragma).fetchall()


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    try:
        found = connection.execute("PRAGMA integrity_check(3)").fetchall()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname == "SQLITE_NOTADB":
            raise StateError(f"{path} is not a state database: {start_afresh(path)}") from error
        raise
    if found != [("ok",)]:
        faults = "; ".join(str(row[0]) for row in found)
        raise StateError(f"{path} is damaged ({faults}): {start_afresh(path)}")


def _check_ours(connection: sqlite3.Connection, path: Path) -> int | None:
    """The file's format, None where it is fresh; StateError where it is not ours, or in a format that is not known."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == found == tables == 0:
        return None
    if application != APPLICATION_ID:
        raise StateError(f"{path} is a database of another program: point state.dir to a directory of its own")
    if found > FORMAT:
        raise StateError(
            f"{path} was written by a newer streamcheck (state format {found}, this one reads {FORMAT}): "
            "upgrade streamcheck, or give the older one a state.dir of its own"
        )
    if not all(since in LAYOUTS for since in range(found, FORMAT)):
        raise StateError(f"{path} has the unknown state format {found}: {start_afresh(path)}")
    return int(found)


def _upgrade(connection: sqlite3.Connection, found: int) -> None:
    for since in range(found, FORMAT):
        LAYOUTS[since](connection)
    if found < FORMAT:
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _create_tables(connection: sqlite3.Connection, identity: str) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    for table in TABLES:
        connection.execute(table)
    write_about(connection, "identity", identity.encode())


def _check_identity(connection: sqlite3.Connection, path: Path, identity: str) -> None:
    found = read_about(connection, "identity", path)
    if found is None:
        raise StateError(f"{path} does not say whose state it holds: {start_afresh(path)}")
    if found.decode() != identity:
        raise StateError(
            f"{path} holds the state of config {found.decode()!r}, not of {identity!r}: "
            "give each config a state.dir of its own, or set `name` back"
        )


def write_about(connection: sqlite3.Connection, key: str, value: bytes) -> None:
    """Set one fact about the database."""
    row = (key, value, about_checksum(key, value))
    connection.execute("INSERT OR REPLACE INTO about (key, value, checksum) VALUES (?, ?, ?)", row)


def about_checksum(key: str, value: bytes) -> bytes:
    """The checksum of one fact about the database."""
    return checksum(b"about", key.encode(), value)


def read_about(connection: sqlite3.Connection, key: str, path: Path) -> bytes | None:
    """One fact about the database, None where it was never set. Raises StateError where it is damaged."""
    row = connection.execute("SELECT value, checksum FROM about WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    value, stored = row
    if not isinstance(value, bytes) or about_checksum(key, value) != stored:
        raise StateError(f"{path} is damaged (about {key!r}): {start_afresh(path)}")
    return value
