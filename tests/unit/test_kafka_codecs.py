"""Is every codec's output exact, and its memory bounded whatever the bytes promise?"""

import random
import tracemalloc
import zlib
from contextlib import suppress

import lz4.frame
import pytest
import snappy
import zstandard
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode

from streamcheck.adapters.kafka.codecs import (
    GZIP,
    LZ4,
    NONE,
    SNAPPY,
    ZSTD,
    BatchFault,
    BatchTooLarge,
    MalformedBatch,
    UnknownCodec,
    decompress,
)


def streamed_zstd(data: bytes) -> bytes:
    """As Java's producers write it: without the size in the frame's header."""
    out = zstandard.ZstdCompressor().compressobj()
    return out.compress(data) + out.flush()


WAYS = {
    "gzip": (GZIP, gzip_encode),
    "gzip, two members": (GZIP, lambda data: gzip_encode(data[:7]) + gzip_encode(data[7:])),
    "snappy": (SNAPPY, snappy.compress),
    "snappy, xerial": (SNAPPY, snappy_encode),
    "lz4": (LZ4, lz4_encode),
    "lz4, linked": (LZ4, lambda data: lz4.frame.compress(data, store_size=False)),
    "zstd": (ZSTD, zstd_encode),
    "zstd, streamed": (ZSTD, streamed_zstd),
}
LIMIT = 1 << 20


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.mark.parametrize("size", [1, 100, 40_000, LIMIT])
def test_exact_up_to_the_limit(way, size) -> None:
    codec, encode = way
    data = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    assert decompress(codec, memoryview(encode(data)), LIMIT) == data
    with pytest.raises(BatchTooLarge):
        decompress(codec, memoryview(encode(data)), size - 1)


def test_a_bomb_does_not_go_off(way) -> None:
    codec, encode = way
    bomb = memoryview(encode(bytes(64 << 20)))
    tracemalloc.start()
    with pytest.raises(BatchTooLarge):
        decompress(codec, bomb, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(bomb) + 4 * LIMIT


@pytest.mark.parametrize("seed", range(50))
def test_damaged_bytes_are_malformed_or_something_else_but_no_other_exception(way, seed) -> None:
    codec, encode = way
    rng = random.Random(seed)
    data = bytearray(encode(rng.randbytes(500) * 3))
    for _ in range(3):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with suppress(BatchFault):
        assert len(decompress(codec, memoryview(data[: rng.randrange(1, len(data) + 1)]), LIMIT)) <= LIMIT


def test_what_is_not_compressed_is_bounded_too() -> None:
    assert decompress(NONE, memoryview(b"abc"), 3) == b"abc"
    with pytest.raises(BatchTooLarge):
        decompress(NONE, memoryview(b"abcd"), 3)


def test_unknown_and_truncated() -> None:
    with pytest.raises(UnknownCodec):
        decompress(7, memoryview(b"abc"), 3)
    with pytest.raises(MalformedBatch):
        decompress(GZIP, memoryview(zlib.compress(b"a" * 100, wbits=31)[:-9]), LIMIT)


def test_a_zstd_window_larger_than_the_limit_is_not_allocated() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=27, write_content_size=False)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = frame.compress(b"x") + frame.flush()
    with pytest.raises(BatchTooLarge):
        decompress(ZSTD, memoryview(data), LIMIT)
