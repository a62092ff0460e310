# ruff: noqa: E501 (tables: one row per mistake, its message whole)
"""Kafka options: kafka-python's own names, some of which streamcheck keeps for itself; no password over an open line."""

from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from streamcheck.adapters.kafka.librdkafka_options import NAMES, options
from streamcheck.config.document import Findings, read
from streamcheck.config.environment import substitute
from streamcheck.config.kafka_options import NOT_CONFLUENT, OPTIONS, OWNED, check_kafka
from streamcheck.config.load import loads

ENV = {"PASSWORD": "canary-7f3a", "TIMEOUT": "30000"}


def checked(text: str) -> tuple[dict[str, object], list[str]]:
    document = read("kafka: " + text, lambda scalar: substitute(scalar, ENV))
    findings = Findings(document)
    client = check_kafka(document.data["kafka"], findings)
    return client, [str(mistake) for mistake in findings.mistakes]


def test_the_table_holds_every_option_of_kafka_python() -> None:
    known = {*KafkaConsumer.DEFAULT_CONFIG, *KafkaProducer.DEFAULT_CONFIG, *KafkaAdminClient.DEFAULT_CONFIG}
    assert {*OPTIONS, *OWNED} == known
    assert not OPTIONS.keys() & OWNED.keys()


def test_options_are_handed_on_with_their_types() -> None:
    client, mistakes = checked(
        "{bootstrap_servers: 'a:1, b:2', security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_plain_username: me, "
        "sasl_plain_password: '${PASSWORD}', request_timeout_ms: '${TIMEOUT}', ssl_check_hostname: false, group_id: mine}"
    )
    assert mistakes == []
    assert client == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "canary-7f3a",
        "request_timeout_ms": 30000,
        "ssl_check_hostname": False,
        "group_id": "mine",
    }


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{}", "line 1: kafka: bootstrap_servers is missing; write bootstrap_servers: HOST:PORT"),
        (
            "{bootstrap_servers: localhost}",
            "line 1: kafka.bootstrap_servers: expected HOST:PORT or a list of them, got 'localhost'",
        ),
        (
            "{bootstrap_servers: []}",
            "line 1: kafka.bootstrap_servers: expected HOST:PORT or a list of them, got a list of 0",
        ),
        (
            "{bootstrap_servers: 'a:1', isolation_level: read_uncommitted}",
            "line 1: kafka.isolation_level: streamcheck sets isolation_level itself: only committed records are read, so that aborted transactions never count; leave it out",
        ),
        (
            "{bootstrap_servers: 'a:1', auto_offset_reset: earliest}",
            "line 1: kafka.auto_offset_reset: streamcheck sets auto_offset_reset itself: where reading begins is set by start: earliest, latest or a time; leave it out",
        ),
        (
            "{bootstrap_servers: 'a:1', request_timeout_ms: soon}",
            "line 1: kafka.request_timeout_ms: expected a whole number, got 'soon'",
        ),
        (
            "{bootstrap_servers: 'a:1', ssl_check_hostname: 3}",
            "line 1: kafka.ssl_check_hostname: expected true or false, got 3",
        ),
        ("{bootstrap_servers: 'a:1', client_id: 3}", "line 1: kafka.client_id: expected a text, got 3"),
        (
            "{bootstrap_servers: 'a:1', security_protocol: SASL_PLAINTEXT}",
            "line 1: kafka.security_protocol: SASL_PLAINTEXT sends passwords in the open; use SASL_SSL, or add allow_plaintext_sasl: true",
        ),
        (
            "{bootstrap_servers: 'a:1', sasl_mechanism: PLAIN}",
            "line 1: kafka.sasl_mechanism: sasl_mechanism has no effect without SASL; write security_protocol: SASL_SSL",
        ),
        (
            "{bootstrap_servers: 'a:1', security_protocol: SASL_SLL}",
            "line 1: kafka.security_protocol: unknown protocol 'SASL_SLL'; known: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (did you mean 'SASL_SSL'?)",
        ),
        (
            "{bootstrap_servers: 'a:1', request_timeout_ms: '${PASSWORD}'}",
            "line 1: kafka.request_timeout_ms: expected a whole number, got '${PASSWORD}'",
        ),
    ],
)
def test_one_mistake_each(text: str, mistake: str) -> None:
    assert checked(text)[1] == [mistake]


def test_an_unknown_option_names_the_nearest() -> None:
    _, (mistake,) = checked("{bootstrap_servers: 'a:1', request_timout_ms: 5}")
    assert mistake.startswith(
        "line 1: kafka.request_timout_ms: unknown option of kafka-python 'request_timout_ms'; known: "
    )
    assert mistake.endswith("(did you mean 'request_timeout_ms'?)")


def test_sasl_over_plaintext_can_be_allowed() -> None:
    client, mistakes = checked(
        "{bootstrap_servers: 'a:1', security_protocol: SASL_PLAINTEXT, sasl_mechanism: GSSAPI, allow_plaintext_sasl: true}"
    )
    assert mistakes == []
    assert client == {"bootstrap_servers": ["a:1"], "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "GSSAPI"}


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [
        ("sasl_plain_pasword", "sasl_plain_password"),
        ("sasl_mechnism", "sasl_mechanism"),
        ("sasl.mechanism", "sasl_mechanism"),
        ("sasl_username", "sasl_plain_username"),
        ("sasl.password", "sasl_plain_password"),
        ("sasl.jaas.config", "sasl_plain_username"),
        ("password", "sasl_plain_password"),
        ("ssl_ca_file", "ssl_cafile"),
        ("ssl.ca.location", "ssl_cafile"),
        ("ssl.endpoint.identification.algorithm", "ssl_check_hostname"),
        ("security.protocol", "security_protocol"),
        ("bootstrap-servers", "bootstrap_servers"),
    ],
)
def test_an_option_as_other_clients_call_it_or_mistyped_beside_a_variable(typo: str, nearest: str) -> None:
    _, mistakes = checked("{bootstrap_servers: 'a:1', " + typo + ": '${PASSWORD}'}")
    assert len(mistakes) == 1
    assert mistakes[0].endswith(f"(did you mean '{nearest}'?)")
    assert "canary" not in mistakes[0]
    family = nearest.partition("_")[0] + "_"
    assert typo == "password" or all(
        name.startswith(family) for name in mistakes[0].split("known: ")[1].split(" (")[0].split(", ")
    )


SECURE = "bootstrap_servers: 'a:1', security_protocol: SASL_SSL"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (SECURE, "kafka: SASL needs sasl_mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI or AWS_MSK_IAM"),
        (
            SECURE + ", sasl_mechanism: SCRAM-SHA256",
            "kafka.sasl_mechanism: unknown mechanism 'SCRAM-SHA256'; known: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, AWS_MSK_IAM (did you mean 'SCRAM-SHA-256'?)",
        ),
        (
            SECURE + ", sasl_mechanism: '${PASSWORD}'",
            "kafka.sasl_mechanism: unknown mechanism '${PASSWORD}'; known: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, AWS_MSK_IAM",
        ),
        (
            SECURE + ", sasl_mechanism: OAUTHBEARER",
            "kafka.sasl_mechanism: OAUTHBEARER cannot be used: it takes a token provider, a Python object, which a config cannot hold",
        ),
        (
            SECURE + ", sasl_mechanism: PLAIN, sasl_plain_username: me",
            "kafka.sasl_mechanism: needs sasl_plain_password; write it with a variable: sasl_plain_password: ${NAME}",
        ),
        (
            "bootstrap_servers: 'a:1', security_protocol: sasl_ssl",
            "kafka.security_protocol: unknown protocol 'sasl_ssl'; known: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (did you mean 'SASL_SSL'?)",
        ),
        (
            "bootstrap_servers: 'a:1', ssl_cafile: ca.pem",
            "kafka.ssl_cafile: ssl_cafile has no effect without TLS; write security_protocol: SSL",
        ),
        (
            "bootstrap_servers: 'a:1', security_protocol: SASL_PLAINTEXT, allow_plaintext_sasl: true, sasl_mechanism: GSSAPI, ssl_cafile: f",
            "kafka.ssl_cafile: ssl_cafile has no effect without TLS; write security_protocol: SASL_SSL",
        ),
    ],
    ids=range(8),
)
def test_what_would_not_work_or_would_not_protect(text: str, mistake: str) -> None:
    assert checked("{" + text + "}")[1] == ["line 1: " + mistake]


def test_a_name_that_is_not_checked_is_warned_of() -> None:
    document = read(
        "kafka: {bootstrap_servers: 'a:1', security_protocol: SSL, ssl_check_hostname: false}", lambda s: (s, ())
    )
    findings = Findings(document)
    check_kafka(document.data["kafka"], findings)
    (warning,) = map(str, findings.warnings)
    assert (
        warning
        == "line 1: kafka.ssl_check_hostname: whoever holds any certificate of this authority can pose as the broker"
    )


# ------------------------------------------------------------------ the second client
CONFLUENT = "{bootstrap_servers: 'a:1', client: confluent, %s}"


def test_the_client_is_chosen_beside_its_options() -> None:
    text = "version: 1\nname: n\nkafka: {bootstrap_servers: 'a:1'%s}\nstreams: {predictions: {topic: t, features: {a: numeric}}}"
    for chosen, client in (
        ("", "kafka-python"),
        (", client: kafka-python", "kafka-python"),
        (", client: confluent", "confluent"),
    ):
        settings = loads(text % chosen, {}).settings
        assert settings.kafka_client == client
        assert settings.kafka == {"group_id": "n", "bootstrap_servers": ["a:1"]}


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (
            "proxy_url: 'http://p:1'",
            "kafka.proxy_url: cannot be used with client: confluent: librdkafka knows no proxy",
        ),
        (
            "enable_incremental_fetch_sessions: true",
            "kafka.enable_incremental_fetch_sessions: cannot be used with client: confluent: librdkafka has no such option",
        ),
        (
            "security_protocol: SASL_SSL, sasl_mechanism: GSSAPI",
            "kafka.sasl_mechanism: GSSAPI cannot be used with client: confluent: confluent-kafka's packages come without it",
        ),
    ],
)
def test_what_librdkafka_cannot_do_is_a_mistake(options: str, mistake: str) -> None:
    assert checked(CONFLUENT % options)[1] == [f"line 1: {mistake}"]
    assert checked(CONFLUENT.replace("confluent", "kafka-python") % options)[1] == []


def test_an_unknown_client_is_a_mistake() -> None:
    assert checked("{bootstrap_servers: 'a:1', client: confluence}")[1] == [
        "line 1: kafka.client: unknown client 'confluence'; known: kafka-python, confluent (did you mean 'confluent'?)"
    ]


def test_each_option_is_translated_refused_or_of_another_client() -> None:
    others = {name for name in OPTIONS if name not in {*NAMES, *NOT_CONFLUENT, "group_id"}}
    assert not NAMES.keys() & NOT_CONFLUENT.keys()
    producers = {name for name in others if name not in KafkaConsumer.DEFAULT_CONFIG}
    assert others - producers == {
        *("api_version", "bootstrap_timeout_ms"),  # of the other clients, which go on asking and sending
        *("metric_group_prefix", "metrics_enabled", "metrics_num_samples", "metrics_sample_window_ms"),
    }


def test_librdkafka_takes_every_translated_option() -> None:
    confluent_kafka = pytest.importorskip(
        "confluent_kafka", reason="NO CONFLUENT-KAFKA: pip install 'streamcheck[fast]'"
    )
    kinds = {"a text": "x", "a whole number": 60_000, "true or false": True, "HOST:PORT or a list of them": ["a:1"]}
    special = {
        "client_dns_lookup": "use_all_dns_ips", "sasl_mechanism": "PLAIN", "security_protocol": "SASL_PLAINTEXT",
        "fetch_max_wait_ms": 500, "reconnect_backoff_ms": 50, "retry_backoff_ms": 100, "receive_message_max_bytes": 10_000_000,
    }  # fmt: skip
    files = {"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile", "ssl_password", "ssl_ciphers"}
    given = {name: special.get(name, kinds[OPTIONS[name]]) for name in NAMES if name not in files}
    confluent_kafka.Consumer(options(given, "g")).close()
    for name in sorted(files):  # no such files: known, and refused for that, if at all
        told = options({"bootstrap_servers": "a:1", "security_protocol": "SSL", name: "/x"}, "g")
        assert "No such configuration property" not in refusal(confluent_kafka, told), name
    assert "No such configuration property" in refusal(confluent_kafka, {"group.id": "g", "no.such": "x"})


def refusal(confluent_kafka: Any, told: dict[str, object]) -> str:
    try:
        confluent_kafka.Consumer(told).close()
    except confluent_kafka.KafkaException as error:
        return str(error)
    return ""
