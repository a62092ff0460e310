"""Does a damaged batch cost that batch and nothing else, and a broker that goes away nothing at all?"""

import resource
import threading
import time

import pytest

from streamcheck.adapters.kafka import batches
from streamcheck.adapters.kafka.client import BrokerUnavailable
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.core.types import SourcePartition
from tests.conftest import needs_client
from tests.hostile import log

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("path", ["raw", "stock", "confluent"])
def test_a_flipped_bit_on_disk(path, kafka, cluster, topic, producer, monkeypatch) -> None:
    if path == "stock":
        monkeypatch.setattr(batches, "fits", lambda _: False)
    name = topic()
    where = SourcePartition(name, 0)
    out = producer(linger_ms=30)
    for first in (0, 10, 20):
        for at in range(first, first + 10):
            out.send(name, b"value-%d" % at, partition=0)
        out.flush()
    out.close()
    cluster.terminate()
    (segment,) = cluster.segments(name)
    data = bytearray(segment.read_bytes())
    spot = data.index(b"value-15")
    data[spot] ^= 1
    segment.write_bytes(data)
    cluster.restart()

    client = needs_client("confluent" if path == "confluent" else "kafka-python")
    settings = {**kafka.settings, "fetch_max_wait_ms": 50}
    source = KafkaSource(settings, [name], "damage", watch_every_s=0.3, client=client)
    try:
        source.start({where: 0})
        offsets: list[int] = []
        faults: list[tuple[int, str]] = []
        for _ in range(60):
            for batch in source.poll(0.5):
                offsets += batch.offsets.tolist()
                faults += batch.faults
            if source.status()[where].position == 30:
                break
    finally:
        source.close()
    assert faults == [(at, "corrupt batch") for at in range(10, 20)]
    assert offsets == [*range(10), *range(20, 30)]


def test_a_malformed_batch_holds_up_nothing_but_itself(kafka, cluster, topic, producer, client) -> None:
    """Its checksum is right, its records are none. librdkafka says nothing of it."""
    name = topic(2)
    first, second = SourcePartition(name, 0), SourcePartition(name, 1)
    out = producer(linger_ms=30)
    for start in (0, 10, 20):
        for at in range(start, start + 10):
            for partition in (0, 1):
                out.send(name, b"value-%d" % at, partition=partition)
        out.flush()
    (segment,) = (path for path in cluster.segments(name) if path.parent.name.endswith("-0"))
    log.damage(segment, 10, log.malformed)
    settings = {**kafka.settings, "fetch_max_wait_ms": 50}
    source = KafkaSource(settings, [name], "malformed", watch_every_s=0.3, client=client)
    offsets: dict[SourcePartition, list[int]] = {first: [], second: []}
    faults: list[tuple[SourcePartition, int, str]] = []
    try:
        source.start({first: 0, second: 0})
        deadline = time.monotonic() + 40
        while any(status.position < 30 for status in source.status().values()):
            assert time.monotonic() < deadline, (offsets, faults)
            for batch in source.poll(0.3):
                offsets[batch.source] += batch.offsets.tolist()
                faults += [(batch.source, *fault) for fault in batch.faults]
    finally:
        source.close()
    assert offsets[second] == list(range(30))
    assert offsets[first] == [*range(10), *range(20, 30)]
    assert faults == [(first, at, "malformed batch") for at in range(10, 20)]


def test_a_broker_that_goes_away_and_comes_back(kafka, cluster, topic, producer, client) -> None:
    name = topic()
    where = SourcePartition(name, 0)
    out = producer()
    out.send(name, b"before", partition=0).get(10)
    out.close()
    settings = {**kafka.settings, "fetch_max_wait_ms": 50}
    source = KafkaSource(settings, [name], "away", watch_every_s=0.3, client=client)
    values: list[bytes | None] = []

    def polled_until(condition) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "did not happen in time"
            for batch in source.poll(0.2):
                values.extend(batch.values)

    try:
        source.start({where: 0})
        polled_until(lambda: values == [b"before"])
        cluster.kill()
        polled_until(lambda: source.trouble() and source.status()[where].high_watermark is None)
        assert "does not answer" in source.trouble()
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        polled_until(lambda: time.monotonic() > began + 2)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - used < 1.0  # waits, does not spin
        cluster.restart()
        again = producer()
        again.send(name, b"after", partition=0).get(10)
        polled_until(lambda: values == [b"before", b"after"])
        polled_until(lambda: source.status()[where].high_watermark == 2 and source.trouble() is None)
    finally:
        source.close()


def test_a_broker_that_was_never_there() -> None:
    threads = threading.active_count()
    source = KafkaSource({"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 200}, ["t"], "never")
    for _ in range(3):
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 does not answer.*check kafka\.bootstrap_servers"):
            source.partitions()
    source.close()
    assert threading.active_count() == threads
