"""What every Kafka client of streamcheck is told: the user's settings, our own, and how its errors are explained."""

import logging
import os
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import (
    AuthorizationError,
    BrokerNotAvailableError,
    BrokerResponseError,
    Cancelled,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    TransactionalIdAuthorizationFailedError,
    UnknownBrokerIdError,
    UnknownError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from streamcheck.adapters.kafka.frames import read_in_place
from streamcheck.adapters.kafka.gulp import gulping
from streamcheck.adapters.kafka.repair import close_sockets_in_vain, heard_out, producer_client
from streamcheck.core.components import nearest
from streamcheck.errors import ParameterError, SourceError, StreamcheckError
from streamcheck.runtime.ports import SinkLost, SourceUnavailable

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

RIGHTS = {
    "describing": "DESCRIBE",
    "listing": "DESCRIBE",
    "reading the settings": "DESCRIBE_CONFIGS",
    "creating": "CREATE",
    "committing": "READ",
    "connecting": "READ",
    "reading": "READ",
    "sending": "WRITE",
}
"""How what the clients do begins, and the right that it takes; the whole list is in docs/security.md."""

TLS_LASTING = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "BAD_CERTIFICATE", "UNKNOWN_CA")
"""Parts of OpenSSL's messages that no further attempt will change."""

LOGIN_FAULTS: dict[type[Exception], str] = {
    SaslAuthenticationFailedError: "{where} refused the login ({text}); check kafka.sasl_* in the config",
    UnsupportedSaslMechanismError: "{where} offers no such way to log in ({text}); check kafka.sasl_mechanism",
    IllegalSaslStateError: "{where} has no SASL on this listener ({text}); check kafka.security_protocol and the port",
}

UNSETTLED = (BrokerNotAvailableError, UnknownBrokerIdError, UnknownError)
"""Worth another try, though the client says otherwise: a leader that is frozen or gone is no broker of the cluster any
more until another one leads."""

SECRETS = frozenset({"sasl_plain_password", "ssl_password", "proxy_url", "socks5_proxy"})
SAID_CHARACTERS_MAX = 500
_WHOLE_REQUEST = re.compile(r"Request '.*' failed with response '.*'", re.DOTALL)
_BROKERS_WORDS = re.compile(r"error_message='([^']+)'")
FILES = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")

Client = type[KafkaConsumer] | type[KafkaProducer] | type[KafkaAdminClient]


class NotingManager(KafkaConnectionManager):  # type: ignore[misc] # kafka-python is untyped
    """Connections read in gulps, and the reason why one failed is known: the client itself only logs it."""

    failure: BaseException | None = None

    def get_connection(self, *args: Any, **more: Any) -> Any:
        """The client's own connection."""
        connection = super().get_connection(*args, **more)
        if not connection.init_future.is_done:
            connection.init_future.add_errback(self._note)
        return connection

    async def _build_transport(self, *args: Any, **more: Any) -> Any:
        return heard_out(gulping(await super()._build_transport(*args, **more)))

    def _note(self, error: BaseException) -> None:
        if self.failure is None or _vague(self.failure):
            self.failure = error


def _vague(error: BaseException) -> bool:
    """Whether a failure tells nothing: later attempts are cut short by the deadline of all, or by the broker."""
    if isinstance(error, KafkaConnectionError):
        return "Handshake" not in str(error)
    return isinstance(error, RequestTimedOutError | KafkaTimeoutError | Cancelled)


class BrokerUnavailable(SourceUnavailable):
    """No broker answers. Worth trying again after a while; nothing is lost."""


class ForeignMarker(SinkLost):
    """The alerts topic carries alerts of another life of this config; `found` is its marker."""

    def __init__(self, found: "Marker", expected: str) -> None:
        self.found = found
        super().__init__(
            f"the alerts topic was last written by lineage {found.lineage} (up to sequence {found.sequence}), but this "
            f"state is lineage {expected}: the state was lost or made anew, or two runs share a config name. Make the "
            "lost state again with `streamcheck state rebuild CONFIG`, restore its directory from a backup, choose "
            "another name, or begin a new life in this topic with `streamcheck run CONFIG --new-lineage`"
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
    close_sockets_in_vain()
    read_in_place()
    made: list[Any] = []
    managers: list[NotingManager] = []
    kind = producer_client() if issubclass(client, KafkaProducer) else KafkaNetClient

    def network(**configs: object) -> Any:
        net = NetworkSelector(**configs)
        managers.append(NotingManager(net, **configs))
        made.append(kind(net=net, manager=managers[-1], **configs))
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
    except BaseException as error:
        for net in made:
            net.close()
        failures = [manager.failure for manager in managers if manager.failure is not None]
        if failures:
            raise error from failures[0]
        raise


def address(settings: Mapping[str, object]) -> str:
    """The bootstrap servers, for messages."""
    servers = settings.get("bootstrap_servers", "localhost")
    return ", ".join(map(str, servers)) if isinstance(servers, list | tuple) else str(servers)


def explain(error: Exception, settings: Mapping[str, object], doing: str) -> SourceError:
    """The client's exception as an error that a user can act upon; what is no fault of Kafka is raised again.

    Whatever the client or the broker put into it, no secret of the settings is in its text.
    """
    found = _explained(error, settings, doing)
    text = str(found)
    for name in SECRETS & settings.keys():
        text = text.replace(str(settings[name]), f"(kafka.{name})")
    return found if text == str(found) else type(found)(text)


def _explained(error: Exception, settings: Mapping[str, object], doing: str) -> SourceError:
    where = f"Kafka at {address(settings)}"
    if isinstance(error, SourceError):
        return error
    if isinstance(error, StreamcheckError):
        return SourceError(str(error))
    cause = error.__cause__ if isinstance(error, KafkaTimeoutError) else None
    root = cause if isinstance(cause, Exception) else error
    lasting = _lasting(root, where, doing) or (_settings_fault(root, settings) if cause is not None else None)
    if lasting is not None:
        return SourceError(lasting)
    if _answered(root) and may_pass(root):
        return BrokerUnavailable(
            f"{where} answers, but cannot do this yet ({doing}: {said(root)}): brokers start, or elect leaders"
        )
    if isinstance(error, OSError) or may_pass(error):
        last = "" if root is error else f", {said(root)}"
        login = ", kafka.sasl_*" if str(settings.get("security_protocol")).startswith("SASL") else ""
        return BrokerUnavailable(
            f"{where} does not answer ({doing}: {said(error)}{last}); check kafka.bootstrap_servers, "
            f"kafka.security_protocol{login}, whether the broker is up, and whether the addresses that it advertises "
            "can be reached from here"
        )
    if isinstance(error, KafkaError):
        return SourceError(f"{where} failed at {doing}: {said(error)}")
    raise error


def may_pass(error: Exception) -> bool:
    """Whether what the client raised is worth another try."""
    return isinstance(error, UNSETTLED) or bool(getattr(error, "retriable", False))


def _answered(error: Exception) -> bool:
    """Whether a broker said so, or another one about it. The client's own time-out has an error code, too."""
    if isinstance(error, RequestTimedOutError):
        return False
    return isinstance(error, BrokerResponseError | UnknownBrokerIdError)


def said(error: object) -> str:
    """An exception's text on one line: a broker's words are not ours, and logs are read on terminals.

    Of a request that the client shows whole, with its response, the broker's words remain.
    """
    text = str(error)
    words = _BROKERS_WORDS.search(text)
    text = _WHOLE_REQUEST.sub(lambda _: words[1] if words else "refused", text)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= SAID_CHARACTERS_MAX else text[:SAID_CHARACTERS_MAX] + "…"


def told(error: Exception) -> str:
    """The same for what a producer raised, with the right that is missing where it is that."""
    right = "; the user needs WRITE on it (docs/security.md)" if isinstance(error, AuthorizationError) else ""
    return said(error) + right


def _lasting(error: Exception, where: str, doing: str) -> str | None:
    """What a person must mend, and how; None where it may pass."""
    text = said(error)
    if isinstance(error, AuthorizationError):
        named = error.args[0] if error.args and isinstance(error.args[0], set | frozenset | list | tuple) else ()
        return not_allowed(where, ": ".join([doing, *map(repr, sorted(map(str, named)))]), type(error))
    if isinstance(error, KafkaTimeoutError) and "AuthorizationFailed" in text:  # made, but never to be seen
        return f"{where} does not allow {doing} ({text}); the user needs WRITE on it, too (docs/security.md)"
    if any(word in text for word in TLS_LASTING):
        return (
            f"no TLS with {where} ({text}); check that this listener speaks TLS, that kafka.ssl_cafile is the "
            "authority that signed its certificate, and that the certificate names the host in kafka.bootstrap_servers"
        )
    for kind, fault in LOGIN_FAULTS.items():
        if isinstance(error, kind):
            return fault.format(where=where, text=text)
    return None


def not_allowed(where: str, doing: str, kind: type[Exception]) -> str:
    """Which right is missing. The client's own words hold the whole request, and not what it would have taken."""
    if issubclass(kind, GroupAuthorizationFailedError):
        right = "READ on the group, which has the config's name"
    elif issubclass(kind, TransactionalIdAuthorizationFailedError):
        right = "WRITE on the transactional id, which is the config's name with -alerts"
    else:
        right = next((right for verb, right in RIGHTS.items() if doing.startswith(verb)), "READ or WRITE") + " on it"
    return f"{where} does not allow {doing} ({kind.__name__}): the user needs {right} (docs/security.md)"


def _settings_fault(error: Exception, settings: Mapping[str, object]) -> str | None:
    """What no broker can be blamed for: a file that cannot be read or is none, a mechanism whose package is missing."""
    if isinstance(error, KafkaError) and not isinstance(error, KafkaConfigurationError):
        return None
    files = [name for name in FILES if name in settings and not os.access(str(settings[name]), os.R_OK)]
    if files:
        return f"the file of kafka.{files[0]} cannot be read; check its path and its owner"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return None
    return f"the settings under kafka: cannot be used ({said(error)}); check its certificates, keys and sasl_mechanism"
