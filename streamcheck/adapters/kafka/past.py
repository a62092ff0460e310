"""What do the output topics tell of earlier runs: how far alerts have come, what the journal holds?"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from streamcheck.adapters.kafka.admin import Cluster
from streamcheck.adapters.kafka.client import check_settings, explain
from streamcheck.adapters.kafka.marker import Marker, read_marker, read_topic
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError, StreamcheckError


class KafkaPast:
    """Reads, and changes nothing: no producer is fenced. Raises SourceError; BrokerUnavailable where none answers."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        check_settings(settings)
        self._settings = dict(settings)
        self._cluster = Cluster(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.close()

    def marker(self, alerts_topic: str, name: str) -> Marker | None:
        """How far the alerts of config `name` have come; None where it never wrote to this topic."""
        topic = f"{alerts_topic}.positions"
        if not self._cluster.exists(topic):
            return None
        with self._explained(f"reading topic {topic!r}"):
            return read_marker(self._settings, self._cluster, topic, name.encode())

    def journal(self, topic: str) -> list[tuple[int, bytes]]:
        """Number and line of every record in a journal's topic; empty where there is none."""
        if not self._cluster.exists(topic):
            return []
        found = []
        with self._explained(f"reading topic {topic!r}"):
            for key, value in read_topic(self._settings, self._cluster, topic):
                if key is None or value is None or not key.isdigit():
                    raise StateError(f"topic {topic!r} holds a record that is no journal entry: {key!r}")
                found.append((int(key), value))
        return found

    def alerts(self, topic: str) -> Iterator[bytes]:
        """Every alert record in a topic, of whatever config and lineage; nothing where there is no such topic."""
        if not self._cluster.exists(topic):
            return
        with self._explained(f"reading topic {topic!r}"):
            for source in self._cluster.describe([topic]).partitions:
                for _, value in read_topic(self._settings, self._cluster, topic, source.partition):
                    yield value or b""

    def progress(self, group: str) -> dict[SourcePartition, int]:
        """The positions that earlier runs have shown to lag tools: never beyond what they had committed."""
        return self._cluster.progress(group)

    def held(self, sources: Mapping[SourcePartition, int]) -> dict[SourcePartition, tuple[int, int]]:
        """First and next offset that each of these partitions holds."""
        starts, ends = self._cluster.log_starts(sources), self._cluster.high_watermarks(sources)
        return {source: (starts[source], ends[source]) for source in sources}

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except StreamcheckError:
            raise
        except Exception as error:
            raise explain(error, self._settings, doing) from error
