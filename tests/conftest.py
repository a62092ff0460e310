"""What holds for all tests: generated examples are the same in every run, on any machine, however slow."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "streamcheck",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("streamcheck")


def pytest_addoption(parser):
    """Golden files are written by hand of this option only."""
    parser.addoption("--golden-update", action="store_true", help="write what comes out now as the expected alerts")


@pytest.fixture
def golden_update(request):
    """Whether the expected alerts are to be written anew."""
    return bool(request.config.getoption("--golden-update"))
