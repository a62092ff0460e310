"""What a compressed record batch's bytes come to, without ever expanding beyond a limit.

A few kilobytes of zstd can hold gigabytes, and kafka-python decompresses whatever it is told to. Here every codec
either is told the limit, or the size it promises is checked before it starts.
"""

import struct
import zlib
from collections.abc import Callable

import lz4.frame
import snappy
import zstandard

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)

CHUNK_BYTES = 1 << 20
"""Decompressed per step where the codec streams: what memory may exceed the limit by."""

ZSTD_WINDOW_BYTES_MIN = 1 << 23
"""8 MiB, the window every zstd decoder must offer (RFC 8878, 3.1.1.1.2); larger ones are a matter of the limit."""

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


class BatchFault(Exception):  # noqa: N818 - a fact about one batch of the input, counted and never raised to the user
    """A record batch that cannot be read; its text is the reason that goes to counters and dead letters."""


class CorruptBatch(BatchFault):
    """The checksum does not match the bytes."""

    def __init__(self) -> None:
        super().__init__("corrupt batch")


class UnknownCodec(BatchFault):
    """Compressed in a way this program does not know."""

    def __init__(self) -> None:
        super().__init__("unknown codec")


class BatchTooLarge(BatchFault):
    """Would expand beyond the limit."""

    def __init__(self) -> None:
        super().__init__("batch too large")


class MalformedBatch(BatchFault):
    """The checksum matches, but the bytes are no sequence of records."""

    def __init__(self) -> None:
        super().__init__("malformed batch")


def decompress(codec: int, data: memoryview, limit: int) -> bytes | memoryview:
    """The decompressed bytes, at most `limit` of them; what was not compressed is handed back uncopied.

    Raises UnknownCodec, BatchTooLarge or MalformedBatch.

    >>> decompress(GZIP, memoryview(zlib.compress(b"abc", wbits=31)), limit=3)
    b'abc'
    >>> decompress(GZIP, memoryview(zlib.compress(bytes(10**6), wbits=31)), limit=1000)
    Traceback (most recent call last):
    streamcheck.adapters.kafka.codecs.BatchTooLarge: batch too large
    """
    if codec == NONE:
        if len(data) > limit:
            raise BatchTooLarge
        return data
    expand = _EXPANDERS.get(codec)
    if expand is None:
        raise UnknownCodec
    try:
        return expand(data, limit)
    except BatchFault:
        raise
    except Exception as error:  # each library has its own exceptions, some only RuntimeError or ValueError
        raise MalformedBatch from error


def _gzip(data: memoryview, limit: int) -> bytes:
    parts, size, rest = [], 0, bytes(data)
    while rest:  # a gzip stream is a sequence of members
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(rest, limit - size + 1))
        size += len(parts[-1])
        if size > limit:
            raise BatchTooLarge
        if not member.eof:
            raise MalformedBatch
        rest = member.unused_data
    return b"".join(parts)


def _snappy(data: memoryview, limit: int) -> bytes:
    if len(data) <= _XERIAL_HEADER_BYTES or data[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        return _snappy_block(data, limit)
    parts, size, at = [], 0, _XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0 or at + length > len(data):
            raise MalformedBatch
        parts.append(_snappy_block(data[at : at + length], limit - size))
        size += len(parts[-1])
        at += length
    return b"".join(parts)


def _snappy_block(block: memoryview, limit: int) -> bytes:
    promised = shift = 0
    for byte in block[:5]:
        promised |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if promised > limit:
        raise BatchTooLarge
    return bytes(snappy.decompress(bytes(block)))


def _lz4(data: memoryview, limit: int) -> bytes:
    frame = lz4.frame.LZ4FrameDecompressor()
    parts, size, rest = [], 0, bytes(data)
    while not frame.eof:
        part = frame.decompress(rest, max_length=CHUNK_BYTES)
        if not part and frame.needs_input:
            raise MalformedBatch
        rest = b""
        parts.append(part)
        size += len(part)
        if size > limit:
            raise BatchTooLarge
    return b"".join(parts)


def _zstd(data: memoryview, limit: int) -> bytes:
    window = max(ZSTD_WINDOW_BYTES_MIN, 1 << limit.bit_length())
    if zstandard.get_frame_parameters(bytes(data[:18])).window_size > window:
        raise BatchTooLarge
    expander = zstandard.ZstdDecompressor(max_window_size=window)
    parts, size = [], 0
    with expander.stream_reader(data, read_across_frames=True) as reader:
        while part := reader.read(min(CHUNK_BYTES, limit - size + 1)):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BatchTooLarge
    return b"".join(parts)


_EXPANDERS: dict[int, Callable[[memoryview, int], bytes]] = {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}
