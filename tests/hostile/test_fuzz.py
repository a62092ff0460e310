"""Thousands of mutated bytes: never an exception but a counted one, never a good row lost."""

import random
import struct

import numpy as np
import pytest
from crc32c import crc32c
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import batches
from streamcheck.core.ids import keys_of
from streamcheck.core.plan import Column, Kind, Role, Schema, Task, TimeField, TimeUnit
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

STAMP = 1_772_359_200_000
COLUMNS = (
    Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
    Column("deep", ("features", "deep", "x"), Kind.NUMERIC, Role.FEATURE),
    Column("country", ("country",), Kind.CATEGORICAL, Role.FEATURE),
    Column("fraud", ("fraud",), Kind.BINARY, Role.PREDICTION),
)
SCHEMA = Schema(StreamRole.PREDICTIONS, ("p",), ("id",), TimeField(("ts",), TimeUnit.MS), COLUMNS, 100_000, 300_000)
GOOD = (
    b'{"id":"e1","ts":1772359200000,"amount":1.5,"features":{"deep":{"x":-2e3}},"country":"DE\\u00fc","fraud":1}',
    b'{"fraud":"true","id":12345678901234567890,"ts":1772359200000.5,"amount":null,"other":[1,{"a":[[]]},"\\\\\\""]}',
    '{"id":"ü","ts":1772359200000,"amount":NaN,"features":null,"country":"漢字","fraud":0}'.encode(),
)
REASONS = {
    *("not JSON", "not an object", "too large", "tombstone", "missing id", "bad id", "missing time", "bad time"),
    "time in future",
}
SPLICES = (
    *(b"", b"\x00", b'"', b"\\", b"{", b"}", b"[", b"]" * 50, b"[" * 700, b"NaN", b"-Infinity", b"1e999", b"9" * 400),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b",", b":", b"null", b"\xef\xbb\xbf", b" " * 2_000),
)


def mutated(rng: random.Random, value: bytes) -> bytes:
    made = bytearray(value)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(5)
        if kind == 0 and made:
            made[min(at, len(made) - 1)] = rng.randrange(256)
        elif kind == 1:
            made[at:at] = rng.choice(SPLICES)
        elif kind == 2:
            del made[at : at + rng.randrange(20)]
        elif kind == 3:
            made[at:at] = made[rng.randrange(len(made) + 1) :][:40]
        else:
            made = made[:at] + rng.choice(SPLICES) + made[at + 1 :]
    return bytes(made)


@pytest.mark.parametrize("seed", range(10))
def test_mutated_events(seed: int) -> None:
    """A thousand a seed, in a batch with good ones between them, which come out as they do alone."""
    rng = random.Random(seed)
    decoder = Decoder(SCHEMA, Task.BINARY)
    values = [value for _ in range(1_000) for value in (mutated(rng, rng.choice(GOOD)), GOOD[0])]
    n = len(values)
    offsets, stamps = np.arange(n), np.full(n, STAMP)
    batch = decoder.decode(RawBatch(SourcePartition("p", 0), offsets, stamps, [None] * n, values, n))
    alone = Decoder(SCHEMA, Task.BINARY).decode(
        RawBatch(SourcePartition("p", 0), np.array([1]), np.array([STAMP]), [None], [GOOD[0]], 2)
    )
    assert sorted([*batch.offsets.tolist(), *batch.rejects.offsets.tolist()]) == list(range(n))
    assert set(batch.rejects.reasons) <= REASONS
    assert 100 < len(batch.rejects.offsets) < 1_000, "the mutations are neither all harmless nor all deadly"
    assert np.isfinite(batch.numeric).all()
    good = np.flatnonzero(batch.offsets % 2 == 1)
    assert len(good) == 1_000
    assert (batch.numeric[:, good] == alone.numeric).all()
    assert (batch.status[:, good] == alone.status).all()
    assert (batch.keys[good] == keys_of(["e1"])).all()


def response(rng: random.Random) -> bytearray:
    """Three batches of ten records, each compressed in some way."""
    data = bytearray()
    for base in (0, 10, 20):
        builder = MemoryRecordsBuilder(2, rng.choice([0, 0, 1, 2, 3, 4]), 1 << 20)
        for at in range(10):
            builder.append(STAMP + at, b"key", b"value" * 20, [("h", b"1")])
        builder.close()
        made = bytearray(builder.buffer())
        struct.pack_into(">q", made, 0, base)
        data += made
    return data


def chunks(data: bytes) -> tuple[list[batches.Chunk], int]:
    part = batches.raw_reader(1 << 20)(
        0,
        TopicPartition("t", 0),
        MemoryRecords(data),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[],
        on_drain=lambda _: None,
    )
    taken: list[batches.Chunk] = []
    while part and len(taken) < 200:  # a damaged header may claim thousands of millions of offsets: in portions
        taken += part.take(1 << 10)
    return taken, part.next_fetch_offset


@pytest.mark.parametrize("seed", range(20))
def test_mutated_answers_of_a_broker(seed: int) -> None:
    """A hundred a seed, headers and lengths as well; half of them with the right checksum, as a producer would."""
    rng = random.Random(seed)
    for _ in range(100):
        data = response(rng)
        for _ in range(rng.choice([1, 1, 2, 6])):
            data[rng.randrange(len(data))] = rng.choice([rng.randrange(256), 0, 0x7F, 0x80, 0xFF])
        if rng.random() < 0.5:
            at = 0
            while (
                at + 61 <= len(data) and 14 <= (length := struct.unpack_from(">i", data, at + 8)[0]) <= len(data) - at
            ):
                struct.pack_into(">I", data, at + 17, crc32c(bytes(data[at + 21 : at + 12 + length])))
                at += 12 + length
        try:
            taken, end = chunks(bytes(data))
        except CorruptRecordError:
            continue  # not even the first length makes sense: the source asks anew, and says so
        offsets = [offset for chunk in taken for offset in chunk.records.offsets.tolist()]
        offsets += [offset for chunk in taken for offset, _ in chunk.faults]
        assert len(offsets) == len(set(offsets))
        ends = [chunk.next_offset for chunk in taken]
        assert ends == sorted(ends), "reading never goes back"
        assert offsets == sorted(offsets) or any(chunk.faults for chunk in taken)
        assert end >= max(ends, default=0)
        assert {why for chunk in taken for _, why in chunk.faults} <= {
            *("corrupt batch", "malformed batch", "unknown codec", "batch too large"),
        }


def test_faults_count_as_memory() -> None:
    """A batch that claims two thousand million offsets comes in portions, and so does a poll."""
    chunk = batches.Chunk(batches.empty(), 65_536, tuple((at, "corrupt batch") for at in range(65_536)))
    assert chunk.kib > 8_000


def test_a_batch_that_claims_the_offsets_of_its_neighbours_is_corrupt() -> None:
    """The checksum does not cover where a batch begins: read where it says, reading would go back, and the run end."""
    whole = response(random.Random(1))
    second = 12 + struct.unpack_from(">i", whole, 8)[0]
    for lie in (-7, 0, 5, 15, 2**60):
        data = bytearray(whole)
        struct.pack_into(">q", data, second, lie)
        taken, end = chunks(bytes(data))
        good = [offset for chunk in taken for offset in chunk.records.offsets.tolist()]
        assert good == sorted(good)
        assert good in (list(range(10)), []), good
        assert {why for chunk in taken for _, why in chunk.faults} == {"corrupt batch"}
        assert 0 < end <= 20
