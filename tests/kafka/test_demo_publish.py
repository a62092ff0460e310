"""The demo's producer on a real broker: history at once, the present as it passes, a restart that repeats nothing."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streamcheck.adapters.simulate.payments import LABELS, PARTITIONS, PREDICTIONS

DEADLINE_S = 60.0


def produce(bootstrap: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streamcheck", "demo", "--publish", bootstrap, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def records(bootstrap: str) -> dict[str, list[dict[str, object]]]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        places = [TopicPartition(source.topic, source.partition) for source in PARTITIONS]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: dict[str, list[dict[str, object]]] = {PREDICTIONS: [], LABELS: []}
        deadline = time.monotonic() + DEADLINE_S
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline
            for place, batch in consumer.poll(200).items():
                found[place.topic] += [orjson.loads(record.value) for record in batch]
        return found
    finally:
        consumer.close()


def test_history_then_the_present_and_a_restart_that_repeats_nothing(kafka) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        assert not {PREDICTIONS, LABELS} & set(admin.list_topics())
        began_ms = time.time() * 1000
        first = produce(kafka.bootstrap, "--history", "1.5")
        told = first.stdout.readline()
        assert "payments since" in told
        deadline = time.monotonic() + DEADLINE_S
        while not any(event["ts"] >= began_ms for event in records(kafka.bootstrap)[PREDICTIONS]):
            assert time.monotonic() < deadline, "no payment of the present"
        first.send_signal(signal.SIGTERM)
        rest, _ = first.communicate(timeout=DEADLINE_S)
        assert first.returncode == 0, rest
        before = records(kafka.bootstrap)
        assert f"{sum(map(len, before.values())):,} records sent" in rest
        times = [event["ts"] for event in before[PREDICTIONS]]
        assert min(times) < began_ms - 5_300_000
        assert max(times) < time.time() * 1000
        assert before[LABELS]

        second = produce(kafka.bootstrap, "--history", "1.5")
        while len(records(kafka.bootstrap)[PREDICTIONS]) == len(before[PREDICTIONS]):
            assert time.monotonic() < deadline + DEADLINE_S, "the second producer sends nothing"
        os.kill(second.pid, signal.SIGINT)
        second.communicate(timeout=DEADLINE_S)
        after = records(kafka.bootstrap)[PREDICTIONS]
        assert max(Counter(event["event_id"] for event in after).values()) == 1
        new = [event["ts"] for event in after if event["ts"] > max(times)]
        assert len(after) - len(before[PREDICTIONS]) == len(new), "the past was told again"
    finally:
        admin.delete_topics([topic for topic in (PREDICTIONS, LABELS) if topic in admin.list_topics()])
        admin.close()
