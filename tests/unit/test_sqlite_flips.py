"""Does a bit that flips in the index of a state file hide what its table still holds?"""

import re
import sqlite3
from pathlib import Path

import pytest

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.errors import StateError
from streamcheck.runtime.ports import Commit

PAGE_BYTES = 4_096
"""At least: the first page, with the schema, is no smaller."""
STATE = {"engine": b"core", "monitor/a": b"sums"}


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A state directory with one commit in it."""
    store = SqliteStore(tmp_path / "state", "payments")
    store.commit(Commit(put=STATE))
    store.close()
    return tmp_path / "state"


def test_a_name_that_one_of_its_two_places_has_lost(used: Path) -> None:
    """Names of facts stand in their table and in its index: a bit that flips in the index must not hide a fact."""
    path = used / "state.sqlite"
    whole = path.read_bytes()
    with sqlite3.connect(path) as connection:
        names = [row[0].encode() for row in connection.execute("SELECT key FROM about")]
    connection.close()
    whole = path.read_bytes()
    places = [at.start() for name in names for at in re.finditer(re.escape(name), whole)]
    places = [at for at in places if at >= PAGE_BYTES]  # the first page holds the schema
    assert len(places) >= 2 * len(names) > 2
    refused = 0
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x04]) + whole[at + 1 :])
        refused += _refused_or_whole(used)
    assert refused >= 2 * len(names), "the other places are no longer read"


def _refused_or_whole(directory: Path) -> bool:
    found = None
    try:
        store = SqliteStore(directory, "payments")
        try:
            found = store.load()
        finally:
            store.close()
    except StateError:
        return True
    assert found is not None, "taken for a fresh one"
    assert dict(found.state) == STATE
    return False
