"""What every Kafka client of streamcheck is told: the user's settings, our own, and how its errors are explained."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from streamcheck.core.components import nearest
from streamcheck.errors import DeliveryError, ParameterError, SourceError, StreamcheckError
from streamcheck.runtime.ports import SourceUnavailable

if TYPE_CHECKING:
    from streamcheck.adapters.kafka.marker import Marker

CONNECT_MS = 5_000
"""How long to look for a broker before saying that there is none; half of what a stop may take."""

REQUEST_MS = 10_000
"""How long one request may take: longer than a broker's usual pause, shorter than the sinks' watchdog."""

RECONNECT_MS_MAX = 5_000
"""Back-off between attempts to reach a broker that is away; the client's own 30 s is a long time to miss its return."""

OWN_SETTINGS = frozenset(
    {
        "acks",
        "allow_auto_create_topics",
        "auto_offset_reset",
        "check_crcs",
        "enable_auto_commit",
        "enable_idempotence",
        "group_id",
        "group_instance_id",
        "isolation_level",
        "kafka_client",
        "key_deserializer",
        "key_serializer",
        "max_poll_records",
        "partitioner",
        "retries",
        "transaction_timeout_ms",
        "transactional_id",
        "value_deserializer",
        "value_serializer",
    }
)
"""Settings on which streamcheck's guarantees rest."""

Client = type[KafkaConsumer] | type[KafkaProducer] | type[KafkaAdminClient]


class BrokerUnavailable(SourceUnavailable):
    """No broker answers. Worth trying again after a while; nothing is lost."""


class ForeignMarker(DeliveryError):  # noqa: N818 - named for what was found
    """The alerts topic carries alerts of another run of this config; `found` is its marker."""

    def __init__(self, found: "Marker", expected: str) -> None:
        self.found = found
        super().__init__(
            f"the alerts topic was last written by lineage {found.lineage} (up to sequence {found.sequence}), but this "
            f"state is lineage {expected}: the state was lost or made anew, or two runs share a config name. Make the "
            "lost state again with `streamcheck state rebuild CONFIG`, restore its directory from a backup, choose another "
            "name, or begin a new life in this topic with `streamcheck run CONFIG --new-lineage`"
        )


def quieten() -> None:
    """Keep the client's loggers at INFO or above: at DEBUG they print raw frames, SASL passwords included."""
    logger = logging.getLogger("kafka")
    if logger.level < logging.INFO:  # its own level, not what it inherits: the root's may be lowered later
        logger.setLevel(logging.INFO)


def check_settings(settings: Mapping[str, object]) -> None:
    """Refuse a setting that no client knows or that is not the user's. Raises ParameterError."""
    clients = (KafkaConsumer, KafkaProducer, KafkaAdminClient)
    known = {name for client in clients for name in client.DEFAULT_CONFIG}
    for name in settings:
        if name in OWN_SETTINGS:
            raise ParameterError(f"kafka.{name} is set by streamcheck: its guarantees rest on it; leave it out", name)
        if name not in known:
            message = f"kafka.{name} is no setting of kafka-python"
            raise ParameterError(message, name, nearest(name, known - OWN_SETTINGS))


def connect(client: Client, settings: Mapping[str, object], **own: object) -> Any:
    """A client with the user's settings that it takes, over our defaults, under what is ours alone (`own`).

    Raises what the client raises when no broker answers within CONNECT_MS, and leaves nothing behind then: by itself
    kafka-python 3.0.12 leaks a thread for each client that could not be made, which adds up while a broker is away.
    """
    made: list[Any] = []

    def network(**configs: object) -> Any:
        made.append(KafkaNetClient(**configs))
        return made[-1]

    defaults: dict[str, object] = {
        "request_timeout_ms": REQUEST_MS,
        "bootstrap_timeout_ms": CONNECT_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS_MAX,
        "metrics_enabled": False,
        "kafka_client": network,
    }
    merged = {**defaults, **settings, **own}
    try:
        return client(**{name: value for name, value in merged.items() if name in client.DEFAULT_CONFIG})
    except BaseException:
        for net in made:
            net.close()
        raise


def address(settings: Mapping[str, object]) -> str:
    """The bootstrap servers, for messages."""
    servers = settings.get("bootstrap_servers", "localhost")
    return ", ".join(map(str, servers)) if isinstance(servers, list | tuple) else str(servers)


def explain(error: Exception, settings: Mapping[str, object], doing: str) -> SourceError:
    """The client's exception as an error that a user can act upon; what is no fault of Kafka is raised again."""
    where = f"Kafka at {address(settings)}"
    if isinstance(error, SourceError):
        return error
    if isinstance(error, StreamcheckError):
        return SourceError(str(error))
    if isinstance(error, SaslAuthenticationFailedError):
        return SourceError(f"{where} refused the login ({error}); check kafka.sasl_* in the config")
    if isinstance(error, AuthorizationError):
        return SourceError(f"{where} does not allow {doing} ({error}); ask for the right to it")
    if isinstance(error, OSError) or getattr(error, "retriable", False):
        return BrokerUnavailable(
            f"{where} does not answer ({doing}: {error}); check kafka.bootstrap_servers, whether the broker is up, "
            "and whether the addresses that it advertises can be reached from here"
        )
    if isinstance(error, KafkaError):
        return SourceError(f"{where} failed at {doing}: {error}")
    raise error
