"""What is kafka-python's option called in librdkafka? Users write kafka-python's names, whichever client reads."""

from collections.abc import Mapping

from streamcheck.adapters.kafka.batches import DECOMPRESSED_BYTES_MAX

NAMES: dict[str, tuple[str, ...]] = {
    "bootstrap_servers": ("bootstrap.servers",),
    "client_dns_lookup": ("client.dns.lookup",),
    "client_id": ("client.id",),
    "client_rack": ("client.rack",),
    "connections_max_idle_ms": ("connections.max.idle.ms",),
    "fetch_max_bytes": ("fetch.max.bytes",),
    "fetch_max_wait_ms": ("fetch.wait.max.ms",),
    "fetch_min_bytes": ("fetch.min.bytes",),
    "max_partition_fetch_bytes": ("max.partition.fetch.bytes",),
    "metadata_max_age_ms": ("topic.metadata.refresh.interval.ms", "metadata.max.age.ms"),
    "receive_buffer_bytes": ("socket.receive.buffer.bytes",),
    "receive_message_max_bytes": ("receive.message.max.bytes",),
    "reconnect_backoff_max_ms": ("reconnect.backoff.max.ms",),
    "reconnect_backoff_ms": ("reconnect.backoff.ms",),
    "request_timeout_ms": ("socket.timeout.ms",),
    "retry_backoff_ms": ("retry.backoff.ms",),
    "sasl_mechanism": ("sasl.mechanism",),
    "sasl_plain_password": ("sasl.password",),
    "sasl_plain_username": ("sasl.username",),
    "security_protocol": ("security.protocol",),
    "send_buffer_bytes": ("socket.send.buffer.bytes",),
    "ssl_cafile": ("ssl.ca.location",),
    "ssl_certfile": ("ssl.certificate.location",),
    "ssl_check_hostname": ("ssl.endpoint.identification.algorithm",),
    "ssl_ciphers": ("ssl.cipher.suites",),
    "ssl_crlfile": ("ssl.crl.location",),
    "ssl_keyfile": ("ssl.key.location",),
    "ssl_password": ("ssl.key.password",),
}
"""What the reading client takes. All other options are of producers, or of kafka-python's own workings."""

QUEUED_KIB_MAX = 32 << 10
"""Of records that wait in the client; one fetch response may come on top."""

QUEUED_RECORDS_MIN = 100_000
"""More are fetched while fewer wait: some tenths of a second's work. Each takes OP_BYTES beside its bytes."""

OP_BYTES = 350
"""Of one record in librdkafka's queue beside key and value; measured: 363 B for each of 30 bytes, those included."""

EXPANSION_ASSUMED = 15
"""How far a batch expands: what JSON does at most. There is no limit (docs/security.md)."""

EVENT_BYTES_ASSUMED = 200
"""Of an event, for how many are in one answer."""

DEFAULTS: dict[str, object] = {
    "fetch.min.bytes": 65_536,
    "fetch.wait.max.ms": 500,
    "fetch.max.bytes": 4 << 20,
    "max.partition.fetch.bytes": 2 << 20,
    "socket.timeout.ms": 10_000,
    "reconnect.backoff.max.ms": 5_000,
}

OWN: dict[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "check.crcs": True,
    "allow.auto.create.topics": False,
    "enable.partition.eof": True,  # tells where reading stands behind control records and aborted ones
    "queued.max.messages.kbytes": QUEUED_KIB_MAX,
    "queued.min.messages": QUEUED_RECORDS_MIN,
    "fetch.queue.backoff.ms": 5,  # by default a full queue is looked at once a second: 200,000 records/s at most
    "enable.metrics.push": False,
}

_RESPONSE_MORE = 1 << 20
"""Of a response beyond the records in it."""

_MESSAGE_BYTES = 1_000_000
"""What librdkafka has by itself."""


def options(settings: Mapping[str, object], group: str) -> dict[str, object]:
    """What a consumer of librdkafka is told.

    The largest answer is also the most that a zstd batch may expand to: as much as elsewhere, but never less than a
    fetch.

    >>> options({"bootstrap_servers": ["a:1", "b:2"], "ssl_check_hostname": False}, "g")["bootstrap.servers"]
    'a:1,b:2'
    """
    told: dict[str, object] = {}
    for name, value in settings.items():
        for theirs in NAMES.get(name, ()) if value is not None else ():
            told[theirs] = _value(name, value)
    made = {**DEFAULTS, **told, **OWN, "group.id": group}
    fetch = int(str(made["fetch.max.bytes"]))
    made["message.max.bytes"] = min(fetch, _MESSAGE_BYTES)  # of a producer, but a fetch may not be smaller
    return {"receive.message.max.bytes": max(DECOMPRESSED_BYTES_MAX, fetch + _RESPONSE_MORE), **made}


def _value(name: str, value: object) -> object:
    if name == "ssl_check_hostname":
        return "https" if value else "none"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value
