"""A broker for the session, and topics on it. Without Java and Maven, or an address: skipped, under CI failed."""

import gc
import itertools
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from tools.kafka_cluster import ADDRESS_VARIABLE, KafkaCluster, missing

HERE = Path(__file__).parent
CLIENT_LEAKS = "ignore:unclosed <socket:ResourceWarning"  # kafka-python 3.0.12, for each connection that is refused


@dataclass(frozen=True)
class Kafka:
    """Where to find it, and the cluster itself when this session has started it (None: someone else's)."""

    bootstrap: str
    cluster: KafkaCluster | None

    @property
    def settings(self) -> dict[str, object]:
        return {"bootstrap_servers": self.bootstrap}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    own = [item for item in items if HERE in item.path.parents]
    for item in own:
        item.add_marker("kafka")
        item.add_marker(pytest.mark.filterwarnings(CLIENT_LEAKS))
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group("kafka"))  # with --dist loadgroup: one broker


@pytest.fixture(autouse=True)
def no_leaks_for_others(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Sockets that the client has dropped are collected here, not in the middle of a test where they are an error.

    The client's own log lines hold on to them through the exceptions that they show, so there are none.
    """
    caplog.set_level(logging.CRITICAL, "kafka")
    yield
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
    with KafkaCluster() as cluster:
        yield Kafka(cluster.bootstrap, cluster)


@pytest.fixture
def cluster(kafka: Kafka) -> KafkaCluster:
    """The session's own broker, for tests that do it harm; they leave it running."""
    if kafka.cluster is None:
        pytest.skip("harms the broker: not done to someone else's")
    return kafka.cluster


@pytest.fixture
def admin(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


Topics = Callable[..., str]
_numbers = itertools.count(1)


@pytest.fixture
def topic(admin: KafkaAdminClient, request: pytest.FixtureRequest) -> Topics:
    """Makes topics of their own name: `topic(partitions=2, **{"cleanup.policy": "compact"})`."""

    def make(partitions: int = 1, **configs: object) -> str:
        name = f"{request.node.originalname}.{os.getpid()}.{next(_numbers)}"[-200:]
        settings = {"retention.ms": "-1", **{key: str(value) for key, value in configs.items()}}
        admin.create_topics({name: {"num_partitions": partitions, "configs": settings}}, wait_for_metadata=True)
        return name

    return make


@pytest.fixture
def producer(kafka: Kafka) -> Iterator[Callable[..., KafkaProducer]]:
    """Makes producers, and closes them."""
    made: list[KafkaProducer] = []

    def make(**settings: object) -> KafkaProducer:
        client = KafkaProducer(bootstrap_servers=kafka.bootstrap, **settings)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(timeout=5)


def pytest_terminal_summary(terminalreporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "NO KAFKA" in str(report.longrepr)]
    if skipped:
        reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{len(skipped)} tests skipped. {reason}", red=True, bold=True)
