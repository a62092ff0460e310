"""Is an answer that is read where it lies the one that the client itself would have read?"""

import struct
from collections.abc import Callable

import pytest
from kafka.protocol import parser
from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.frame import KafkaBytes

from streamcheck.adapters.kafka.frames import BYTES_MIN, Frame, read_in_place

VERSION = 12


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Reading in place, begun by a call and ended with the test."""
    monkeypatch.setattr(parser, "KafkaBytes", KafkaBytes)
    return read_in_place


def answer(*records: bytes) -> bytes:
    """A framed answer to request 1: these records, one partition each."""
    topic = FetchResponse.FetchableTopicResponse
    partitions = [
        topic.PartitionData(
            partition_index=at,
            error_code=0,
            high_watermark=9,
            last_stable_offset=9,
            log_start_offset=0,
            aborted_transactions=None,
            preferred_read_replica=-1,
            records=data,
        )
        for at, data in enumerate(records)
    ]
    response = FetchResponse(
        throttle_time_ms=0, error_code=0, session_id=0, responses=[topic(topic="p", partitions=partitions)]
    )
    body = response.encode(version=VERSION)
    head = struct.pack(">ib", 1, 0)
    return struct.pack(">i", len(head) + len(body)) + head + body


def received(data: bytes, *, piece: int) -> list[bytes]:
    """The records that a connection finds in an answer that comes in pieces."""
    protocol = parser.KafkaProtocol()
    request = FetchRequest[VERSION](max_wait_ms=0, min_bytes=0, topics=[])
    protocol.send_request(request, correlation_id=1)
    found = [each for at in range(0, len(data), piece) for each in protocol.receive_bytes(data[at : at + piece])]
    [(number, response)] = found
    assert number == 1
    return [part.records for topic in response.responses for part in topic.partitions]


@pytest.mark.parametrize("piece", [7_001, 1 << 30])
@pytest.mark.parametrize("size", [10, BYTES_MIN, 3 * BYTES_MIN])
def test_the_same_records_come_out(in_place, size: int, piece: int) -> None:
    sent = [bytes(range(256)) * (size // 256) + b"end", b"", b"x" * size]
    data = answer(*sent)
    assert received(data, piece=piece) == sent  # as the client reads it
    in_place()
    assert received(data, piece=piece) == sent


def test_only_large_answers_are_read_otherwise_and_only_by_the_class_that_is_known(in_place, monkeypatch) -> None:
    in_place()
    assert type(parser.KafkaBytes(BYTES_MIN - 1)) is KafkaBytes
    assert type(parser.KafkaBytes(BYTES_MIN)) is Frame
    monkeypatch.setattr(parser, "KafkaBytes", bytearray)
    in_place()
    assert parser.KafkaBytes is bytearray
