"""Operational alerts to Kafka: at least once, keyed by the alert's id."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamcheck.adapters.kafka.admin import OPERATIONS_TOPIC, Cluster
from streamcheck.adapters.kafka.client import check_settings, explain, quieten
from streamcheck.adapters.kafka.outgoing import DELIVERY_MS, OVERHEAD_BYTES, abandon, open_producer
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError


class KafkaOperations:
    """A runtime.ports.OperationsSink. The topic is made when missing; nothing is connected before the first record.

    No watchdog ends the process where a call hangs: then the broker is in trouble, and the loop has one of its own.
    """

    def __init__(self, settings: Mapping[str, object], topic: str) -> None:
        check_settings(settings)
        quieten()
        self._settings = dict(settings)
        self._topic = topic
        self._producer: Any = None

    def send(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Return once all have arrived, in their order. Raises DeliveryError; then some may have arrived."""
        try:
            if self._producer is None:
                self._producer = self._connect()
            sent = [self._producer.send(self._topic, key=key, value=value) for key, value in records]
            self._producer.flush(DELIVERY_MS / 1000)
            for future in sent:
                future.get(timeout=0)
        except Exception as error:
            self.close()
            explained = explain(error, self._settings, f"sending to topic {self._topic!r}")
            missing = counted(len(records), "operational record has", "operational records have")
            raise DeliveryError(f"{missing} not arrived in {self._topic!r}: {explained}") from error

    def close(self) -> None:
        """Release the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)

    def _connect(self) -> Any:
        with Cluster(self._settings) as cluster:
            cluster.ensure(self._topic, 1, OPERATIONS_TOPIC)
            settings = cluster.topic_settings(self._topic)
        return open_producer(self._settings, int(settings["max.message.bytes"]) - OVERHEAD_BYTES)
