"""Keys that are written by schemas: fields of them are fields of the event, whatever is wrong with some."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core.plan import Column, Encoding, Format, Kind, Role, Schema
from streamcheck.core.saving import meaning
from streamcheck.core.types import FieldStatus, SourcePartition, StreamRole
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.schemas import WriterSchema
from tests.unit.registry import avro, message, prefixed, proto_file, serialized

OK, MISSING, WRONG = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE
RECORD: dict[str, Any] = {
    "type": "record",
    "name": "Key",
    "fields": [{"name": "id", "type": "long"}, {"name": "shop", "type": ["null", "string"]}],
}
SIZE = Column("size", ("$key", "id"), Kind.NUMERIC, Role.FEATURE)
SHOP = Column("shop", ("$key", "shop"), Kind.CATEGORICAL, Role.SEGMENT)


class Known:
    """A registry."""

    def __init__(self, **schemas: WriterSchema) -> None:
        self._schemas = schemas

    def schema(self, number: int) -> WriterSchema | None:
        return self._schemas.get(f"_{number}")


def decoded(
    key: Encoding, keys: list[bytes | None], registry: Known | None, *columns: Column, id_path: Any = None
) -> Any:
    encoding = Encoding(key=key)
    schema = Schema(StreamRole.PREDICTIONS, ("p",), id_path, None, columns, 1_000, 0, encoding)
    at = np.arange(len(keys))
    raw = RawBatch(SourcePartition("p", 0), at, at, keys, [b"{}"] * len(keys), len(keys), encoded=True)
    return Decoder(schema, None, registry).decode(raw)


def texts(batch: Any) -> list[str | None]:
    names, pairs = batch.dictionaries[0].values, zip(batch.codes[0], batch.status[-1], strict=True)
    return [names[code] if status == OK else None for code, status in pairs]


def test_fields_of_a_key_in_avro() -> None:
    registry = Known(_7=WriterSchema("AVRO", json.dumps(RECORD).encode()))
    good = [prefixed(7, avro(RECORD, {"id": at, "shop": shop})) for at, shop in ((1, "a"), (2, None))]
    keys = [*good, None, b"plain", prefixed(8, b"x"), prefixed(7, b"\xff")]
    batch = decoded(Encoding(Format.AVRO), keys, registry, SIZE, SHOP)
    assert batch.rejects.reasons == (), "a key spoils what it is asked for, and nothing else"
    assert batch.numeric.tolist() == [[1.0, 2.0, 0.0, 0.0, 0.0, 0.0]]
    assert batch.status[0].tolist() == [OK, OK, MISSING, WRONG, WRONG, WRONG]
    assert batch.status[1].tolist() == [OK, MISSING, MISSING, WRONG, WRONG, WRONG]
    assert texts(batch)[:2] == ["a", None]


@pytest.mark.parametrize(("schema", "value", "same"), [("string", "u1", b'"u1"'), ("long", 17, b"17")])
def test_a_key_that_is_one_value_is_an_id(schema: str, value: Any, same: bytes) -> None:
    registry = Known(_1=WriterSchema("AVRO", json.dumps(schema).encode()))


    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    keys = [prefixed(1, out.getvalue()), None, prefixed(2, b"x")]
    batch = decoded(Encoding(Format.AVRO), keys, registry, id_path=("$key",))
    assert batch.rejects.reasons == ("missing id", "bad id")
    plain = decoded(Encoding(Format.JSON_SCHEMA), [prefixed(9, same)], None, id_path=("$key",))
    assert plain.keys.tolist() == batch.keys.tolist(), "an id is the same, however it is written"


def test_fields_of_a_key_in_protobuf_and_in_json_with_a_prefix() -> None:
    registry = Known(_1=WriterSchema("PROTOBUF", serialized(proto_file()).encode()))
    made = message(proto_file(), "shop.Prediction")
    user = Column("user", ("$key", "id"), Kind.CATEGORICAL, Role.SEGMENT)
    inner = Column("version", ("$key", "inner", "version"), Kind.CATEGORICAL, Role.SEGMENT)
    key = made(id="u1")
    key.inner.version = "v2"
    batch = decoded(Encoding(Format.PROTOBUF), [prefixed(1, b"\2\2" + key.SerializeToString())], registry, user, inner)
    assert [d.values[code] for d, (code,) in zip(batch.dictionaries, batch.codes, strict=True)] == ["u1", "v2"]
    keys = [prefixed(1, b'{"id": "u1", "inner": {"version": "v2"}}'), prefixed(1, b'{"id": []}'), b"{}", None]
    batch = decoded(Encoding(Format.JSON_SCHEMA), keys, None, user, inner)
    assert batch.status.tolist() == [[OK, WRONG, WRONG, MISSING], [OK, MISSING, WRONG, MISSING]]


# ------------------------------------------------------------------ the config
TEXT = """version: 1
name: t
{top}
streams:
  predictions:
    topic: p
    id: {id}
    {stream}
    features: {{amount: numeric}}
"""
REGISTRY = 'schema_registry: {url: "https://r.example:8081"}'


def test_a_config_says_how_keys_are_written(tmp_path: Path) -> None:
    plain = loads(TEXT.format(top="", id="$key", stream="format: json"), {}).plan
    keyed = loads(TEXT.format(top=REGISTRY, id="$key", stream="key_format: avro"), {}).plan
    assert keyed.predictions.encoding == Encoding(key=Encoding(Format.AVRO))
    assert meaning(plain) != meaning(keyed), "saved positions mean other ids"
    same = loads(TEXT.format(top="", id="$key", stream="key_format: json"), {}).plan
    assert meaning(plain) == meaning(same)
    (tmp_path / "k.avsc").write_text('"string"')
    from_file = TEXT.format(top="", id="$key", stream="key_format: {avro: {schema: k.avsc}}")
    plan = loads(from_file, {}, str(tmp_path / "c.yaml")).plan
    assert plan.predictions.encoding.key == Encoding(Format.AVRO, schema=b'"string"')


@pytest.mark.parametrize(
    ("id_", "stream", "top", "said"),
    [
        ("$key", "key_format: avro", "", "avro needs schema_registry"),
        ("$key", "key_format: protobuf", REGISTRY, "name a field of it, such as $key.id"),
        ("$key", "key_format: avor", "", "did you mean 'avro'?"),
    ],
)
def test_mistakes(id_: str, stream: str, top: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("$", r"\$").replace("?", r"\?")) as raised:
        loads(TEXT.format(top=top, id=id_, stream=stream), {})
    assert raised.value.mistakes[0].line == 8


def test_keys_that_nobody_reads_are_warned_of() -> None:
    loaded = loads(TEXT.format(top=REGISTRY, id="order", stream="key_format: avro"), {})
    assert any("no path begins with $key" in str(warning) for warning in loaded.warnings)
