"""What a broker's disk may hold: batches of a partition, found and damaged in place while the broker serves them."""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import snappy
import zstandard
from crc32c import crc32c

HEADER_BYTES = 61
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CHUNK = bytes(1 << 20)


def batch_at(segment: Path, offset: int) -> tuple[int, bytearray]:
    """Where in the file the batch that begins with this offset stands, and its bytes."""
    data, at = segment.read_bytes(), 0
    while at < len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if base == offset:
            return at, bytearray(data[at : at + 12 + length])
        at += 12 + length
    raise AssertionError(f"no batch begins with offset {offset}")


def damage(segment: Path, offset: int, how: Callable[[bytearray], bytes | bytearray]) -> None:
    """Replace the batch that begins with this offset by one of the same length."""
    at, batch = batch_at(segment, offset)
    made = how(bytearray(batch))
    assert len(made) == len(batch), (len(made), len(batch))
    with segment.open("r+b") as file:
        file.seek(at)
        file.write(made)


def sealed(batch: bytearray) -> bytearray:
    """With the right checksum: what a producer may have written so."""
    struct.pack_into(">I", batch, 17, crc32c(bytes(batch[21:])))
    return batch


def flipped(batch: bytearray) -> bytearray:
    """One bit of the last record, the checksum as it was."""
    batch[-3] ^= 1
    return batch


def unknown_codec(batch: bytearray) -> bytearray:
    """Compressed by the seventh codec, of which there are five."""
    batch[22] |= 0x07
    return sealed(batch)


def malformed(batch: bytearray) -> bytearray:
    """A record whose length leads beyond the end."""
    batch[HEADER_BYTES] = 0xFE
    return sealed(batch)


def legacy(magic: int) -> Callable[[bytearray], bytes]:
    """A single message of format v0 or v1 in the place of a batch: no JSON, the batch's length."""

    def make(batch: bytearray) -> bytes:
        fixed = struct.pack(">bb", magic, 0) + (struct.pack(">q", 1_700_000_000_000) if magic else b"")
        fixed += struct.pack(">i", -1)
        value = b"{" * (len(batch) - 12 - 4 - len(fixed) - 4)
        body = fixed + struct.pack(">i", len(value)) + value
        return bytes(batch[:8]) + struct.pack(">iI", len(body) + 4, zlib.crc32(body)) + body

    return make


def _gzip(mib: int) -> bytes:
    out = zlib.compressobj(1, wbits=31)
    return b"".join(out.compress(CHUNK) for _ in range(mib)) + out.flush()


def _zstd(mib: int) -> bytes:
    out = zstandard.ZstdCompressor().compressobj()
    return b"".join(out.compress(CHUNK) for _ in range(mib)) + out.flush()


def _lz4(mib: int) -> bytes:
    out = lz4.frame.LZ4FrameCompressor()
    return out.begin() + b"".join(out.compress(CHUNK) for _ in range(mib)) + out.flush()


def _snappy(mib: int) -> bytes:
    block = snappy.compress(CHUNK)
    return b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + (struct.pack(">i", len(block)) + block) * mib


BOMBS = {
    "gzip": (GZIP, _gzip, 300),
    "zstd": (ZSTD, _zstd, 300),
    "lz4": (LZ4, _lz4, 300),
    "snappy": (SNAPPY, _snappy, 150),
}
"""name: (codec, how many MiB of zeros become bytes, that many MiB)."""


def bombs() -> Iterator[tuple[str, int, bytes]]:
    """Name, codec and payload of a batch that would expand to hundreds of MiB."""
    for name, (codec, pack, mib) in BOMBS.items():
        yield name, codec, pack(mib)


def armed(codec: int, payload: bytes) -> Callable[[bytearray], bytearray]:
    """The batch with this payload in the place of its own; a filler as `filler` makes it has the room."""

    def make(batch: bytearray) -> bytearray:
        batch[22] = (batch[22] & ~0x07) | codec
        return sealed(batch[:HEADER_BYTES] + payload)

    return make


def filler(size: int) -> bytes:
    """A value without a key whose record takes exactly `size` bytes in a batch."""
    for length in range(max(0, size - 20), size):
        body = 4 + _varint_bytes(length) + length + 1  # attributes, two deltas, no key; the value; no headers
        if _varint_bytes(body) + body == size:
            return b"\x00" * length
    raise AssertionError(f"no record takes {size} bytes")


def _varint_bytes(value: int) -> int:
    return max(1, -(-(value << 1).bit_length() // 7))
