"""Is kafka-python's own reader bounded, whatever the codec, and left as it was afterwards?"""

import kafka.codec
import pytest
from kafka.record import default_records, legacy_records
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamcheck.adapters.kafka import bounded
from streamcheck.adapters.kafka.bounded import Bound
from streamcheck.adapters.kafka.codecs import GZIP, LZ4, SNAPPY, ZSTD, BatchTooLarge

LIMIT = 100_000
KINDS = [(2, GZIP), (2, SNAPPY), (2, LZ4), (2, ZSTD), (1, GZIP), (1, SNAPPY), (1, LZ4), (0, GZIP), (0, SNAPPY)]
"""The oldest format with lz4 takes a package that streamcheck does not install."""


@pytest.fixture
def bound():
    made = Bound(LIMIT)
    yield made
    made.release()


def read(magic: int, codec: int, value: bytes) -> list[bytes]:
    builder = MemoryRecordsBuilder(magic, codec, 1 << 20)
    builder.append(1, None, value, [])
    builder.close()
    return [record.value for batch in MemoryRecords(bytes(builder.buffer())) for record in batch]


@pytest.mark.parametrize(("magic", "codec"), KINDS)
def test_every_codec_of_every_format_is_bounded(bound, magic: int, codec: int) -> None:
    assert bound.holds
    assert read(magic, codec, bytes(LIMIT - 200)) == [bytes(LIMIT - 200)]
    with pytest.raises(BatchTooLarge):
        read(magic, codec, bytes(2 * LIMIT))


def test_afterwards_all_is_as_before() -> None:
    modules = (kafka.codec, default_records, legacy_records)
    before = [dict(vars(module)) for module in modules]
    Bound(LIMIT).release()
    assert [dict(vars(module)) for module in modules] == before
    assert read(2, ZSTD, bytes(2 * LIMIT)) == [bytes(2 * LIMIT)]


def test_a_client_that_goes_past_it_is_not_taken_for_bounded(monkeypatch) -> None:
    monkeypatch.setattr(bounded, "MODULES", ("kafka.codec",))
    bound = Bound(LIMIT)
    bound.release()
    assert not bound.holds
