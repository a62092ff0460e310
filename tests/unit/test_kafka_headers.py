"""Headers come out of our own reader and of kafka-python's as the wire has them, and only where they are wanted."""

from typing import Any

import numpy as np
import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import batches
from streamcheck.adapters.kafka.codecs import MalformedBatch
from streamcheck.adapters.kafka.fetch import _grouped
from streamcheck.adapters.kafka.headers import Unwritten, headers_of, headings
from streamcheck.adapters.kafka.source import merge
from streamcheck.core.pieces import Pieces
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.decode.metadata import find

HEADERS: list[list[tuple[str, bytes | None]]] = [
    [],
    [("a", b"1")],
    [("a", None), ("große", b"x" * 300), ("a", b"")],
    [("b", b"\xff\x00")] * 70,
]
WHERE = TopicPartition("t", 0)


def records() -> MemoryRecords:
    builder = MemoryRecordsBuilder(2, 0, 1 << 20)
    for at, headers in enumerate(HEADERS):
        builder.append(1_000 + at, b"k", b"v" * at, headers)
    builder.close()
    return MemoryRecords(bytes(builder.buffer()))


def raw(*, headers: bool) -> list[batches.Chunk]:
    reader = batches.raw_reader(headers=headers)
    part = reader(
        0, WHERE, records(), check_crcs=True, isolation_level=0, aborted_transactions=[], on_drain=lambda _: None
    )
    return list(part.take(1 << 20))


def stock() -> list[batches.Chunk]:
    own = Fetcher.PartitionRecords(
        0, WHERE, records(), check_crcs=True, isolation_level=0, aborted_transactions=[], on_drain=lambda _: None
    )
    return _grouped({WHERE: own.take(100)}, headers=True)[SourcePartition("t", 0)]


@pytest.mark.parametrize("read", [lambda: raw(headers=True), stock], ids=["raw", "stock"])
def test_every_reader_has_the_same(read: Any) -> None:
    merged = merge(SourcePartition("t", 0), read())
    assert merged.headers is not None
    assert list(merged.headers) == list(headings(HEADERS))
    found, bad = find(merged.headers, [b"a", "große".encode(), b"b"])
    assert not bad.any()
    assert [list(each) for each in found] == [
        [None, b"1", b"", None],
        [None, None, b"x" * 300, None],
        [None, None, None, b"\xff\x00"],
    ]


def test_nobody_pays_for_headers_that_are_not_wanted() -> None:
    assert merge(SourcePartition("t", 0), raw(headers=False)).headers is None


def test_parts_of_several_answers_are_put_together() -> None:
    twice = merge(SourcePartition("t", 0), [*raw(headers=True), batches.Chunk(batches.empty(), 4), *raw(headers=True)])
    assert twice.headers is not None
    assert list(twice.headers) == list(headings(HEADERS)) * 2
    assert isinstance(twice.headers, Pieces)
    assert np.array_equal(twice.cut(slice(5, 8), 8, ()).headers.lengths, twice.headers.lengths[5:8])  # type: ignore[union-attr]


def test_headers_that_a_client_has_taken_apart_are_written_when_they_are_asked_for() -> None:
    lazy = Unwritten(HEADERS)
    assert list(lazy) == list(headings(HEADERS))
    assert list(lazy[1:3]) == list(headings(HEADERS[1:3]))
    assert (len(lazy), lazy.size) == (4, sum(len(n.encode()) + len(v or b"") for each in HEADERS for n, v in each) - 1)
    assert list(Unwritten.together([lazy, lazy[1:]])) == list(headings([*HEADERS, *HEADERS[1:]]))
    assert list(Unwritten.together([lazy, headings(HEADERS)])) == list(headings([*HEADERS, *HEADERS]))


@pytest.mark.parametrize("at", range(len(HEADERS)))
def test_they_can_be_taken_apart_again(at: int) -> None:
    (written,) = headings(HEADERS[at : at + 1])
    assert written is not None
    assert headers_of(written, 100) == HEADERS[at]
    for cut in range(len(written)):
        with pytest.raises(MalformedBatch):
            headers_of(written[:cut], 100)
    with pytest.raises(MalformedBatch):
        headers_of(written + b"\0", 100)


def test_a_rejected_record_takes_its_headers_along() -> None:
    batch = merge(SourcePartition("t", 0), raw(headers=True))
    assert headers_of(batch.record(2)[2] or b"", 100) == HEADERS[2]
    alone = batch.only(2)
    assert alone.record(2) == batch.record(2)
    assert alone.headers is not None
    assert len(alone.headers) == 1
    assert merge(SourcePartition("t", 0), raw(headers=False)).record(2)[2] is None


@pytest.mark.parametrize("shared", [True, False])
def test_columns_put_together_at_once_are_those_put_together_one_by_one(shared: bool) -> None:
    def part(number: int) -> list[Pieces]:
        data = b"%d|key|value|" % number
        columns = [Pieces(data, np.array([0, 2]), np.array([1, 5])), Pieces(data, np.array([6, 6]), np.array([11, 5]))]
        if not shared:
            columns[1] = Pieces(bytes(bytearray(data)), columns[1].begins, columns[1].ends)
        return [*columns, Pieces.none(2)]

    parts = [part(number) for number in range(3)]
    found = Pieces.beside(parts)
    assert [list(each) for each in found] == [list(Pieces.together(column)) for column in zip(*parts, strict=True)]
    assert list(found[1]) == [b"value", None] * 3
    assert list(found[2]) == [None] * 6
    assert (found[0].data is found[1].data) == shared
