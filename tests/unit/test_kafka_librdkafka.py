"""What librdkafka says or leaves out, and who reads then? Against a scripted consumer; a real one is in tests/kafka."""

import pytest

confluent_kafka = pytest.importorskip("confluent_kafka", reason="NO CONFLUENT-KAFKA: pip install 'streamcheck[fast]'")

import numpy as np  # noqa: E402
from kafka.errors import OffsetOutOfRangeError  # noqa: E402

from streamcheck.adapters.kafka import librdkafka  # noqa: E402
from streamcheck.adapters.kafka.batches import Chunk, empty  # noqa: E402
from streamcheck.adapters.kafka.librdkafka import LibrdkafkaFetch, _Notices  # noqa: E402
from streamcheck.adapters.kafka.wire import Records  # noqa: E402
from streamcheck.core.types import SourcePartition  # noqa: E402

A, B = SourcePartition("t", 0), SourcePartition("t", 1)
HIGH = 100
SETTINGS = {"sasl_plain_password": "canary-4f"}
_ERRORS = confluent_kafka.KafkaError


def record(offset: int, source: SourcePartition = A, value: bytes | None = b"v") -> object:
    return confluent_kafka.Message(
        topic=source.topic, partition=source.partition, offset=offset, key=None, value=value, timestamp=(1, offset)
    )


def told(code: int, offset: int, source: SourcePartition = A) -> object:
    error = _ERRORS(code)
    return confluent_kafka.Message(topic=source.topic, partition=source.partition, offset=offset, error=error)


class Consumer:
    """Hands out what was scripted for each poll, and keeps what it was asked for."""

    def __init__(self, *polls: list[object]) -> None:
        self.polls = list(polls)
        self.assigned: dict[tuple[str, int], int] = {}

    def consume(self, number: int, timeout: float) -> list[object]:
        return self.polls.pop(0) if self.polls and (timeout == 0 or number == 1) else []

    def incremental_assign(self, places) -> None:
        self.assigned |= {(place.topic, place.partition): place.offset for place in places}

    def incremental_unassign(self, places) -> None:
        for place in places:
            del self.assigned[place.topic, place.partition]

    def get_watermark_offsets(self, place, cached: bool) -> tuple[int, int]:
        return 0, HIGH


class Careful:
    """Reads from where it is told: a fault at `bad`, and five good records behind it."""

    def __init__(self, bad: int) -> None:
        self.bad, self.at = bad, {}

    def assign(self, positions) -> None:
        self.at = dict(positions)

    def pause(self, sources) -> None:
        pass

    def poll(self, timeout_ms: int):
        (source,) = self.at
        begin = self.at[source]
        good = np.arange(begin, self.bad + 5 if begin > self.bad else self.bad)
        faults = () if begin > self.bad else ((self.bad, "malformed batch"),)
        self.at[source] = end = (int(good[-1]) + 1 if len(good) else begin) + len(faults)
        rows = Records(good, good, [None] * len(good), [b"careful"] * len(good), 0) if len(good) else empty()
        return {source: [Chunk(rows, end, faults)]}

    def positions(self):
        return self.at

    def high_watermark(self, source) -> int:
        return HIGH


def fetch(consumer: Consumer, bad: int = 12) -> LibrdkafkaFetch:
    made = LibrdkafkaFetch(consumer, _Notices(SETTINGS), lambda: Careful(bad))
    made.assign({A: 10, B: 0})
    return made


def offsets(taken) -> dict[SourcePartition, list[int]]:
    return {
        source: [at for chunk in chunks for at in chunk.records.offsets.tolist()] for source, chunks in taken.items()
    }


def faults(taken) -> list[tuple[int, str]]:
    return [fault for chunks in taken.values() for chunk in chunks for fault in chunk.faults]


def test_records_are_sorted_by_partition_and_the_end_moves_the_position() -> None:
    end = told(_ERRORS._PARTITION_EOF, 14)
    made = fetch(Consumer([record(10), record(11), record(0, B, None), record(12), end]))
    taken = made.poll(0)
    assert offsets(taken) == {A: [10, 11, 12], B: [0]}
    assert taken[B][0].records.values == [None]
    assert made.positions() == {A: 14, B: 1}


@pytest.mark.parametrize("bad", [
    [record(11), told(_ERRORS._BAD_MSG, 12), record(13)],
    [record(11), told(_ERRORS._NOT_IMPLEMENTED, 12), record(99)],
    [record(11), record(13), record(12)],
    [record(11), record(HIGH + 7)],
    [record(11), told(_ERRORS._AUTO_OFFSET_RESET, 2**40)],
], ids=["checksum", "codec", "backwards", "beyond the end", "gone astray"])  # fmt: skip
def test_nothing_is_believed_from_an_unreadable_stretch_on(bad: list[object]) -> None:
    consumer = Consumer([record(10)], [*bad, record(0, B)])
    made = fetch(consumer)
    assert offsets(made.poll(0)) == {A: [10]}
    first = offsets(made.poll(0))
    assert first.get(B) == [0], "the other partition goes on"
    assert (A.topic, A.partition) not in consumer.assigned
    seen = first.get(A, [])
    found: list[tuple[int, str]] = []
    while (A.topic, A.partition) not in consumer.assigned:
        taken = made.poll(0)
        seen += offsets(taken)[A]
        found += faults(taken)
    assert found == [(12, "malformed batch")]
    assert seen == [11, *range(13, 17)]
    assert consumer.assigned[A.topic, A.partition] == made.positions()[A] == 17


def test_a_partition_that_does_not_move_is_read_carefully(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_000))
    monkeypatch.setattr(librdkafka.time, "monotonic", lambda: next(clock))
    consumer = Consumer([record(at, B) for at in range(HIGH)], [told(_ERRORS._PARTITION_EOF, HIGH, B)])
    made = fetch(consumer)
    found: list[tuple[int, str]] = []
    for _ in range(20):
        found += faults(made.poll(0))
    assert found == [(12, "malformed batch")]


def test_a_gap_is_told_when_what_came_before_has_been_delivered() -> None:
    made = fetch(Consumer([record(10), told(_ERRORS._AUTO_OFFSET_RESET, 11)]))
    assert offsets(made.poll(0)) == {A: [10]}
    with pytest.raises(OffsetOutOfRangeError):
        made.poll(0)


def test_no_secret_in_what_the_client_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    notices = _Notices(SETTINGS)
    notices.log(10, "%s [%s]", "FAIL", "canary-4f\x1b was refused")
    assert "canary" not in caplog.text
    assert "\x1b" not in caplog.text
    assert "was refused" in caplog.text
