"""From topics to gauges without writing a line: init, check, run."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from kafka import KafkaAdminClient

from streamcheck.adapters.kafka.publish import Publisher, make_topics
from streamcheck.adapters.simulate import PaymentsStream
from streamcheck.adapters.simulate.payments import LABELS, PREDICTIONS
from tests.hostile import log

DEADLINE_S = 90.0


def streamcheck(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "streamcheck", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_from_topics_to_gauges(kafka, tmp_path: Path) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    stream = PaymentsStream(duration_ms=4 * 3_600_000)
    try:
        make_topics(kafka.settings, stream.partitions())
        with Publisher(kafka.settings) as publisher:
            for step in stream.steps():
                publisher.send(step.records)
        said = streamcheck("init", "--kafka", kafka.bootstrap, "--topic", PREDICTIONS, "--labels", LABELS, cwd=tmp_path)
        assert "fraud (binary)" in said
        assert f"is_fraud of {LABELS}, by event_id" in said
        streamcheck("check", "streamcheck.yaml", cwd=tmp_path)
        config = tmp_path / "streamcheck.yaml"
        config.write_text(
            config.read_text().replace("127.0.0.1:9108", "127.0.0.1:0").replace("start: latest", "start: earliest")
        )
        command = [sys.executable, "-m", "streamcheck", "run", "streamcheck.yaml", "--no-supervise"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                page = next(line.split()[-1] for line in process.stderr if "gauges at" in line)
                deadline, gauges = time.monotonic() + DEADLINE_S, ""
                while "streamcheck_value{" not in gauges:
                    assert time.monotonic() < deadline, gauges[-2000:]
                    with urllib.request.urlopen(f"{page}metrics", timeout=10) as answer:
                        gauges = answer.read().decode()
            finally:
                process.terminate()
                process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
    finally:
        own = [topic for topic in admin.list_topics() if topic.startswith("payments.")]
        admin.delete_topics(own)
        admin.close()


def test_batches_that_nobody_can_read_are_stepped_over(kafka, cluster, topic, producer, tmp_path: Path) -> None:
    """Damaged on the broker's disk, in the topic of the predictions and in one of those where labels are looked for."""
    names, out = (topic(1), topic(1)), producer(linger_ms=30)
    for start in (0, 10, 20):
        for name in names:
            for at in range(start, start + 10):
                out.send(name, b'{"order_id":"o%d","decision":%d,"basket":%d}' % (at, at % 2, at))
            out.flush()
    for name in names:
        log.damage(cluster.segments(name)[-1], 10, log.malformed)
    path = tmp_path / "streamcheck.yaml"
    said = streamcheck("init", str(path), "--kafka", kafka.bootstrap, "--topic", names[0], "--json", cwd=tmp_path)
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert found["events"] == 20
    assert any("10 of 30 sampled records" in doubt for doubt in found["doubts"]), found["doubts"]
    assert f"topic: {names[0]}" in path.read_text()


def test_labels_are_found_by_their_ids(kafka, tmp_path: Path) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        admin.create_topics(
            {
                name: {"num_partitions": 2, "configs": {"retention.ms": "-1"}}
                for name in ("shop.scores", "shop.verdicts", "shop.clicks")
            },
            wait_for_metadata=True,
        )
        with Publisher(kafka.settings) as publisher:
            publisher.send(
                record("shop.scores", i, b'{"order_id":"o%d","decision":%d,"basket":%d}' % (i, i % 2, i))
                for i in range(200)
            )
            publisher.send(
                record("shop.verdicts", i, b'{"order_id":"o%d","outcome":%d}' % (i, i % 2)) for i in range(200)
            )
            publisher.send(record("shop.clicks", i, b'{"click_id":"c%d"}' % i) for i in range(200))
        command = ["init", "--kafka", kafka.bootstrap, "--topic", "shop.scores", "--stdout"]
        text = streamcheck(*command, cwd=tmp_path)
        assert "topic: shop.verdicts" in text
        assert "label: outcome" in text
    finally:
        admin.delete_topics(["shop.scores", "shop.verdicts", "shop.clicks"])
        admin.close()


class record:  # noqa: N801 - as short as what it stands for
    def __init__(self, topic: str, number: int, value: bytes) -> None:
        self.topic, self.partition, self.key, self.value = topic, number % 2, b"%d" % number, value
        self.timestamp_ms = 1_772_359_200_000 + number * 1000
