"""Which of kafka-python's options may a config set, and of which kind? Those of 3.0; a test compares the names."""

from collections.abc import Mapping
from typing import Any

from streamcheck.config.document import Findings, Path
from streamcheck.core.components import nearest

TEXT, COUNT, SWITCH, SERVERS = "a text", "a whole number", "true or false", "HOST:PORT or a list of them"

OPTIONS: dict[str, str] = {
    "api_version": TEXT,
    "batch_size": COUNT,
    "bootstrap_servers": SERVERS,
    "bootstrap_timeout_ms": COUNT,
    "client_dns_lookup": TEXT,
    "client_id": TEXT,
    "client_rack": TEXT,
    "compression_type": TEXT,
    "connections_max_idle_ms": COUNT,
    "delivery_timeout_ms": COUNT,
    "enable_incremental_fetch_sessions": SWITCH,
    "exclude_internal_topics": SWITCH,
    "fetch_max_bytes": COUNT,
    "fetch_max_wait_ms": COUNT,
    "fetch_min_bytes": COUNT,
    "group_id": TEXT,
    "linger_ms": COUNT,
    "max_block_ms": COUNT,
    "max_partition_fetch_bytes": COUNT,
    "max_request_size": COUNT,
    "metadata_max_age_ms": COUNT,
    "metric_group_prefix": TEXT,
    "metrics_enabled": SWITCH,
    "metrics_num_samples": COUNT,
    "metrics_sample_window_ms": COUNT,
    "proxy_url": TEXT,
    "receive_buffer_bytes": COUNT,
    "receive_message_max_bytes": COUNT,
    "reconnect_backoff_max_ms": COUNT,
    "reconnect_backoff_ms": COUNT,
    "request_timeout_ms": COUNT,
    "retry_backoff_ms": COUNT,
    "sasl_kerberos_domain_name": TEXT,
    "sasl_kerberos_name": TEXT,
    "sasl_kerberos_service_name": TEXT,
    "sasl_mechanism": TEXT,
    "sasl_plain_password": TEXT,
    "sasl_plain_username": TEXT,
    "security_protocol": TEXT,
    "send_buffer_bytes": COUNT,
    "socks5_proxy": TEXT,
    "ssl_cafile": TEXT,
    "ssl_certfile": TEXT,
    "ssl_check_hostname": SWITCH,
    "ssl_ciphers": TEXT,
    "ssl_crlfile": TEXT,
    "ssl_keyfile": TEXT,
    "ssl_password": TEXT,
}
_ASSIGNED = "streamcheck assigns all partitions itself; its position lives with its state, not in the consumer group"
_PRODUCER = "exactly-once alerts depend on it, so streamcheck sets it"
_OBJECT = "it takes a Python object, which a config cannot hold"
OWNED: dict[str, str] = {
    "check_crcs": "record batches are always checked",
    "max_poll_records": "polls are bounded by memory",
    "transaction_timeout_ms": "it belongs with the watchdog's limits",
    "acks": _PRODUCER,
    "allow_auto_create_topics": "a mistyped topic must be an error, not a new topic",
    "auto_commit_interval_ms": "progress is committed with the state: state.commit_every",
    "auto_offset_reset": "where reading begins is set by start: earliest, latest or a time",
    "consumer_timeout_ms": "the loop polls with its own time limit",
    "default_offset_commit_callback": _OBJECT,
    "enable_auto_commit": "progress is committed with the state: state.commit_every",
    "enable_idempotence": _PRODUCER,
    "group_instance_id": _ASSIGNED,
    "heartbeat_interval_ms": _ASSIGNED,
    "isolation_level": "only committed records are read, so that aborted transactions never count",
    "kafka_client": _OBJECT,
    "key_deserializer": "streamcheck decodes events itself, so that one bad event cannot stop the rest",
    "key_serializer": "streamcheck encodes its records itself",
    "max_in_flight_requests_per_connection": _PRODUCER,
    "max_poll_interval_ms": _ASSIGNED,
    "metric_reporters": _OBJECT,
    "partition_assignment_strategy": _ASSIGNED,
    "partitioner": _OBJECT,
    "retries": _PRODUCER,
    "sasl_oauth_token_provider": _OBJECT,
    "selector": _OBJECT,
    "session_timeout_ms": _ASSIGNED,
    "socket_options": _OBJECT,
    "ssl_context": _OBJECT,
    "transactional_id": _PRODUCER,
    "value_deserializer": "streamcheck decodes events itself, so that one bad event cannot stop the rest",
    "value_serializer": "streamcheck encodes its records itself",
}
ALLOW_PLAINTEXT_SASL = "allow_plaintext_sasl"
CLIENT = "client"
CAREFUL_CLIENT, FAST_CLIENT = CLIENTS = ("kafka-python", "confluent")
"""Who reads: the client whose bounds hold for any bytes, or librdkafka, by the name of its Python package."""
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
WITH_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = (*WITH_PASSWORD, "GSSAPI", "AWS_MSK_IAM")
NO_MECHANISM = {"OAUTHBEARER": "it takes a token provider, a Python object, which a config cannot hold"}

_OWN_WAY = "librdkafka has no such option"
_NO_PROXY = "librdkafka knows no proxy"
_NO_KERBEROS = "confluent-kafka's packages come without it"
NOT_CONFLUENT: dict[str, str] = {
    "enable_incremental_fetch_sessions": _OWN_WAY,
    "exclude_internal_topics": _OWN_WAY,
    "proxy_url": _NO_PROXY,
    "sasl_kerberos_domain_name": _NO_KERBEROS,
    "sasl_kerberos_name": _NO_KERBEROS,
    "sasl_kerberos_service_name": _NO_KERBEROS,
    "socks5_proxy": _NO_PROXY,
}
"""Options that would do nothing, or not what they say, where confluent-kafka reads."""
NOT_CONFLUENT_MECHANISMS = ("GSSAPI", "AWS_MSK_IAM")

ELSEWHERE = {
    "sasl_username": "sasl_plain_username",
    "sasl_user": "sasl_plain_username",
    "username": "sasl_plain_username",
    "sasl_password": "sasl_plain_password",
    "password": "sasl_plain_password",
    "sasl_jaas_config": "sasl_plain_username",
    "ssl_ca_location": "ssl_cafile",
    "ssl_truststore_location": "ssl_cafile",
    "ssl_certificate_location": "ssl_certfile",
    "ssl_keystore_location": "ssl_certfile",
    "ssl_key_location": "ssl_keyfile",
    "ssl_key_password": "ssl_password",
    "ssl_endpoint_identification_algorithm": "ssl_check_hostname",
}
"""What Java's and librdkafka's clients call it (dots as underscores), and kafka-python's name for the same."""


def check_kafka(options: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """The options as the client takes them; every mistake goes to `findings`, without a value that a variable held."""
    path: Path = ("kafka",)
    client: dict[str, Any] = {}
    known = tuple(sorted((*OPTIONS, ALLOW_PLAINTEXT_SASL, CLIENT)))
    for name, value in options.items():
        here = (*path, name)
        if name in OWNED:
            findings.mistake(here, f"streamcheck sets {name} itself: {OWNED[name]}; leave it out")
        elif name not in known:
            _unknown(here, name, known, findings)
        elif name == CLIENT:
            if value not in CLIENTS:
                _unknown_value(here, "client", str(value), CLIENTS, findings)
            client[name] = value
        else:
            kind = OPTIONS.get(name, SWITCH)
            converted = _convert(kind, value)
            if converted is None:
                findings.mistake(here, f"expected {kind}, got {findings.document.shown(here)}")
            client[name] = converted
    if "bootstrap_servers" not in options:
        findings.mistake(path, "bootstrap_servers is missing; write bootstrap_servers: HOST:PORT")
    allowed = client.pop(ALLOW_PLAINTEXT_SASL, False)
    _check_security(client, findings, plaintext_allowed=bool(allowed))
    if client.get(CLIENT) == FAST_CLIENT:
        _check_confluent(client, findings)
    return client


def _check_confluent(client: Mapping[str, Any], findings: Findings) -> None:
    """Only what the other client can do as well."""
    for name in NOT_CONFLUENT.keys() & client.keys():
        findings.mistake(("kafka", name), f"cannot be used with client: {FAST_CLIENT}: {NOT_CONFLUENT[name]}")
    mechanism = client.get("sasl_mechanism")
    if mechanism in NOT_CONFLUENT_MECHANISMS:
        text = f"{mechanism} cannot be used with client: {FAST_CLIENT}: {_NO_KERBEROS}"
        findings.mistake(("kafka", "sasl_mechanism"), text)


def _unknown(here: Path, name: str, known: tuple[str, ...], findings: Findings) -> None:
    """Options of the same family first: whoever mistypes one of SASL's wants to see SASL's."""
    plain = name.lower().replace(".", "_").replace("-", "_")
    family = [option for option in known if option.partition("_")[0] == plain.partition("_")[0]]
    listed = ", ".join(family) if family else f"{', '.join(known[:10])} … (kafka-python's names)"
    suggestion = plain if plain in known else ELSEWHERE.get(plain) or nearest(plain, known)
    findings.mistake(here, f"unknown option of kafka-python {name!r}; known: {listed}", suggestion)


def _convert(kind: str, value: object) -> object:
    """The value as the client wants it, None where it is of another kind. Numbers may come as text from a variable."""
    if kind == COUNT:
        whole = (
            int(value)
            if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 19
            else value
        )
        return whole if type(whole) is int and whole >= -1 else None
    if kind == SWITCH:
        return {"true": True, "false": False}.get(str(value).lower())
    if kind == SERVERS:
        servers = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        usable = isinstance(servers, list) and servers and all(isinstance(s, str) and s and ":" in s for s in servers)
        return servers if usable else None
    return value if isinstance(value, str) and value else None


def _check_security(client: dict[str, Any], findings: Findings, *, plaintext_allowed: bool) -> None:
    """No password over an open line unless the user says so; no setting of TLS or SASL that would do nothing."""
    protocol = client.get("security_protocol", "PLAINTEXT")
    where: Path = ("kafka", "security_protocol")
    if protocol is not None and protocol not in PROTOCOLS:
        _unknown_value(where, "protocol", str(protocol), PROTOCOLS, findings)
        return
    if protocol == "SASL_PLAINTEXT" and not plaintext_allowed:
        findings.mistake(
            where,
            f"SASL_PLAINTEXT sends passwords in the open; use SASL_SSL, or add {ALLOW_PLAINTEXT_SASL}: true",
        )
    elif protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
        _check_sasl(client, findings)
    for name, value in client.items():
        here: Path = ("kafka", name)
        if name.startswith("sasl_") and protocol in ("PLAINTEXT", "SSL"):
            findings.mistake(here, f"{name} has no effect without SASL; write security_protocol: SASL_SSL")
        elif name.startswith("ssl_") and protocol in ("PLAINTEXT", "SASL_PLAINTEXT") and value is not None:
            secure = "SSL" if protocol == "PLAINTEXT" else "SASL_SSL"
            findings.mistake(here, f"{name} has no effect without TLS; write security_protocol: {secure}")
        elif name == "ssl_check_hostname" and value is False:
            findings.warning(here, "whoever holds any certificate of this authority can pose as the broker")


def _check_sasl(client: dict[str, Any], findings: Findings) -> None:
    """A known mechanism, and what it needs."""
    where: Path = ("kafka", "sasl_mechanism")
    mechanism = client.get("sasl_mechanism")
    if "sasl_mechanism" not in client:
        findings.mistake(where[:1], f"SASL needs sasl_mechanism: {', '.join(MECHANISMS[:-1])} or {MECHANISMS[-1]}")
    elif mechanism in NO_MECHANISM:
        findings.mistake(where, f"{mechanism} cannot be used: {NO_MECHANISM[mechanism]}")
    elif mechanism is not None and mechanism not in MECHANISMS:
        _unknown_value(where, "mechanism", str(mechanism), MECHANISMS, findings)
    elif mechanism in WITH_PASSWORD:
        for name in ("sasl_plain_username", "sasl_plain_password"):
            if name not in client:
                findings.mistake(where, f"needs {name}; write it with a variable: {name}: ${{NAME}}")


def _unknown_value(here: Path, what: str, value: str, known: tuple[str, ...], findings: Findings) -> None:
    """An unknown word where only some are known; one that a variable held is neither shown nor guessed at."""
    varies = findings.document.varies(here)
    suggestion = None if varies else nearest(value.upper().replace("_SHA", "-SHA"), known) or nearest(value, known)
    shown = findings.document.shown(here)
    findings.mistake(here, f"unknown {what} {shown}; known: {', '.join(known)}", suggestion)
