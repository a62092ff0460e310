"""Copies of journal entries to Kafka, so that a replay elsewhere sees every input that is not in the topics."""

from collections.abc import Mapping, Sequence

from streamcheck.adapters.kafka.admin import JOURNAL_TOPIC
from streamcheck.adapters.kafka.outgoing import TopicSender
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.errors import DeliveryError


class KafkaJournal(TopicSender):
    """A runtime.ports.JournalSink: one partition, never compacted, key the entry's number, value its line.

    At least once, in order; a reader keeps the last of each number, for silence that goes on replaces its line.
    """

    def __init__(self, settings: Mapping[str, object], topic: str, *, watchdog: Watchdog | None = None) -> None:
        super().__init__(settings, topic, JOURNAL_TOPIC, ("entry has", "entries have"))
        self._watchdog = watchdog or Watchdog()

    def send(self, first: int, lines: Sequence[bytes]) -> None:
        """Return once the entries, numbered on from `first`, have arrived. Raises DeliveryError."""
        with self._watchdog.stage(f"sending to {self._topic}"):
            # one partition by name: the order of entries is part of what they say
            self._deliver([(str(number).encode(), line) for number, line in enumerate(lines, first)], partition=0)

    def _check(self, settings: Mapping[str, str]) -> None:
        if "compact" in settings["cleanup.policy"]:
            raise DeliveryError(
                f"journal topic {self._topic!r} is compacted: Kafka would delete entries that a replay needs. "
                "Set cleanup.policy=delete on it, or name another topic"
            )
