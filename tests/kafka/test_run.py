"""Does `streamcheck run`, as a process of its own, do on a real broker what it promises?"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import NewPartitions

from streamcheck.adapters.kafka.admin import Cluster

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
START_MS = 1_767_225_600_000
STEP_MS = 250
SHIFT_ROW, WRONG_ROW = 2_400, 2_700  # after a thousand rows that lay out the histograms and 1,200 of reference
WAIT_S = 60
STOP_S = 10
CONFIG = """
version: 1
name: {name}
kafka: {{bootstrap_servers: "{bootstrap}", client: {client}}}
start: {start}
streams:
  predictions:
    topic: {predictions}
    id: id
    prediction: fraud
    score: probability
    task: binary
    features: {{amount: numeric, country: categorical}}
    segments: [tier]
  labels: {{topic: {labels}, id: id, label: fraud, horizon: 1h}}
time: {{pane: 10s, lateness: 5s, idle_after: 10m}}
reference: {{first: 5m}}
monitors:
  - on: defaults
  - {{name: amount-adwin, on: amount, by: [tier], detector: {{adwin: {{delta: 0.002}}}}}}
alerts: {{topic: {out}.alerts, owner: me}}
dead_letter: {{topic: {out}.rejects}}
journal: {{topic: {out}.journal}}
state: {{dir: state-{out}, commit_every: 1s}}
prometheus: {{listen: "127.0.0.1:0"}}
limits: {{message_bytes: 4KiB}}
"""


class Service:
    """A `streamcheck run`: what it says, where its pages are, how it ends."""

    def __init__(self, folder: Path, config: str, *options: str) -> None:
        self._log = folder / f"log-{time.monotonic_ns()}"
        path = folder / f"config-{time.monotonic_ns()}.yaml"
        path.write_text(config)
        command = [sys.executable, "-c", "from streamcheck.cli import main; main()", "run", str(path), *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def said(self) -> str:
        return self._log.read_text()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something that comes while the process lives."""
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert self.process.poll() is None, f"ended before {what}:\n{self.said()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.said()}"
            time.sleep(0.05)
        return found

    def get(self, path: str) -> tuple[int, str]:
        address = self.until(lambda: re.search(r"gauges at (http://\S+)/", self.said()), "the page")[1]
        try:
            with urllib.request.urlopen(address + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def gauge(self, name: str, **labels: str) -> float:
        """The largest value of a gauge among the series that have these labels; 0 without any."""
        lines = re.findall(rf"^streamcheck_{name}(?:{{(.*)}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        values = [float(value) for found, value in lines if all(f'{k}="{v}"' in found for k, v in labels.items())]
        return max(values, default=0.0)

    def read(self, topic: str, row: int, **labels: str) -> None:
        """Wait until the event of this row has been read, and everything else there is."""
        newest_s = (START_MS + row * STEP_MS) / 1000
        self.until(lambda: self.gauge("newest_seconds", topic=topic, **labels) == newest_s, f"row {row} of {topic}")
        self.until(lambda: self.gauge("lag_records") == 0, "no lag")

    def stop(self) -> None:
        """SIGTERM; it must end well, and soon."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S + WAIT_S)
        assert code == 0, self.said()
        assert time.monotonic() - began < STOP_S

    def ended(self) -> int:
        return self.process.wait(WAIT_S)


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., Service]]:
    """Starts services, and ends those that are still there."""
    started: list[Service] = []

    def start(config: str, *options: str) -> Service:
        started.append(Service(tmp_path, config, *options))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


@pytest.fixture
def publish(producer):
    """Sends events: `publish(topic, [(row, value), …], partitions=2)`, the row giving the time and the partition."""

    def send(topic: str, events: list[tuple[int, bytes | None]], partitions: int = 1) -> None:
        out = producer(linger_ms=20)
        sent = [
            out.send(topic, value, key=b"k", partition=row % partitions, timestamp_ms=START_MS + row * STEP_MS)
            for row, value in events
        ]
        out.flush()
        for future in sent:
            future.get(timeout=10)

    return send


@pytest.fixture
def committed(kafka) -> Callable[[str], list[Any]]:
    """The records of a topic, as a reader of committed ones sees them, in the order of partition and offset."""

    def records(topic: str) -> list[Any]:
        consumer = KafkaConsumer(
            bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )
        try:
            parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic) or ())]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends, deadline, found = consumer.end_offsets(parts), time.monotonic() + WAIT_S, []
            while any(consumer.position(part) < ends[part] for part in parts):
                assert time.monotonic() < deadline, f"{topic} does not come to its end"
                found += [record for batch in consumer.poll(200).values() for record in batch]
            return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            consumer.close()

    return records


def predictions(first: int, last: int) -> list[tuple[int, bytes | None]]:
    """Four a second; the amount is ten times as large from SHIFT_ROW on."""
    rows = range(first, last)
    return [
        (
            row,
            json.dumps(
                {
                    "id": f"e{row}",
                    "amount": (10.0 + row * 7919 % 101 / 10) * (10 if row >= SHIFT_ROW else 1),
                    "country": "DE" if row * 31 % 7 else "FR",
                    "tier": "premium" if row % 5 == 0 else "general",
                    "fraud": int(row * 17 % 11 == 0),
                    "probability": 0.9 if row * 17 % 11 == 0 else 0.1,
                }
            ).encode(),
        )
        for row in rows
    ]


def labels(first: int, last: int) -> list[tuple[int, bytes | None]]:
    """The truth of each event, 60 rows later: the model is wrong on every 13th, on every third from WRONG_ROW on."""
    return [
        (row + 60, json.dumps({"id": f"e{row}", "fraud": int((row * 17 % 11 == 0) != wrong(row))}).encode())
        for row in range(first, last)
    ]


def wrong(row: int) -> bool:
    return row % 3 == 0 if row >= WRONG_ROW else row % 13 == 0


def without_lineage(records: list[Any]) -> list[tuple[bytes, bytes]]:
    """Keys and bytes of alerts, but for the name of the state's life."""
    return [(record.key, re.sub(rb'"lineage":"[0-9a-f]*",', b"", record.value)) for record in records]


def test_stop_and_resume_give_the_alert_log_of_one_run(kafka, topic, run, publish, committed, admin, client) -> None:
    """And what one client reads in pieces comes to the same bytes as what the other reads in one go."""
    names = {"predictions": topic(partitions=2), "labels": topic(), "bootstrap": kafka.bootstrap, "start": "earliest"}
    name = names["predictions"].replace(".", "-")
    config = CONFIG.format(name=name, out=f"{name}.stopped", client=client, **names)
    rows, stops = 3_600, (777, 2_434, 3_600)
    first = 0
    for last in stops:
        publish(names["predictions"], predictions(first, last), partitions=2)
        publish(names["labels"], labels(first, last))
        service = run(config)
        service.read(names["predictions"], last - 1)
        service.read(names["labels"], last - 1 + 60)
        first = last
        if last == rows:
            check_pages(service)
        service.stop()
    progress = admin.list_group_offsets(name)[name]
    for partition in (0, 1):  # all but what is open at the end, less than three panes
        at = progress[TopicPartition(names["predictions"], partition)].offset
        assert rows / 2 - 60 < at < rows / 2
    text = CONFIG.format(name=name, out=f"{name}.whole", client="kafka-python", **names)
    whole = run(text, "--until-end", "--json")
    assert whole.ended() == 0, whole.said()
    assert json.loads(whole.said().splitlines()[-1])["events"] == 2 * rows

    stopped = committed(f"{name}.stopped.alerts")
    assert without_lineage(stopped) == without_lineage(committed(f"{name}.whole.alerts"))
    fired = {record["monitor"] for record in map(json.loads, (r.value for r in stopped)) if record["state"] == "firing"}
    assert {"amount-mean_shift", "amount-adwin"} <= fired
    assert any(monitor.startswith("accuracy") for monitor in fired)
    with Cluster(kafka.settings) as cluster:
        settings = cluster.topic_settings(f"{name}.stopped.alerts")
        assert (settings["cleanup.policy"], settings["retention.ms"]) == ("delete", "-1")
        assert "compact" in cluster.topic_settings(f"{name}.stopped.alerts.positions")["cleanup.policy"]


def check_pages(service: Service) -> None:
    """Gauges, probes and alerts, as of now."""
    page = service.get("/metrics")[1]
    for gauge in ("value", "score", "threshold", "rows", "alert_state"):
        series = rf'^streamcheck_{gauge}{{.*column="amount".*monitor="amount-mean_shift"'
        assert re.search(series, page, re.MULTILINE), gauge
    for gauge in (
        *("accuracy", "accuracy_low", "accuracy_high", "events_total", "alerts_total", "watermark_seconds"),
        *("lag_records", "join_pending", "last_commit_seconds"),
    ):
        pattern = re.compile(rf"^streamcheck_{gauge}[ {{]", re.MULTILINE)
        service.until(lambda pattern=pattern: pattern.search(service.get("/metrics")[1]), gauge)  # some await a commit
    service.until(lambda: service.gauge("alert_state", monitor="amount-mean_shift") == 2, "a firing gauge")
    assert service.get("/healthz")[0] == service.get("/readyz")[0] == service.get("/")[0] == 200
    firing = json.loads(service.get("/api/alerts")[1])["firing"]
    assert "amount-mean_shift" in {alert["monitor"] for alert in firing}


def test_a_broker_that_is_away_at_start_and_at_the_end(kafka, cluster, topic, run, publish, client) -> None:
    names = {"predictions": topic(), "labels": topic(), "bootstrap": kafka.bootstrap, "start": "earliest"}
    names["client"] = client
    name = names["predictions"].replace(".", "-")
    config = CONFIG.format(name=name, out=name, **names)
    publish(names["predictions"], predictions(0, 100))
    publish(names["labels"], labels(0, 100))  # without them no pane would close
    cluster.kill()
    service = run(config)
    service.until(lambda: "does not answer" in service.said(), "a message")
    assert "check kafka.bootstrap_servers" in service.said()
    assert service.get("/healthz")[0] == 200
    assert service.get("/readyz")[0] == 503
    assert "streamcheck_broker_connected 0.0" in service.get("/metrics")[1]
    cluster.restart()
    service.read(names["predictions"], 99)
    service.until(lambda: service.gauge("broker_connected") == 1, "a gauge of the broker")
    cluster.kill()
    service.until(lambda: service.gauge("broker_connected") == 0, "the gauge to notice")
    service.stop()
    cluster.restart()


def test_a_topic_that_does_not_exist(kafka, topic, run, client) -> None:
    near = topic()
    config = CONFIG.format(
        name="nowhere",
        out="nowhere",
        predictions=near + "x",
        labels=near,
        bootstrap=kafka.bootstrap,
        client=client,
        start="earliest",
    )
    service = run(config)
    assert service.ended() == 1
    assert f"topic '{near}x' does not exist on this cluster, did you mean '{near}'?" in service.said()
    assert "Traceback" not in service.said()


def test_bad_events_are_set_aside_and_change_nothing(kafka, topic, run, publish, committed, client) -> None:
    bad: list[tuple[str, bytes | None]] = [
        ("not JSON", b'{"id": "e1", '),
        ("not JSON", b'{"id": "\xff\xfe"}'),
        ("not JSON", b'{"id": "n", "amount": ' + b"[" * 600 + b"]" * 600 + b"}"),
        ("not an object", b"[1, 2]"),
        ("bad id", b'{"id": {"no": 1}, "amount": 1.0}'),
        ("missing id", b'{"amount": 1.0}'),
        ("too large", b'{"id": "' + b"x" * 5_000 + b'"}'),
        ("tombstone", None),
    ]
    good, mixed, truth = topic(), topic(), topic()
    spoiled = [(650, b'{"id": "n", "amount": NaN, "country": 1e999, "tier": []}')]  # its fields, not the event
    publish(good, predictions(0, 650) + spoiled + predictions(650, 3_000))
    middle = [(700, value) for _, value in bad]
    publish(mixed, predictions(0, 650) + spoiled + predictions(650, 700) + middle + predictions(700, 3_000))
    publish(truth, labels(0, 2_900))
    name = mixed.replace(".", "-")
    logs = {}
    for source in (good, mixed):
        names = {"predictions": source, "labels": truth, "bootstrap": kafka.bootstrap, "start": "earliest"}
        service = run(CONFIG.format(name=name, out=f"{source}.out", client=client, **names), "--until-end")
        assert service.ended() == 0, service.said()
        logs[source] = without_lineage(committed(f"{source}.out.alerts"))
    assert logs[mixed] == logs[good]
    assert logs[good]
    letters = committed(f"{mixed}.out.rejects")
    found = {int(dict(letter.headers)["source-offset"]): letter for letter in letters}
    assert sorted(found) == list(range(701, 701 + len(bad)))
    for offset, (_, value) in enumerate(bad, 701):
        headers = dict(found[offset].headers)
        assert (headers["source-topic"], headers["source-partition"]) == (mixed.encode(), b"0")
        assert found[offset].value == (value or b"")
        assert ("no-value" in headers) == (value is None)
    reasons = [dict(found[offset].headers)["reason"].decode() for offset in sorted(found)]
    assert reasons == [reason for reason, _ in bad]


def test_start_at_the_end_or_at_a_time_and_a_partition_that_is_added(
    kafka, topic, run, publish, admin, client
) -> None:
    names = {"predictions": topic(), "labels": topic(), "bootstrap": kafka.bootstrap, "client": client}
    name = names["predictions"].replace(".", "-")
    publish(names["predictions"], predictions(0, 300))
    latest = run(CONFIG.format(name=f"{name}-l", out=f"{name}.l", start="latest", **names))
    at = run(CONFIG.format(name=f"{name}-t", out=f"{name}.t", start="2026-01-01T00:01:00Z", **names), "--until-end")
    assert at.ended() == 0, at.said()
    assert at.said().splitlines()[-1].startswith("60 events, ")
    latest.until(lambda: latest.get("/readyz")[0] == 200, "readiness")
    publish(names["predictions"], predictions(300, 310))
    latest.read(names["predictions"], 309)
    admin.create_partitions({names["predictions"]: NewPartitions(total_count=2)})
    latest.until(lambda: len(admin.describe_topics([names["predictions"]])[0]["partitions"]) == 2, "the partition")
    publish(names["predictions"], [(row * 2 + 1, value) for row, value in predictions(155, 160)], partitions=2)
    latest.read(names["predictions"], 319, partition="1")
    latest.read(names["predictions"], 309, partition="0")
    latest.stop()
