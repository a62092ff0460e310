"""What does the sink of alerts refuse: transitions of others in place of its own, a marker that went back, a size?"""

import random

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from streamcheck.adapters.kafka.marker import Marker
from streamcheck.core import alerts as chain
from streamcheck.errors import DeliveryError
from streamcheck.runtime.ports import Arrived, OutboxEntry, SinkLost

pytestmark = pytest.mark.kafka


def entries(first: int, last: int) -> list[OutboxEntry]:
    return [OutboxEntry(at, b"id-%d" % (at % 3), b"value-%d" % at) for at in range(first, last + 1)]


def arrived(read, topic) -> list[bytes]:
    return [value for _, value in read(topic)]


def expected(last: int) -> list[bytes]:
    return [b"value-%d" % at for at in range(1, last + 1)]


def chained(alerts, last: int) -> list[str]:
    """The digests of a lineage of `alerts.name` after each of its transitions, from 0 on."""
    found = [chain.digest(alerts.topic, "77ab")]
    for entry in entries(1, last):
        found.append(chain.digest(found[-1], entry.value.decode()))
    return found


@pytest.mark.parametrize("honest", [True, False])
def test_what_has_arrived_of_the_pending_ones_must_be_theirs(alerts, read, honest) -> None:
    """A twin with a copy of this state has delivered a part of what is pending: the same transitions, or others."""
    name, digests = f"twin-{honest}", chained(alerts, 5)
    first = alerts(name=name)
    first.open("77ab")
    before = len(arrived(read, alerts.topic))
    first.send(entries(1, 2), digests[2])
    twin = alerts(name=name)
    twin.open("77ab")
    twin.send(entries(3, 4), digests[4] if honest else "another")
    if honest:
        first.send(entries(3, 5), digests[5], Arrived(2, digests[2]))
        assert arrived(read, alerts.topic)[before:] == expected(5)
        return
    with pytest.raises(SinkLost, match="up to 4, which this process did not send: another process runs"):
        first.send(entries(3, 5), digests[5], Arrived(2, digests[2]))
    assert arrived(read, alerts.topic)[before:] == expected(4)


def test_a_marker_that_went_back_is_refused(alerts, read, producer) -> None:
    sink = alerts()
    sink.open("77ab")
    sink.send(entries(1, 2), "d2")
    key, old = sink._name.encode(), Marker("77ab", 1, "d1").encode()
    producer().send(f"{alerts.topic}.positions", old, key=key, partition=0).get(10)
    sink._abandon()  # as after any doubt
    with pytest.raises(SinkLost, match="up to 1 have arrived, after 2 had"):
        sink.send(entries(3, 3), "d3", Arrived(2, "d2"))
    assert arrived(read, alerts.topic) == expected(2)


def test_a_limit_that_is_raised_is_noticed_without_a_restart(alerts, read, kafka, admin) -> None:
    def limit(size: int) -> None:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, alerts.topic, {"max.message.bytes": str(size)})])

    sink = alerts()
    sink.open("77ab")
    limit(2_000)
    sink.open("77ab")
    large = [OutboxEntry(1, b"id", random.Random(1).randbytes(500_000).hex().encode())]
    with pytest.raises(DeliveryError, match=r"needs 1000514 bytes.*takes 2000: raise its max\.message\.bytes, no rest"):
        sink.send(large, "d")
    limit(4 << 20)
    sink.send(large, "d")
    assert arrived(read, alerts.topic) == [large[0].value]
