"""Protobuf events: messages by their writers' descriptors, as JSON would say it."""

import base64
import json
import random
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, struct_pb2, timestamp_pb2, wrappers_pb2

from streamcheck.core.plan import Encoding, Format, TimeField, TimeUnit
from streamcheck.errors import SourceError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.schemas import WriterSchema
from tests.unit.registry import message, prefixed, proto_file, serialized
from tests.unit.test_decode_avro import MISSING, NON_FINITE, OK, WRONG, raw, schema_of, texts

FILE = proto_file()
PREDICTION, INNER = message(FILE, "shop.Prediction"), message(FILE, "shop.Prediction.Inner")
PROTOBUF = Encoding(Format.PROTOBUF)
FIRST, SECOND, NESTED = b"\0", b"\2\2", b"\4\2\0"
"""Which message: the first of the file; the second; the first inside the second."""


class Known:
    """A registry in memory."""

    def __init__(self, *files: Any, references: tuple[tuple[str, bytes], ...] = ()) -> None:
        self.schemas = [WriterSchema("PROTOBUF", serialized(each).encode(), references) for each in files]

    def schema(self, number: int) -> WriterSchema | None:
        return self.schemas[number - 1] if 0 < number <= len(self.schemas) else None


def written(event: Any, index: bytes = SECOND, number: int = 1) -> bytes:
    return prefixed(number, index + event.SerializeToString())


def test_an_event_says_what_it_would_in_json() -> None:
    events = [PREDICTION(id=f"i{at}", amount=at / 3, big=2**60 + at, tier=at % 2) for at in range(3_000)]
    for at, event in enumerate(events):
        event.at.FromMilliseconds(1_000 * at)
        if at % 5:
            event.inner.version = f"v{at % 3}"
    time, names = TimeField(("at",), TimeUnit.ISO8601), ("n:amount", "n:big", "c:tier", "c:inner.version")
    found = Decoder(schema_of(*names, id_path=("id",), time=time, encoding=PROTOBUF), None, Known(FILE)).decode(
        raw(*map(written, events))
    )
    as_json = schema_of(*names, id_path=("id",), time=TimeField(("at",), TimeUnit.MS), encoding=Encoding())
    said = [{"id": f"i{at}", "amount": at / 3, "big": 2**60 + at, "tier": ("BASIC", "GOLD")[at % 2], "at": 1_000 * at}
            | ({"inner": {"version": f"v{at % 3}"}} if at % 5 else {}) for at in range(3_000)]  # fmt: skip
    wanted = Decoder(as_json).decode(raw(*(json.dumps(each).encode() for each in said)))
    for name in ("times", "keys", "numeric", "codes", "status"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


def test_values_of_every_type() -> None:
    full = PREDICTION(amount=float("nan"), raw=b"x", maybe=0.0, tier=7, list=[1], tags={"k": 3})
    full.score.value = 0.5
    full.more.update({"n": 1.5, "s": "t", "o": {"x": 2}, "l": [1], "z": None, "nan": float("nan")})
    full.at.seconds = 1
    names = ("n:amount", "n:raw", "n:maybe", "n:list", "n:tags.k", "n:tags", "n:score", "n:score.value", "n:more.n",
             "n:more.o.x", "n:more.l", "n:more", "n:more.nan", "n:more.n.x", "n:inner", "n:at", "n:gone",
             "n:inner.gone", "c:tier", "c:more.s", "c:more.z", "c:id")  # fmt: skip
    decoder = Decoder(schema_of(*names, encoding=PROTOBUF), None, Known(FILE))
    found = decoder.decode(raw(written(full), written(PREDICTION())))
    w, m, nf = WRONG, MISSING, NON_FINITE
    assert found.status[:, 0].tolist() == [nf, w, OK, w, OK, w, OK, w, OK, OK, w, w, nf, w, m, w, m, m, OK, OK, m, OK]
    assert found.numeric[[2, 4, 6, 8, 9], 0].tolist() == [0, 3, 0.5, 1.5, 2]
    # What can be absent is missing; what cannot has its default.
    assert found.status[:, 1].tolist() == [OK, w, m, w, m, w, m, m, m, m, m, m, m, m, m, m, m, m, OK, m, m, OK]
    assert (texts(found, 0), texts(found, 1), texts(found, 3)) == (["7", "BASIC"], ["t", None], ["", ""])


def test_which_message_it_is_counts() -> None:
    inner = INNER(version="v")
    other = message(FILE, "shop.Other")(x=5)
    decoder = Decoder(schema_of("n:x", "c:version", encoding=PROTOBUF), None, Known(FILE))
    found = decoder.decode(
        raw(written(inner, NESTED), written(other, FIRST), written(other, b"\2\0"), written(inner, NESTED))
    )
    assert (found.numeric.tolist(), texts(found, 0)) == ([[0, 5, 5, 0]], ["v", None, None, "v"])


def test_imports_come_from_references() -> None:
    shared = descriptor_pb2.FileDescriptorProto(name="whatever it was called", package="s", syntax="proto3")
    shared.message_type.add(name="Model").field.add(name="v", number=1, type=5, label=1)
    top = descriptor_pb2.FileDescriptorProto(
        name="default", syntax="proto3", dependency=["s/model.proto", "options.proto"]
    )
    top.message_type.add(name="P").field.add(name="model", number=1, type=11, type_name=".s.Model", label=1)
    known = Known(top, references=(("s/model.proto", serialized(shared).encode()),))
    found = Decoder(schema_of("n:model.v", encoding=PROTOBUF), None, known).decode(
        raw(prefixed(1, b"\0\x0a\x02\x08\x09"))
    )
    assert found.numeric.tolist() == [[9]]


def test_a_descriptor_in_a_file() -> None:
    files = descriptor_pb2.FileDescriptorSet()
    for module in (timestamp_pb2, wrappers_pb2, struct_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().CopyFrom(FILE)
    encoding = Encoding(Format.PROTOBUF, schema=files.SerializeToString(), message="shop.Prediction")
    found = Decoder(schema_of("n:amount", encoding=encoding)).decode(
        raw(PREDICTION(amount=2.5).SerializeToString(), b"\xff")
    )
    assert (found.numeric.tolist(), found.rejects.reasons) == ([[2.5]], ("not Protobuf by the schema",))
    wrong = Encoding(Format.PROTOBUF, schema=encoding.schema, message="shop.Predictions")
    with pytest.raises(SourceError, match=r"no Protobuf descriptor, or has no message shop\.Predictions"):
        Decoder(schema_of("n:amount", encoding=wrong))


def test_why_records_are_refused() -> None:
    deep = b""
    for _ in range(300):
        deep = b"\x12" + _length(deep) + deep
    broken = descriptor_pb2.FileDescriptorProto(name="b", syntax="proto3")
    broken.message_type.add(name="P").field.add(name="x", number=1, type=11, type_name=".nowhere.X", label=1)
    known = Known(FILE, broken)
    known.schemas.append(WriterSchema("PROTOBUF", base64.b64encode(b"\xff")))
    indexes = [b"\x14" + bytes(9), b"\x80", b"\2\x10", b"\4\2\x64", b"\1", b"\2\1", b"\xff" * 9, b"\x42" + b"\0" * 40]
    values = [None, b"", prefixed(9, b""), *(prefixed(1, each) for each in indexes), prefixed(1, NESTED + deep),
              prefixed(2, b"\0"), prefixed(3, b"\0"), prefixed(1, b"\0")]  # fmt: skip
    found = Decoder(schema_of("n:x", encoding=PROTOBUF), None, known).decode(raw(*values))
    assert found.rejects.reasons == (
        "tombstone", "no schema id", "unknown schema id 9", *["not Protobuf by schema 1"] * (len(indexes) + 1),
        "schema 2 is no Protobuf descriptor", "schema 3 is no Protobuf descriptor",
    )  # fmt: skip
    assert found.numeric.tolist() == [[0]]


def _length(data: bytes) -> bytes:
    found, left = bytearray(), len(data)
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*found, left])


def test_harmful_bytes_never_raise_and_spoil_no_other() -> None:
    event = PREDICTION(id="i", amount=1.5, raw=b"r", maybe=2, tags={"k": 3}, list=[1, 2])
    event.more.update({"x": {"y": [1, "z"]}})
    event.inner.again.again.version = "v"
    event.at.seconds, event.at.nanos = 2**62, 2**30
    good = written(event)
    rng = random.Random(4)
    harmful = [prefixed(1, rng.randbytes(rng.randrange(1, 80))) for _ in range(2_000)]
    harmful += [good[:at] for at in range(len(good))]
    for _ in range(3_000):
        broken = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(5, len(broken))] = rng.randrange(256)
        harmful.append(bytes(broken))
    plain = written(PREDICTION(id="i", amount=1.5))
    names = ("n:amount", "n:more.x.y", "n:tags.k", "c:tier", "c:inner.again.version", "n:score", "n:maybe")
    schema = schema_of(*names, id_path=("id",), time=TimeField(("at",), TimeUnit.MS), encoding=PROTOBUF)
    decoder = Decoder(schema, None, Known(FILE))
    mixed = [value for bad in harmful for value in (bad, plain)]
    found = decoder.decode(raw(*mixed))
    at = dict(zip(found.rejects.offsets.tolist(), found.rejects.reasons, strict=True))
    assert {at[odd] for odd in range(1, len(mixed), 2)} == {"missing time"}
    assert len(found) + len(found.rejects.reasons) == len(mixed)
    assert np.isfinite(found.numeric).all()
