"""Can nobody else read the state?"""

import logging
import os

import pytest

from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.runtime.ports import Commit


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_directory_and_its_files_are_private_whatever_the_umask(tmp_path, caplog, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(tmp_path / "state", "payments")
        store.commit(Commit({"a": b"1"}))
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert "state.sqlite" in modes
    assert "lock" in modes
    assert set(modes.values()) == {0o600}, modes
    assert not caplog.records


def test_a_directory_that_others_can_look_into_is_warned_of(tmp_path, caplog) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o750)
    SqliteStore(tmp_path / "state", "payments").close()
    assert "chmod 700" in caplog.text
