"""How large are the pages of a state file?"""

import sqlite3
from pathlib import Path

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.runtime.ports import Commit


def pages(directory: Path) -> int:
    connection = sqlite3.connect(directory / "state.sqlite")
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    return size


def test_a_new_file_has_large_pages_and_an_older_one_keeps_its_own(tmp_path: Path) -> None:
    new = SqliteStore(tmp_path, "payments")
    new.commit(Commit(put={"engine": b"state"}))
    new.close()
    assert pages(tmp_path) == 16_384
    connection = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 4096", "VACUUM"):
        connection.execute(statement)
    connection.close()
    older = SqliteStore(tmp_path, "payments")
    saved = older.load()
    assert saved is not None
    assert saved.state == {"engine": b"state"}
    older.commit(Commit(put={"engine": b"later"}))
    older.close()
    assert pages(tmp_path) == 4_096
