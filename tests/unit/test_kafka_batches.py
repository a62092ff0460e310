"""Are record batches read exactly as kafka-python reads them, and bad ones as faults of exactly their offsets?"""

import random
import struct

import numpy as np
import pytest
from crc32c import crc32c
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import FetchResponse, IsolationLevel
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import batches, wire
from streamcheck.adapters.kafka.codecs import MalformedBatch

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
DATA, CONTROL = 0, 0x20
ABORT, COMMIT = b"\x00\x00\x00\x00", b"\x00\x00\x00\x01"


def batch(base, records, *, codec=0, magic=2, first_offset=0, producer=-1, attributes=0, epoch=5) -> bytes:
    """One batch as a broker would hold it. records: (timestamp, key, value, headers); attributes: bits set besides."""
    identity = {"transactional": True, "producer_id": producer, "producer_epoch": 0, "base_sequence": 0}
    builder = MemoryRecordsBuilder(magic, codec, 1 << 30, offset=first_offset, **(identity if producer >= 0 else {}))
    for record in records:
        builder.append(*record) if magic == 2 else builder.append(*record[:3])
    builder.close()
    made = bytearray(builder.buffer())
    if magic == 2:
        struct.pack_into(">q", made, 0, base)
        struct.pack_into(">i", made, 12, epoch)
        struct.pack_into(">h", made, 21, struct.unpack_from(">h", made, 21)[0] | attributes)
        seal(made)
    return bytes(made)


def seal(made: bytearray) -> bytearray:
    """Make the checksum right again."""
    struct.pack_into(">I", made, 17, crc32c(bytes(made[21:])))
    return made


def simple(base, n, **more) -> bytes:
    return batch(base, [(1_000 + at, None, b"v%d" % (base + at), []) for at in range(n)], **more)


def part(data, fetch_offset=0, aborted=(), reader=None):
    made = (reader or batches.raw_reader())(
        fetch_offset,
        TopicPartition("t", 0),
        MemoryRecords(bytes(data)),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=list(aborted),
        on_drain=lambda _: None,
    )
    assert made
    return made


def read(data, fetch_offset=0, **more):
    """Values, faults, and where reading goes on."""
    made = part(data, fetch_offset, **more)
    chunks = []
    while made:
        chunks += made.take(1 << 20)
    values = [value for chunk in chunks for value in chunk.records.values]
    offsets = [offset for chunk in chunks for offset in chunk.records.offsets.tolist()]
    assert offsets == sorted(set(offsets))
    return values, [fault for chunk in chunks for fault in chunk.faults], made.next_fetch_offset


def aborted(producer, first) -> object:
    response = FetchResponse.FetchableTopicResponse.PartitionData
    return response.AbortedTransaction(producer_id=producer, first_offset=first)


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_kafka_python_on_random_batches(seed) -> None:
    rng = random.Random(seed)
    data, base = b"", rng.choice([0, 7, 2**40])
    start = base
    for _ in range(rng.randrange(1, 6)):
        records = [
            (
                1_700_000_000_000 + rng.choice([0, 1, -1, 2**33]) * rng.randrange(9),
                rng.choice([None, b"", rng.randbytes(rng.randrange(300))]),
                rng.choice([None, b"", rng.randbytes(rng.choice([1, 63, 64, 8191, 8192, 70_000]))]),
                [("h" * rng.randrange(200), rng.choice([None, b"v" * 200])) for _ in range(rng.choice([0, 0, 1, 3]))],
            )
            for _ in range(rng.choice([1, 2, 50, 150]))
        ]
        gap = rng.choice([0, 0, 5, 200])  # as compaction leaves it
        log_append = rng.choice([0, 0x08])
        data += batch(base, records, codec=rng.randrange(5), first_offset=gap, attributes=log_append)
        base += gap + len(records)
    at = rng.randrange(start, base)
    theirs = Fetcher.PartitionRecords(at, TopicPartition("t", 0), MemoryRecords(data)).take()
    chunks = part(data, at).take()
    found = [chunk.records for chunk in chunks]
    columns = [(each.offsets.tolist(), each.timestamps.tolist(), list(each.keys), list(each.values)) for each in found]
    rows = [row for column in columns for row in zip(*column, strict=True)]
    assert rows == [(r.offset, r.timestamp, r.key, r.value) for r in theirs]
    assert chunks[-1].next_offset == base


@pytest.mark.parametrize("seed", range(20))
def test_records_of_one_length_are_found_like_others(seed, monkeypatch) -> None:
    """Runs of one length begin, end and break anywhere, in the last byte of the data, too, and over batches."""
    monkeypatch.setattr(wire, "ONE_BY_ONE", 20)
    rng = random.Random(seed)
    found, base = [], 0
    for _ in range(4):
        runs = [(rng.choice((0, 1, 56, 57, 58, 300, 9_000)), rng.choice((1, 3, 40, 90))) for _ in range(5)]
        sizes = [size for size, count in runs for _ in range(count)]
        found.append(batch(base, [(1_000, rng.choice((None, b"", b"k")), rng.randbytes(size), []) for size in sizes]))
        base += len(sizes)
    parts = [(head, wire.payload(memoryview(each), head, 1 << 30)) for each in found for head in [wire.header(each)]]
    records = wire.records(parts)
    theirs = [record for each in found for record in MemoryRecords(each).next_batch()]
    assert list(records.values) == [record.value for record in theirs]
    assert list(records.keys) == [record.key for record in theirs]
    assert records.offsets.tolist() == list(range(base))
    damaged = bytearray(parts[-1][1])
    damaged[0] += 2  # one byte more than there is
    with pytest.raises(MalformedBatch):
        wire.records([(parts[-1][0], bytes(damaged))])


def test_records_that_were_not_compressed_stay_where_the_answer_lies() -> None:
    """Whatever their batches are, and whoever is left out between them; with compressed ones they are put together."""
    answer = b"".join([simple(0, 3), batch(3, [(7, b"k", None, [("a", b"1")])]), simple(4, 900), simple(904, 2)])
    found = [(wire.header(each), wire.payload(each, wire.header(each), 1 << 30)) for each in wire.slices(answer)]
    whole, odd = wire.records(found, headers=True), wire.records([found[0], found[2]])
    assert whole.values.data is answer
    assert odd.values.data is answer
    assert list(whole.values) == [b"v0", b"v1", b"v2", None, *(b"v%d" % at for at in range(4, 906))]
    assert whole.keys[3] == b"k"
    assert [bytes(each or b"")[:1] for each in whole.headers][2:5] == [b"\x00", b"\x02", b"\x00"]
    assert odd.offsets.tolist() == [0, 1, 2, *range(4, 904)]
    assert whole.size == sum(len(part) for _, part in found) < len(answer)
    packed = simple(906, 2, codec=ZSTD)
    head = wire.header(memoryview(packed))
    both = wire.records([*found, (head, wire.payload(memoryview(packed), head, 1 << 30))])
    assert list(both.values) == [*whole.values, b"v906", b"v907"]


def test_a_record_that_leads_into_the_next_batch_is_malformed() -> None:
    answer = bytearray(simple(0, 3) + simple(3, 3))
    answer[61] += 2  # one byte more than there is of the first record
    found = [(wire.header(each), wire.payload(each, wire.header(each), 1 << 30)) for each in wire.slices(bytes(answer))]
    for parts in (found, found[:1]):
        with pytest.raises(MalformedBatch):
            wire.records(parts)
    assert list(wire.records(found[1:]).values) == [b"v3", b"v4", b"v5"]


@pytest.mark.parametrize("magic", [0, 1])
def test_legacy_message_sets(magic) -> None:
    data = batch(0, [(1_000 + at, b"k", b"v%d" % at, []) for at in range(5)], magic=magic)
    assert read(data, 2) == ([b"v2", b"v3", b"v4"], [], 5)
    stamps = [chunk.records.timestamps.tolist() for chunk in part(data, 2).take()]
    assert stamps == ([[-1]] * 3 if magic == 0 else [[1_002], [1_003], [1_004]])


def test_a_compressed_legacy_message_set_is_bounded() -> None:
    records = [(1_000, b"k", bytes(3_000), []) for at in range(5)]
    data = bytearray(batch(0, records, magic=1, codec=GZIP))
    struct.pack_into(">q", data, 0, 4)  # as a broker does: the set's offset is that of its last message
    assert read(data)[0] == [bytes(3_000)] * 5
    assert read(data, reader=batches.raw_reader(10_000)) == ([], [(at, "batch too large") for at in range(5)], 5)


def test_an_empty_answer_and_an_empty_batch() -> None:
    assert read(b"", 4) == ([], [], 4)
    emptied = bytearray(simple(0, 3)[:61])  # all records removed by compaction, its offsets kept
    struct.pack_into(">i", emptied, 57, 0)
    struct.pack_into(">i", emptied, 8, 49)
    assert read(bytes(seal(emptied)) + simple(3, 1)) == ([b"v3"], [], 4)


def test_a_wrong_checksum_costs_its_batch() -> None:
    bad = bytearray(simple(10, 10))
    bad[-3] ^= 1
    values, faults, end = read(simple(0, 10) + bad + simple(20, 10))
    assert values == [b"v%d" % at for at in range(10)]
    assert faults == [(at, "corrupt batch") for at in range(10, 20)]
    assert end == 20  # what follows is fetched anew, with the broker's own list of aborted transactions
    assert read(bad, 14)[1:] == ([(at, "corrupt batch") for at in range(14, 20)], 20)


@pytest.mark.parametrize("lie", [-5, 3, 2**31 - 1])
def test_a_damaged_header_does_not_say_how_much_is_lost(lie) -> None:
    bad = bytearray(simple(10, 10))
    struct.pack_into(">i", bad, 23, lie)  # last offset delta; the checksum no longer matches
    values, faults, end = read(bytes(bad) + simple(20, 5), 10)
    assert {offset for offset, _ in faults} == set(range(10, 14 if lie == 3 else 20))
    assert end == (14 if lie == 3 else 20)
    values, faults, end = read(bytes(bad), 12)  # nothing follows: one offset at a time
    assert (values, faults, end) == ([], [(12, "corrupt batch")], 13)


def test_unknown_codec_and_too_large_and_malformed_go_on_behind_themselves() -> None:
    unknown = batch(2, [(0, None, b"x", [])] * 2, attributes=0x07)
    large = batch(4, [(0, None, bytes(5_000), [])] * 2, codec=ZSTD)
    malformed = bytearray(simple(6, 2))
    malformed[61] += 2  # the first record's length
    data = simple(0, 2) + unknown + large + bytes(seal(malformed)) + simple(8, 2)
    values, faults, end = read(data, reader=batches.raw_reader(4_000))
    assert values == [b"v0", b"v1", b"v8", b"v9"]
    reasons = ["unknown codec"] * 2 + ["batch too large"] * 2 + ["malformed batch"] * 2
    assert (faults, end) == (list(zip(range(2, 8), reasons, strict=True)), 10)


@pytest.mark.parametrize("seed", range(200))
def test_no_bytes_raise_anything_but_a_fault(seed) -> None:
    rng = random.Random(seed)
    records = [(at, b"key", b"value" * 20, [("h", b"1")]) for at in range(20)]
    data = bytearray(batch(0, records, codec=rng.choice([0, 0, LZ4, GZIP, ZSTD, SNAPPY])))
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(61, len(data))] = rng.randrange(256)
    values, faults, end = read(bytes(seal(data)) + simple(20, 1))  # the checksum is right: the producer wrote it so
    assert end == 21
    assert values[-1] == b"v20"
    assert len(values) == 21 or faults == [(at, faults[0][1]) for at in range(20)]


def test_records_of_a_malformed_batch_are_never_half_delivered() -> None:
    head = wire.header(memoryview(simple(0, 3)))
    with pytest.raises(MalformedBatch):
        wire.records([(head, simple(0, 3)[61:-1])])
    with pytest.raises(MalformedBatch):
        wire.records([(head, simple(0, 3)[61:] + b"\x00")])
    with pytest.raises(MalformedBatch):
        wire.records([(head._replace(last_offset_delta=1), simple(0, 3)[61:])])


def test_aborted_transactions_and_control_batches() -> None:
    data = (
        simple(0, 2, producer=7)
        + simple(2, 2, producer=8)
        + batch(4, [(0, ABORT, b"", [])], producer=7, attributes=CONTROL)
        + simple(5, 2, producer=7)
        + batch(7, [(0, COMMIT, b"", [])], producer=8, attributes=CONTROL)
        + batch(8, [(0, COMMIT, b"", [])], producer=7, attributes=CONTROL)
    )
    assert read(data, aborted=[aborted(7, 0)]) == ([b"v2", b"v3", b"v5", b"v6"], [], 9)
    theirs = Fetcher.PartitionRecords(
        0, TopicPartition("t", 0), MemoryRecords(data), isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[aborted(7, 0)],
    )  # fmt: skip
    assert [record.value for record in theirs.take()] == [b"v2", b"v3", b"v5", b"v6"]


def test_taking_stops_at_the_budget_and_the_position_follows(monkeypatch) -> None:
    monkeypatch.setattr(batches, "GROUP_BYTES", 1)
    made = part(b"".join(batch(at, [(0, None, bytes(2_700), [])]) for at in range(10)))
    first = made.take(7)
    assert [chunk.records.offsets.tolist() for chunk in first] == [[0], [1], [2]]  # 3 KiB each
    assert (len(first), made.next_fetch_offset) == (9, 3)
    assert made.take(1 << 20)[-1].next_offset == made.next_fetch_offset == 10
    assert not made


def test_a_length_without_sense_raises_once_nothing_else_is_left() -> None:
    nonsense = struct.pack(">qi", 3, -7) + bytes(60)
    assert read(simple(0, 3) + nonsense) == ([b"v0", b"v1", b"v2"], [], 3)
    answer = type("Answer", (), {"_buffer": nonsense})()
    stuck = batches.raw_reader()(0, TopicPartition("t", 0), answer)
    with pytest.raises(CorruptRecordError):
        stuck.take(1)
    assert not stuck  # else the client would ask this dead iterator for ever


def test_many_faults_come_in_portions(monkeypatch) -> None:
    monkeypatch.setattr(batches, "FAULTS_PER_CHUNK_MAX", 4)
    chunks = part(batch(0, [(0, None, bytes(9_000), [])] * 10), reader=batches.raw_reader(100)).take()
    assert [len(chunk.faults) for chunk in chunks] == [4, 4, 2]
    assert [chunk.next_offset for chunk in chunks] == [4, 8, 10]


def test_the_self_test_refuses_a_client_that_has_changed(monkeypatch) -> None:
    assert batches.fits(batches.raw_reader())

    class Renamed:
        def __init__(self, *_, **__) -> None:
            raise TypeError("other parameters")

    class Reordered(Fetcher.PartitionRecords):
        def take(self, n=None):
            return super().take(n)[::-1]

    for changed in (Renamed, Reordered):
        monkeypatch.setattr(Fetcher, "PartitionRecords", changed)
        assert not batches.fits(batches.raw_reader())


def test_the_raw_reader_is_a_mutant_away_from_failing(monkeypatch) -> None:
    """The self-test sees a wrong unpacking as well, not only a changed client."""
    honest = wire.records
    monkeypatch.setattr(wire, "records", lambda b: wire.Records(*[f(honest(b)) for f in MUTANT]))
    assert not batches.fits(batches.raw_reader())


MUTANT = (
    lambda r: r.offsets,
    lambda r: r.timestamps + np.int64(1),
    lambda r: r.keys,
    lambda r: r.values,
    lambda r: r.size,
)
