"""Does the source deliver exactly what is in the log, whatever it looks like, and tell truly where reading stands?"""

import logging
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from kafka.errors import RetriableError
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import batches
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import GapError
from tests.conftest import needs_client

pytestmark = pytest.mark.kafka

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
DEADLINE_S = 20.0


@pytest.fixture(params=["raw", "stock", "confluent"])
def path(request, monkeypatch):
    """All ways of reading: kafka-python as known, a version of it that does not fit, and librdkafka."""
    if request.param == "stock":
        monkeypatch.setattr(batches, "fits", lambda _: False)
    needs_client(request.param)
    return request.param


@pytest.fixture
def open_source(kafka, path) -> Iterator[Callable[..., KafkaSource]]:
    opened = []
    client = "confluent" if path == "confluent" else "kafka-python"

    def make(*topics, **options) -> KafkaSource:
        settings = {**kafka.settings, "fetch_max_wait_ms": 100}
        opened.append(KafkaSource(settings, topics, "lag", watch_every_s=0.3, client=client, **options))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def until(condition):
    """The condition's first true value, within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
    return value


def drain(source: KafkaSource, poll_s: float = 0.3):
    """Everything up to the high watermarks: per partition (offset, timestamp, key, value), and faults."""
    records: dict[SourcePartition, list] = {}
    faults: dict[SourcePartition, list] = {}

    def at_end() -> bool:
        for batch in source.poll(poll_s):
            rows = zip(batch.offsets.tolist(), batch.timestamps.tolist(), batch.keys, batch.values, strict=True)
            records.setdefault(batch.source, []).extend(rows)
            faults.setdefault(batch.source, []).extend(batch.faults)
        assert source.trouble() is None
        return all(s.high_watermark is not None and s.position >= s.high_watermark for s in source.status().values())

    until(at_end)
    return records, faults


def begin(source: KafkaSource, start="earliest"):
    positions = source.offsets_at(start)
    source.start(positions)
    return positions


@pytest.mark.parametrize("codec", CODECS)
def test_round_trip(path, codec, topic, producer, open_source) -> None:
    name = topic(partitions=2)
    rng = random.Random(7)
    out = producer(compression_type=codec, linger_ms=20, batch_size=20_000)
    sent: dict[int, list] = {0: [], 1: []}
    for at in range(400):
        key = rng.choice([None, b"", b"k%d" % at])
        value = rng.choice([b"", b'{"n":%d}' % at, rng.randbytes(3_000), b"x" * 20_000])
        headers = [("trace", b"t%d" % at)] * rng.randrange(3)
        if key is not None and at % 17 == 0:
            value = None  # a tombstone
        where = at % 2
        out.send(name, key=key, value=value, headers=headers, partition=where, timestamp_ms=1_700_000_000_000 + at * 3)
        sent[where].append((1_700_000_000_000 + at * 3, key, value))
    out.flush()
    source = open_source(name)
    begin(source)
    records, faults = drain(source)
    assert {p.partition: [row[1:] for row in rows] for p, rows in records.items()} == sent
    assert all([row[0] for row in rows] == list(range(200)) for rows in records.values())
    assert not any(faults.values())


def test_transactions_control_batches_and_positions(path, topic, producer, open_source) -> None:
    name = topic()
    out = producer(transactional_id=f"{name}-{path}")
    out.init_transactions()
    for number, commit in enumerate([True, False, True, False]):
        out.begin_transaction()
        for at in range(5):
            out.send(name, b"%d-%d" % (number, at))
        out.flush()
        if commit:
            out.commit_transaction()
        else:
            out.abort_transaction()
    source = open_source(name)
    begin(source)
    records, _ = drain(source)  # ends: the position steps over the abort mark at the end of the log
    rows = records[SourcePartition(name, 0)]
    assert [row[3] for row in rows] == [b"%d-%d" % (number, at) for number in (0, 2) for at in range(5)]
    assert [row[0] for row in rows] == [*range(5), *range(12, 17)]
    assert source.status()[SourcePartition(name, 0)].position == 24


def test_an_open_transaction_is_not_silence(path, topic, producer, open_source) -> None:
    name = topic()
    where = SourcePartition(name, 0)
    out = producer(transactional_id=f"{name}-{path}")
    out.init_transactions()
    source = open_source(name)
    begin(source)
    out.begin_transaction()
    out.send(name, b"hidden").get(10)

    def seen():
        assert source.poll(0.1) == []
        return source.status()[where].high_watermark == 1

    until(seen)
    assert source.status()[where].position == 0
    out.commit_transaction()
    records, _ = drain(source)
    assert [row[3] for row in records[where]] == [b"hidden"]
    assert source.status()[where].position == 2


def test_seek_into_the_middle_of_a_batch(path, topic, producer, open_source) -> None:
    name = topic()
    out = producer(linger_ms=50, compression_type="zstd")
    for at in range(100):
        out.send(name, b"%d" % at, partition=0)
    out.flush()
    source = open_source(name)
    source.start({SourcePartition(name, 0): 37})
    records, _ = drain(source)
    assert [row[0] for row in records[SourcePartition(name, 0)]] == list(range(37, 100))
    source.start({SourcePartition(name, 0): 90})
    records, _ = drain(source)
    assert [row[0] for row in records[SourcePartition(name, 0)]] == list(range(90, 100))


def test_log_append_time(path, topic, producer, open_source) -> None:
    name = topic(**{"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    out = producer(linger_ms=20)
    for _ in range(10):
        out.send(name, b"x", partition=0, timestamp_ms=1_000)
    out.flush()
    source = open_source(name)
    begin(source)
    (rows,) = drain(source)[0].values()
    assert all(before - 1_000 <= row[1] <= time.time() * 1000 + 1_000 for row in rows)


def test_compaction_leaves_gaps(path, topic, producer, open_source) -> None:
    tight = {"segment.ms": 100, "min.cleanable.dirty.ratio": 0.01, "max.compaction.lag.ms": 100}
    name = topic(**{"cleanup.policy": "compact", **tight})
    out = producer(linger_ms=20)

    def compacted():
        for at in range(30):
            out.send(name, key=b"k%d" % (at % 3), value=b"%d" % at, partition=0)
        out.flush()
        source = open_source(name)
        begin(source)
        records, _ = drain(source)
        source.close()
        return (rows := records[SourcePartition(name, 0)])[-1][0] + 1 > len(rows) and rows

    rows = until(compacted)
    offsets = [row[0] for row in rows]
    assert offsets == sorted(set(offsets))
    newest = {row[2]: row[3] for row in rows}
    assert newest == {b"k0": b"27", b"k1": b"28", b"k2": b"29"}


def test_start_positions(topic, producer, open_source) -> None:
    name = topic()
    out = producer()
    for at in range(10):
        out.send(name, b"x", partition=0, timestamp_ms=1_700_000_000_000 + at * 1_000).get(10)
    source = open_source(name)
    where = SourcePartition(name, 0)
    assert source.offsets_at("earliest") == {where: 0}
    assert source.offsets_at("latest") == {where: 10}
    assert source.offsets_at(1_700_000_003_500) == {where: 4}
    assert source.offsets_at(1_700_000_099_000) == {where: 10}


def test_unknown_topic_names_the_nearest(topic, open_source) -> None:
    name = topic()
    with pytest.raises(SourceError, match=f"did you mean {name!r}"):
        open_source(name + "s").partitions()


def test_a_new_partition_is_noticed_and_read(topic, admin, producer, open_source) -> None:
    name = topic()
    out = producer()
    source = open_source(name)
    assert source.partitions() == (SourcePartition(name, 0),)
    begin(source)
    admin.create_partitions({name: 2})
    partitions = until(lambda: len(found := source.partitions()) == 2 and found)
    out.send(name, b"old", partition=0).get(10)
    out.send(name, b"new", partition=1).get(10)
    source.start({partitions[0]: 0, partitions[1]: 0})
    found = {0: [], 1: []}

    def both() -> bool:  # the watched high watermark of the new one may be of before the record
        for where, rows in drain(source)[0].items():
            found[where.partition] += [row[3] for row in rows]
        return all(found.values())

    until(both)
    assert found == {0: [b"old"], 1: [b"new"]}


def test_a_topic_made_anew_while_reading_is_refused(path, topic, admin, producer, open_source) -> None:
    name = topic()
    producer().send(name, b"old", partition=0).get(10)
    source = open_source(name)
    begin(source)
    drain(source)
    admin.delete_topics([name])
    until(lambda: name not in admin.list_topics())
    admin.create_topics({name: {"num_partitions": 1}}, wait_for_metadata=True)
    out = producer()
    for _ in range(3):  # more than had been read: by its offsets alone it could be the old one
        out.send(name, b"new", partition=0).get(10)

    def refused() -> bool:
        try:
            source.partitions()
        except SourceError as error:  # at first perhaps that it is not there
            return f"topic {name!r} was deleted and made again" in str(error)
        return False

    until(refused)


def test_gap_at_start_and_while_reading(path, topic, admin, producer, open_source) -> None:
    name = topic()
    where = SourcePartition(name, 0)
    out = producer()
    for _ in range(10):
        out.send(name, b"x", partition=0).get(10)
    source = open_source(name)
    source.start({where: 2})
    source.pause(frozenset({where}))
    admin.delete_records({TopicPartition(name, 0): 6})
    source.pause(frozenset())
    with pytest.raises(GapError) as caught:
        until(lambda: not source.poll(0.2) and None)
    assert (caught.value.source, caught.value.wanted, caught.value.available) == (where, 2, (6, 10))
    with pytest.raises(GapError, match="retention removed 4 offsets"):
        source.start({where: 2})
    with pytest.raises(GapError, match="truncated or made anew"):
        source.start({where: 11})
    source.start({where: caught.value.available[0]})  # on_gap: skip
    assert [row[0] for row in drain(source)[0][where]] == [6, 7, 8, 9]


def test_pause_replaces_the_former_set(path, topic, producer, open_source) -> None:
    name = topic(partitions=2)
    first, second = SourcePartition(name, 0), SourcePartition(name, 1)
    out = producer()
    source = open_source(name)
    begin(source)
    source.pause(frozenset({first}))
    for where in (0, 1):
        out.send(name, b"x", partition=where).get(10)
    assert [batch.source for batch in until(lambda: source.poll(0.5))] == [second]
    until(lambda: source.status()[first].high_watermark == 1)  # known although it is not fetched
    assert source.poll(0.5) == []
    source.pause(frozenset({second}))
    assert [batch.source for batch in until(lambda: source.poll(0.5))] == [first]


def test_progress_is_shown_to_lag_tools(topic, admin, open_source) -> None:
    name = topic()
    where = SourcePartition(name, 0)
    source = open_source(name)
    begin(source)

    def shown():
        source.committed({where: 0})
        try:
            found = admin.list_group_offsets({"lag": None})["lag"].get(TopicPartition(name, 0))
        except RetriableError:  # a cluster's first group, or a coordinator that is starting
            return False
        return found is not None and found.offset == 0

    until(shown)


def test_a_bomb_is_a_fault_and_memory_stays_bounded(topic, producer, open_source) -> None:
    name = topic(**{"max.message.bytes": 12 << 20})
    where = SourcePartition(name, 0)
    out = producer(compression_type="zstd", max_request_size=200 << 20)
    out.send(name, b"before", partition=0).get(10)
    out.send(name, bytes(100 << 20), partition=0).get(30)
    out.send(name, b"after", partition=0).get(10)
    source = open_source(name, decompressed_bytes_max=8 << 20)
    begin(source)
    tracemalloc.start()
    records, faults = drain(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * (8 << 20)
    assert [row[3] for row in records[where]] == [b"before", b"after"]
    assert faults[where] == [(1, "batch too large")]


def test_a_hook_that_does_not_fit_is_not_used(topic, producer, kafka, monkeypatch, caplog) -> None:
    """The self-test at start meets a reader that loses a record, and says so."""
    name = topic()
    out = producer()
    for at in range(10):
        out.send(name, b"%d" % at, partition=0).get(10)
    whole = batches.wire.records

    def without_the_last(found):
        r = whole(found)
        return batches.wire.Records(r.offsets[:-1], r.timestamps[:-1], r.keys[:-1], r.values[:-1], r.size)

    monkeypatch.setattr(batches.wire, "records", without_the_last)
    caplog.set_level(logging.WARNING, "streamcheck")
    source = KafkaSource({**kafka.settings, "fetch_max_wait_ms": 100}, [name], "lag", watch_every_s=0.3)
    try:
        begin(source)
        (rows,) = drain(source)[0].values()
    finally:
        source.close()
    assert [row[3] for row in rows] == [b"%d" % at for at in range(10)]
    assert "is not the one whose record reader streamcheck knows: reading record by record" in caplog.text
