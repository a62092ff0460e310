"""TLS, SASL and rights against a real broker with an authorizer; and a canary that must turn up nowhere."""

import time
import traceback
from collections.abc import Callable
from functools import partial

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from streamcheck.adapters.kafka.admin import Cluster
from streamcheck.adapters.kafka.client import BrokerUnavailable
from streamcheck.adapters.kafka.journal import KafkaJournal
from streamcheck.adapters.kafka.operations import KafkaOperations
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.adapters.kafka.strays import KafkaStraySink
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError, StreamcheckError
from streamcheck.runtime.ports import OutboxEntry, StrayRecord
from tests.hostile.conftest import PASSWORD, SCRAM_PASSWORD, SCRAM_USER, USER, Broker
from tests.hostile.service import WAIT_S, committed

CONFIG = """
version: 1
name: {name}
kafka:
  client: {client}
  bootstrap_servers: {bootstrap}
  security_protocol: SASL_SSL
  sasl_mechanism: {mechanism}
  sasl_plain_username: {user}
  sasl_plain_password: ${{STREAMCHECK_CANARY}}
  ssl_cafile: {authority}
start: earliest
streams:
  predictions: {{topic: {topic}, id: id, features: {{amount: numeric}}, segments: [tier]}}
reference: {{first: 3s}}
time: {{pane: 1s, lateness: 1s, idle_after: 10m}}
monitors: [{{on: amount, detector: {{page_hinkley: {{threshold: 15}}}}}}]
alerts: {{topic: {name}.alerts, owner: me}}
dead_letter: {{topic: {name}.rejects}}
late: {{topic: {name}.late}}
journal: {{topic: {name}.journal}}
state: {{dir: state-{name}, commit_every: 1s}}
prometheus: {{listen: "127.0.0.1:0"}}
"""


def config(broker: Broker, name: str, topic: str, **changes: str) -> str:
    filled = {"bootstrap": broker.cluster.addresses["SECURE"], "authority": str(broker.authority), "mechanism": "PLAIN"}
    filled |= {"client": "kafka-python", "user": USER, "name": name, "topic": topic}
    return CONFIG.format(**{**filled, **changes})


Fill = Callable[[str], str]


@pytest.fixture
def fill(broker, producer) -> Fill:
    """Makes a topic with events that alert, a late one, and one that is none."""

    def make(name: str) -> str:
        configs = {"retention.ms": "-1"}
        broker.admin.create_topics({name: {"num_partitions": 1, "configs": configs}}, wait_for_metadata=True)
        out = producer()
        for row in range(400):
            value = b'{"id": "e%d", "amount": %d, "tier": "a"}' % (row, 10 if row > 200 else 1)
            out.send(name, value, timestamp_ms=1_767_225_600_000 + row * 50)
        out.send(name, b'{"id": "late", "amount": 1, "tier": "a"}', timestamp_ms=1_767_225_600_000)
        out.send(name, b"{", timestamp_ms=1_767_225_620_000)
        out.flush()
        return name

    return make


# ------------------------------------------------------------------ rights
def needed(name: str, topic: str) -> list[ACL]:
    """The rights in docs/security.md."""
    wanted = [(ResourceType.TOPIC, topic, ["READ"]), (ResourceType.GROUP, name, ["READ"])]
    wanted += [(ResourceType.TRANSACTIONAL_ID, f"{name}-alerts", ["WRITE"])]
    wanted += [(ResourceType.TOPIC, f"{name}.alerts", ["WRITE", "DESCRIBE_CONFIGS", "CREATE"])]
    wanted += [(ResourceType.TOPIC, f"{name}.alerts.positions", ["READ", "WRITE", "DESCRIBE_CONFIGS", "CREATE"])]
    wanted += [
        (ResourceType.TOPIC, f"{name}.{t}", ["WRITE", "DESCRIBE_CONFIGS", "CREATE"])
        for t in ("ops", "journal", "rejects", "late")
    ]
    return [
        ACL(f"User:{USER}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, ResourcePattern(kind, resource))
        for kind, resource, operations in wanted
        for operation in operations
    ]


def test_a_user_with_exactly_these_rights_can_run(broker, fill, run, client) -> None:
    name = f"all-rights-{client}"
    topic = fill(f"rights-{client}")
    broker.admin.create_acls(needed(name, topic))
    service = run(config(broker, name, topic, client=client), "--until-end", STREAMCHECK_CANARY=PASSWORD)
    assert service.ended() == 0, service.said()
    assert "Authorization" not in service.said(), service.said()
    for output in ("alerts", "alerts.positions", "rejects", "late"):
        assert committed(broker.cluster.bootstrap, f"{name}.{output}"), output
    assert broker.admin.list_group_offsets(name)[name], "progress for lag tools"


def exercise(login: dict[str, object], topic: str, name: str) -> str:
    """Everything that a run asks of the cluster, each for itself; what it says where it is not allowed to."""
    where, complaints = SourcePartition(topic, 0), []
    cluster, source = Cluster(login), KafkaSource(login, [topic], name)
    sinks = [KafkaStraySink(login, f"{name}.{kind}") for kind in ("rejects", "late")]
    alerts = [KafkaAlertSink(login, f"{name}.alerts", name, attempts=1) for _ in range(2)]
    journal, operations = KafkaJournal(login, f"{name}.journal"), KafkaOperations(login, f"{name}.ops")

    def read() -> None:
        source.start(source.offsets_at("earliest"))
        until(lambda: source.poll(0.2))

    def lag() -> None:
        until(lambda: _committed(cluster, name, where))

    def alert(sink: KafkaAlertSink, sequence: int) -> None:
        sink.open("lineage")
        sink.send([OutboxEntry(sequence, b"id", b"{}")], "digest")

    def stray(sink: KafkaStraySink) -> None:
        sink.send([StrayRecord(where, 0, "late", None, b"x")])
        sink.flush()

    steps = [read, lag, lambda: alert(alerts[0], 1), lambda: alert(alerts[1], 2), lambda: journal.send(0, [b"x"])]
    steps.append(lambda: operations.send([(b"id", b"{}")]))
    steps += [partial(stray, sink) for sink in sinks]
    for step in steps:
        try:
            step()
        except StreamcheckError as error:
            complaints.append(str(error))
    for port in (source, cluster, journal, operations, *sinks, *alerts):
        port.close()
    return "\n".join(dict.fromkeys(complaints))


def _committed(cluster: Cluster, name: str, where: SourcePartition) -> bool:
    try:
        cluster.commit(name, {where: 0})
    except BrokerUnavailable:
        return False  # a cluster's first group: its coordinator is being elected
    return True


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"


@pytest.mark.parametrize("number", range(len(needed("x", "y"))))
def test_a_missing_right_is_named(broker, fill, number: int) -> None:
    name = f"less-{number}"
    topic = fill(f"{name}-input")
    rights = needed(name, topic)
    missing = rights.pop(number)
    resource = missing.resource_pattern
    broker.admin.create_acls(rights)
    if missing.operation is not ACLOperation.CREATE:  # the others only matter where there is a topic
        outputs = [f"{name}.{kind}" for kind in ("alerts", "alerts.positions", "ops", "journal", "rejects", "late")]
        compact = {"cleanup.policy": "compact"}
        topics = {each: {"num_partitions": 1, "configs": compact if "positions" in each else {}} for each in outputs}
        broker.admin.create_topics(topics, wait_for_metadata=True)
    complaint = exercise(broker.login(), topic, name)
    assert missing.operation.name in complaint, complaint
    assert resource.resource_name in complaint or resource.resource_type is not ResourceType.TOPIC, complaint
    if resource.resource_type is not ResourceType.TOPIC:
        assert {"GROUP": "the group", "TRANSACTIONAL_ID": "the transactional id"}[
            resource.resource_type.name
        ] in complaint


def test_with_all_rights_there_is_no_complaint(broker, fill) -> None:
    topic = fill("full-input")
    broker.admin.create_acls(needed("full", topic))
    assert exercise(broker.login(), topic, "full") == ""


# ------------------------------------------------------------------ connections
@pytest.mark.parametrize(
    "changes",
    [{}, {"sasl_mechanism": "SCRAM-SHA-256", "sasl_plain_username": SCRAM_USER, "sasl_plain_password": SCRAM_PASSWORD}],
    ids=["plain", "scram"],
)
def test_logins_over_tls(broker, changes) -> None:
    with (
        Cluster(broker.login(**changes)) as cluster,
        pytest.raises(SourceError, match=r"needs READ on it|does not exist"),
    ):
        cluster.describe(["nothing"])  # known, and not allowed to see it


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sasl_plain_password": "canary-wrong"}, "refused the login"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, "offers no such way to log in"),
        ({"ssl_cafile": "STRANGER"}, "no TLS with Kafka"),
        ({"ssl_cafile": "/nowhere/ca.pem"}, "the file of kafka.ssl_cafile cannot be read"),
        ({"bootstrap_servers": "TLS"}, "has no SASL on this listener"),
        ({"bootstrap_servers": "BY ADDRESS"}, "that the certificate names the host"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "kafka.security_protocol"),
    ],
    ids=["password", "mechanism", "authority", "file", "listener", "name", "plaintext"],
)
def test_a_connection_that_cannot_be_says_why_and_no_secret(broker, changes, says) -> None:
    secure = str(broker.cluster.addresses["SECURE"])
    meant = {
        "STRANGER": str(broker.stranger),
        "TLS": broker.cluster.addresses["TLS"],
        "BY ADDRESS": secure.replace("localhost", "127.0.0.1"),
    }
    login = broker.login(**{name: meant.get(value, value) for name, value in changes.items()})
    deadline = time.monotonic() + WAIT_S
    while True:
        with Cluster(login) as cluster, pytest.raises(SourceError) as caught:
            cluster.describe(["nothing"])
        assert "canary" not in "".join(traceback.format_exception(caught.value))
        if not isinstance(caught.value, BrokerUnavailable) or says in str(caught.value):
            break  # until then, a broker whose first handshake takes longer than the client waits: worth another try
        assert time.monotonic() < deadline, str(caught.value)
    assert says in str(caught.value)
