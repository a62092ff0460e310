"""What stands in the topics? Read with the stock client, by no code of the product."""

import time
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition

WAIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def read(bootstrap: str, topic: str) -> list[Record]:
    """Everything in a topic that a reader of committed records sees, in order of partition and offset.

    Waits for transactions that are open, until nothing has come for long. A topic that does not exist is empty.
    """
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    raw = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_uncommitted", enable_auto_commit=False)
    try:
        if topic not in consumer.topics():
            return []
        parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, deadline, found = raw.end_offsets(parts), time.monotonic() + WAIT_S, []
        while any(consumer.position(part) < ends[part] for part in parts):
            assert time.monotonic() < deadline, f"{topic} does not come to its end: a transaction is open"
            polled = consumer.poll(200)
            deadline = time.monotonic() + WAIT_S if polled else deadline
            for records in polled.values():
                found += [Record(r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()
        raw.close()


def ends(bootstrap: str, topic: str) -> list[int]:
    """The next offset of each partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic) or ())]
        found = consumer.end_offsets(parts)
        return [found[part] for part in parts]
    finally:
        consumer.close()
