"""Copies of journal entries to Kafka, so that a replay elsewhere sees every input that is not in the topics."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamcheck.adapters.kafka.admin import JOURNAL_TOPIC, Cluster
from streamcheck.adapters.kafka.client import check_settings, explain, quieten
from streamcheck.adapters.kafka.outgoing import DELIVERY_MS, OVERHEAD_BYTES, abandon, open_producer
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError


class KafkaJournal:
    """A runtime.ports.JournalSink: one partition, never compacted, key the entry's number, value its line.

    At least once, in order; a reader keeps the last of each number, for silence that goes on replaces its line.
    Nothing is connected before the first entry.
    """

    def __init__(self, settings: Mapping[str, object], topic: str, *, watchdog: Watchdog | None = None) -> None:
        check_settings(settings)
        quieten()
        self._settings = dict(settings)
        self._topic = topic
        self._watchdog = watchdog or Watchdog()
        self._producer: Any = None

    def send(self, first: int, lines: Sequence[bytes]) -> None:
        """Return once the entries, numbered on from `first`, have arrived. Raises DeliveryError."""
        try:
            with self._watchdog.stage(f"sending to {self._topic}"):
                if self._producer is None:
                    self._producer = self._connect()
                keyed = [(str(number).encode(), line) for number, line in enumerate(lines, first)]
                # one partition by name: the order of entries is part of what they say
                sent = [self._producer.send(self._topic, key=key, value=line, partition=0) for key, line in keyed]
                self._producer.flush(DELIVERY_MS / 1000)
                for future in sent:
                    future.get(timeout=0)
        except Exception as error:
            self.close()
            explained = explain(error, self._settings, f"sending to topic {self._topic!r}")
            missing = counted(len(lines), "entry has", "entries have")
            raise DeliveryError(f"{missing} not arrived in {self._topic!r}: {explained}") from error

    def close(self) -> None:
        """Release the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)

    def _connect(self) -> Any:
        with Cluster(self._settings) as cluster:
            cluster.ensure(self._topic, 1, JOURNAL_TOPIC)
            settings = cluster.topic_settings(self._topic)
        if "compact" in settings["cleanup.policy"]:
            raise DeliveryError(
                f"journal topic {self._topic!r} is compacted: Kafka would delete entries that a replay needs. "
                "Set cleanup.policy=delete on it, or name another topic"
            )
        return open_producer(self._settings, int(settings["max.message.bytes"]) - OVERHEAD_BYTES)
