"""In which form events lie in a topic is seen by `init`, and said in the config that it writes."""

import io
import json
from typing import Any

import fastavro
import pytest

from streamcheck.adapters.kafka.sample import Taken
from streamcheck.cli.init_forms import RegistryNeeded, sample
from streamcheck.config.guess import Origin, Sample, guess, write
from streamcheck.config.load import Loaded, loads
from streamcheck.core.plan import Encoding, Envelope, Format
from streamcheck.runtime.schemas import WriterSchema
from tests.unit.registry import AVRO, avro, message, prefixed, proto_file, serialized

START_MS = 1_767_225_600_000
BARE = json.loads(json.dumps(AVRO).replace('"logicalType": "timestamp-micros"', '"doc": ""'))


class Known:
    def __init__(self, written: WriterSchema) -> None:
        self.written = written

    def schema(self, number: int) -> WriterSchema | None:
        return self.written if number == 1 else None


IN_AVRO = Known(WriterSchema("AVRO", json.dumps(AVRO).encode()))


def event(row: int) -> dict[str, Any]:
    tier, model = ("gold", "basic")[row % 2], {"version": f"v{row % 2}"}
    return {"id": f"e{row}", "ts": (START_MS + row) * 1_000, "amount": row / 7, "tier": tier, "model": model}


def taken(values: list[Any], keys: list[bytes | None] | None = None, headers: list[Any] | None = None) -> Taken:
    said = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    stamps = [START_MS + at for at in range(len(said))]
    return Taken(said, stamps, [0] * len(said), keys or (), headers or ())


def config(found: Sample) -> tuple[str, Loaded]:
    """What `init` writes of it."""
    asked = ("http://registry:8081", "me") if found.format in ("avro", "protobuf") else None
    text = write(
        guess(found), Origin("t", "b:1", "shop.p", None, "shop.p", (found.format, found.envelope), registry=asked)
    )
    return text, loads(text, {"SCHEMA_REGISTRY_PASSWORD": "x"})


def test_avro_by_a_registry() -> None:
    values = [prefixed(1, avro(BARE, event(row))) for row in range(200)]
    found = sample("p", taken([*values, None, b"\0\0\0\0\1", b"{}", prefixed(2, b"x")]), IN_AVRO)
    assert (len(found.events), found.unreadable) == (200, 3)
    text, loaded = config(found)
    plan = loaded.plan.predictions
    assert (plan.encoding, plan.id_path) == (Encoding(Format.AVRO), ("id",))
    assert plan.time is not None
    assert (plan.time.path, plan.time.unit) == (("ts",), "us")
    assert 'password: "${SCHEMA_REGISTRY_PASSWORD}"' in text
    assert {column.name for column in plan.columns} >= {"amount", "tier"}


def test_without_a_registry_it_is_asked_for() -> None:
    with pytest.raises(RegistryNeeded, match="--registry http://HOST:8081"):
        sample("p", taken([prefixed(1, avro(BARE, event(row))) for row in range(5)]), None)
    with pytest.raises(RegistryNeeded, match="knows none of the schemas"):
        sample("p", taken([prefixed(2, b"x")] * 5), IN_AVRO)


def test_protobuf_by_a_registry() -> None:
    made = message(proto_file(), "shop.Prediction")
    values = [
        prefixed(1, b"\2\2" + made(id=f"i{at}", amount=at / 3, tier=at % 2).SerializeToString()) for at in range(90)
    ]
    written = WriterSchema("PROTOBUF", serialized(proto_file()).encode())
    _, loaded = config(sample("p", taken(values), Known(written)))
    assert loaded.plan.predictions.encoding.format is Format.PROTOBUF
    assert loaded.plan.predictions.id_path == ("id",)


def test_json_behind_a_prefix() -> None:
    found = sample("p", taken([prefixed(9, json.dumps(event(row)).encode()) for row in range(90)]), None)
    assert len(found.events) == 90
    assert config(found)[1].plan.predictions.encoding == Encoding(Format.JSON_SCHEMA)


@pytest.mark.parametrize("wrapped", [False, True])
def test_debezium(wrapped: bool) -> None:
    rows = [{"op": "c", "before": None, "after": event(row), "ts_ms": START_MS + row} for row in range(90)]
    rows.append({"op": "d", "before": event(1), "after": None})
    found = sample("p", taken([{"schema": {}, "payload": each} if wrapped else each for each in rows] + [None]), None)
    assert (len(found.events), found.unreadable) == (90, 0)
    plan = config(found)[1].plan.predictions
    assert plan.encoding == Encoding(envelope=Envelope.DEBEZIUM)
    assert plan.id_path == ("after", "id")
    assert ("after", "amount") in {column.path for column in plan.columns}


def test_cloud_events() -> None:
    around = {"specversion": "1.0", "source": "/s", "type": "t"}
    values = [
        {**around, "id": f"c{row}", "time": f"2026-01-01T00:00:{row % 60:02}Z", "data": {"amount": row / 7}}
        for row in range(90)
    ]
    plan = config(sample("p", taken(values), None))[1].plan.predictions
    assert (plan.encoding.envelope, plan.id_path) == (Envelope.CLOUDEVENTS, ("id",))
    assert plan.time is not None
    assert (plan.time.path, [column.path for column in plan.columns][:1]) == (("time",), [("data", "amount")])


def test_binary_cloud_events_and_other_headers() -> None:
    headers = [
        [("ce_specversion", b"1.0"), ("ce_id", b"c%d" % row), ("ce_time", b"2026-01-01T00:00:00Z"), ("region", b"eu"),
         ("traceparent", b"00-%d" % row)] for row in range(90)
    ]  # fmt: skip
    found = sample("p", taken([{"amount": row / 7} for row in range(90)], headers=headers), None)
    plan = config(found)[1].plan.predictions
    assert (plan.encoding.envelope, plan.id_path) == (Envelope.CLOUDEVENTS_BINARY, ("$headers", "ce_id"))
    assert "traceparent" not in found.events[0]["$headers"]


def test_a_key_that_says_more_than_the_event() -> None:
    keys: list[bytes | None] = [b"k%d" % row for row in range(90)]
    plan = config(sample("p", taken([{"amount": row / 7} for row in range(90)], keys), None))[1].plan.predictions
    assert plan.id_path == ("$key",)
    copied = sample("p", taken([{"order": f"k{row}", "amount": row / 7} for row in range(90)], keys), None)
    assert "$key" not in copied.events[0]


def keyed(schema: Any, keys: list[Any]) -> tuple[Sample, str]:
    """What `init` makes of events without an id whose keys are in Avro by a registry."""
    out = []
    for key in keys:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), key)
        out.append(prefixed(1, stream.getvalue()))
    values = [{"amount": row / 7} for row in range(len(keys))]
    found = sample("p", taken(values, [*out]), Known(WriterSchema("AVRO", json.dumps(schema).encode())))
    forms = (found.format, found.envelope, found.key_format)
    origin = Origin("t", "b:1", "shop.p", None, "shop.p", forms, registry=("http://r:1", None))
    return found, write(guess(found), origin)


def test_keys_by_schemas() -> None:
    found, text = keyed("string", [f"k{row}" for row in range(90)])
    assert found.events[3]["$key"] == "k3"
    plan = loads(text, {}).plan.predictions
    assert (plan.id_path, plan.encoding.key) == (("$key",), Encoding(Format.AVRO))
    fields = [{"name": "order_id", "type": "long"}, {"name": "shop", "type": "string"}]
    record = {"type": "record", "name": "K", "fields": fields}
    _, text = keyed(record, [{"order_id": row, "shop": "ab"[row % 2]} for row in range(90)])
    plan = loads(text, {}).plan.predictions
    assert (plan.id_path, plan.encoding.key) == (("$key", "order_id"), Encoding(Format.AVRO))
    assert "key_format: avro" in text


def test_keys_that_say_nothing_new_are_left_out() -> None:
    keys: list[bytes | None] = [prefixed(1, b"\"e%d\"" % row) for row in range(90)]
    found = sample("p", taken([event(row) for row in range(90)], keys), None)
    assert found.key_format is Format.JSON_SCHEMA
    assert "$key" not in found.events[0]
    forms = (found.format, found.envelope, found.key_format)
    assert "key_format" not in write(guess(found), Origin("t", "b:1", "shop.p", None, "shop.p", forms))


def test_plain_events_are_as_they_were() -> None:
    found = sample("p", taken([event(row) for row in range(90)] + [b"{"]), None)
    assert (len(found.events), found.unreadable, found.format, found.envelope) == (90, 1, None, None)
    assert "format" not in config(found)[0]
