"""Are Kafka settings checked, secrets kept out of logs, errors explained, hanging calls ended?"""

import gc
import logging
import threading

import pytest
from kafka import KafkaConsumer
from kafka.errors import (
    BrokerNotAvailableError,
    GroupAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaTimeoutError,
    NotLeaderForPartitionError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    UnknownBrokerIdError,
    UnknownError,
)

from streamcheck.adapters.kafka import client
from streamcheck.adapters.kafka.client import BrokerUnavailable, check_settings, connect, explain, quieten
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.errors import ParameterError, SourceError

NOWHERE = {"bootstrap_servers": ["127.0.0.1:1", "127.0.0.1:2"], "bootstrap_timeout_ms": 100}


def test_a_mistyped_setting_gets_the_nearest_name() -> None:
    with pytest.raises(ParameterError, match=r"kafka\.sasl_plain_user is no setting") as caught:
        check_settings({"sasl_plain_user": "me"})
    assert caught.value.suggestion == "sasl_plain_username"


@pytest.mark.parametrize("name", sorted(client.OWN_SETTINGS))
def test_settings_that_guarantees_rest_on_are_not_the_users(name) -> None:
    for make in (lambda s: KafkaSource(s, ["t"], "g"), lambda s: KafkaAlertSink(s, "t", "n")):
        with pytest.raises(ParameterError, match=f"kafka.{name} is set by streamcheck"):
            make({name: "x"})


def test_settings_for_several_clients_go_together() -> None:
    check_settings({"bootstrap_servers": "a:1", "linger_ms": 5, "fetch_max_bytes": 1, "security_protocol": "SSL"})


def test_the_clients_debug_lines_stay_away() -> None:
    logger = logging.getLogger("kafka")
    before = logger.level
    try:
        for level in (logging.NOTSET, logging.DEBUG):
            logger.setLevel(level)
            quieten()
            assert not logging.getLogger("kafka.net.connection").isEnabledFor(logging.DEBUG)
        logger.setLevel(logging.ERROR)
        quieten()
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (KafkaTimeoutError("x"), BrokerUnavailable, "127.0.0.1:1, 127.0.0.1:2 does not answer"),
        (ConnectionRefusedError(), BrokerUnavailable, "check kafka.bootstrap_servers"),
        (SaslAuthenticationFailedError("x"), SourceError, "check kafka.sasl_"),
        (TopicAuthorizationFailedError("x"), SourceError, "does not allow reading"),
        (GroupAuthorizationFailedError("x"), SourceError, "the user needs READ on the group"),
        (TransactionalIdAuthorizationFailedError("x"), SourceError, "the user needs WRITE on the transactional id"),
        (NotLeaderForPartitionError("x"), BrokerUnavailable, "answers, but cannot do this yet (reading: [Error 6]"),
        (RequestTimedOutError("x"), BrokerUnavailable, "does not answer"),
        (UnknownBrokerIdError(2), BrokerUnavailable, "cannot do this yet (reading: UnknownBrokerIdError: 2)"),
        (BrokerNotAvailableError("x"), BrokerUnavailable, "cannot do this yet"),
        (UnknownError("x"), BrokerUnavailable, "cannot do this yet"),
        (InvalidReplicationFactorError("x"), SourceError, "failed at reading"),
    ],
)
def test_errors_say_what_to_do(error, kind, says) -> None:
    explained = explain(error, NOWHERE, "reading")
    assert type(explained) is kind
    assert says in str(explained)


def test_a_broker_that_answered_is_not_said_to_be_silent() -> None:
    assert "does not answer" not in str(explain(NotLeaderForPartitionError("x"), NOWHERE, "reading"))


def test_a_brokers_words_are_kept_on_one_line_and_off_the_terminal() -> None:
    hostile = SaslAuthenticationFailedError("no\n2026-01-01 ERROR forged\x1b[2J" + "x" * 5_000)
    text = str(explain(hostile, NOWHERE, "reading"))
    assert "\n" not in text
    assert "\x1b" not in text
    assert "no\\n2026" in text
    assert len(text) < 800


def test_of_a_request_that_the_client_shows_whole_the_brokers_words_remain() -> None:
    text = (
        "Request 'CreateTopicsRequest(topics=[CreatableTopic(name='t')])' failed with response 'CreateTopicsResponse("
        "topics=[CreatableTopicResult(name='t', error_code=38, error_message='only 2 brokers are there')])'."
    )
    explained = explain(InvalidReplicationFactorError(text), NOWHERE, "creating topic 't'")
    assert str(explained).endswith("[Error 38] InvalidReplicationFactorError: only 2 brokers are there.")
    silent = text.replace("'only 2 brokers are there'", "None")
    assert str(explain(InvalidReplicationFactorError(silent), NOWHERE, "creating")).endswith("Error: refused.")


def test_no_secret_is_in_what_is_explained() -> None:
    settings = {**NOWHERE, "sasl_plain_password": "canary-1", "proxy_url": "http://me:canary-2@proxy:3128"}
    hostile = KafkaTimeoutError("canary-1 at http://me:canary-2@proxy:3128")
    explained = explain(hostile, settings, "reading")
    assert type(explained) is BrokerUnavailable
    assert "canary" not in str(explained)
    assert "(kafka.sasl_plain_password) at (kafka.proxy_url)" in str(explained)


def test_a_fault_of_our_own_is_not_explained_away() -> None:
    with pytest.raises(ZeroDivisionError):
        explain(ZeroDivisionError(), NOWHERE, "reading")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_client_that_cannot_connect_leaves_no_thread(caplog) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")  # kept records would keep the client's refused sockets
    before = set(threading.enumerate())
    with pytest.raises(KafkaTimeoutError):
        connect(KafkaConsumer, NOWHERE)
    assert set(threading.enumerate()) == before
    gc.collect()  # those sockets, here where that is allowed


def test_the_watchdog_names_the_stage_that_hangs() -> None:
    barked = threading.Event()
    said: list[str] = []
    watchdog = Watchdog(0.01, lambda message: (said.append(message), barked.set()))
    with watchdog.stage("committing"):
        assert barked.wait(10)
    assert said == ["committing has not returned for 0.01 s: ending the process, to be started again"]


def test_the_watchdog_is_silent_about_what_returns() -> None:
    said: list[str] = []
    before = threading.active_count()
    with Watchdog(60.0, said.append).stage("committing"):
        assert threading.active_count() == before + 1
    assert said == []
