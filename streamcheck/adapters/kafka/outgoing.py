"""How producers are made and given up, the same for alerts, strays and the journal."""

import logging
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer

from streamcheck.adapters.kafka.client import connect

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
