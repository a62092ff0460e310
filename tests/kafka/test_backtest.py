"""Replay = live: topics on a real broker give the alerts of the run, and so do files exported from them."""

import hashlib
import json
import logging
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaConsumer, TopicPartition

from streamcheck.adapters.kafka.history import TopicHistory
from streamcheck.cli import main
from streamcheck.core.types import SourcePartition
from tests.conftest import NO_FAST_CLIENT
from tests.kafka.conftest import START_MS, STEP_MS, WAIT_S, World

pytestmark = pytest.mark.kafka

CONFIG = """
version: 1
name: {name}
kafka: {{bootstrap_servers: "{bootstrap}"}}
start: earliest
streams:
  predictions:
    topic: {events}
    id: id
    time: {{field: ts, unit: ms}}
    prediction: fraud
    task: binary
    features: {{amount: numeric, country: categorical}}
    segments: [tier]
  labels: {{topic: {labels}, id: id, label: truth, time: {{field: known, unit: ms}}, horizon: 10m}}
time: {{pane: 5s, lateness: 2s, idle_after: 1s, max_future: 1m}}
reference: {{first: 1m}}
monitors:
  - name: shift
    on: amount
    by: [tier]
    measure: mean_shift
    detector: {{threshold: {{above: 3}}}}
    alert: {{cooldown: 10s}}
  - {{name: adwin, on: amount, by: [tier], detector: {{adwin: {{delta: 0.002}}}}, alert: {{cooldown: 10s}}}}
  - {{name: floor, on: accuracy, window: {{rows: 100}}, detector: {{threshold: {{below: 0.8}}}}}}
  - {{on: [volume, country]}}
alerts: {{topic: {name}.alerts, owner: me}}
journal: {{topic: {name}.journal}}
state: {{dir: state-{name}, commit_every: 200ms}}
prometheus: {{listen: "127.0.0.1:0"}}
"""


class Streams(World):
    """Two partitions of predictions, one of labels; times in fields, some rows late, some no events at all."""

    labels = ""

    def write(self, *_: Any, **__: Any) -> None:
        names = {"name": self.name, "bootstrap": self.bootstrap, "events": self.events, "labels": self.labels}
        (self.folder / "config.yaml").write_text(CONFIG.format(**names))

    def send(self, first: int, last: int, partitions: tuple[int, ...] = (0, 1)) -> None:
        """Rows of the stream, with their labels a minute later."""
        rng = random.Random(first)
        out = self.publish(linger_ms=20)
        for row in range(first, last):
            at = START_MS + row * STEP_MS
            amount = rng.gauss(10, 1) * (8 if row // 300 % 2 and row >= 900 else 1)
            event = {
                "id": f"e{row}",
                "ts": at - (20_000 if row % 83 == 0 else 0),
                "amount": amount,
                "fraud": row % 4 == 0,
            }
            event |= {"tier": "ab"[row % 5 == 0], "country": rng.choice(["DE", "FR"])}
            value = b"garbage" if row % 97 == 0 else json.dumps(event).encode()
            out.send(self.events, value, partition=partitions[row % len(partitions)], timestamp_ms=at)
            truth = (row % 4 == 0) != (row // 400 % 2 == 1 and rng.random() < 0.5)
            label = {"id": f"e{row}", "known": at + 60_000, "truth": truth}
            out.send(self.labels, json.dumps(label).encode(), timestamp_ms=at + 60_000)
        out.flush()

    def journal(self, kind: str) -> list[Any]:
        return [entry for entry in map(json.loads, self.records(f"{self.name}.journal")) if entry["kind"] == kind]

    def files(self) -> list[str]:
        """Each partition as a file of JSON Lines; what a command line says of them."""
        said = []
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None)
        for option, topic, number in (
            ("--predictions", self.events, 0), ("--predictions", self.events, 1), ("--labels", self.labels, 0),
        ):  # fmt: skip
            part = TopicPartition(topic, number)
            consumer.assign([part])
            consumer.seek_to_beginning(part)
            end, values = consumer.end_offsets([part])[part], []
            while consumer.position(part) < end:
                values += [record.value for batch in consumer.poll(200).values() for record in batch]
            path = self.folder / f"{topic}-{number}.jsonl"
            path.write_bytes(b"".join(value + b"\n" for value in values))
            said += [option, str(path)]
        consumer.close()
        return said

    def backtest(self, *options: str, code: int = 0) -> tuple[bytes, Any]:
        out = self.folder / "out.jsonl", self.folder / "out.json"
        done = self.cli("backtest", "config.yaml", "--alerts", str(out[0]), "--json", str(out[1]), *options)
        assert done.returncode == code, done.stdout + done.stderr
        return out[0].read_bytes(), json.loads(out[1].read_bytes())


@pytest.fixture
def streams(tmp_path: Path, kafka: Any, topic: Any, producer: Any) -> Iterator[Streams]:
    Streams.labels = topic()
    made = Streams(tmp_path, kafka.bootstrap, topic(partitions=2), producer)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.wait()


def fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_topics_and_files_give_the_alerts_of_the_run(streams: Streams, admin: Any) -> None:
    streams.send(0, 1_000)
    streams.run()  # stops at the end of the topics, and resumes below
    shutil.copytree(streams.directory, streams.folder / "snapshot")
    held = len(streams.alerts)
    process = streams.start()
    streams.send(1_000, 2_000, partitions=(0,))
    newest = START_MS + 1_900 * STEP_MS
    streams.until(lambda: any(e["until_ms"] > newest for e in streams.journal("advance")), "silence of all")
    streams.send(1_950, 2_100, partitions=(1,))  # it comes back: what has closed meanwhile is closed to it
    streams.until(lambda: streams.journal("floor"), "a floor")
    process.send_signal(signal.SIGKILL)
    process.wait(WAIT_S)
    streams.send(2_100, 3_000)
    process = streams.start()
    end = START_MS + 3_000 * STEP_MS + 60_000 + 10_000
    streams.until(lambda: any(e["until_ms"] > end for e in streams.journal("advance")), "silence at the end")
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    live = b"".join(line + b"\n" for line in streams.alerts)
    assert held  # something stands in the snapshot, and much comes after it
    assert len(live.splitlines()) > held + 5
    groups, before = admin.list_groups(), fingerprint(streams.directory)
    of_topics, result = streams.backtest("--journal", "topic")
    assert of_topics == live
    assert (result["complete"], result["input"]["kind"]) == (True, "topics")
    assert sum(books["late"] for books in result["partitions"].values()) > 10
    assert streams.state("export", "--journal", "journal.jsonl", "out").returncode == 0
    of_files, _ = streams.backtest(*streams.files(), "--journal", "journal.jsonl")
    assert of_files == live
    snapshot = str(streams.folder / "snapshot")
    tail, _ = streams.backtest("--state", snapshot, "--journal", "topic")
    first = json.loads(tail.splitlines()[0])["sequence"] - 1
    assert first <= held
    assert tail == b"".join(line + b"\n" for line in live.splitlines()[first:])
    tail_of_files, _ = streams.backtest(*streams.files(), "--state", snapshot, "--journal", "journal.jsonl")
    assert tail_of_files == tail
    without, other = streams.backtest()
    assert without != live, "the journal must tell something that the topics do not"
    assert other["lineage"] != result["lineage"]
    assert streams.alerts == live.splitlines()
    assert fingerprint(streams.directory) == before
    assert admin.list_groups() == groups


def test_from_and_to_read_no_more_than_they_must(streams: Streams) -> None:
    streams.send(0, 3_000)
    whole, result = streams.backtest()
    assert result["predictions"] == sum(row % 97 != 0 for row in range(3_000))
    window = "--from", "2026-01-01T00:05:00Z", "--to", "2026-01-01T00:10:00Z"
    from_topics, bounded = streams.backtest(*window)
    from_files, of_files = streams.backtest(*streams.files(), *window)
    assert [bounded[k] for k in ("predictions", "from", "to")] == [of_files[k] for k in ("predictions", "from", "to")]
    assert bounded["from"] >= "2026-01-01T00:05:00"
    assert bounded["to"] < "2026-01-01T00:10:00"
    assert min(bounded["input"]["positions"].values()) > 0, "a field names the time: --from less max_future"
    assert bounded["events"] < result["events"]

    def kept(lines: bytes) -> list[Any]:
        return [{k: v for k, v in json.loads(line).items() if k != "lineage"} for line in lines.splitlines()]

    assert kept(from_topics) == kept(from_files) != kept(whole)


# ------------------------------------------------------------------ clients, configs, stops, and what topics lack
def test_the_second_client_and_other_configs_in_the_same_pass(streams: Streams) -> None:
    pytest.importorskip("confluent_kafka", reason=NO_FAST_CLIENT)
    streams.send(0, 2_400)
    text = (streams.folder / "config.yaml").read_text()
    (streams.folder / "other.yaml").write_text(
        text.replace("{threshold: {above: 3}}", "{threshold: {above: 0.2}}").replace("pane: 5s", "pane: 10s")
    )
    (streams.folder / "labels.yaml").write_text(text.replace("horizon: 10m", "horizon: 30s"))
    whole, alone = streams.backtest()
    assert whole
    against = "--against", "other.yaml", "--against", "labels.yaml"
    together, of_all = streams.backtest(*against)
    assert together == whole, "the first config gives what it gives by itself"
    (streams.folder / "config.yaml").write_text(text.replace("kafka: {", "kafka: {client: confluent, "))
    by_other, fast = streams.backtest(*against)
    assert by_other == whole, "whichever client reads"
    assert [kept(each) for each in (fast, *fast["others"])] == [kept(each) for each in (of_all, *of_all["others"])]
    for name, found in zip(("other", "labels"), of_all["others"], strict=True):
        (streams.folder / "config.yaml").write_text((streams.folder / f"{name}.yaml").read_text())
        assert kept(streams.backtest()[1]) == kept(found), name
    assert [row["name"] for row in of_all["compare"]] == ["config", "other", "labels"]
    assert of_all["compare"][1]["appeared"]
    assert alone["fired"] == of_all["fired"]


def kept(result: Any) -> Any:
    """What does not depend on which config was named first, and where it stands."""
    names = "transitions", "fired", "by_monitor", "predictions", "partitions", "join", "from", "to", "readings"
    alerts = [{name: value for name, value in alert.items() if name != "samples"} for alert in result["alerts"]]
    return {name: result[name] for name in names}, alerts


@pytest.fixture
def undecided(streams: Streams) -> Iterator[Streams]:
    """The last records of one partition are of a transaction that nobody ends."""
    streams.send(0, 2_000)
    left_open = streams.publish(transactional_id=f"{streams.name}.open", transaction_timeout_ms=300_000)
    left_open.init_transactions()
    left_open.begin_transaction()
    for row in range(2_000, 2_100):
        event = {"id": f"e{row}", "ts": START_MS + row * STEP_MS, "amount": 10.0, "fraud": False, "tier": "a"}
        left_open.send(streams.events, json.dumps({**event, "country": "DE"}).encode(), partition=0)
    left_open.flush()
    yield streams
    left_open.abort_transaction()


def test_an_open_transaction_ends_its_partition(
    undecided: Streams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamcheck.adapters.kafka.history.TopicHistory", partial(TopicHistory, stuck_s=2.0))
    done, result = here(undecided, caplog)
    assert done.exit_code == 0, done.output
    assert "a transaction is open at offset" in caplog.text
    assert result["complete"] is True
    assert result["predictions"] == sum(row % 97 != 0 for row in range(2_000)), "nothing of what is not decided"
    assert result["fired"] > 0


def test_ctrl_c_over_topics_tells_what_was_found(undecided: Streams) -> None:
    out = {name: undecided.folder / f"stopped.{name}" for name in ("jsonl", "json", "html")}
    options = "--alerts", out["jsonl"], "--json", out["json"], "--html", out["html"]
    command, environment = undecided.command("backtest", "config.yaml", *map(str, options))
    process = subprocess.Popen(command, cwd=undecided.folder, env=environment, stdout=subprocess.PIPE, text=True)
    undecided.started.append(process)
    undecided.until(lambda: out["jsonl"].exists() and out["jsonl"].stat().st_size, "alerts")
    assert process.poll() is None, "it waits for the transaction"
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "Stopped before the end: this is what was found until then" in told
    result = json.loads(out["json"].read_bytes())
    assert result["complete"] is False
    assert 0 < result["predictions"] <= 2_000
    assert result["fired"] == sum(b'"state":"firing"' in line for line in out["jsonl"].read_bytes().splitlines())
    assert "Stopped before the end" in out["html"].read_text()


def test_what_retention_removes_meanwhile_is_skipped_and_told(
    streams: Streams, admin: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    streams.send(0, 2_000)

    class Shrinking(TopicHistory):
        def starts(self, from_ms: int | None) -> dict[SourcePartition, int]:
            found = super().starts(from_ms)
            admin.delete_records({TopicPartition(streams.events, 1): 100})
            return found

    monkeypatch.setattr("streamcheck.adapters.kafka.history.TopicHistory", Shrinking)
    done, result = here(streams, caplog)
    assert done.exit_code == 0, done.output
    assert result["input"]["gaps"] == [[f"{streams.events}[1]", 0, 100]]
    assert "retention has removed offsets 0 to 100 meanwhile" in caplog.text
    gone = {row for row in range(2_000) if row % 2 == 1 and row < 200}
    assert result["predictions"] == sum(row % 97 != 0 for row in range(2_000) if row not in gone)
    assert result["complete"] is True


def here(streams: Streams, caplog: pytest.LogCaptureFixture) -> tuple[Result, Any]:
    """A backtest in this process."""
    caplog.set_level(logging.WARNING, "streamcheck")
    out = streams.folder / "here.json"
    done = CliRunner().invoke(main, ["backtest", str(streams.folder / "config.yaml"), "--json", str(out)])
    return done, json.loads(out.read_bytes()) if out.exists() and out.stat().st_size else None
