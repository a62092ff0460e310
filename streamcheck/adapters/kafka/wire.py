"""What records are in these bytes: Kafka's record batches (format v2) as columns, without an object per record.

Format: https://kafka.apache.org/documentation/#recordbatch. Older message sets (v0, v1) are read by kafka-python.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from crc32c import crc32c
from kafka.errors import CorruptRecordError

from streamcheck.adapters.kafka.codecs import BatchTooLarge, MalformedBatch, decompress
from streamcheck.adapters.kafka.headers import Headers
from streamcheck.core.pieces import Pieces
from streamcheck.core.types import IntArray

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH = struct.Struct(">qi")
_CONTROL_KEY = struct.Struct(">hh")
_MAGIC_AT = 16
_CRC_FROM = 21
_LENGTH_BYTES_MIN = 14
"""Bytes after the length field of the smallest legacy message: CRC, magic, attributes, two lengths."""

_CODEC, _LOG_APPEND, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_VARINT_BITS_MAX = 64

RECORDS_MAX = 1 << 17
"""Of one batch: each becomes a row of columns, however small it is. 1 MiB holds as many of 8 bytes."""
RECORD_BYTES = 256
"""What a record takes beside its bytes until its poll has been decoded: its places, its columns."""

ALIKE_MIN, ONE_BY_ONE = 16, 2_048
"""Of fewer records of one length it takes longer to find them together; then so many are found one by one."""
_NONE = np.empty(0, np.int64)

Payload = bytes | memoryview


class Header(NamedTuple):
    """The fixed part of a record batch, as on the wire."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @property
    def last_offset(self) -> int:
        """The last offset that belongs to the batch, kept even when compaction has removed its record."""
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        """How the records are compressed; `codecs` names the numbers."""
        return self.attributes & _CODEC

    @property
    def transactional(self) -> bool:
        """Whether the batch was written inside a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """Whether the batch is a transaction's end mark, not data."""
        return bool(self.attributes & _CONTROL)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """n records as columns: offsets and timestamps (n,) int64, keys and values n bytes or None.

    size: bytes of memory behind them. headers: where they are wanted.
    """

    offsets: IntArray
    timestamps: IntArray
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    size: int
    headers: Headers | None = None

    def since(self, offset: int) -> "Records":
        """The records at or after `offset`."""
        at = int(np.searchsorted(self.offsets, offset))
        if at == 0:
            return self
        headers = None if self.headers is None else self.headers[at:]
        return Records(self.offsets[at:], self.timestamps[at:], self.keys[at:], self.values[at:], self.size, headers)


def slices(data: bytes) -> Iterator[memoryview]:
    """The complete batches in a fetch response, one after the other; a cut one at the end is left out.

    Raises CorruptRecordError where the first length makes no sense: the next batch cannot be found then.
    """
    view, at = memoryview(data), 0
    while at + _LENGTH.size <= len(view):
        _, length = _LENGTH.unpack_from(view, at)
        if length < _LENGTH_BYTES_MIN:
            if at:
                return
            raise CorruptRecordError("the broker's answer is no record batch")
        end = at + _LENGTH.size + length
        if end > len(view):
            return
        yield view[at:end]
        at = end


def magic(batch: memoryview) -> int:
    """The format version of a batch."""
    return batch[_MAGIC_AT]


def base_offset(batch: memoryview) -> int:
    """The first offset of a batch of any format."""
    offset: int = _LENGTH.unpack_from(batch)[0]
    return offset


def header(batch: memoryview) -> Header:
    """The header of a v2 batch. Raises MalformedBatch where there are too few bytes for one."""
    if len(batch) < _HEADER.size:
        raise MalformedBatch
    return Header._make(_HEADER.unpack_from(batch))


def intact(batch: memoryview, head: Header) -> bool:
    """Whether the checksum matches the bytes it covers (all from the attributes on)."""
    return bool(crc32c(batch[_CRC_FROM:]) == head.crc)


def payload(batch: memoryview, head: Header, limit: int) -> Payload:
    """The records' bytes, decompressed, at most `limit`. Raises a BatchFault."""
    if head.records < 0 or head.last_offset_delta < 0:
        raise MalformedBatch
    if head.records > RECORDS_MAX:
        raise BatchTooLarge
    return decompress(head.codec, batch[_HEADER.size :], limit)


def aborts(batch: memoryview, head: Header) -> bool:
    """Whether a control batch ends its transaction by an abort. Raises MalformedBatch."""
    marks = records([(head, batch[_HEADER.size :])]).keys
    key = marks[0] if marks else None
    if key is None or len(key) < _CONTROL_KEY.size:
        raise MalformedBatch
    return bool(_CONTROL_KEY.unpack_from(key)[1] == 0)


def records(batches: Sequence[tuple[Header, Payload]], *, headers: bool = False) -> Records:
    """The records of consecutive batches, together. Raises MalformedBatch when any of them is no sequence of records.

    Only the way from record to record is walked in Python, because each begins where the one before ends; everything
    inside is decoded as columns. Headers of records are stepped over unread; with `headers` it is said where they are.
    """
    data, begins = _block([part for _, part in batches])
    try:
        starts = _starts(data, begins, batches)
        found, headings = _columns(data, starts, batches)
        return replace(found, headers=headings) if headers else found
    except IndexError as error:  # a length led beyond the end
        raise MalformedBatch from error


def _block(parts: Sequence[Payload]) -> tuple[bytes, list[int]]:
    """One block in which all parts lie, in their order, and where each begins: their answer, if none was compressed."""
    views = [part for part in parts if isinstance(part, memoryview) and len(part)]
    answer = views[0].obj if views else None
    if isinstance(answer, bytes) and len(views) == len(parts) and all(view.obj is answer for view in views):
        base = _address(answer)
        return answer, [_address(view) - base for view in views]
    return b"".join(parts), list(accumulate(map(len, parts[:-1]), initial=0))


def _address(data: Payload) -> int:
    """Where in memory these bytes lie."""
    return int(np.frombuffer(data, np.uint8).__array_interface__["data"][0])


def _starts(data: bytes, begins: Sequence[int], batches: Sequence[tuple[Header, Payload]]) -> IntArray:
    """Where each record begins. Those of one length, as of a fixed form, are found together; others one by one.

    begins: where each batch does.
    """
    octets, found, apart = np.frombuffer(data, np.uint8), [np.empty(0, np.int64)], 0
    for begin, (head, part) in zip(begins, batches, strict=True):
        at, end, left = begin, begin + len(part), head.records
        while left:
            if not apart and len(_alike(octets, at, min(left, ALIKE_MIN))) > ALIKE_MIN:
                bounds = _alike(octets, at, min(left, end - at))
            else:
                bounds = _one_by_one(data, at, min(left, apart or ONE_BY_ONE))
                apart = (apart or ONE_BY_ONE) - len(bounds) + 1
            found.append(bounds[:-1])
            at, left = int(bounds[-1]), left - len(bounds) + 1
        if at != end:
            raise MalformedBatch
    return np.concatenate(found)


def _alike(octets: npt.NDArray[np.uint8], at: int, most: int) -> IntArray:
    """Where records begin that are as long as the one here, `most` of them at most, and where the last of them ends."""
    first, second = octets[at : at + 2].tolist() if at + 1 < len(octets) else (0xFF, 0xFF)
    if second > 0x7F and first > 0x7F:
        return _NONE  # they are long, so that there are few
    size = 1 + (first >> 1) if first < 0x80 else 2 + (second << 6) + ((first & 0x7F) >> 1)
    begins = at + size * np.arange(min(most, (len(octets) - at - 2) // size + 1) + 1)
    same = octets[begins[:-1]] == first
    if first > 0x7F:
        same &= octets[begins[:-1] + 1] == second
    return begins if same.all() else begins[: int(same.argmin()) + 1]


def _one_by_one(data: bytes, at: int, count: int) -> IntArray:
    """Where so many records begin, and where the last of them ends."""
    starts = [at]
    append = starts.append
    for _ in repeat(None, count):
        first = data[at]
        if first < 0x80:
            at += 1 + (first >> 1)
        elif (second := data[at + 1]) < 0x80:
            at += 2 + (second << 6) + ((first & 0x7F) >> 1)
        else:
            at = _after_long(data, at)
        append(at)
    return np.array(starts, np.int64)


def _after_long(data: bytes, at: int) -> int:
    """Where a record of 8 KiB or more ends: its length takes three bytes or more."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return at + (value >> 1)
        shift += 7
        if shift >= _VARINT_BITS_MAX:
            raise MalformedBatch


def _varints(octets: npt.NDArray[np.uint8], at: IntArray) -> tuple[IntArray, IntArray]:
    """The zigzag varints that begin at each position, and where each ends."""
    octet = octets.take(at)
    value, at, more = (octet & 0x7F).astype(np.uint64), at + 1, octet > 0x7F
    if more.any():  # of all, masked: faster than to choose those that are longer, until they are few
        octet = octets.take(at, mode="clip")
        value |= (octet & 0x7F) * (more.astype(np.uint64) << np.uint64(7))
        at += more
        longer, shift = np.flatnonzero(more & (octet > 0x7F)), 14
        while len(longer):
            if shift >= _VARINT_BITS_MAX:
                raise MalformedBatch
            octet = octets[at[longer]]
            value[longer] |= (octet & 0x7F).astype(np.uint64) << np.uint64(shift)
            at[longer] += 1
            longer = longer[octet > 0x7F]
            shift += 7
    half = (value >> np.uint64(1)).view(np.int64)
    return half ^ -(value & np.uint64(1)).view(np.int64), at


def _columns(
    data: bytes, starts: npt.NDArray[np.int64], batches: Sequence[tuple[Header, Payload]]
) -> tuple[Records, Pieces]:
    octets = np.frombuffer(data, np.uint8)
    length, at = _varints(octets, starts)
    ends = at + length
    elapsed, at = _varints(octets, at + 1)  # + 1: attributes, unused
    delta, at = _varints(octets, at)
    key_length, key_at = _varints(octets, at)
    key_ends = key_at + np.maximum(key_length, 0)
    if (key_length < -1).any() or (key_ends > ends).any():
        raise MalformedBatch
    value_length, value_at = _varints(octets, key_ends)
    value_ends = value_at + np.maximum(value_length, 0)
    if (value_length < -1).any() or (value_ends >= ends).any():  # the number of headers takes a byte at least
        raise MalformedBatch
    count, at = _varints(octets, value_ends)
    if (count < 0).any() or (at > ends).any() or (at != ends)[count == 0].any():
        raise MalformedBatch
    offsets, timestamps = _stamps(batches, delta, elapsed)
    keys = _cut(data, key_at, key_ends, key_length)
    values = _cut(data, value_at, value_ends, value_length)
    size = sum(len(part) for _, part in batches)
    return Records(offsets, timestamps, keys, values, size), Pieces(data, value_ends, ends)


def _stamps(batches: Sequence[tuple[Header, Payload]], delta: IntArray, elapsed: IntArray) -> tuple[IntArray, IntArray]:
    counts = [head.records for head, _ in batches]
    fixed = [(h.base_offset, h.last_offset_delta, h.first_timestamp, h.max_timestamp) for h, _ in batches]
    base, last, first, newest = np.repeat(np.array(fixed, np.int64), counts, axis=0).T
    if (delta < 0).any() or (delta > last).any():
        raise MalformedBatch
    offsets = base + delta
    if (offsets[1:] <= offsets[:-1]).any():
        raise MalformedBatch
    appended = np.repeat([bool(head.attributes & _LOG_APPEND) for head, _ in batches], counts)
    return offsets, np.where(appended, newest, first + elapsed)


def _cut(data: bytes, starts: IntArray, ends: IntArray, lengths: IntArray) -> Pieces:
    absent = lengths < 0
    return Pieces.none(len(starts)) if absent.all() else Pieces(data, starts, ends - absent)
