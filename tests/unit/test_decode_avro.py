"""Avro events: by their writers' schemas, as JSON would say it; what is malformed is refused and nothing else."""

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamcheck.core.plan import Column, Encoding, Envelope, Format, Kind, Path, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import Batch, FieldStatus, SourcePartition, StreamRole
from streamcheck.errors import SourceError
from streamcheck.runtime.decode import Decoder, schema_reader
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.schemas import WriterSchema
from tests.unit.registry import AVRO, avro, prefixed

KINDS = {"n": Kind.NUMERIC, "c": Kind.CATEGORICAL}
OK, MISSING, WRONG, NON_FINITE = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE, FieldStatus.NON_FINITE


class Known:
    """A registry in memory. asked: which numbers."""

    def __init__(self, *schemas: Any, references: tuple[tuple[str, Any], ...] = ()) -> None:
        said = tuple((name, json.dumps(content).encode()) for name, content in references)
        self.schemas = [WriterSchema("AVRO", json.dumps(each).encode(), said) for each in schemas]
        self.asked: list[int] = []

    def schema(self, number: int) -> WriterSchema | None:
        self.asked.append(number)
        return self.schemas[number - 1] if 0 < number <= len(self.schemas) else None


def schema_of(
    *columns: str, id_path: Path | None = None, time: TimeField | None = None, encoding: Encoding | None = None
) -> Schema:
    """columns: n:path or c:path."""
    made = [Column(each[2:], tuple(each[2:].split(".")), KINDS[each[0]], Role.FEATURE) for each in columns]
    ordered = tuple(sorted(made, key=lambda column: column.kind is not Kind.NUMERIC))
    return Schema(
        StreamRole.PREDICTIONS, ("p",), id_path, time, ordered, 2 << 20, 10**15, encoding or Encoding(Format.AVRO)
    )


def raw(*values: bytes | None) -> RawBatch:
    at = np.arange(len(values))
    return RawBatch(SourcePartition("p", 0), at, at + 9, [None] * len(values), values, len(values), encoded=True)


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def texts(found: Batch, column: int) -> list[str | None]:
    names = found.dictionaries[column].values
    return [names[code] if code >= 0 else None for code in found.codes[column].tolist()]


def test_an_event_says_what_it_would_in_json() -> None:
    time = TimeField(("ts",), TimeUnit.MS)
    schema = schema_of("n:amount", "c:tier", "c:model.version", "c:gone", id_path=("id",), time=time)
    as_json = schema_of(
        "n:amount", "c:tier", "c:model.version", "c:gone", id_path=("id",), time=time, encoding=Encoding()
    )
    events = [{"id": f"i{at}", "ts": 1_000_000 * at, "amount": None if at % 7 == 0 else at / 3,
               "tier": ("gold", "basic")[at % 2],
               "model": {"version": f"v{at % 3}"}} for at in range(3_000)]  # fmt: skip
    bare = json.loads(json.dumps(AVRO).replace('"logicalType": "timestamp-micros"', '"doc": ""'))
    found = Decoder(schema, None, Known(AVRO)).decode(raw(*(prefixed(1, avro(bare, each)) for each in events)))
    texts_ = [json.dumps(each | {"ts": each["ts"] // 1_000}).encode() for each in events]  # type: ignore[operator]
    wanted = Decoder(as_json).decode(raw(*texts_))
    for name in ("times", "keys", "numeric", "codes", "status"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert found.times.tolist()[:3] == [0, 1_000, 2_000]  # by the type's own unit


def test_each_event_is_read_by_its_writers_schema() -> None:
    old, new = record(("a", "int")), record(("b", "string"), ("a", "double"), ("c", "string"))
    events = [prefixed(1, avro(old, {"a": 1})), prefixed(2, avro(new, {"b": "x", "a": 2.5, "c": "y"}))] * 2
    registry = Known(old, new)
    found = Decoder(schema_of("n:a", "c:c"), None, registry).decode(raw(*events))
    assert found.numeric.tolist() == [[1.0, 2.5, 1.0, 2.5]]
    assert texts(found, 0) == [None, "y", None, "y"]
    assert sorted(registry.asked) == [1, 2]


def test_values_of_every_type() -> None:
    union = ["null", "long", "string"]
    kinds = record(
        ("dec", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}), ("raw", "bytes"),
        ("fix", {"type": "fixed", "name": "F", "size": 2}), ("arr", {"type": "array", "items": "int"}),
        ("map", {"type": "map", "values": "long"}), ("u", union), ("flag", "boolean"), ("f", "float"),
        ("uuid", {"type": "string", "logicalType": "uuid"}), ("day", {"type": "int", "logicalType": "date"}),
    )  # fmt: skip
    bare = json.loads(json.dumps(kinds).replace('"logicalType"', '"doc"'))
    event = {"dec": b"\x04\xe2", "raw": b"x", "fix": b"ab", "arr": [1], "map": {"k": 2**60}, "u": 7, "flag": True,
             "f": 0.5, "uuid": "u-1", "day": 3}  # fmt: skip
    other = event | {"dec": b"\x01" * 300, "u": "t", "f": float("nan"), "map": {}}
    names = (
        "n:dec",
        "n:raw",
        "n:fix",
        "n:arr",
        "n:map.k",
        "n:map",
        "n:u",
        "n:flag",
        "n:f",
        "n:day",
        "n:u.x",
        "c:uuid",
        "c:u",
    )
    found = Decoder(schema_of(*names), None, Known(kinds)).decode(
        raw(
            prefixed(1, avro(bare, event)), prefixed(1, avro(bare, other)), prefixed(1, avro(bare, event | {"u": None}))
        )
    )
    assert found.numeric[:, 0].tolist() == [12.5, 0, 0, 0, 2.0**60, 0, 7, 0, 0.5, 3, 0]
    w = WRONG
    assert found.status[:, 0].tolist() == [OK, w, w, w, OK, w, OK, w, OK, OK, w, OK, OK]
    assert found.status[:, 1].tolist() == [NON_FINITE, w, w, w, MISSING, w, w, w, NON_FINITE, OK, w, OK, OK]
    assert found.status[10, 2] == MISSING
    assert (texts(found, 0)[0], texts(found, 1)) == ("u-1", ["7", "t", None])


def test_whole_numbers_of_decimals_and_longs_are_exact_ids() -> None:
    kinds = record(("d", {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 0}))
    bare = json.loads(json.dumps(kinds).replace('"logicalType"', '"doc"'))
    number = 2**70 + 1
    found = Decoder(schema_of(id_path=("d",)), None, Known(kinds)).decode(
        raw(prefixed(1, avro(bare, {"d": number.to_bytes(10, "big")})))
    )
    wanted = Decoder(schema_of(id_path=("d",), encoding=Encoding())).decode(raw(b'{"d": %d}' % number))
    assert found.keys.tolist() == wanted.keys.tolist()


def test_references_are_read() -> None:
    inner = {"type": "record", "name": "Inner", "namespace": "a.b", "fields": [{"name": "x", "type": "int"}]}
    top = record(("inner", "a.b.Inner"), ("again", ["null", "a.b.Inner"]))
    found = Decoder(schema_of("n:inner.x", "n:again.x"), None, Known(top, references=(("a.b.Inner", inner),))).decode(
        raw(prefixed(1, b"\x06\x02\x08"))
    )
    assert found.numeric.tolist() == [[3.0], [4.0]]


@pytest.mark.parametrize("kind", ["date", "local-timestamp-millis", "time-millis"])
def test_what_is_no_moment_by_its_type_is_no_event_time(kind: str) -> None:
    schema = record(("t", {"type": "int" if kind != "local-timestamp-millis" else "long", "logicalType": kind}))
    decoder = Decoder(schema_of(time=TimeField(("t",), TimeUnit.S)), None, Known(schema))
    assert decoder.decode(raw(prefixed(1, b"\x08"))).rejects.reasons == ("bad time",)


def test_why_records_are_refused() -> None:
    good = record(("a", "int"))
    schemas = (
        good,
        "int",
        record(("a", ["null", "R"])),
        record(("a", {"type": "array", "items": "null"})),
        {"type": "nonsense"},
        record(*((f"n{at}", "null") for at in range(2_000))),
    )
    values = [None, b"", b"\0\0\0\0", b"\1\0\0\0\1\2", prefixed(9, b"\2"), prefixed(1, b""), prefixed(1, b"\2\2"),
              *(prefixed(at, b"\2") for at in range(2, 7)),
              prefixed(1, bytes(3 << 20)), prefixed(1, b"\4")]  # fmt: skip
    found = Decoder(schema_of("n:a"), None, Known(*schemas)).decode(raw(*values))
    assert found.rejects.reasons == (
        "tombstone", "no schema id", "no schema id", "no schema id", "unknown schema id 9", "not Avro by schema 1",
        "not Avro by schema 1", "schema 2 is of no record", "schema 3 contains itself",
        "schema 4 has arrays of nothing",
        "schema 5 is of no record", "schema 6 has too many parts that hold nothing", "too large",
    )  # fmt: skip
    assert found.numeric.tolist() == [[2.0]]


def test_a_schema_of_another_kind() -> None:
    registry = Known(record(("a", "int")))
    registry.schemas.append(WriterSchema("PROTOBUF", b""))
    found = Decoder(schema_of("n:a"), None, registry).decode(raw(prefixed(2, b"\2")))
    assert found.rejects.reasons == ("schema 2 is PROTOBUF",)


def test_without_a_registry_all_are_written_by_one_schema() -> None:
    content = json.dumps(record(("a", "int"))).encode()
    found = Decoder(schema_of("n:a", encoding=Encoding(Format.AVRO, schema=content))).decode(raw(b"\6", b"", b"\2"))
    assert (found.numeric.tolist(), found.rejects.reasons) == ([[3.0, 1.0]], ("not Avro by the schema",))
    with pytest.raises(SourceError, match=r"streams\.predictions\.format: the schema is of no record"):
        Decoder(schema_of("n:a", encoding=Encoding(Format.AVRO, schema=b'"int"')))


def test_debezium_in_avro() -> None:
    row = {"type": "record", "name": "Row", "fields": [{"name": "a", "type": "int"}]}
    envelope = record(("before", ["null", row]), ("after", ["null", "Row"]), ("op", "string"))
    schema = schema_of("n:after.a", encoding=Encoding(Format.AVRO, Envelope.DEBEZIUM))
    rows = [{"before": None, "after": {"a": 5}, "op": "c"}, {"before": {"a": 5}, "after": None, "op": "d"}]
    found = Decoder(schema, None, Known(envelope)).decode(raw(*(prefixed(1, avro(envelope, each)) for each in rows)))
    assert (found.numeric.tolist(), found.rejects.reasons) == ([[5.0]], ("deleted",))


def test_schemas_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_reader, "SCHEMAS_MAX", 3)
    registry = Known(record(("a", "int")))
    decoder = Decoder(schema_of("n:a"), None, registry)
    for number in (1, 9, 1, 8, 7, 1, 9, 9):
        decoder.decode(raw(prefixed(number, b"\2")))
    assert registry.asked == [1, 9, 8, 7, 9]


def test_large_schemas_are_forgotten_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    schemas = [record(("a", "int"), *((f"{'n' * 80}{at}{each}", "int") for at in range(9))) for each in range(4)]
    size = len(json.dumps(schemas[0]))
    monkeypatch.setattr(schema_reader, "SCHEMAS_BYTES_MAX", 2 * size + 50)
    registry = Known(*schemas)
    decoder = Decoder(schema_of("n:a"), None, registry)
    for number in (1, 2, 1, 3, 1, 2):
        assert decoder.decode(raw(prefixed(number, b"\2" * 10))).numeric.tolist() == [[1.0]]
    assert registry.asked == [1, 2, 3, 2]
    monkeypatch.setattr(schema_reader, "SCHEMAS_BYTES_MAX", size - 50)
    assert decoder.decode(raw(prefixed(4, b"\2" * 10))).rejects.reasons == ("schema 4 is too large",)


def test_blocks_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_reader, "PIECE_BYTES", 64)
    schema = record(("a", "int"), ("s", "string"))
    values = [prefixed(1, avro(schema, {"a": at, "s": "x" * (at % 90)})) for at in range(600)]
    values[77] = prefixed(1, b"")
    found = Decoder(schema_of("n:a"), None, Known(schema)).decode(raw(*values))
    assert found.numeric[0].tolist() == [at for at in range(600) if at != 77]


def test_harmful_bytes_never_raise_and_spoil_no_other() -> None:
    kinds = record(
        ("id", "string"), ("a", ["null", "double"]), ("l", {"type": "array", "items": "long"}),
        ("m", {"type": "map", "values": "bytes"}), ("e", {"type": "enum", "name": "E", "symbols": ["x"]}),
        ("d", {"type": "bytes", "logicalType": "decimal", "precision": 1_000_000_000, "scale": 3}),
    )  # fmt: skip
    bare = json.loads(json.dumps(kinds).replace('"logicalType"', '"doc"'))
    good = prefixed(1, avro(bare, {"id": "i", "a": 1.5, "l": [1, 2], "m": {"k": b"v"}, "e": "x", "d": b"\1" * 9}))
    rng = random.Random(3)
    harmful = [rng.randbytes(rng.randrange(1, 80)) for _ in range(500)]
    harmful += [b"\0" + rng.randbytes(rng.randrange(1, 80)) for _ in range(500)]
    harmful += [prefixed(1, rng.randbytes(rng.randrange(1, 80))) for _ in range(2_000)]
    harmful += [good[:at] for at in range(len(good))]
    huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # 2**63 - 1
    least = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # -2**63
    harmful += [good[:at] + size + good[at:] for at in range(5, len(good)) for size in (huge, least)]
    for _ in range(3_000):
        broken = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(5, len(broken))] = rng.randrange(256)
        harmful.append(bytes(broken))
    schema = schema_of("n:a", "n:l", "n:m.k", "c:e", "n:d", id_path=("id",))
    alone = Decoder(schema, None, Known(kinds)).decode(raw(good))
    mixed = [value for bad in harmful for value in (bad, good)]
    found = Decoder(schema, None, Known(kinds)).decode(raw(*mixed))
    odd = found.offsets % 2 == 1
    assert int(odd.sum()) == len(harmful)
    assert np.array_equal(found.numeric[:, odd], np.repeat(alone.numeric, len(harmful), axis=1))
    assert len(found) + len(found.rejects.reasons) == len(mixed)
    assert np.isfinite(found.numeric).all()


def test_some_events_are_looked_into_for_fields_that_nobody_declares() -> None:
    writer = record(("n", "double"), ("fee", ["null", "double"]))
    nested = record(("n", "double"), ("o", {"type": "record", "name": "O", "fields": [{"name": "x", "type": "long"}]}))
    schema = replace(schema_of("n:n", "n:o.y"), looks=True)
    values = [prefixed(1, avro(writer, {"n": 1.0, "fee": None}))] * 400
    values += [prefixed(2, avro(nested, {"n": 1.0, "o": {"x": 1}}))] * 400 + [prefixed(1, b"")] * 200 + [b"\1"] * 200
    found = Decoder(schema, None, Known(writer, nested)).decode(raw(*values))
    told = texts(found, 0)
    assert set(told[:400]) == {None, "fee"}
    assert set(told[400:]) == {None, "o.x"}
    assert len(told) == 800
