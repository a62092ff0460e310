# ruff: noqa: E501 (tables: one row per mistake, its message whole)
"""Kafka options: kafka-python's own names, some of which streamcheck keeps for itself; no password over an open line."""

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from streamcheck.config.document import Findings, read
from streamcheck.config.environment import substitute
from streamcheck.config.kafka_options import OPTIONS, OWNED, check_kafka

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
