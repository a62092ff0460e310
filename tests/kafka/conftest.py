"""Topics and producers on the session's broker (tests/conftest.py)."""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer


@pytest.fixture(autouse=True)
def clean(no_leaks_for_others: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def admin(kafka: Any) -> Iterator[KafkaAdminClient]:
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
def producer(kafka: Any) -> Iterator[Callable[..., KafkaProducer]]:
    """Makes producers, and closes them."""
    made: list[KafkaProducer] = []

    def make(**settings: object) -> KafkaProducer:
        client = KafkaProducer(bootstrap_servers=kafka.bootstrap, **settings)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(timeout=5)
