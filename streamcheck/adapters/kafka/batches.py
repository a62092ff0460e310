"""How whole record batches come out of kafka-python's consumer, bad ones as faults instead of exceptions.

kafka-python builds a ConsumerRecord per record, raises for ever on a batch that it cannot unpack, and expands
compressed batches without a limit. Its fetcher unpacks through one inner class, `Fetcher.PartitionRecords`.
`raw_reader` makes a subclass that yields Chunks: columns of many records. That class is private, so `fits` compares
both on a batch made in memory before it is used; where it does not fit, the client's own records are taken (stock.py).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import wire
from streamcheck.adapters.kafka.codecs import BatchFault, CorruptBatch, MalformedBatch, decompress
from streamcheck.adapters.kafka.headers import headings

DECOMPRESSED_BYTES_MAX = 64 << 20
"""Of one batch: a producer's largest by default, 1 MiB, may shrink 64-fold; JSON shrinks 5 to 15-fold."""

GROUP_BYTES = 4 << 20
"""Batches taken apart together, of one answer: so many that numpy's fixed cost (0.1 ms) vanishes."""

FAULTS_PER_CHUNK_MAX = 65_536
"""A damaged batch may claim two thousand million offsets; they come in portions."""

FAULT_BYTES = 128
"""Of one fault in memory: a tuple and an offset."""

RECORDS_PER_BYTE_BITS = 10
"""More than 2**10 records per compressed byte (of 7 bytes and more each) is no batch but a damaged header."""

Faults = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Records, or faults (offset, reason), and where reading goes on."""

    records: wire.Records
    next_offset: int
    faults: Faults = ()

    @property
    def kib(self) -> int:
        """Memory behind the chunk in KiB, at least 1."""
        rows = wire.RECORD_BYTES * len(self.records.offsets)
        return 1 + ((self.records.size + rows + FAULT_BYTES * len(self.faults)) >> 10)


class Portion(list[Chunk]):
    """Chunks whose len() is their size in KiB, so that the client's max_poll_records bounds memory, not chunks."""

    def __len__(self) -> int:
        return sum(chunk.kib for chunk in self)


def empty() -> wire.Records:
    """No records."""
    return wire.Records(np.empty(0, np.int64), np.empty(0, np.int64), [], [], 0)


@dataclass(slots=True)
class _Group:
    """Batches to be decoded together."""

    batches: list[tuple[wire.Header, wire.Payload]] = field(default_factory=list)
    size: int = 0

    def add(self, head: wire.Header, payload: wire.Payload) -> None:
        self.batches.append((head, payload))
        self.size += len(payload)


class RawPartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python is untyped
    """One fetch response of one partition, unpacked into Chunks."""

    decompressed_bytes_max = DECOMPRESSED_BYTES_MAX
    with_headers = False
    next_fetch_offset: int

    def take(self, n: int | None = None) -> Portion:
        """The next chunks, about `n` KiB of them (one chunk at least, while there are any)."""
        portion, size = Portion(), 0
        for chunk in self.record_iterator:
            portion.append(chunk)
            size += chunk.kib
            if n is not None and size >= n:
                break
        return portion

    def _maybe_skip_record(self, record: Chunk) -> bool:  # noqa: ARG002 - chunks begin at the fetch offset already
        return False

    def _unpack_records(self, tp: object, records: Any, *_: object) -> Iterator[Chunk]:  # noqa: ARG002 - the client's
        try:
            yield from self._chunks(records)
        finally:
            self.drain()  # after an exception too: the client would come back to a dead iterator for ever

    def _chunks(self, records: Any) -> Iterator[Chunk]:
        group, end, before = _Group(), self.fetch_offset, -1
        batches = list(wire.slices(records._buffer))  # noqa: SLF001 - the response's bytes
        for batch, next_base in itertools.zip_longest(batches, map(wire.base_offset, batches[1:])):
            if wire.magic(batch) < 2:
                yield from self._decoded(group)
                yield from self._legacy(batch)
                continue
            head = wire.header(batch)
            try:
                if _overlaps(head, before, next_base):
                    raise CorruptBatch
                if self._wanted(batch, head):
                    group.add(head, wire.payload(batch, head, self.decompressed_bytes_max))
                before = head.last_offset
                end = max(end, before + 1)
            except BatchFault as fault:
                yield from self._decoded(group)
                yield from self._faults(self._last_offset(head, next_base, fault), fault)
                if isinstance(fault, CorruptBatch):
                    return  # it may have been the end mark of a transaction: the broker tells anew which are aborted
            if group.size >= GROUP_BYTES:
                yield from self._decoded(group)
        yield from self._decoded(group)
        # the end of the last batch, be it aborted, a control batch, or thinned out by compaction
        self.next_fetch_offset = max(self.next_fetch_offset, end)

    def _wanted(self, batch: memoryview, head: wire.Header) -> bool:
        """Whether the batch holds data to deliver: not a control batch, not aborted, not before the fetch offset."""
        if self.check_crcs and not wire.intact(batch, head):
            raise CorruptBatch
        self.leader_epoch = head.leader_epoch
        if self.isolation_level == IsolationLevel.READ_COMMITTED and head.producer_id >= 0:
            self._consume_aborted_transactions_up_to(head.last_offset)
            if head.control:
                if wire.aborts(batch, head):
                    self.aborted_producer_ids.discard(head.producer_id)
            elif head.transactional and head.producer_id in self.aborted_producer_ids:
                return False
        return not head.control and head.last_offset >= self.fetch_offset

    def _decoded(self, group: _Group) -> Iterator[Chunk]:
        """The group's records as one chunk; batch by batch where one of them is malformed. Empties the group."""
        batches, group.batches, group.size = group.batches, [], 0
        if not batches:
            return
        try:
            yield self._chunk(wire.records(batches, headers=self.with_headers), batches[-1][0].last_offset + 1)
        except MalformedBatch as fault:
            if len(batches) == 1:
                yield from self._faults(batches[0][0].last_offset, fault)
                return
            for batch in batches:
                yield from self._decoded(_Group([batch]))

    def _chunk(self, records: wire.Records, next_offset: int) -> Chunk:
        records = records.since(self.fetch_offset)
        self.records_read += len(records.offsets)
        self.bytes_read += records.size
        self.next_fetch_offset = next_offset
        return Chunk(records, next_offset)

    def _faults(self, last: int, fault: BatchFault) -> Iterator[Chunk]:
        """One fault for each offset from where reading stands to `last`."""
        reason = str(fault)
        for first in range(self._position(), last + 1, FAULTS_PER_CHUNK_MAX):
            end = min(first + FAULTS_PER_CHUNK_MAX, last + 1)
            self.next_fetch_offset = end
            yield Chunk(empty(), end, tuple((offset, reason) for offset in range(first, end)))

    def _position(self) -> int:
        return max(int(self.next_fetch_offset), int(self.fetch_offset))

    def _last_offset(self, head: wire.Header, next_base: int | None, fault: BatchFault) -> int:
        """The last offset of a batch that cannot be read; with a wrong checksum its header may lie as well."""
        if not isinstance(fault, CorruptBatch):
            return head.last_offset
        position, most = self._position(), head.length << RECORDS_PER_BYTE_BITS
        if next_base is not None and position < next_base <= position + most:
            believable = position <= head.last_offset < next_base
            return head.last_offset if believable else next_base - 1
        # nothing tells where the batch ends: its own word if that is consistent, else one offset at a time
        consistent = head.records == head.last_offset_delta + 1 and 0 < head.records <= most
        return head.last_offset if consistent and position <= head.last_offset < position + most else position

    def _legacy(self, batch: memoryview) -> Iterator[Chunk]:
        """A v0 or v1 message set through kafka-python's own reader, its expansion bounded beforehand."""
        base, position = wire.base_offset(batch), self._position()
        last = base if position <= base < position + (len(batch) << RECORDS_PER_BYTE_BITS) else position
        try:
            _check_legacy(batch, self.decompressed_bytes_max)
            reader = LegacyRecordBatch(batch, wire.magic(batch))
            if self.check_crcs and not reader.validate_crc():
                raise CorruptBatch
            found = [record for record in reader if record.offset >= self.fetch_offset]
            offsets = [record.offset for record in found]
            if found and (offsets[0] < position or offsets != sorted(set(offsets)) or offsets[-1] > last):
                raise CorruptBatch
        except BatchFault as fault:
            yield from self._faults(last, fault)
        except Exception:  # noqa: BLE001 - kafka-python's reader raises whatever the bytes lead to
            yield from self._faults(last, MalformedBatch())
        else:
            if found:
                columns = _columns(found, len(batch), with_headers=self.with_headers)
                yield self._chunk(columns, found[-1].offset + 1)


def _overlaps(head: wire.Header, before: int, next_base: int | None) -> bool:
    """Whether a batch claims offsets of its neighbours: the checksum does not cover where it begins."""
    return head.base_offset <= before or (next_base is not None and head.last_offset >= next_base)


def _check_legacy(batch: memoryview, limit: int) -> None:
    """Raises BatchTooLarge where a compressed v0 or v1 message would expand beyond `limit`."""
    codec = batch[17] & 0x07
    if codec:
        at = 26 if wire.magic(batch) == 1 else 18
        key_length = int.from_bytes(batch[at : at + 4], "big", signed=True)
        at += 8 + max(key_length, 0)
        decompress(codec, batch[at:], limit)


def _columns(found: list[Any], size: int, *, with_headers: bool) -> wire.Records:
    # legacy records exist one by one only and have no headers; brokers since 4.0 no longer take them
    return wire.Records(
        np.array([record.offset for record in found], np.int64),
        np.array([-1 if record.timestamp is None else record.timestamp for record in found], np.int64),
        [record.key for record in found],
        [record.value for record in found],
        size,
        headings([None] * len(found)) if with_headers else None,
    )


def raw_reader(
    decompressed_bytes_max: int = DECOMPRESSED_BYTES_MAX, *, headers: bool = False
) -> type[RawPartitionRecords]:
    """The class to put in place of `consumer._fetcher.PartitionRecords`. headers: whether they are wanted."""
    own = {"decompressed_bytes_max": decompressed_bytes_max, "with_headers": headers}
    return type("BoundedPartitionRecords", (RawPartitionRecords,), own)


def fits(reader: type[RawPartitionRecords]) -> bool:
    """Whether the reader understands this version of kafka-python: it reads what the client's own class reads."""
    try:
        return _read(reader) == _read(Fetcher.PartitionRecords)
    except Exception:  # noqa: BLE001 - whatever a changed private API raises, it does not fit
        return False


def _read(reader: type) -> tuple[list[tuple[int, int, bytes | None, bytes | None]], int]:
    """Records (offset, timestamp, key, value) and the next fetch offset, for a batch of every kind of record."""
    builder = MemoryRecordsBuilder(2, 0, 1 << 20)
    payloads = (None, b"", b"x" * 100, b"y" * 10_000)
    headings: tuple[list[tuple[str, bytes | None]], ...] = ([], [("a", b"1"), ("b", None)])
    for at, (key, value, headers) in enumerate(itertools.product((None, b"", b"key"), payloads, headings)):
        builder.append(1_700_000_000_000 + at, key, value, headers)
    builder.close()
    part = reader(
        3,
        TopicPartition("selftest", 0),
        MemoryRecords(bytes(builder.buffer())),
        check_crcs=True,
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=[],
        on_drain=lambda _: None,
    )
    taken: list[Any] = part.take(1 << 30)
    assert part.take(1 << 30) == [] if part else True
    rows = [(r.offset, r.timestamp, r.key, r.value) for item in taken for r in _rows(item)]
    return rows, part.next_fetch_offset


def _rows(item: Any) -> list[Any]:
    if not isinstance(item, Chunk):
        return [item]
    columns = (item.records.offsets.tolist(), item.records.timestamps.tolist(), item.records.keys, item.records.values)
    return [_Row(*row) for row in zip(*columns, strict=True)]


class _Row(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
