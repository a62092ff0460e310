"""A shelf for runs that keep no state: predictions beyond memory lie in a file without a name, gone with the run."""

import sqlite3
from collections.abc import Callable, Iterable

from streamcheck.core.shelf import PREFIX
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Commit, Saved

SETTINGS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")


class ScratchStore:
    """Keeps what belongs on the shelf, and forgets the rest; implements ports.Store.

    below: where parts are that are not here, those of a state that the run went on from.
    """

    def __init__(self, below: Callable[[str], bytes] | None = None) -> None:
        self._below = below
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in SETTINGS:
            self._connection.execute(setting).fetchall()
        self._connection.execute("CREATE TABLE shelf (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def load(self) -> Saved | None:
        """Nothing: no run goes on from here."""
        return None

    def read(self, key: str) -> bytes:
        """A part of the shelf."""
        row = self._connection.execute("SELECT value FROM shelf WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return bytes(row[0])
        if self._below is None:
            raise StateError(f"the shelf has no part {key!r}")
        return self._below(key)

    def take(self, parts: Iterable[tuple[str, bytes]]) -> None:
        """Keep these."""
        self._written(lambda: self._connection.executemany("INSERT OR REPLACE INTO shelf VALUES (?, ?)", parts))

    def commit(self, commit: Commit) -> None:
        """Keep what belongs on the shelf."""
        self.take((key, commit.put[key]) for key in commit.put if key.startswith(PREFIX))
        gone = [(key,) for key in commit.delete if key.startswith(PREFIX)]
        self._written(lambda: self._connection.executemany("DELETE FROM shelf WHERE key = ?", gone))

    def delivered(self, sequence: int) -> None:
        """Forget that too."""

    def close(self) -> None:
        """The file is gone."""
        self._connection.close()

    def _written(self, write: Callable[[], object]) -> None:
        try:
            write()
        except sqlite3.Error as error:
            raise StateError(
                f"predictions that wait for their label could not be put on disk ({error}): free some space where "
                "temporary files lie (SQLITE_TMPDIR, TMPDIR), or raise limits.join_memory"
            ) from error
