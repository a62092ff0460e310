"""A store for demos, backtests and tests: it lasts as long as the process."""

from streamcheck.core.shelf import PREFIX as SHELF
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Commit, Saved


class MemoryStore:
    """A store that lasts as long as the object; implements ports.Store by the same contract as SqliteStore.

    >>> store = MemoryStore()
    >>> store.load() is None
    True
    >>> store.commit(Commit(put={"engine": b"state"}))
    >>> store.load()
    Saved(state={'engine': b'state'}, outbox=())
    """

    def __init__(self) -> None:
        self._saved: Saved | None = None
        self._sequence = 0
        self._closed = False

    def load(self) -> Saved | None:
        """What was committed last; None for a fresh store."""
        self._refuse_if_closed()
        if self._saved is None:
            return None
        loaded = {key: value for key, value in self._saved.state.items() if not key.startswith(SHELF)}
        return Saved(loaded, self._saved.outbox, self.read)

    def read(self, key: str) -> bytes:
        """A part of the shelf."""
        self._refuse_if_closed()
        found = None if self._saved is None else self._saved.state.get(key)
        if found is None:
            raise StateError(f"the state has no part {key!r}")
        return found

    def commit(self, commit: Commit) -> None:
        """Apply one step, all or nothing."""
        self._refuse_if_closed()
        both = commit.delete & commit.put.keys()
        assert not both, f"both put and deleted: {sorted(both)}"
        last = self._sequence
        for entry in commit.outbox:
            if entry.sequence != last + 1:
                expected = f"expected {last + 1}; nothing was saved"
                raise StateError(f"outbox entry {entry.sequence} cannot follow {last}: {expected}")
            last = entry.sequence
        before = self._saved or Saved()
        state = {key: value for key, value in before.state.items() if key not in commit.delete}
        state |= {key: bytes(value) for key, value in commit.put.items()}
        self._saved = Saved(state, before.outbox + commit.outbox)
        self._sequence = last

    def delivered(self, sequence: int) -> None:
        """Forget outbox entries up to this sequence number."""
        self._refuse_if_closed()
        if self._saved is not None:
            left = tuple(entry for entry in self._saved.outbox if entry.sequence > sequence)
            self._saved = Saved(self._saved.state, left)

    def close(self) -> None:
        """Refuse everything until `reopen`."""
        self._closed = True

    def reopen(self) -> "MemoryStore":
        """The same content for the next run."""
        self._closed = False
        return self

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StateError("the store is closed")


class ForgetfulStore:
    """A store for runs that are never resumed: it keeps nothing, whatever the state comes to; implements ports.Store.

    >>> store = ForgetfulStore()
    >>> store.commit(Commit(put={"engine": b"state"}))
    >>> store.load() is None
    True
    """

    def load(self) -> Saved | None:
        """Nothing."""
        return None

    def read(self, key: str) -> bytes:
        """There is no shelf here."""
        raise StateError(f"this store keeps nothing, {key!r} neither")

    def commit(self, commit: Commit) -> None:
        """Forget it."""

    def delivered(self, sequence: int) -> None:
        """Forget that too."""

    def close(self) -> None:
        """There is nothing to release."""
