"""Can a state be looked at beside a run, without a trace? Does it make room for another without being lost?"""

import os
import sqlite3
from pathlib import Path

import pytest

from streamcheck.adapters.sqlite import aside
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.adapters.sqlite.view import SqliteView
from streamcheck.errors import StateError, StateLocked
from streamcheck.runtime.ports import Commit, OutboxEntry


def entries(first: int, last: int) -> tuple[OutboxEntry, ...]:
    return tuple(OutboxEntry(n, b"id-%d" % n, b"{}") for n in range(first, last + 1))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A state of two parts and three transitions, of which one was delivered; closed."""
    store = SqliteStore(tmp_path / "state", "payments")
    store.commit(Commit({"engine": b"e" * 100, "join/1": b"j" * 50}, outbox=entries(1, 3)))
    store.delivered(1)
    store.close()
    return tmp_path / "state"


def test_what_is_there_is_shown_and_nothing_is_left_behind(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    view = SqliteView(directory, "payments")
    saved = view.load()
    assert saved is not None
    assert saved.state["engine"] == b"e" * 100
    assert (view.holder, view.format, view.sequence, view.delivered_until) == (None, 1, 3, 1)
    assert view.sizes() == {"engine": 100, "join/1": 50}
    assert view.faults() == []
    view.close()
    view.close()
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_beside_a_run_it_is_one_commit_and_names_the_holder(directory: Path) -> None:
    store = SqliteStore(directory, "payments")
    view = SqliteView(directory, "payments")
    assert f"process {os.getpid()} on " in (view.holder or "")
    store.commit(Commit({"engine": b"later", "new": b"part"}, frozenset({"join/1"}), entries(4, 4)))
    store.delivered(4)
    saved = view.load()
    assert saved is not None
    assert set(saved.state) == {"engine", "join/1"}
    assert [entry.sequence for entry in saved.outbox] == [2, 3]
    view.close()
    again = SqliteView(directory, "payments")
    assert (again.load() or saved).state == {"engine": b"later", "new": b"part"}
    again.close()
    store.close()


def test_while_nobody_runs_a_look_keeps_a_run_from_starting_for_its_time(directory: Path) -> None:
    view = SqliteView(directory, "payments")
    with pytest.raises(StateLocked):
        SqliteStore(directory, "payments")
    second = SqliteView(directory, "payments")
    assert second.holder is None
    second.close()
    view.close()
    SqliteStore(directory, "payments").close()


def test_what_a_crash_left_in_the_log_is_seen(directory: Path, tmp_path: Path) -> None:
    store = SqliteStore(directory, "payments")
    store.commit(Commit({"engine": b"newest"}))
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in directory.iterdir():  # as a crash would leave it: with the write-ahead log
        (copy / path.name).write_bytes(path.read_bytes())
    store.close()
    assert (copy / "state.sqlite-wal").stat().st_size > 0
    view = SqliteView(copy, "payments")
    saved = view.load()
    assert saved is not None
    assert saved.state["engine"] == b"newest"
    view.close()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE state SET value = x'00'"], ["state 'engine' does not", "state 'join/1' does not"]),
        (["UPDATE outbox SET value = x'00'"], ["outbox entry 2 does not", "outbox entry 3 does not"]),
        (["DELETE FROM outbox WHERE sequence = 2"], ["the outbox holds 3 to 3 (1 entry), but 2 to 3 are due"]),
        (["DELETE FROM outbox"], ["the outbox holds nothing, but 2 to 3 are due"]),
        (["DELETE FROM state WHERE key = 'join/1'"], ["parts of it are missing or of another commit"]),
    ],
)
def test_every_fault_is_told_at_once_with_the_way_out(
    directory: Path, statements: list[str], expected: list[str]
) -> None:
    connection = sqlite3.connect(directory / "state.sqlite")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    view = SqliteView(directory, "payments")
    faults = view.faults()
    view.close()
    assert len(faults) == len(expected)
    for fault, text in zip(faults, expected, strict=True):
        assert text in fault
        assert "from a backup" in fault


def test_an_older_copy_of_the_database_is_told_like_by_a_run(directory: Path) -> None:
    copy = (directory / "state.sqlite").read_bytes()
    store = SqliteStore(directory, "payments")
    store.commit(Commit({"engine": b"newest"}))
    store.close()
    (directory / "state.sqlite").write_bytes(copy)
    with pytest.raises(StateError) as refused:
        SqliteStore(directory, "payments")
    view = SqliteView(directory, "payments")
    assert view.faults() == [view.lost] == [str(refused.value)]
    assert "holds commit 1, but 2 were made" in str(refused.value)
    view.close()
    (directory / "commits").unlink()
    view = SqliteView(directory, "payments")
    assert (view.lost, view.faults()) == (None, [])
    view.close()


def test_it_writes_nothing(directory: Path) -> None:
    view = SqliteView(directory, "payments")
    with pytest.raises(StateError):
        view.commit(Commit({"engine": b"x"}))
    view.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(b""), "is empty: a run was stopped before its first commit"),
        (lambda path: path.write_bytes(b"x" * 5_000), "is not a state database"),
    ],
)
def test_what_is_no_state_is_refused(directory: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    spoil(directory / "state.sqlite")
    with pytest.raises(StateError, match=message):
        SqliteView(directory, "payments")
    SqliteStore(directory.with_name("other"), "payments").close()  # nothing is held


def test_the_state_of_another_config_is_refused(directory: Path) -> None:
    with pytest.raises(StateError, match="holds the state of config 'payments', not of 'fraud'"):
        SqliteView(directory, "fraud")


def test_a_copy_is_whole(directory: Path, tmp_path: Path) -> None:
    view = SqliteView(directory, "payments")
    (tmp_path / "copy").mkdir()
    view.copy_to(tmp_path / "copy" / "state.sqlite")
    expected = view.load()
    view.close()
    store = SqliteStore(tmp_path / "copy", "payments")
    assert store.load() == expected
    store.close()


# ------------------------------------------------------------------ aside
def test_a_reset_moves_everything_and_allows_one_takeover(directory: Path) -> None:
    (directory / "join-run").write_bytes(b"more")
    moved = aside.reset(directory)
    assert moved == directory.with_name("state.old-1")
    assert {path.name for path in directory.iterdir()} == {"lock", "takes-over"}
    SqliteStore(directory, "payments").close()
    assert aside.reset(directory) == directory.with_name("state.old-2")
    SqliteView(moved, "payments").close()
    assert (moved / "join-run").exists()
    assert moved.stat().st_mode & 0o777 == 0o700
    assert aside.takeover_allowed(directory)
    aside.taken_over(directory)
    aside.taken_over(directory)
    assert not aside.takeover_allowed(directory)
    assert aside.reset(directory) is None, "an empty directory is nothing to keep"


def test_a_reset_beside_a_run_is_refused(directory: Path) -> None:
    store = SqliteStore(directory, "payments")
    with pytest.raises(StateLocked, match="in use by process"):
        aside.reset(directory)
    assert store.load() is not None
    assert not aside.takeover_allowed(directory)
    store.close()


def test_a_state_made_elsewhere_takes_the_place(directory: Path) -> None:
    workshop = directory.with_name("state.rebuild")
    store = SqliteStore(workshop, "payments")
    store.commit(Commit({"engine": b"again"}))
    store.close()
    aside.set_aside(directory)
    aside.move_in(workshop, directory)
    assert not workshop.exists()
    store = SqliteStore(directory, "payments")
    assert (store.load() or 0).state == {"engine": b"again"}  # type: ignore[union-attr]
    store.close()
