"""Does every store keep the promises of ports.Store? Memory and SQLite, check by check."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Commit, OutboxEntry, Saved, Store
from streamcheck.testing import FailingStore, Fault, MemoryStore

Open = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite", "failing"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again, each time closing the former one."""
    memory = MemoryStore()
    opened: list[Store] = []
    makers: dict[str, Open] = {
        "memory": memory.reopen,
        "sqlite": lambda: SqliteStore(tmp_path / "state", "payments"),
        "failing": lambda: FailingStore(memory.reopen(), {}),
    }

    def open_again() -> Store:
        for former in opened:
            former.close()
        opened.append(makers[request.param]())
        return opened[-1]

    yield open_again
    for store in opened:
        store.close()


def entries(first: int, last: int) -> tuple[OutboxEntry, ...]:
    return tuple(OutboxEntry(n, b"alert-%d" % n, b'{"sequence": %d}' % n) for n in range(first, last + 1))


class FailsHalfway(Mapping[str, bytes]):
    """A `put` that breaks after its first entry: the transaction has begun by then."""

    def __getitem__(self, key: str) -> bytes:
        return {"engine": b"half", "join": b"never"}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["engine", "join"])

    def __len__(self) -> int:
        return 2

    def items(self):  # type: ignore[no-untyped-def]
        yield "engine", b"half"
        raise ZeroDivisionError("scripted")


def test_fresh_store_holds_nothing(open_store: Open) -> None:
    assert open_store().load() is None
    assert open_store().load() is None


def test_load_after_commit_is_equal(open_store: Open) -> None:
    store = open_store()
    state = {"engine": b"\x00\xff" * 100, "join": b"", "monitor/ü": b"state"}
    store.commit(Commit(put=state, outbox=entries(1, 2)))
    assert store.load() == Saved(state, entries(1, 2))


def test_empty_commit_ends_freshness(open_store: Open) -> None:
    open_store().commit(Commit(put={}))
    assert open_store().load() == Saved({}, ())


def test_put_replaces_and_delete_removes(open_store: Open) -> None:
    store = open_store()
    store.commit(Commit(put={"a": b"1", "b": b"1", "c": b"1"}))
    store.commit(Commit(put={"a": b"2"}, delete=frozenset({"b", "never was"})))
    loaded = store.load()
    assert loaded is not None
    assert loaded.state == {"a": b"2", "c": b"1"}


def test_put_and_delete_of_one_key_is_refused(open_store: Open) -> None:
    store = open_store()
    with pytest.raises(AssertionError, match="both put and deleted"):
        store.commit(Commit(put={"a": b"1"}, delete=frozenset({"a"})))
    assert store.load() is None


def test_outbox_keeps_order_and_forgets_what_was_delivered(open_store: Open) -> None:
    store = open_store()
    store.commit(Commit(put={}, outbox=entries(1, 3)))
    store.commit(Commit(put={}, outbox=entries(4, 12)))
    store.delivered(10)
    store.delivered(2)
    assert store.load() == Saved({}, entries(11, 12))


def test_sequence_goes_on_after_everything_was_delivered(open_store: Open) -> None:
    store = open_store()
    store.commit(Commit(put={}, outbox=entries(1, 3)))
    store.delivered(3)
    store = open_store()
    with pytest.raises(StateError, match="outbox entry 1 cannot follow 3: expected 4"):
        store.commit(Commit(put={}, outbox=entries(1, 1)))
    store.commit(Commit(put={}, outbox=entries(4, 4)))
    assert store.load() == Saved({}, entries(4, 4))


@pytest.mark.parametrize("sequences", [(2,), (0,), (1, 3), (1, 1), (2, 1)])
def test_gap_in_sequence_changes_nothing(open_store: Open, sequences: tuple[int, ...]) -> None:
    store = open_store()
    wrong = tuple(entries(n, n)[0] for n in sequences)
    with pytest.raises(StateError, match="nothing was saved"):
        store.commit(Commit(put={"engine": b"new"}, outbox=wrong))
    assert store.load() is None


def test_failed_commit_leaves_the_former_one(open_store: Open) -> None:
    store = open_store()
    store.commit(Commit(put={"engine": b"old", "gone": b"x"}, outbox=entries(1, 1)))
    with pytest.raises(ZeroDivisionError):
        store.commit(Commit(put=FailsHalfway(), delete=frozenset({"gone"}), outbox=entries(2, 2)))
    before = Saved({"engine": b"old", "gone": b"x"}, entries(1, 1))
    assert store.load() == before
    assert open_store().load() == before


def test_commits_go_on_after_a_failed_one(open_store: Open) -> None:
    store = open_store()
    with pytest.raises(ZeroDivisionError):
        store.commit(Commit(put=FailsHalfway(), outbox=entries(1, 1)))
    store.commit(Commit(put={"engine": b"new"}, outbox=entries(1, 1)))
    assert open_store().load() == Saved({"engine": b"new"}, entries(1, 1))


def test_reopened_store_holds_the_same(open_store: Open) -> None:
    store = open_store()
    for n in range(1, 21):
        store.commit(Commit(put={f"key-{n % 7}": b"%d" % n}, outbox=entries(n, n)))
    store.delivered(5)
    before = store.load()
    assert before is not None
    assert len(before.state) == 7
    assert len(before.outbox) == 15
    assert open_store().load() == before


def test_what_was_loaded_is_a_copy(open_store: Open) -> None:
    store = open_store()
    value = bytearray(b"state")
    store.commit(Commit(put={"engine": value}))  # type: ignore[dict-item]
    value[:] = b"other"
    loaded = store.load()
    assert loaded is not None
    loaded.state["engine"] = b"changed"  # type: ignore[index]
    assert store.load() == Saved({"engine": b"state"}, ())


def test_closed_store_refuses(open_store: Open) -> None:
    store = open_store()
    store.close()
    for act in (store.load, lambda: store.commit(Commit(put={})), lambda: store.delivered(1)):
        with pytest.raises(StateError, match="closed"):
            act()
    store.close()


@pytest.mark.parametrize(("fault", "survives"), [(Fault.BEFORE, False), (Fault.AFTER, True)])
def test_scripted_faults(fault: Fault, survives: bool) -> None:
    store = FailingStore(MemoryStore(), {2: fault})
    store.commit(Commit(put={"engine": b"1"}))
    with pytest.raises(StateError, match=f"scripted failure {fault.value} commit 2"):
        store.commit(Commit(put={"engine": b"2"}))
    assert store.load() == Saved({"engine": b"2" if survives else b"1"}, ())
    store.commit(Commit(put={"engine": b"3"}))
    assert store.load() == Saved({"engine": b"3"}, ())
