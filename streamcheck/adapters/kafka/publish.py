"""Records to topics of any kind, for streams that are made up: topics where they are missing, and a producer."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streamcheck.adapters.kafka.client import connect, explain
from streamcheck.adapters.kafka.outgoing import open_producer
from streamcheck.core.types import SourcePartition

RECORD_BYTES_MAX = 1 << 20


class Sendable(Protocol):
    """A record and where it belongs; timestamp in ms."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes: ...  # noqa: D102
    @property
    def value(self) -> bytes: ...  # noqa: D102
    @property
    def timestamp_ms(self) -> int: ...  # noqa: D102


def make_topics(settings: dict[str, object], sources: Iterable[SourcePartition]) -> None:
    """Make the topics that are missing, which keep what they get for ever; those that are there stay as they are.

    Raises SourceUnavailable where no broker answers, SourceError where it refuses.
    """
    wanted = Counter(source.topic for source in sources)
    with _explained(settings, "connecting"):
        admin = connect(KafkaAdminClient, settings)
    try:
        with _explained(settings, "creating topics"):
            there = set(admin.list_topics())
            # made-up timestamps lie in the past: with the default retention the broker would remove them at once
            missing = {
                topic: {"num_partitions": count, "configs": {"retention.ms": "-1"}}
                for topic, count in wanted.items()
                if topic not in there
            }
            if missing:
                admin.create_topics(missing, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        pass  # somebody was quicker: the topics are there, which is all that was wanted
    finally:
        admin.close()


def holds_since(settings: dict[str, object], sources: Iterable[SourcePartition], time_ms: int) -> bool:
    """Whether any of these partitions holds a record with this timestamp (ms) or a later one. Raises as make_topics."""
    with _explained(settings, "listing offsets"):
        consumer = connect(KafkaConsumer, settings, enable_auto_commit=False)
        try:
            places = {TopicPartition(source.topic, source.partition): time_ms for source in sources}
            return any(consumer.offsets_for_times(places).values())
        finally:
            consumer.close()


class Publisher:
    """Sends records; a context manager that has sent everything when it is left without an exception."""

    def __init__(self, settings: dict[str, object]) -> None:
        self._settings = settings
        self._producer: Any = None

    def __enter__(self) -> Self:
        with _explained(self._settings, "connecting"):
            self._producer = open_producer(self._settings, RECORD_BYTES_MAX)
        return self

    def send(self, records: Iterable[Sendable]) -> None:
        """Give them to the client, which sends them soon. Raises SourceUnavailable, SourceError."""
        with _explained(self._settings, "sending"):
            for record in records:
                self._producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                with _explained(self._settings, "sending"):
                    self._producer.flush()
        finally:
            self._producer.close()


@contextmanager
def _explained(settings: dict[str, object], doing: str) -> Iterator[None]:
    try:
        yield
    except TopicAlreadyExistsError:
        raise
    except (KafkaError, OSError) as error:
        raise explain(error, settings, doing) from error
