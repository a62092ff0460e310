"""Keys and headers of records as fields."""

from dataclasses import replace

import numpy as np
import pytest

from streamcheck.adapters.kafka.headers import headings
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Column, Kind, Role, Schema, TimeField, TimeUnit
from streamcheck.core.types import FieldStatus, SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decode.metadata import BAD_HEADERS, HEADERS_MAX, find
from streamcheck.runtime.ports import RawBatch

TIER = Column("tier", ("$headers", "tier"), Kind.CATEGORICAL, Role.SEGMENT)
AMOUNT = Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE)
LOAD = Column("load", ("$headers", "load"), Kind.NUMERIC, Role.FEATURE)
SCHEMA = Schema(
    StreamRole.PREDICTIONS,
    ("p",),
    ("$key",),
    TimeField(("$headers", "ts"), TimeUnit.MS),
    (AMOUNT, LOAD, TIER),
    1_000,
    0,
)
OK, MISSING, WRONG = FieldStatus.OK, FieldStatus.MISSING, FieldStatus.WRONG_TYPE
Headers = list[tuple[str, bytes | None]]


def raw(
    values: list[bytes | None],
    keys: list[bytes | None],
    headers: list[Headers] | Pieces | None,
    *,
    encoded: bool = True,
) -> RawBatch:
    pieces = headings(headers) if isinstance(headers, list) else headers
    at, stamps = np.arange(len(values)), np.full(len(values), -1)
    return RawBatch(SourcePartition("p", 0), at, stamps, keys, values, len(values), (), pieces, encoded)


def test_keys_and_headers_are_fields() -> None:
    headers: list[Headers] = [
        [("tier", b"gold"), ("ts", b"5000"), ("load", b"0.5")],
        [("ts", b"6000"), ("other", b"x"), ("tier", None), ("load", b"much")],
        [("tier", b"a"), ("tier", "groß".encode()), ("ts", b"7000"), ("load", b"7")],
    ]
    batch = Decoder(SCHEMA).decode(raw([b'{"amount": 1}'] * 3, [b"k1", b"k2", b"k3"], headers))
    assert batch.times.tolist() == [5000, 6000, 7000]
    assert batch.numeric.tolist() == [[1.0, 1.0, 1.0], [0.5, 0.0, 7.0]]
    assert batch.status.tolist() == [[OK] * 3, [OK, WRONG, OK], [OK, MISSING, OK]]
    names = batch.dictionaries[0].values
    assert [names[code] for code in batch.codes[0] if code >= 0] == ["gold", "groß"]
    alone = Decoder(SCHEMA).decode(raw([b'{"amount": 1}'], [b"k2"], headers[1:2]))
    assert batch.keys[1].tolist() == alone.keys[0].tolist()


def test_what_is_wrong_with_them_spoils_what_it_is_wrong_with() -> None:
    headers: list[Headers] = [[("ts", b"1")], [("ts", b"soon")], [], [("ts", b"1"), ("tier", b"\xff")]]
    batch = Decoder(SCHEMA).decode(raw([b"{}"] * 4, [None, b"k", b"\xff", b"k"], headers))
    assert batch.rejects.reasons == ("missing id", "bad time", "bad id")
    assert batch.status[2].tolist() == [WRONG]


def test_fields_of_keys_that_are_objects() -> None:
    user = Column("user", ("$key", "user"), Kind.CATEGORICAL, Role.SEGMENT)
    size = Column("size", ("$key", "size"), Kind.NUMERIC, Role.FEATURE)
    schema = Schema(StreamRole.PREDICTIONS, ("p",), ("$key", "id"), None, (size, user), 1_000, 0)
    keys: list[bytes | None] = [b'{"id": 7, "user": "a", "size": 2}', b'{"id": "b"}', b'"text"', None, b"nonsense"]
    batch = Decoder(schema).decode(replace(raw([b"{}"] * 5, keys, None), timestamps=np.arange(5)))
    assert batch.rejects.reasons == ("bad id", "missing id", "bad id")
    assert batch.numeric.tolist() == [[2.0, 0.0]]
    assert batch.status.tolist() == [[OK, MISSING], [OK, MISSING]]


def test_files_and_programs_have_them_as_fields_of_the_event() -> None:
    event = b'{"amount": 1, "$key": "k1", "$headers": {"ts": 5000, "tier": "gold", "load": 0.5}}'
    there = Decoder(SCHEMA).decode(raw([event], [None], None, encoded=False))
    here = Decoder(SCHEMA).decode(
        raw([b'{"amount": 1}'], [b"k1"], [[("ts", b"5000"), ("tier", b"gold"), ("load", b"0.5")]])
    )
    assert there.keys.tolist() == here.keys.tolist()
    assert (there.times.tolist(), there.numeric.tolist()) == (here.times.tolist(), here.numeric.tolist())


def test_headers_nobody_has_are_missing() -> None:
    batch = Decoder(SCHEMA).decode(raw([b"{}"], [b"k"], None))
    assert batch.rejects.reasons == ("missing time",)


@pytest.mark.parametrize(
    "written",
    [
        b"",  # not even a number
        b"\x02",  # one, which is not there
        b"\x02\x04a",  # a name that is cut
        b"\x02\x02a\x7f",  # a value that is cut
        b"\x02\x02a\x01\x00",  # something behind
        b"\x02\x01\x01",  # a name of length -1
        b"\x02\x02a\x03",  # a value of length -2
        b"\xff\xff\xff\xff\xff\x01",  # a number without an end
        b"\x02\xfe\xff\xff\xff\x0fa\x02b",  # a name of 2 GiB
        headings([[("h", b"")] * (HEADERS_MAX + 1)]).data,
    ],
)
def test_malformed_headers_refuse_the_record_and_no_other(written: bytes) -> None:
    good = headings([[("ts", b"1")]]).data
    data = good + written + good
    begins = np.array([0, len(good), len(good) + len(written)])
    headers = Pieces(data, begins, np.append(begins[1:], len(data)))
    batch = Decoder(SCHEMA).decode(raw([b"{}"] * 3, [b"a", b"b", b"c"], headers))
    assert (batch.rejects.offsets.tolist(), batch.rejects.reasons) == ([1], (BAD_HEADERS,))
    assert batch.times.tolist() == [1, 1]


def test_random_headers_are_read_as_written_or_refused() -> None:
    rng = np.random.default_rng(7)
    names = [b"a", b"ce_id", b"long" * 40]
    given: list[Headers] = []
    for _ in range(300):
        count = int(rng.integers(0, 6))
        picked = [names[int(at)].decode() for at in rng.integers(0, 3, count)]
        values = [None if rng.random() < 0.2 else rng.bytes(int(rng.integers(0, 200))) for _ in range(count)]
        given.append(list(zip(picked, values, strict=True)))
    found, bad = find(headings(given), names)
    assert not bad.any()
    for name, its in zip(names, found, strict=True):
        assert list(its) == [dict(each).get(name.decode()) for each in given]
    blob = bytearray(headings(given).data)
    for at in rng.integers(0, len(blob), 2_000).tolist():
        blob[at] = int(rng.integers(0, 256))
    pieces = headings(given)
    find(Pieces(bytes(blob), pieces.begins, pieces.ends), names)  # must not raise
