"""What holds for all tests: generated examples are the same in every run, on any machine, however slow.

And one broker for the session, for tests/kafka and tests/faults. Without Java and Maven, or an address: skipped, under
CI failed.
"""

import gc
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tools.kafka_cluster import ADDRESS_VARIABLE, KafkaCluster, missing

settings.register_profile(
    "streamcheck",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("streamcheck")

HERE = Path(__file__).parent
WITH_BROKER = (HERE / "kafka", HERE / "faults")
SHARED = {
    *("kafka", "broker", "scraped", "browser", "report", "compared", "found", "watched", "history", "normal", "made"),
}
"""Fixtures of a module or a session that take seconds to make: a broker, a browser, a replay, a release."""
CLIENT_LEAKS = "ignore:unclosed <socket:ResourceWarning"  # kafka-python 3.0.12, for each connection that is refused


def pytest_addoption(parser):
    """Golden files are written by hand of this option only; the long form of the faults takes half an hour."""
    parser.addoption("--golden-update", action="store_true", help="write what comes out now as the expected alerts")
    parser.addoption("--long", action="store_true", help="tests/faults: the long form (make faults)")


NO_FAST_CLIENT = "NO CONFLUENT-KAFKA: reading by it is NOT tested here; pip install 'streamcheck[fast]'"


def needs_client(client: str) -> str:
    """The client; skips where it is not installed, under CI fails."""
    if client == "confluent" and importlib.util.find_spec("confluent_kafka") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_FAST_CLIENT)
    return client


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request: pytest.FixtureRequest) -> str:
    """Who reads."""
    return needs_client(request.param)


@pytest.fixture
def golden_update(request):
    """Whether the expected alerts are to be written anew."""
    return bool(request.config.getoption("--golden-update"))


@dataclass(frozen=True)
class Kafka:
    """Where to find it, and the cluster itself when this session has started it (None: someone else's)."""

    bootstrap: str
    cluster: KafkaCluster | None

    @property
    def settings(self) -> dict[str, object]:
        return {"bootstrap_servers": self.bootstrap}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several processes: tests of a folder that share what is SHARED run in one of them; the longest begin first."""
    several = config.pluginmanager.hasplugin("xdist")
    for item in items:
        if any(folder in item.path.parents for folder in WITH_BROKER):
            item.add_marker("kafka")
            item.add_marker(pytest.mark.filterwarnings(CLIENT_LEAKS))
        if several and not SHARED.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))
    if several:
        items.sort(key=lambda item: item.get_closest_marker("first") is None)


@pytest.fixture
def no_leaks_for_others(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Sockets that the client has dropped are collected here, not in the middle of a test where they are an error.

    The client's own log lines hold on to them through the exceptions that they show, so there are none.
    """
    caplog.set_level(logging.CRITICAL, "kafka")
    yield
    collect_leaks()


@contextmanager
def quiet_start(cluster: KafkaCluster) -> Iterator[KafkaCluster]:
    """Started without a trace of the connections that are refused until it is up."""
    logger = logging.getLogger("kafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    with cluster:
        logger.setLevel(before)
        collect_leaks()
        yield cluster


def collect_leaks() -> None:
    """Sockets that the client has dropped are no error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    address = os.environ.get(ADDRESS_VARIABLE)
    if address:
        yield Kafka(address, None)
        return
    need = missing()
    if need and os.environ.get("CI") == "true":
        pytest.fail(f"NO KAFKA: needs {need}, or an address in {ADDRESS_VARIABLE}")
    if need:
        pytest.skip(f"NO KAFKA: the promises about Kafka are NOT tested here; needs {need}, or {ADDRESS_VARIABLE}")
    with quiet_start(KafkaCluster()) as cluster:
        yield Kafka(cluster.bootstrap, cluster)


@pytest.fixture
def cluster(kafka: Kafka) -> KafkaCluster:
    """The session's own broker, for tests that do it harm; they leave it running."""
    if kafka.cluster is None:
        pytest.skip("harms the broker: not done to someone else's")
    return kafka.cluster


def pytest_terminal_summary(terminalreporter) -> None:
    for need in ("NO KAFKA", "NO CONFLUENT-KAFKA", "NO CHROMIUM", "NO PROMETHEUS"):
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if need in str(report.longrepr)]
        if skipped:
            reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
            terminalreporter.write_line(f"{len(skipped)} tests skipped. {reason}", red=True, bold=True)
    ran = [report for reports in terminalreporter.stats.values() for report in reports]
    faults = any(getattr(report, "nodeid", "").startswith("tests/faults/") for report in ran)
    if faults and not terminalreporter.config.getoption("--long"):
        terminalreporter.write_line("faults: the short form; `make faults` runs the long one")
