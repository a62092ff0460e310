"""The broker, and the two topics of a stream on it: filled once, read by every contender."""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from bench.batches import create, publish
from bench.events import Shape, batches


@dataclass(frozen=True, slots=True)
class Stream:
    """Predictions and as many labels, each on so many partitions."""

    bootstrap: str
    name: str
    shape: Shape
    events: int
    partitions: int

    @property
    def predictions(self) -> str:
        """The topic."""
        return f"{self.name}.predictions"

    @property
    def labels(self) -> str:
        """The topic."""
        return f"{self.name}.labels"


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[str]:
    """The broker named on the command line or in STREAMCHECK_TEST_KAFKA, else one started for the occasion."""
    if address:
        yield address
        return
    from tools.kafka_cluster import KafkaCluster  # noqa: PLC0415 (needed only here)

    with KafkaCluster() as cluster:
        yield cluster.bootstrap


def stream(bootstrap: str, shape: Shape, events: int, partitions: int) -> Stream:
    """The stream on this broker, published now unless it is there already: its name says what is in it."""
    sample = (
        next(batches(shape, events, partitions, labels=False))[1]
        + next(batches(shape, events, partitions, labels=True))[1]
    )
    digest = hashlib.sha256(sample).hexdigest()[:8]
    name = f"bench-{events}-{partitions}-{shape.features}f-{shape.segments}s-{shape.pad}b-{digest}"
    made = Stream(bootstrap, name, shape, events, partitions)
    there = held(bootstrap, (made.predictions, made.labels))
    if there == events * 2:
        return made
    assert not there, f"{name} holds {there} records on this broker, not {2 * events}: delete its topics"
    began = time.perf_counter()
    for topic, labels in ((made.predictions, False), (made.labels, True)):
        create(bootstrap, topic, partitions)
        publish(bootstrap, topic, batches(shape, events, partitions, labels=labels))
    seconds = time.perf_counter() - began
    print(f"published {events:,} predictions and labels to {name}.* in {seconds:.0f} s", file=sys.stderr, flush=True)
    return made


def held(bootstrap: str, topics: tuple[str, ...]) -> int:
    """Records in these topics; 0 where there are none."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    known = set(admin.list_topics())
    admin.close()
    if not known >= set(topics):
        return 0
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    parts = [TopicPartition(topic, p) for topic in topics for p in consumer.partitions_for_topic(topic) or ()]
    total: int = sum(consumer.end_offsets(parts).values())
    consumer.close()
    return total


def read_alerts(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Everything in the alerts topic, in order."""
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    records: list[dict[str, Any]] = []
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1000).values():
            records += [json.loads(record.value) for record in batch]
    consumer.close()
    return records
