"""The real programs that people run beside streamcheck, from Debian's packages."""

import shutil

import pytest


def program(*names: str) -> str:
    """The first of these that is installed; without it, one line says loudly what was not tested."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"NO PROMETHEUS: rules and scrapes are NOT tested here; apt install {names[0]}")
    return found


@pytest.fixture
def promtool() -> str:
    return program("promtool")


@pytest.fixture
def prometheus() -> str:
    return program("prometheus")


@pytest.fixture
def amtool() -> str:
    return program("amtool")
