"""The newest records of topics, to look at: nothing is committed, no group is joined."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streamcheck.adapters.kafka.batches import DECOMPRESSED_BYTES_MAX, Chunk
from streamcheck.adapters.kafka.client import connect, explain, quieten
from streamcheck.adapters.kafka.codecs import MalformedBatch
from streamcheck.adapters.kafka.fetch import open_fetch
from streamcheck.adapters.kafka.headers import headers_of
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError

READ_S_MAX = 20.0
"""How long a sample may take, all its topics together."""
INTERNAL = "__"
POLL_MS = 500
T = TypeVar("T")
Told = Callable[[int, int], None]
"""Records that have been read, and that are to be read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Records of one topic, in offset order within each partition: values, timestamps in ms, partitions.

    keys, headers: of each, or of none at all. unreadable: records beside these, of batches that nobody can read.
    """

    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    partitions: Sequence[int]
    keys: Sequence[bytes | None] = ()
    headers: Sequence[Sequence[tuple[str, bytes | None]]] = ()
    unreadable: int = 0


def topics(settings: Mapping[str, object]) -> list[str]:
    """The cluster's topics, ascending, its internal ones left out. Raises SourceError."""
    return _with_consumer(
        settings, "listing topics", lambda c: sorted(t for t in c.topics() if not t.startswith(INTERNAL))
    )


def newest(
    settings: Mapping[str, object], wanted: Sequence[str], records: int, told: Told = lambda _read, _due: None
) -> dict[str, Taken]:
    """About so many of the newest records of each topic, fewer where it holds fewer or they do not come in time.

    Batches that nobody can read are stepped over, as a run does. Raises SourceError for a topic that does not exist,
    and where the broker refuses; SourceUnavailable without one.
    """
    begins, ends = _with_consumer(settings, "listing offsets", lambda c: _spans(c, wanted, records))
    fetched: dict[str, list[tuple[int, Chunk]]] = {topic: [] for topic in wanted}
    due, read = sum(ends.values()) - sum(begins.values()), 0
    deadline = time.monotonic() + READ_S_MAX
    try:
        fetch = open_fetch({**settings, "fetch_min_bytes": 1}, DECOMPRESSED_BYTES_MAX, headers=True)
        try:
            fetch.assign(begins)
            while time.monotonic() < deadline and any(at < ends[place] for place, at in fetch.positions().items()):
                for (topic, partition), chunks in fetch.poll(POLL_MS).items():
                    fetched[topic] += [(partition, chunk) for chunk in chunks]
                    read += sum(len(chunk.records.offsets) for chunk in chunks)
                told(min(read, due), due)
        finally:
            fetch.close()
    except (KafkaError, OSError) as error:
        raise explain(error, settings, "reading") from error
    return {topic: _taken(topic, chunks, ends) for topic, chunks in fetched.items()}


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


def _spans(
    consumer: Any, wanted: Sequence[str], records: int
) -> tuple[dict[SourcePartition, int], dict[SourcePartition, int]]:
    """From which offset to which each partition is read."""
    places: list[TopicPartition] = []
    known = consumer.topics()
    for topic in wanted:
        if topic not in known:
            raise SourceError(f"there is no topic {topic!r}; there are {', '.join(sorted(known)[:20]) or 'none'}")
        places += [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
    first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    shares = Counter(place.topic for place in places)
    begins = {
        SourcePartition(*place): max(first[place], ends[place] - -(-records // shares[place.topic])) for place in places
    }
    return begins, {SourcePartition(*place): ends[place] for place in places}


def _taken(topic: str, chunks: Sequence[tuple[int, Chunk]], ends: Mapping[SourcePartition, int]) -> Taken:
    values: list[bytes | None] = []
    timestamps: list[int] = []
    partitions: list[int] = []
    keys: list[bytes | None] = []
    headers: list[Sequence[tuple[str, bytes | None]]] = []
    for partition, chunk in chunks:
        rows = chunk.records
        many = int(np.searchsorted(rows.offsets, ends[SourcePartition(topic, partition)]))
        values += rows.values[:many]
        timestamps += rows.timestamps[:many].tolist()
        partitions += [partition] * many
        keys += rows.keys[:many]
        headers += [_headings(each) for each in rows.headers[:many]] if rows.headers is not None else [()] * many
    return Taken(values, timestamps, partitions, keys, headers, sum(len(chunk.faults) for _, chunk in chunks))


def _headings(written: bytes | None) -> Sequence[tuple[str, bytes | None]]:
    try:
        return headers_of(written or b"\0")
    except MalformedBatch:
        return ()
