"""How producers are made and given up, the same for alerts, strays and the journal."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer

from streamcheck.adapters.kafka.admin import Cluster
from streamcheck.adapters.kafka.client import check_settings, connect, explain, quieten
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError

log = logging.getLogger(__name__)

OVERHEAD_BYTES = 512
"""Of a record beyond its key and value, and of the batch around it: header, lengths, our own header fields."""

MAX_BLOCK_MS, DELIVERY_MS = 10_000, 12_000
"""For the topic's metadata, and for a record to arrive: each below the watchdog's limit."""

RETRY_MS = 20
"""The client sleeps that long whenever a transaction's coordinator is not known or not done yet, which is usual: with
its own 100 ms `init_transactions` takes 0.2 s, and one transaction in five 0.1 s."""


def open_producer(settings: Mapping[str, object], record_bytes_max: int, **own: object) -> Any:
    """A connected producer for records up to a size. Raises what the client raises."""
    return connect(
        KafkaProducer,
        {"compression_type": "zstd", "retry_backoff_ms": RETRY_MS, **settings},
        acks="all",
        linger_ms=5,
        max_block_ms=MAX_BLOCK_MS,
        delivery_timeout_ms=DELIVERY_MS,
        max_request_size=record_bytes_max + OVERHEAD_BYTES,
        allow_auto_create_topics=False,
        **own,
    )


def abandon(producer: Any) -> None:
    """Close a producer without waiting for what it still holds."""
    try:
        producer.close(timeout=0)
    except Exception as error:  # noqa: BLE001 - close() flushes first, and gives up where batches are under way
        log.info("letting go of a producer: %s", error)
        producer._sender.force_close()  # noqa: SLF001 - there is no public way to let go of them


class TopicSender:
    """Sends to one topic, at least once. It is made, of one partition, when missing; nothing is connected before the
    first record.

    made: settings of the topic; missing: what is said of a record, and of several, that have not arrived.
    """

    def __init__(
        self, settings: Mapping[str, object], topic: str, made: Mapping[str, str], missing: tuple[str, str]
    ) -> None:
        check_settings(settings)
        quieten()
        self._settings = dict(settings)
        self._topic, self._made, self._missing = topic, made, missing
        self._producer: Any = None

    def close(self) -> None:
        """Release the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)

    def _deliver(self, records: Sequence[tuple[bytes, bytes]], partition: int | None = None) -> None:
        """Return once all have arrived, in their order. Raises DeliveryError; then some may have arrived."""
        try:
            if self._producer is None:
                self._producer = self._connect()
            sent = [self._producer.send(self._topic, key=k, value=v, partition=partition) for k, v in records]
            self._producer.flush(DELIVERY_MS / 1000)
            for future in sent:
                future.get(timeout=0)
        except Exception as error:
            self.close()
            explained = explain(error, self._settings, f"sending to topic {self._topic!r}")
            missing = counted(len(records), *self._missing)
            raise DeliveryError(f"{missing} not arrived in {self._topic!r}: {explained}") from error

    def _connect(self) -> Any:
        with Cluster(self._settings) as cluster:
            cluster.ensure(self._topic, 1, self._made)
            settings = cluster.topic_settings(self._topic)
        self._check(settings)
        return open_producer(self._settings, int(settings["max.message.bytes"]) - OVERHEAD_BYTES)

    def _check(self, settings: Mapping[str, str]) -> None:
        """Refuse a topic whose settings will not do, with a DeliveryError."""
