"""What the cluster says of its topics, and the topics that streamcheck makes for itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from kafka.protocol.consumer import OffsetSpec
from kafka.structs import OffsetAndMetadata, TopicPartition

from streamcheck.adapters.kafka.client import BrokerUnavailable, address, connect, explain, not_allowed, quieten
from streamcheck.core.components import nearest
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError, SourceError

UNLIMITED = "-1"
UNKNOWN_TOPIC = 3
POSITIONS_SUFFIX = ".positions"

# The broker's own clock: it refuses records that ours, an hour or more ahead of it, has stamped.
STAMPED = {"message.timestamp.type": "LogAppendTime"}
ALERTS_TOPIC = {**STAMPED, "cleanup.policy": "delete", "retention.ms": UNLIMITED, "retention.bytes": UNLIMITED}
POSITIONS_TOPIC = {
    **STAMPED,
    "cleanup.policy": "compact",
    "segment.bytes": str(1 << 20),  # the least a broker takes: the newest segment is never compacted, and read at start
    "min.cleanable.dirty.ratio": "0.1",
}
JOURNAL_TOPIC = ALERTS_TOPIC
STRAY_TOPIC = {**STAMPED, "cleanup.policy": "delete"}
OPERATIONS_TOPIC = ALERTS_TOPIC


NO_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics as the cluster describes them: all their partitions, ascending, and the id of each that has one."""

    partitions: tuple[SourcePartition, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)


class ToldAdmin(KafkaAdminClient):  # type: ignore[misc] # kafka-python is untyped
    """kafka-python's client, which passes over a broker's refusal to show settings; here it is raised."""

    @classmethod
    def _describe_configs_process_responses(cls, responses: Any, *args: Any, **more: Any) -> Any:
        for result in (result for response in responses for result in response.results):
            refusal = for_code(result.error_code)
            if refusal is not NoError:
                raise refusal(result.resource_name)
        return super()._describe_configs_process_responses(responses, *args, **more)


class Cluster:
    """Questions to the cluster, each bounded by the request time-out. Connects at the first.

    Raises SourceError; BrokerUnavailable where none answers.
    """

    def __init__(self, settings: Mapping[str, object]) -> None:
        quieten()
        self._settings = settings
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def describe(self, topics: Iterable[str]) -> Topics:
        """The topics of these names. Raises SourceError with the nearest name for each that is missing."""
        wanted = sorted(topics)
        found = {topic["name"]: topic for topic in self._ask(_topics("describing", wanted), "describe_topics", wanted)}
        errors = {name: found[name]["error_code"] if name in found else UNKNOWN_TOPIC for name in wanted}
        if any(errors.values()):
            raise self._missing(wanted, {name: code for name, code in errors.items() if code})
        partitions = tuple(
            SourcePartition(name, index)
            for name in wanted
            for index in sorted(part["partition_index"] for part in found[name]["partitions"])
        )
        ids = {name: str(found[name].get("topic_id", NO_ID)) for name in wanted}
        return Topics(partitions, {name: its for name, its in ids.items() if its != NO_ID})

    def _missing(self, wanted: Sequence[str], errors: Mapping[str, int]) -> SourceError:
        kinds = {for_code(code) for code in errors.values()}
        if UNKNOWN_TOPIC not in errors.values() and all(kind.retriable for kind in kinds):
            kind = min(kinds, key=lambda each: str(each.__name__))
            return explain(kind(sorted(errors)), self._settings, _topics("describing", wanted))
        # anything but "unknown topic": a name that cannot be, no right to see it, no leader yet
        facts = [
            f"topic {name!r} cannot be read: {_reason(code)}" for name, code in errors.items() if code != UNKNOWN_TOPIC
        ]
        unknown = [name for name, code in errors.items() if code == UNKNOWN_TOPIC]
        if unknown:
            there = self._ask("listing topics", "list_topics")
            others = [topic for topic in there if not topic.startswith("__") and not topic.endswith(POSITIONS_SUFFIX)]
            facts += [f"topic {name!r} does not exist on this cluster{_near(name, others)}" for name in unknown]
            if not any(nearest(name, others) for name in unknown):
                facts.append(f"there are: {', '.join(sorted(others)[:20]) or 'no topics'}")
        return SourceError("; ".join(facts))

    def log_starts(self, sources: Iterable[SourcePartition]) -> dict[SourcePartition, int]:
        """The first offset that each partition still holds."""
        return self._offsets(dict.fromkeys(sources, OffsetSpec.EARLIEST))

    def high_watermarks(self, sources: Iterable[SourcePartition]) -> dict[SourcePartition, int]:
        """The offset after the last replicated record, those of open transactions included."""
        return self._offsets(dict.fromkeys(sources, OffsetSpec.LATEST))

    def offsets_at(self, sources: Iterable[SourcePartition], time_ms: int) -> dict[SourcePartition, int]:
        """The first offset whose record timestamp is `time_ms` or later; the high watermark where there is none."""
        found = self._offsets(dict.fromkeys(sources, time_ms))
        after = [source for source, offset in found.items() if offset < 0]
        return {**found, **(self.high_watermarks(after) if after else {})}

    def _offsets(self, wanted: Mapping[SourcePartition, int]) -> dict[SourcePartition, int]:
        if not wanted:
            return {}
        specs = {TopicPartition(*source): spec for source, spec in wanted.items()}
        doing = _topics("listing offsets of", sorted({source.topic for source in wanted}))
        found = self._ask(doing, "list_partition_offsets", specs)
        return {SourcePartition(*where): at.offset for where, at in found.items()}

    def commit(self, group: str, positions: Mapping[SourcePartition, int]) -> None:
        """Show positions as a consumer group's. Raises SourceError where the group has live members of its own."""
        offsets = {TopicPartition(*source): OffsetAndMetadata(at, "", -1) for source, at in positions.items()}
        outcome = self._ask("committing offsets", "alter_group_offsets", group, offsets)
        refused = {where: error for where, error in outcome.items() if error is not NoError}
        for where, error in refused.items():
            self.close()  # it remembers the coordinator, which may have moved
            right = "; the user needs READ on the group and the topics" if issubclass(error, AuthorizationError) else ""
            refusal = f"group {group!r} refused {len(refused)} positions, such as {where}: {error.__name__}"
            raise SourceError(refusal + right)

    def progress(self, group: str) -> dict[SourcePartition, int]:
        """The positions that a consumer group shows; empty for one that is not known."""
        found = self._ask("reading the offsets of a group", "list_group_offsets", group).get(group, {})
        return {SourcePartition(*where): at.offset for where, at in found.items() if at.offset >= 0}

    def exists(self, topic: str) -> bool:
        """Whether there is a topic of this name."""
        found = self._ask(_topics("describing", [topic]), "describe_topics", [topic])
        return any(there["name"] == topic and there["error_code"] == 0 for there in found)

    def topic_settings(self, topic: str) -> dict[str, str]:
        """The settings of a topic that is there, defaults included."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        doing = _topics("reading the settings of", [topic])
        found = self._ask(doing, "describe_configs", [resource], config_filter="all")
        entries = {name: str(entry["value"]) for kind in found.values() for name, entry in kind[topic].items()}
        if not entries:  # a client in which ToldAdmin has no say
            where = f"Kafka at {address(self._settings)}"
            raise SourceError(not_allowed(where, doing, TopicAuthorizationFailedError))
        return entries

    def ensure(self, topic: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Make the topic when it is not there, replicated as the broker does by default."""
        if self.exists(topic):
            return
        spec = {topic: {"num_partitions": partitions, "configs": dict(settings)}}
        try:
            self._ask(_topics("creating", [topic]), "create_topics", spec, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return  # another process was faster

    def _ask(self, doing: str, question: str, *args: object, **more: object) -> Any:
        try:
            if self._client is None:
                self._client = connect(ToldAdmin, self._settings)
            return getattr(self._client, question)(*args, **more)
        except TopicAlreadyExistsError:
            raise
        except Exception as error:
            explained = explain(error, self._settings, doing)
            if isinstance(explained, BrokerUnavailable):
                self.close()  # with all that it remembers of the cluster: leaders and coordinators move
            raise explained from error


def _topics(doing: str, names: Sequence[str]) -> str:
    return f"{doing} {'topic' if len(names) == 1 else 'topics'} {', '.join(map(repr, names))}"


def _reason(code: int) -> str:
    kind = for_code(code)
    if issubclass(kind, AuthorizationError):
        return f"{kind.__name__}; the user needs READ on it (docs/security.md)"
    return str(kind.__name__)


def _near(name: str, others: Iterable[str]) -> str:
    close = nearest(name, others)
    return f", did you mean {close!r}?" if close else ""


def prepare_alerts(cluster: Cluster, topic: str, positions_topic: str) -> int:
    """Make the alerts and positions topics where they are missing; the largest record that both take, in bytes.

    Raises DeliveryError where an existing one has a clean-up policy that would lose alerts or positions.
    """
    cluster.ensure(topic, 1, ALERTS_TOPIC)
    cluster.ensure(positions_topic, 1, POSITIONS_TOPIC)
    alerts, positions = cluster.topic_settings(topic), cluster.topic_settings(positions_topic)
    if "compact" in alerts["cleanup.policy"]:
        raise DeliveryError(
            f"alerts topic {topic!r} is compacted: Kafka would delete the pending and firing transitions of each alert "
            "and keep its last. Set cleanup.policy=delete on it, or name another topic"
        )
    if "compact" not in positions["cleanup.policy"]:
        raise DeliveryError(
            f"positions topic {positions_topic!r} is not compacted: retention would delete the mark of what has been "
            "delivered. Set cleanup.policy=compact on it"
        )
    return min(int(alerts["max.message.bytes"]), int(positions["max.message.bytes"]))
