"""One release, made as `make release` makes it."""

import pytest

from tools import release


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> release.Release:
    return release.make(tmp_path_factory.mktemp("dist"))
