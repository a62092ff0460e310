"""What happens to the SQLite store when the file, the disk or a second process misbehaves?"""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamcheck.adapters.sqlite import schema
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.errors import StateError, StateUnavailable
from streamcheck.runtime.ports import Commit, OutboxEntry, Saved

ENTRY = OutboxEntry(1, b"id", b"{}")
COMMITTED = Saved({"engine": b"state", "join": b"books"}, (ENTRY,))


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A state directory with one commit in it."""
    store = SqliteStore(tmp_path / "state", "payments")
    store.commit(Commit(put=COMMITTED.state, outbox=COMMITTED.outbox))
    store.close()
    return tmp_path / "state"


@pytest.fixture
def store(used: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(used, "payments")
    yield opened
    opened.close()


def tamper(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / "state.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def refusal(directory: Path, identity: str = "payments") -> str:
    with pytest.raises(StateError) as caught:
        SqliteStore(directory, identity)
    # Whoever is refused leaves no lock behind.
    with pytest.raises(StateError) as again:
        SqliteStore(directory, identity)
    assert str(again.value) == str(caught.value)
    return str(caught.value)


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "var" / "payments", "payments")
    store.commit(Commit(put={"engine": b"state"}))
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    store.close()
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    assert modes == dict.fromkeys(["commits", "lock", "state.sqlite", "state.sqlite-shm", "state.sqlite-wal"], 0o600)


def test_every_commit_is_synced(store: SqliteStore) -> None:
    assert store._connection is not None
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_newer_format(used: Path) -> None:
    tamper(used, "PRAGMA user_version = 99")
    assert "newer streamcheck (state format 99, this one reads 1): upgrade streamcheck" in refusal(used)


def test_unknown_older_format(used: Path) -> None:
    tamper(used, "PRAGMA user_version = 0")
    assert "unknown state format 0" in refusal(used)


def test_older_layouts_pass_through_a_chain(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two releases from now: the outbox got a column, then a fact about the file was added."""

    def add_a_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'alert'")

    def say_who_it_is_for(connection: sqlite3.Connection) -> None:
        assert connection.execute("SELECT kind FROM outbox").fetchall() == [("alert",)]
        schema.write_about(connection, "audience", b"on-call")

    monkeypatch.setattr(schema, "LAYOUTS", {1: add_a_column, 2: say_who_it_is_for})
    monkeypatch.setattr(schema, "FORMAT", 3)
    for _ in range(2):  # the second time it is in the new format already
        store = SqliteStore(used, "payments")
        assert store.load() == COMMITTED
        assert store._connection is not None
        assert schema.read_about(store._connection, "audience", store.path) == b"on-call"
        assert store._connection.execute("PRAGMA user_version").fetchone() == (3,)
        store.close()
    monkeypatch.undo()
    assert "newer streamcheck (state format 3, this one reads 1): upgrade" in refusal(used)


@pytest.mark.parametrize("crash", ["in the last step", "another config"])
def test_a_layout_is_changed_as_a_whole_or_not_at_all(used: Path, monkeypatch: pytest.MonkeyPatch, crash: str) -> None:
    def add_a_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'alert'")

    def fail(connection: sqlite3.Connection) -> None:
        if crash == "in the last step":
            raise ZeroDivisionError("scripted")

    with monkeypatch.context() as later:
        later.setattr(schema, "LAYOUTS", {1: add_a_column, 2: fail})
        later.setattr(schema, "FORMAT", 3)
        with pytest.raises((ZeroDivisionError, StateError)):
            SqliteStore(used, "payments" if crash == "in the last step" else "orders")
    assert load_anew(used) == COMMITTED  # in this release's format still


def test_state_of_another_config(used: Path) -> None:
    message = refusal(used, "orders")
    assert "holds the state of config 'payments', not of 'orders'" in message
    assert "state.dir of its own" in message


def test_database_of_another_program(tmp_path: Path) -> None:
    tamper(tmp_path, "CREATE TABLE photos (id INTEGER)")
    assert "database of another program" in refusal(tmp_path)


def test_no_database_at_all(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"version: 1\nname: payments\n" * 100)
    message = refusal(tmp_path)
    assert "is not a state database" in message
    assert "`streamcheck state rebuild CONFIG`, or restore" in message


def test_empty_file_is_fresh(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").touch()
    store = SqliteStore(tmp_path, "payments")
    assert store.load() is None
    store.close()


def test_overwritten_page(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, "payments")
    store.commit(Commit(put={f"key-{n}": b"x" * 50 for n in range(2000)}))
    store.close()
    with store.path.open("r+b") as file:
        file.seek(4096 * 10)
        file.write(b"\xa5" * 4096 * 5)
    message = refusal(tmp_path)
    assert "damaged" in message or "malformed" in message
    assert "backup" in message


def test_truncated_file(used: Path) -> None:
    path = used / "state.sqlite"
    os.truncate(path, path.stat().st_size // 2)
    assert "restore" in refusal(used)


def load_anew(directory: Path) -> Saved | None:
    store = SqliteStore(directory, "payments")
    try:
        return store.load()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE state SET value = x'00' WHERE key = 'engine'", "state 'engine'"),
        ("UPDATE state SET key = 'other' WHERE key = 'engine'", "state 'other'"),
        ("UPDATE state SET value = 'state' WHERE key = 'engine'", "state 'engine'"),
        ("UPDATE outbox SET value = x'7b20'", "outbox entry 1"),
        ("UPDATE outbox SET sequence = 2", "outbox entry 2"),
        ("DELETE FROM outbox WHERE sequence = 1", "the outbox has gaps"),
        ("UPDATE about SET value = x'05' WHERE key = 'sequence'", "about 'sequence'"),
        ("UPDATE about SET value = x'05' WHERE key = 'whole'", "about 'whole'"),
        ("DELETE FROM about WHERE key = 'whole'", "missing or of another commit"),
        ("DELETE FROM state WHERE key = 'join'", "missing or of another commit"),
        ("DROP TABLE state", "no such table"),
    ],
)
def test_changed_value_is_found(used: Path, statement: str, named: str) -> None:
    assert load_anew(used) == COMMITTED
    tamper(used, statement)
    with pytest.raises(StateError) as caught:
        load_anew(used)
    assert named in str(caught.value)
    assert "`streamcheck state rebuild CONFIG`, or restore" in str(caught.value)


def test_parts_of_different_commits_are_no_state(used: Path) -> None:
    """Each row is whole in itself, as after a write-ahead log that ends before pages copied from it."""
    with sqlite3.connect(used / "state.sqlite") as connection:
        older = connection.execute("SELECT * FROM state WHERE key = 'engine'").fetchone()
    connection.close()
    store = SqliteStore(used, "payments")
    store.commit(Commit(put={"engine": b"later", "join": b"later books"}))
    store.close()
    with sqlite3.connect(used / "state.sqlite") as connection:
        connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", older)
    connection.close()
    with pytest.raises(StateError, match=r"missing or of another commit.*state rebuild CONFIG"):
        load_anew(used)


def killed(directory: Path, into: Path) -> Path:
    """What a process that was killed leaves: the log is not copied into the file yet."""
    store = SqliteStore(directory, "payments")
    store.commit(Commit(put={"engine": b"later"}))
    store.commit(Commit(put={"engine": b"latest"}))
    shutil.copytree(directory, into)
    store.close()
    return into


def test_a_log_that_lost_its_end_is_noticed(used: Path, tmp_path: Path) -> None:
    directory = killed(used, tmp_path / "killed")
    log = directory / "state.sqlite-wal"
    data = bytearray(log.read_bytes())
    data[-5] ^= 1
    log.write_bytes(data)
    message = refusal(directory)
    assert "holds commit 2, but 3 were made" in message
    assert "Restore the whole of" in message
    (directory / "commits").unlink()  # what the message says for those who accept the older commit
    loaded = load_anew(directory)
    assert loaded is not None
    assert loaded.state["engine"] == b"later"


def test_a_log_that_was_removed_is_no_fresh_start(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state", "payments")
    store.commit(Commit(put={"engine": b"state"}))
    shutil.copytree(tmp_path / "state", tmp_path / "killed")
    store.close()
    (tmp_path / "killed" / "state.sqlite-wal").unlink()
    assert "holds commit 0, but 1 were made" in refusal(tmp_path / "killed")


@pytest.mark.parametrize("count", [b"", b"\x05", b"\xff" * 16, bytes(16)])
def test_a_count_that_cannot_be_read_says_nothing(used: Path, count: bytes) -> None:
    (used / "commits").write_bytes(count)
    assert load_anew(used) == COMMITTED
    store = SqliteStore(used, "payments")
    store.commit(Commit(put={"engine": b"later"}))
    store.close()
    assert (used / "commits").read_bytes()[:8] == (2).to_bytes(8, "little")


def test_the_mark_of_the_whole_follows_every_kind_of_change(used: Path) -> None:
    """Put anew, replaced, put again unchanged, deleted, deleted twice, failed: nothing of it is taken for damage."""
    changes = [
        Commit(put={"engine": b"2", "window": b"w"}),
        Commit(put={"engine": b"2"}, delete=frozenset({"never was"})),
        Commit(put={"join": b"x"}, delete=frozenset({"window"}), outbox=(OutboxEntry(2, b"id", b"{}"),)),
        Commit(put={}, delete=frozenset({"window", "engine"})),
    ]
    for change in changes:
        store = SqliteStore(used, "payments")
        with pytest.raises(ZeroDivisionError):
            store.commit(Commit(put=Breaks(engine=b"never")))
        store.commit(change)
        store.delivered(1)
        assert store.load() is not None
        store.close()
        loaded = load_anew(used)
    assert loaded == Saved({"join": b"x"}, (OutboxEntry(2, b"id", b"{}"),))


class Breaks(dict[str, bytes]):
    def items(self):  # type: ignore[no-untyped-def,override]
        yield from super().items()
        raise ZeroDivisionError("scripted")


def test_full_disk_leaves_the_former_commit(store: SqliteStore) -> None:
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="the disk is full: free some space"):
        store.commit(Commit(put={"engine": b"x" * 100_000, "a": b""}, outbox=(OutboxEntry(2, b"id", b"{}"),)))
    assert store.load() == COMMITTED
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.commit(Commit(put={"engine": b"x" * 100_000}, outbox=(OutboxEntry(2, b"id", b"{}"),)))
    loaded = store.load()
    assert loaded is not None
    assert len(loaded.state["engine"]) == 100_000


def test_read_only_file(store: SqliteStore) -> None:
    assert store._connection is not None
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError, match=r"cannot be written: check its owner"):
        store.commit(Commit(put={"a": b""}))
    with pytest.raises(StateError, match=r"cannot be written: check its owner"):
        store.delivered(1)
    assert store.load() == COMMITTED


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "check state.dir and its owner" in refusal(tmp_path / "state")


@pytest.mark.parametrize(
    ("number", "way_out"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "mounted read-only"), (errno.EIO, "the disk failed")],
)
def test_a_disk_that_fails_at_the_start_is_worth_another_try(
    used: Path, monkeypatch: pytest.MonkeyPatch, number: int, way_out: str
) -> None:
    def fail(path: Path, *_: object) -> int:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(StateUnavailable, match=way_out):
            SqliteStore(used, "payments")
    assert load_anew(used) == COMMITTED


def test_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    assert "check state.dir" in refusal(tmp_path / "state")


def test_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()
    assert "check state.dir" in refusal(tmp_path)


def test_value_too_large_for_sqlite(store: SqliteStore) -> None:
    assert store._connection is not None
    store._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
    with pytest.raises(StateError, match=r"outgrown what SQLite can keep"):
        store.commit(Commit(put={"engine": b"x" * 2000}))
    assert store.load() == COMMITTED


HOLDER = """
import sys
from pathlib import Path
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.runtime.ports import Commit
store = SqliteStore(Path(sys.argv[1]), "payments")
def put():
    yield "engine", b"uncommitted" * 100_000
    print("in the middle of a transaction", flush=True)
    sys.stdin.read()
class Put(dict):
    items = staticmethod(put)
store.commit(Commit(put=Put()))
"""


def test_second_process_is_refused_and_a_crash_frees_the_directory(used: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    arguments = [sys.executable, "-c", HOLDER, str(used)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in the middle of a transaction\n"
        assert f"in use by process {holder.pid} on " in refusal(used)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    store = SqliteStore(used, "payments")
    assert store.load() == COMMITTED
    store.close()


def test_second_store_in_one_process_is_refused(store: SqliteStore) -> None:
    assert f"in use by process {os.getpid()} on " in refusal(store.path.parent)
    store.close()
    reopened = SqliteStore(store.path.parent, "payments")
    assert reopened.load() == COMMITTED
    reopened.close()
