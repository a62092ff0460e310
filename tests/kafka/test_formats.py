"""Formats on a real broker: the same events in Avro, Protobuf, envelopes and JSON give the same alerts."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer, TopicPartition

from streamcheck.cli import main
from tests.unit.registry import Registry, avro, message, prefixed, proto_file, serialized, serving

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
START_MS, STEP_MS, ROWS, SHIFT_ROW, BAD_ROWS = 1_767_225_600_000, 50, 6_000, 4_600, (900, 901)
RUN_S = 120
CONFIG = """
version: 1
name: formats
kafka: {{bootstrap_servers: "{bootstrap}", client: {client}}}
start: earliest
{registry}
streams:
  predictions:
    topic: {topic}
    {form}
    id: $key
    time: {{field: ts, unit: {unit}}}
    model_version: model.version
    features: {{amount: numeric, tier: categorical, load: {{path: $headers.load, kind: numeric}}}}
    segments: [$headers.region]
time: {{pane: 5s, lateness: 2s, idle_after: 10m}}
reference: {{first: 30s}}
workers: {workers}
monitors:
  - name: shift
    on: [amount, load]
    by: [$headers.region]
    measure: mean_shift
    detector: {{threshold: {{above: 1.5}}}}
    alert: {{cooldown: 10s}}
  - {{on: [tier, volume]}}
alerts: {{topic: {topic}.alerts, owner: me}}
dead_letter: {{topic: {topic}.rejects}}
state: {{dir: state, commit_every: 200ms}}
prometheus: {{listen: "127.0.0.1:0"}}
"""
MODEL = {"type": "record", "name": "Model", "namespace": "m", "fields": [{"name": "version", "type": "string"}]}
ROW: dict[str, Any] = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "amount", "type": ["null", "double"]},
        {"name": "tier", "type": {"type": "enum", "name": "Tier", "symbols": ["BASIC", "GOLD"]}},
        {"name": "model", "type": "m.Model"},
    ],
}
BARE = json.loads(json.dumps(ROW).replace('"logicalType": "timestamp-millis"', '"doc": ""'))
NEWER = BARE | {"fields": [{"name": "note", "type": "string"}, *BARE["fields"]]}
PROTO = proto_file()
MESSAGE = message(PROTO, "shop.Prediction")
Event = dict[str, Any]


def event(row: int) -> Event:
    amount = None if row % 50 == 0 else (10 + row * 7919 % 101 / 10) * (10 if row >= SHIFT_ROW and row % 3 else 1)
    model = {"version": f"v{row % 2}"}
    return {"ts": START_MS + row * STEP_MS, "amount": amount, "tier": ("BASIC", "GOLD")[row % 5 == 0], "model": model}


def as_avro(row: int, made: Event) -> bytes:
    named = {"m.Model": MODEL}
    if row % 2:  # two writers, two schemas
        return prefixed(3, avro(NEWER, made | {"note": "n"}, named))
    return prefixed(2, avro(BARE, made, named))


def as_protobuf(row: int, made: Event) -> bytes:
    found = MESSAGE(tier=made["tier"])
    if made["amount"] is not None:
        found.maybe = made["amount"]
    found.at.FromMilliseconds(made["ts"])
    found.inner.version = made["model"]["version"]
    return prefixed(1, b"\2\2" + found.SerializeToString())


def as_debezium(row: int, made: Event) -> bytes:
    changed = {"op": "cur"[row % 3], "before": None, "after": made}
    return json.dumps({"schema": {}, "payload": changed} if row % 4 else changed).encode()


def as_debezium_avro(row: int, made: Event) -> bytes:
    return prefixed(4, avro(ENVELOPE, {"after": made, "op": "c"}, {"m.Model": MODEL}))


ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [{"name": "after", "type": ["null", BARE]}, {"name": "op", "type": "string"}],
}


def in_registry(registry: Registry, name: str) -> str:
    """The schemas of a format; the line of the config."""
    if name == "protobuf":
        registry.add("PROTOBUF", serialized(PROTO))
    else:
        registry.add("AVRO", MODEL, subject="model")
        references = (("m.Model", "model", 1),)
        newer = ROW | {"fields": [{"name": "note", "type": "string"}, *ROW["fields"]]}
        envelope = json.loads(json.dumps(ENVELOPE).replace('"doc": ""', '"logicalType": "timestamp-millis"'))
        for schema in (ROW, newer, envelope):
            registry.add("AVRO", schema, references)
    return f"schema_registry: {{url: {registry.url}}}"


Write = Callable[[int, Event], bytes]
FORMS: dict[str, tuple[str, Write]] = {
    "json": ("format: json", lambda _, made: json.dumps(made).encode()),
    "json_schema": ("format: json_schema", lambda row, made: prefixed(row, json.dumps(made).encode())),
    "avro": ("format: avro", as_avro),
    "protobuf": ("format: protobuf", as_protobuf),
    "debezium": ("envelope: debezium", as_debezium),
    "debezium_avro": ("{format: avro, envelope: debezium}", as_debezium_avro),
    "cloudevents_binary": ("envelope: cloudevents_binary", lambda _, made: json.dumps(made).encode()),
}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as found:
        yield found


@pytest.fixture
def fill(topic, producer) -> Callable[[str], str]:
    """A topic with the events in a form, two records that are none, and one without a value."""

    def make(name: str) -> str:
        where, out = topic(), producer()
        write = FORMS[name][1]
        for row in range(ROWS):
            value = b"\0\0\0\0" if row in BAD_ROWS else write(row, event(row))
            load = row * 104_729 % 101 + (500 if row >= SHIFT_ROW else 0)
            headers = [
                ("load", str(load).encode()),
                ("region", (b"eu", b"us")[row % 3 == 0]),
                ("ce_specversion", b"1.0"),
            ]
            out.send(where, value, key=b"id-%d" % row, headers=headers, timestamp_ms=START_MS + row * STEP_MS)
        out.send(where, None, key=b"gone", timestamp_ms=START_MS + ROWS * STEP_MS)
        out.flush()
        return where

    return make


def config(
    kafka: Any, where: str, name: str, registry: Registry, *, workers: int = 1, client: str = "kafka-python"
) -> str:
    asks = in_registry(registry, name) if name.endswith(("avro", "protobuf")) else ""
    form = FORMS[name][0].strip("{}").replace(", ", "\n    ")
    text = CONFIG.format(
        bootstrap=kafka.bootstrap, client=client, registry=asks, topic=where, form=form, workers=workers, unit="ms"
    )
    if name == "protobuf":
        text = text.replace("{field: ts,", "{field: at,").replace(
            "amount: numeric", "amount: {path: maybe, kind: numeric}"
        )
        text = text.replace("model.version", "inner.version")
    return text


def same(lines: list[str]) -> list[str]:
    """Alert records without the digest of where they were read."""
    return [re.sub(r'"lineage":"[0-9a-f]+",', "", line) for line in lines]


def backtest(folder: Path, text: str) -> list[str]:
    (folder / "c.yaml").write_text(text)
    out = folder / "alerts.jsonl"
    done = CliRunner().invoke(main, ["backtest", str(folder / "c.yaml"), "--alerts", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "3 rejected" in done.output
    return same(out.read_text().splitlines())


@pytest.fixture
def wanted(kafka, fill, tmp_path, registry) -> list[str]:
    """The alerts of the events in plain JSON."""
    found = backtest(tmp_path, config(kafka, fill("json"), "json", registry))
    firing = [each for each in map(json.loads, found) if each["state"] == "firing"]
    assert {json.dumps(each["segment"]) for each in firing} >= {"{}", '{"$headers.region": "eu"}'}
    return found


@pytest.mark.parametrize("name", [name for name in FORMS if name != "json"])
def test_every_form_gives_the_same_alerts(kafka, fill, tmp_path, registry, wanted, name: str) -> None:
    where = fill(name)
    text = config(kafka, where, name, registry)
    assert backtest(tmp_path, text) == wanted
    assert backtest(tmp_path, text.replace("workers: 1", "workers: 2")) == wanted


@pytest.mark.parametrize(("client", "workers"), [("kafka-python", 2), ("confluent", 1)])
def test_a_run_waits_for_the_registry_and_rejects_nothing_for_it(
    kafka, fill, tmp_path, registry, wanted, client: str, workers: int
) -> None:
    where = fill("avro")
    (tmp_path / "run.yaml").write_text(config(kafka, where, "avro", registry, workers=workers, client=client))
    registry.trouble = lambda asked: 503 if asked <= 4 else None
    command = [sys.executable, "-m", "streamcheck", "run", "run.yaml", "--until-end", "--no-supervise"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_S, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "waiting for it; said once" in done.stderr
    alerts = [record.value.decode() for record in committed(kafka.bootstrap, f"{where}.alerts")]
    assert same(alerts) == wanted[: len(alerts)]
    assert next(line for line in wanted if '"firing"' in line) in same(alerts)
    letters = committed(kafka.bootstrap, f"{where}.rejects")
    reasons = [dict(record.headers)["reason"].decode() for record in letters]
    assert reasons == ["no schema id", "no schema id", "tombstone"]
    theirs = [(dict(r.headers).get("region"), dict(r.headers)["source-key"][:3]) for r in letters]
    assert set(theirs[:2]) <= {(b"eu", b"id-"), (b"us", b"id-")}, "headers and key go along"
    assert theirs[2] == (None, b"gon"), "it had none"


def test_a_registry_that_stays_away_ends_the_run_and_nothing_is_lost(kafka, fill, tmp_path, registry) -> None:
    where = fill("avro")
    (tmp_path / "run.yaml").write_text(config(kafka, where, "avro", registry))
    registry.trouble = lambda _: 503
    code = "from streamcheck.adapters.registry import http; from streamcheck.cli import main\n"
    code += "http.HttpRegistry.__init__.__kwdefaults__['deadline_s'] = 0.0\nmain()"
    command = [sys.executable, "-c", code, "run", "run.yaml", "--until-end", "--no-supervise"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for trouble, exit_code in ((registry.trouble, 75), (lambda _: None, 0)):
        registry.trouble = trouble
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_S, check=False, env=environment
        )
        assert done.returncode == exit_code, done.stderr
        assert ("start again when it does" in done.stderr) == (exit_code == 75)
    assert len(committed(kafka.bootstrap, f"{where}.rejects")) == 3


def committed(bootstrap: str, topic: str) -> list[Any]:
    """All records of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    try:
        where = TopicPartition(topic, 0)
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        end = consumer.end_offsets([where])[where]
        found: list[Any] = []
        while consumer.position(where) < end:
            found += consumer.poll(500).get(where, [])
        return found
    finally:
        consumer.close()


def test_init_writes_the_config_of_what_it_finds(kafka, fill, tmp_path, registry) -> None:
    where = fill("avro")
    in_registry(registry, "avro")
    path = tmp_path / "made.yaml"
    command = ["init", str(path), "--kafka", kafka.bootstrap, "--topic", where, "--labels", "-", "--yes"]
    done = CliRunner().invoke(main, command)
    assert "--registry http://HOST:8081" in done.output
    done = CliRunner().invoke(main, [*command, "--registry", registry.url], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    text = path.read_text()
    assert "    format: avro" in text
    assert f"schema_registry:\n  url: {json.dumps(registry.url)}\n" in text
    assert 'id: "$key"' in text
    assert '"$headers.region"' in text
    again = text.replace("start: latest", "start: earliest").replace("127.0.0.1:9108", "127.0.0.1:0")
    path.write_text(again)
    done = CliRunner().invoke(main, ["backtest", str(path)], catch_exceptions=False)
    assert "3 rejected" in done.output
