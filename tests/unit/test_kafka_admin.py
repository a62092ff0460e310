"""What does the cluster's word mean: may it pass, is a right missing, is there no such topic?"""

from types import SimpleNamespace

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResourceType
from kafka.errors import LeaderNotAvailableError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

from streamcheck.adapters.kafka.admin import Cluster, ToldAdmin
from streamcheck.adapters.kafka.client import BrokerUnavailable
from streamcheck.errors import SourceError

UNKNOWN, LEADERLESS, FORBIDDEN = 3, 5, 29


def settings_of(topic: str, error_code: int) -> SimpleNamespace:
    """A broker's answer to the question for a topic's settings."""
    result = SimpleNamespace(
        error_code=error_code, resource_name=topic, resource_type=ConfigResourceType.TOPIC, configs=()
    )
    return SimpleNamespace(results=[result])


@pytest.mark.parametrize(
    ("code", "refusal"), [(UNKNOWN, UnknownTopicOrPartitionError), (FORBIDDEN, TopicAuthorizationFailedError)]
)
def test_a_refusal_to_show_settings_is_raised(code, refusal) -> None:
    with pytest.raises(refusal):
        ToldAdmin._describe_configs_process_responses([settings_of("t", code)], config_filter="all")
    passed_over = KafkaAdminClient._describe_configs_process_responses([settings_of("t", code)], config_filter="all")
    assert passed_over == {"topic": {"t": {}}}, "kafka-python raises by itself now: ToldAdmin can go"
    assert ToldAdmin._describe_configs_process_responses([settings_of("t", 0)], config_filter="all") == passed_over


def described(**codes: int) -> Cluster:
    """A cluster that knows these topics, each with an error code."""
    cluster = Cluster({"bootstrap_servers": "a:1"})
    found = [{"name": name, "error_code": code, "partitions": []} for name, code in codes.items()]
    cluster._client = SimpleNamespace(describe_topics=lambda _: found, list_topics=list, close=lambda: None)
    return cluster


def test_a_topic_whose_leader_is_being_elected_is_waited_for() -> None:
    assert for_code(LEADERLESS) is LeaderNotAvailableError
    with pytest.raises(BrokerUnavailable, match=r"cannot do this yet \(describing topics 'a', 'b': \[Error 5\]"):
        described(a=0, b=LEADERLESS).describe(["a", "b"])


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        ({"a": FORBIDDEN, "b": LEADERLESS}, "topic 'a' cannot be read: TopicAuthorizationFailedError"),
        ({"a": UNKNOWN, "b": LEADERLESS}, "topic 'a' does not exist"),
    ],
)
def test_what_does_not_pass_is_told(codes, says) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        described(**codes).describe(["a", "b"])
    assert not isinstance(caught.value, BrokerUnavailable)
