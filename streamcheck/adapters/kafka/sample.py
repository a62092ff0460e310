"""The newest records of topics, to look at: nothing is committed, no group is joined."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streamcheck.adapters.kafka.client import connect, explain, quieten
from streamcheck.errors import SourceError

READ_S_MAX = 20.0
"""How long a sample may take, all its topics together."""
INTERNAL = "__"
T = TypeVar("T")
Told = Callable[[int, int], None]
"""Records that have been read, and that are to be read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Records of one topic, in offset order within each partition: values, timestamps in ms, partitions.

    keys, headers: of each, or of none at all.
    """

    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    partitions: Sequence[int]
    keys: Sequence[bytes | None] = ()
    headers: Sequence[Sequence[tuple[str, bytes | None]]] = ()


def topics(settings: Mapping[str, object]) -> list[str]:
    """The cluster's topics, ascending, its internal ones left out. Raises SourceError."""
    return _with_consumer(
        settings, "listing topics", lambda c: sorted(t for t in c.topics() if not t.startswith(INTERNAL))
    )


def newest(
    settings: Mapping[str, object], wanted: Sequence[str], records: int, told: Told = lambda _read, _due: None
) -> dict[str, Taken]:
    """About so many of the newest records of each topic, fewer where it holds fewer or they do not come in time.

    Raises SourceError for a topic that does not exist, and where the broker refuses; SourceUnavailable without one.
    """
    return _with_consumer(settings, "reading", lambda c: _newest(c, wanted, records, told))


def _with_consumer(settings: Mapping[str, object], doing: str, use: Callable[[Any], T]) -> T:
    quieten()
    try:
        consumer = connect(
            KafkaConsumer, settings, enable_auto_commit=False, isolation_level="read_committed", group_id=None
        )
        try:
            return use(consumer)
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise explain(error, settings, doing) from error


def _newest(consumer: Any, wanted: Sequence[str], records: int, told: Told) -> dict[str, Taken]:
    places: list[TopicPartition] = []
    known = consumer.topics()
    for topic in wanted:
        if topic not in known:
            raise SourceError(f"there is no topic {topic!r}; there are {', '.join(sorted(known)[:20]) or 'none'}")
        places += [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(places)
    first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    shares = {topic: sum(place.topic == topic for place in places) for topic in wanted}
    due = 0
    for place in places:
        begin = max(first[place], ends[place] - -(-records // shares[place.topic]))
        consumer.seek(place, begin)
        due += ends[place] - begin
    found: dict[str, list[Any]] = {topic: [] for topic in wanted}
    deadline = time.monotonic() + READ_S_MAX
    while time.monotonic() < deadline and any(consumer.position(place) < ends[place] for place in places):
        for place, batch in consumer.poll(500).items():
            found[place.topic] += [record for record in batch if record.offset < ends[place]]
        told(sum(map(len, found.values())), due)
    return {
        topic: Taken(
            [r.value for r in rows],
            [r.timestamp for r in rows],
            [r.partition for r in rows],
            [r.key for r in rows],
            [r.headers or () for r in rows],
        )
        for topic, rows in found.items()
    }
