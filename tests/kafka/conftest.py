"""Topics and producers on the session's broker (tests/conftest.py)."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.source import KafkaSource


@pytest.fixture(autouse=True)
def clean(no_leaks_for_others: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def admin(kafka: Any) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


Topics = Callable[..., str]
_numbers = itertools.count(1)


@pytest.fixture
def topic(admin: KafkaAdminClient, request: pytest.FixtureRequest) -> Topics:
    """Makes topics of their own name: `topic(partitions=2, **{"cleanup.policy": "compact"})`."""

    def make(partitions: int = 1, **configs: object) -> str:
        name = f"{request.node.originalname}.{os.getpid()}.{next(_numbers)}"[-200:]
        settings = {"retention.ms": "-1", **{key: str(value) for key, value in configs.items()}}
        admin.create_topics({name: {"num_partitions": partitions, "configs": settings}}, wait_for_metadata=True)
        return name

    return make


@pytest.fixture
def producer(kafka: Any) -> Iterator[Callable[..., KafkaProducer]]:
    """Makes producers, and closes them."""
    made: list[KafkaProducer] = []

    def make(**settings: object) -> KafkaProducer:
        client = KafkaProducer(bootstrap_servers=kafka.bootstrap, **settings)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(timeout=5)


# ------------------------------------------------------------------ sinks of alerts
@pytest.fixture
def alerts(kafka: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes sinks on one topic of this test's own, and closes them."""
    topic = f"alerts.{request.node.originalname}"
    opened: list[KafkaAlertSink] = []

    def make(name: str = "payments", **options: Any) -> KafkaAlertSink:
        opened.append(KafkaAlertSink(kafka.settings, topic, f"{topic}.{name}", **options))
        return opened[-1]

    make.topic = topic
    yield make
    for sink in opened:
        sink.close()


@pytest.fixture
def read(kafka: Any) -> Callable[[str], list[tuple[bytes | None, bytes | None]]]:
    """The committed (key, value) pairs of a topic, in order."""

    def values(topic: str) -> list[tuple[bytes | None, bytes | None]]:
        source = KafkaSource({**kafka.settings, "fetch_min_bytes": 1}, [topic], "reader", watch_every_s=0.3)
        try:
            source.start(source.offsets_at("earliest"))
            found: list[tuple[bytes | None, bytes | None]] = []
            for _ in range(100):
                for batch in source.poll(0.2):
                    found += zip(batch.keys, batch.values, strict=True)
                if all(s.position == s.high_watermark for s in source.status().values()):
                    return found
            raise AssertionError("the topic does not come to an end")
        finally:
            source.close()

    return values


# ------------------------------------------------------------------ one config and its command line
ROOT = Path(__file__).parents[2]
START_MS = 1_767_225_600_000
STEP_MS = 250
SHIFT_ROW = 1_700
WAIT_S = 60
CONFIG = """
version: 1
name: {name}
kafka: {{bootstrap_servers: "{bootstrap}"}}
start: {start}
streams:
  predictions:
    topic: {events}
    id: id
    features: {{amount: numeric}}
    segments: [tier]
time: {{pane: 5s, lateness: 2s, idle_after: 10m}}
reference: {{first: 1m}}
monitors:
  - {{name: shift, on: amount, measure: mean_shift, detector: {{threshold: {{above: 3}}}}, alert: {{cooldown: 10s}}}}
  - {{name: amount-adwin, on: amount, by: [tier], detector: {{adwin: {{delta: 0.002}}}}, alert: {{cooldown: 10s}}}}
alerts: {{topic: {name}.alerts, owner: me}}
dead_letter: {{topic: {name}.rejects}}
{journal}
state: {{dir: state-{name}, commit_every: 200ms}}
prometheus: {{listen: "127.0.0.1:0"}}
{more}
"""


class World:
    """One config on a topic of its own, and the command line in a folder of its own."""

    def __init__(self, folder: Path, bootstrap: str, events: str, publish: Callable[..., None]) -> None:
        self.folder, self.bootstrap, self.events, self.publish = folder, bootstrap, events, publish
        self.name = events.replace(".", "-")
        self.started: list[subprocess.Popen[bytes]] = []
        self.write()

    @property
    def directory(self) -> Path:
        return self.folder / f"state-{self.name}"

    def write(
        self, start: str = "earliest", *, journal: bool = True, more: str = "", changed: tuple[str, str] = ("", "")
    ) -> None:
        """The config; `changed`: words in its text, and what stands there instead."""
        line = f"journal: {{topic: {self.name}.journal}}" if journal else ""
        values = {"name": self.name, "bootstrap": self.bootstrap, "events": self.events, "start": start}
        text = CONFIG.format(journal=line, more=more, **values)
        assert changed[0] in text
        (self.folder / "config.yaml").write_text(text.replace(*changed) if changed[0] else text)

    def command(self, *args: str) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "streamcheck", *args], {**os.environ, "PYTHONPATH": str(ROOT)}

    def cli(self, *args: str) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(*args)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
        )

    def state(self, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.cli("state", verb, "config.yaml", *options)

    def json(self, verb: str, *options: str, code: int = 0) -> Any:
        done = self.state(verb, *options, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def findings(self, code: int, *options: str) -> dict[str, str]:
        """What `state check` complains of, by what it is about."""
        found = self.json("check", *options, code=code)
        assert found["usable"] == (code == 0)
        return {each["about"]: each["text"] for each in found["findings"] if each["level"] == "fault"}

    def run(self, *options: str, code: int = 0) -> str:
        """Read everything there is, and stop."""
        done = self.cli("run", "config.yaml", "--until-end", "--no-supervise", *options)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    def start(self) -> subprocess.Popen[bytes]:
        command, environment = self.command("run", "config.yaml", "--no-supervise")
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL)
        self.started.append(process)
        return process

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.1)
        return found

    def records(self, topic: str) -> list[bytes]:
        """The committed values of a topic, partition by partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed", group_id=None)
        try:
            parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic) or ())]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends, found = consumer.end_offsets(parts), []
            deadline = time.monotonic() + WAIT_S
            while any(consumer.position(part) < ends[part] for part in parts):
                assert time.monotonic() < deadline
                found += [record for batch in consumer.poll(200).values() for record in batch]
            return [record.value for record in sorted(found, key=lambda each: (each.partition, each.offset))]
        finally:
            consumer.close()

    @property
    def alerts(self) -> list[bytes]:
        return self.records(f"{self.name}.alerts")

    @property
    def lineages(self) -> list[str]:
        return list(dict.fromkeys(json.loads(alert)["lineage"] for alert in self.alerts))


@pytest.fixture
def publish_rows(producer: Any) -> Callable[..., None]:
    """Sends rows: `publish_rows(topic, first, last, partitions=2)`."""

    def send(topic: str, first: int, last: int, partitions: int = 1) -> None:
        out = producer(linger_ms=20)
        for row in range(first, last):
            amount = (10.0 + row * 7919 % 101 / 10) * (10 if row // 350 % 2 and row >= SHIFT_ROW else 1)
            event = {"id": f"e{row}", "amount": amount, "tier": "premium" if row % 5 == 0 else "general"}
            value = b"garbage" if row % 97 == 0 else json.dumps(event).encode()
            out.send(topic, value, partition=row % partitions, timestamp_ms=START_MS + row * STEP_MS)
        out.flush()

    return send


@pytest.fixture
def world(tmp_path: Path, kafka: Any, topic: Topics, publish_rows: Callable[..., None]) -> Iterator[World]:
    made = World(tmp_path, kafka.bootstrap, topic(partitions=2), publish_rows)
    made.publish(made.events, 0, 3_000, partitions=2)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.wait()
