"""Operational alerts to Kafka: at least once, keyed by the alert's id."""

from collections.abc import Mapping, Sequence

from streamcheck.adapters.kafka.admin import OPERATIONS_TOPIC
from streamcheck.adapters.kafka.outgoing import TopicSender


class KafkaOperations(TopicSender):
    """A runtime.ports.OperationsSink.

    No watchdog ends the process where a call hangs: then the broker is in trouble, and the loop has one of its own.
    """

    def __init__(self, settings: Mapping[str, object], topic: str) -> None:
        super().__init__(settings, topic, OPERATIONS_TOPIC, ("operational record has", "operational records have"))

    def send(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Return once all have arrived, in their order. Raises DeliveryError; then some may have arrived."""
        self._deliver(records)
