"""How far alerts have come: a record in the positions topic, written in the same transaction as the alerts."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from streamcheck.adapters.kafka.admin import Cluster
from streamcheck.adapters.kafka.batches import DECOMPRESSED_BYTES_MAX
from streamcheck.adapters.kafka.fetch import open_fetch
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError

OTHERS_TRANSACTION_S = 45.0
"""A stranger's open transaction on the topic hides what comes after it: until its time-out and the broker's check."""

POLL_MS = 200


@dataclass(frozen=True, slots=True)
class Marker:
    """Everything up to `sequence` has arrived, of this lineage; digest: of all transitions up to there."""

    lineage: str
    sequence: int
    digest: str

    def encode(self) -> bytes:
        """As written to the topic.

        >>> Marker("77ab", 17, "c0de").encode()
        b'{"lineage":"77ab","sequence":17,"digest":"c0de"}'
        """
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, value: bytes, topic: str) -> Self:
        """What `encode` wrote. Raises DeliveryError."""
        try:
            return msgspec.json.decode(value, type=cls)
        except msgspec.DecodeError as error:
            raise DeliveryError(
                f"topic {topic!r} holds something that is no delivery mark ({error}): it belongs to streamcheck alone"
            ) from error


def read_marker(settings: Mapping[str, object], cluster: Cluster, topic: str, key: bytes) -> Marker | None:
    """The newest marker under `key`, None before the first. Call it when the writer has been fenced.

    Reads to the HIGH watermark of this moment: the last stable offset may stand before our own newest marker while
    another config's transaction on the same topic is open.
    """
    newest = [value for k, value in read_topic(settings, cluster, topic) if k == key][-1:]
    return Marker.decode(newest[0] or b"", topic) if newest else None


def read_topic(
    settings: Mapping[str, object], cluster: Cluster, topic: str, partition: int = 0
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Key and value of every committed record of one partition, up to the high watermark of this moment."""
    source = SourcePartition(topic, partition)
    begin, end = cluster.log_starts([source])[source], cluster.high_watermarks([source])[source]
    fetch = open_fetch({**settings, "fetch_min_bytes": 1}, DECOMPRESSED_BYTES_MAX)
    try:
        fetch.assign({source: begin})
        deadline = time.monotonic() + OTHERS_TRANSACTION_S
        while (at := fetch.positions()[source]) < end:
            if time.monotonic() > deadline:
                raise DeliveryError(f"topic {topic!r}: a transaction is open at offset {at} of {end}; try again later")
            for chunk in fetch.poll(POLL_MS).get(source, ()):
                deadline = time.monotonic() + OTHERS_TRANSACTION_S
                for offset, reason in chunk.faults:
                    raise DeliveryError(f"topic {topic!r} is damaged at offset {offset}: {reason}")
                yield from zip(chunk.records.keys, chunk.records.values, strict=True)
    finally:
        fetch.close()
