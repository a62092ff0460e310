"""Does each alert transition arrive exactly once, whatever happens to this process, another one, or the broker?"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer

from streamcheck.adapters.kafka import sink as sink_module
from streamcheck.adapters.kafka.admin import Cluster
from streamcheck.adapters.kafka.client import ForeignMarker
from streamcheck.adapters.kafka.journal import KafkaJournal
from streamcheck.adapters.kafka.marker import Marker
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.strays import KafkaStraySink
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.ports import Arrived, OutboxEntry, StrayRecord
from tests.faults.topics import read as records

pytestmark = pytest.mark.kafka
AWAY_S = 3.0


def entries(first: int, last: int) -> list[OutboxEntry]:
    return [OutboxEntry(at, b"id-%d" % (at % 3), b"value-%d" % at) for at in range(first, last + 1)]


def arrived(read, topic) -> list[bytes]:
    return [value for _, value in read(topic)]


def expected(last: int) -> list[bytes]:
    return [b"value-%d" % at for at in range(1, last + 1)]


def test_a_restart_resumes_exactly(alerts, read) -> None:
    sink = alerts()
    assert sink.open("77ab") is None
    sink.send(entries(1, 3), "digest-3")
    sink.send(entries(4, 4), "digest-4")
    sink.close()
    again = alerts()
    assert again.open("77ab") == Arrived(4, "digest-4")
    assert again.marker == Marker("77ab", 4, "digest-4")
    again.send(entries(3, 6), "digest-6")  # an outbox that had not been told of 3 and 4
    assert arrived(read, alerts.topic) == expected(6)
    assert {key for key, _ in read(alerts.topic)} == {b"id-0", b"id-1", b"id-2"}


def test_a_foreign_marker_is_refused(alerts, read) -> None:
    first = alerts()
    first.open("77ab")
    first.send(entries(1, 2), "d")
    with pytest.raises(ForeignMarker, match="--new-lineage") as caught:
        alerts().open("other")
    assert caught.value.found == Marker("77ab", 2, "d")
    assert alerts(name="elsewhere").open("other") is None  # another config on the same topic is none of its business
    taken = alerts(replace_lineage=True)
    assert taken.open("other") is None
    taken.send(entries(1, 1), "e")
    assert taken.marker == Marker("other", 1, "e")
    assert arrived(read, alerts.topic) == [*expected(2), b"value-1"]


def test_a_claim_makes_the_topic_ours_once_and_for_all(alerts, read) -> None:
    first = alerts()
    assert first.open("77ab") is None
    first.claim(Arrived(0, "d0"))
    with pytest.raises(ForeignMarker, match="state rebuild"):
        alerts().open("other")
    assert first.open("77ab") == Arrived(0, "d0")
    taker = alerts(replace_lineage=True)
    assert taker.open("other") is None
    taker.claim(Arrived(0, "o0"))
    assert alerts().open("other") == Arrived(0, "o0"), "the permission was needed once"
    rival = alerts(replace_lineage=True)
    rival.open("third")
    rival.claim(Arrived(0, "t0"))
    with pytest.raises(ForeignMarker):
        taker.send(entries(1, 1), "o1")  # fenced; its permission is used up, so that two do not take turns for ever
    assert arrived(read, alerts.topic) == []


def test_a_zombie_is_fenced_and_sends_nothing_twice(alerts, read) -> None:
    zombie = alerts()
    zombie.open("77ab")
    zombie.send(entries(1, 2), "d2")
    successor = alerts()
    assert successor.open("77ab").sequence == 2
    successor.send(entries(3, 5), "d5")
    with pytest.raises(DeliveryError, match="another process runs"):
        zombie.send(entries(3, 4), "d4")
    assert arrived(read, alerts.topic) == expected(5)


def test_an_orphaned_transaction_is_not_read_and_not_in_the_way(alerts, read, kafka) -> None:
    sink = alerts()
    sink.open("77ab")
    sink.send(entries(1, 1), "d1")
    orphan = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"{alerts.topic}.payments-alerts")
    orphan.init_transactions()
    orphan.begin_transaction()
    orphan.send(alerts.topic, key=b"id-2", value=b"value-2").get(10)
    orphan.flush()
    again = alerts()  # as after a SIGKILL before the commit
    assert again.open("77ab").sequence == 1
    again.send(entries(2, 2), "d2")
    orphan.close(timeout=0)
    assert arrived(read, alerts.topic) == expected(2)


def test_a_stranger_with_an_open_transaction_does_not_hide_our_marker(alerts, read, kafka, producer) -> None:
    sink = alerts()
    sink.open("77ab")
    stranger = producer(transactional_id=f"{alerts.topic}.stranger")
    stranger.init_transactions()
    stranger.begin_transaction()
    stranger.send(f"{alerts.topic}.positions", key=b"stranger", value=b"{}", partition=0).get(10)
    sink.send(entries(1, 2), "d2")  # lies behind the last stable offset
    sink.close()
    release = threading.Timer(1.0, stranger.commit_transaction)
    release.start()
    assert alerts().open("77ab").sequence == 2  # waits for the stranger, instead of taking 0 for an answer
    release.join()


@pytest.mark.parametrize("when", ["flush", "commit_transaction"])
@pytest.mark.parametrize("done", [False, True])
def test_doubt_about_a_call_is_settled_by_the_marker(alerts, read, when, done, request) -> None:
    """The call raises before, or after, it has had its effect; a retry without asking the marker loses or doubles."""
    sink = alerts(name=f"{when}-{done}")
    sink.open("77ab")
    sink.send(entries(1, 1), "d1")
    producer = sink._producer
    honest = getattr(producer, when)

    def doubtful(*args):
        setattr(producer, when, honest)
        if done:
            honest(*args)
        raise TimeoutError(f"{when}: no answer")

    setattr(producer, when, doubtful)
    before = len(arrived(read, alerts.topic))
    sink.send(entries(2, 4), "d4")
    assert arrived(read, alerts.topic)[before:] == expected(4)[1:]
    assert sink.marker == Marker("77ab", 4, "d4")


def test_the_doubt_bites(alerts, read, monkeypatch) -> None:
    """The mutant: a sink that takes an exception for a failure, and its own memory for the truth, doubles alerts."""
    sink = alerts()
    sink.open("77ab")
    sink.send(entries(1, 1), "d1")
    producer, remembered = sink._producer, sink.marker
    honest = producer.commit_transaction

    def commit_without_an_answer():
        honest()
        raise TimeoutError("no answer")

    producer.commit_transaction = commit_without_an_answer
    monkeypatch.setattr(sink_module, "read_marker", lambda *_: remembered)
    sink.send(entries(2, 3), "d3")
    assert arrived(read, alerts.topic) == [*expected(3), b"value-2", b"value-3"]


HANGS = """
import sys
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.runtime.ports import OutboxEntry

bootstrap, topic, name, limit_s = sys.argv[1:]
sink = KafkaAlertSink({"bootstrap_servers": bootstrap}, topic, name, watchdog=Watchdog(float(limit_s)))
sink.open("77ab")
sink.send([OutboxEntry(1, b"id-1", b"value-1")], "d1")
producer = sink._producer
flush = producer.flush

def flush_and_wait(*args):
    flush(*args)
    print("flushed", flush=True)
    sys.stdin.readline()

producer.flush = flush_and_wait
sink.send([OutboxEntry(2, b"id-2", b"value-2"), OutboxEntry(3, b"id-0", b"value-3")], "d3")
assert sink._producer is producer
sink.close()
"""


@contextmanager
def about_to_commit(alerts, kafka, limit_s: float) -> Iterator[subprocess.Popen[str]]:
    """A process that has flushed alerts, and commits them when told to go on."""
    command = [sys.executable, "-c", HANGS, kafka.bootstrap, alerts.topic, f"{alerts.topic}.payments", str(limit_s)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as child:  # fmt: skip
        try:
            assert child.stdout.readline() == "flushed\n"
            yield child
        finally:
            child.kill()


def test_a_commit_that_hangs_ends_the_process_and_a_restart_goes_on(alerts, read, kafka, cluster) -> None:
    """The coordinator dies between flush and commit, and stays away."""
    with about_to_commit(alerts, kafka, 4) as child:
        cluster.kill()
        _, said = child.communicate("go on\n", timeout=60)
    cluster.restart()
    assert child.returncode == 70
    assert "committing the transaction of alerts has not returned for 4 s" in said
    sink = alerts()
    assert sink.open("77ab").sequence == 1
    sink.send(entries(2, 4), "d4")
    assert arrived(read, alerts.topic) == expected(4)


def test_a_commit_outlives_its_coordinator(alerts, read, kafka, cluster) -> None:
    """The same, but it comes back: by itself kafka-python 3.0.12 has lost the request and waits for ever."""
    with about_to_commit(alerts, kafka, 40) as child:
        cluster.kill()
        child.stdin.write("go on\n")
        child.stdin.flush()
        with suppress(subprocess.TimeoutExpired):
            child.wait(AWAY_S)  # the commit must have met the absence
        cluster.restart()
        _, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert arrived(read, alerts.topic) == expected(3)


def test_the_broker_is_killed_while_alerts_are_sent(alerts, read, cluster) -> None:
    sink = alerts(watchdog=Watchdog(60.0))
    sink.open("77ab")
    sink.send(entries(1, 5), "d5")
    producer = sink._producer
    honest = producer.flush

    def flush_then_die(*args):
        producer.flush = honest
        honest(*args)
        cluster.kill()
        raise ConnectionError("the broker is gone")

    producer.flush = flush_then_die
    back = threading.Timer(1.0, cluster.restart)
    back.start()
    try:
        sink.send(entries(6, 9), "d9")
    except DeliveryError:  # a busy machine's broker is away for longer than one sending tries; the outbox tries again
        back.join()
        sink.send(entries(6, 9), "d9")
    back.join()
    assert arrived(read, alerts.topic) == expected(9)


def test_an_unreachable_broker_leaves_entries_in_the_outbox(kafka) -> None:
    sink = KafkaAlertSink({"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 300}, "a", "n")
    with pytest.raises(DeliveryError, match="does not answer"):
        sink.open("77ab")


def test_topics_are_made_and_a_compacted_alerts_topic_is_refused(alerts, topic, kafka) -> None:
    alerts().open("77ab")
    with Cluster(kafka.settings) as cluster:
        made, positions = cluster.topic_settings(alerts.topic), cluster.topic_settings(f"{alerts.topic}.positions")
    assert (made["cleanup.policy"], made["retention.ms"], positions["cleanup.policy"]) == ("delete", "-1", "compact")
    compacted = topic(**{"cleanup.policy": "compact"})
    with pytest.raises(DeliveryError, match="is compacted: Kafka would delete"):
        KafkaAlertSink(kafka.settings, compacted, "n").open("77ab")


def test_an_alert_larger_than_the_topic_takes_is_named(alerts, topic, kafka) -> None:
    name = topic(**{"max.message.bytes": 2_000})
    sink = KafkaAlertSink(kafka.settings, name, name)
    sink.open("77ab")
    with pytest.raises(DeliveryError, match=r"sequence 7 needs 3514 bytes.*max\.message\.bytes"):
        sink.send([OutboxEntry(7, b"id", b"x" * 3_000)], "d")
    sink.close()


def test_strays_carry_their_origin_and_their_bytes(topic, kafka, read) -> None:
    name = topic(partitions=1, **{"max.message.bytes": 4_000})
    sink = KafkaStraySink(kafka.settings, name)
    origin = SourcePartition("payments", 3)
    sink.send([StrayRecord(origin, 7, "not JSON", b"key", b"{oops")])
    sink.send([StrayRecord(origin, 8, "too large", None, bytes(range(256)) * 40)])
    sink.send([StrayRecord(origin, 9, "late", None, None)])
    sink.flush()
    found = read(name)
    assert found[0] == (b"payments/3/7", b"{oops")
    assert found[1][0] == b"payments/3/8"
    assert (bytes(range(256)) * 40).startswith(found[1][1])
    assert 3_000 < len(found[1][1]) < 4_000
    assert found[2] == (b"payments/3/9", b"")
    sink.close()


def test_strays_of_one_partition_stay_together_and_in_order(topic, kafka) -> None:
    name = topic(partitions=3)
    sink = KafkaStraySink(kafka.settings, name)
    sink.send([StrayRecord(SourcePartition("t", at % 5), at, "r", None, b"v") for at in range(100)])
    sink.flush()
    sink.close()
    found = records(kafka.bootstrap, name)
    assert [(r.partition, r.key) for r in found] == [
        (there, b"t/%d/%d" % (at % 5, at)) for there in range(3) for at in range(100) if at % 5 % 3 == there
    ]


def test_a_refused_stray_does_not_stop_the_others(topic, kafka, read, monkeypatch) -> None:
    """The topic's limit is lower than was known: the refused one goes without its value, its batch mates unharmed."""
    name = topic(partitions=1, **{"max.message.bytes": 3_000})
    sink = KafkaStraySink({**kafka.settings, "compression_type": None}, name)
    origin = SourcePartition("payments", 0)
    sink.send([StrayRecord(origin, 0, "r", None, b"first")])
    sink.flush()
    sink._record_bytes_max = 10_000
    sink._producer.config["max_request_size"] = 20_000
    sink.send([StrayRecord(origin, at, "r", None, b"x" * (5_000 if at == 2 else 50)) for at in (1, 2, 3)])
    sink.flush()
    sink.flush()
    values = {key[-1:]: value for key, value in read(name)}
    assert values == {b"0": b"first", b"1": b"x" * 50, b"2": b"", b"3": b"x" * 50}
    sink.close()


def test_strays_that_cannot_be_sent_are_kept(topic, kafka, read) -> None:
    name = topic()
    sink = KafkaStraySink({"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 300}, name)
    sink.send([StrayRecord(SourcePartition("payments", 0), 0, "r", None, b"v")])
    with pytest.raises(DeliveryError, match=r"1 record waits to be sent to "):
        sink.flush()
    sink._settings = dict(kafka.settings)  # the broker is back
    sink.flush()
    assert read(name) == [(b"payments/0/0", b"v")]
    sink.close()


def test_journal_entries_arrive_in_order_under_their_numbers(topic, kafka, read) -> None:
    name = f"journal.{topic()}"  # made by the sink
    journal = KafkaJournal(kafka.settings, name)
    journal.send(0, [b"zero", b"one"])
    journal.send(2, [b"two"])
    journal.close()
    assert read(name) == [(b"0", b"zero"), (b"1", b"one"), (b"2", b"two")]
    with Cluster(kafka.settings) as cluster:
        assert [where.partition for where in cluster.describe([name]).partitions] == [0]
        assert cluster.topic_settings(name)["retention.ms"] == "-1"


def test_a_compacted_journal_topic_is_refused_and_a_missing_broker_named(topic, kafka) -> None:
    with pytest.raises(DeliveryError, match="Kafka would delete entries that a replay needs"):
        KafkaJournal(kafka.settings, topic(**{"cleanup.policy": "compact"})).send(0, [b"x"])
    with pytest.raises(DeliveryError, match=r"2 entries have not arrived in 'j'.*does not answer"):
        KafkaJournal({"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 200}, "j").send(0, [b"x", b"y"])


def test_a_marker_is_what_it_says() -> None:
    marker = Marker("77ab", 17, "c0de")
    assert Marker.decode(marker.encode(), "t") == marker
    with pytest.raises(DeliveryError, match="belongs to streamcheck alone"):
        Marker.decode(msgspec.json.encode({"lineage": 1}), "t")
