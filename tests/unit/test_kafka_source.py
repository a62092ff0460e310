"""What does the source do with an exception that the client was not expected to raise?"""

import numpy as np
import pytest
from kafka.errors import NodeNotReadyError, TopicAuthorizationFailedError, UnknownBrokerIdError

from streamcheck.adapters.kafka import source as module
from streamcheck.adapters.kafka.batches import Chunk
from streamcheck.adapters.kafka.source import FAILURES_MAX, KafkaSource, merge
from streamcheck.adapters.kafka.wire import Records
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError

WHERE = SourcePartition("t", 0)


def chunk(first: int, values: list[bytes | None], faults=()) -> Chunk:
    offsets = np.arange(first, first + len(values))
    records = Records(offsets, offsets * 10, [None] * len(values), values, 100)
    return Chunk(records, first + len(values) + len(faults), faults)


class ScriptedFetch:
    """Plays back what polls give or raise; positions go on over connections, as the source remembers them."""

    def __init__(self, script: list[object]) -> None:
        self.script = script
        self.assigned: list[dict[SourcePartition, int]] = []
        self.at = {WHERE: 0}
        self.closed = 0

    def assign(self, positions) -> None:
        self.assigned.append(dict(positions))
        self.at = dict(positions)

    def pause(self, sources) -> None:
        self.paused = sources

    def poll(self, timeout_ms: int):
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        self.at = {WHERE: step[-1].next_offset}
        return {WHERE: step}

    def positions(self):
        return self.at

    def high_watermark(self, source):
        return None

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def play(monkeypatch):
    def make(*script: object) -> tuple[KafkaSource, ScriptedFetch]:
        fetch = ScriptedFetch(list(script))
        monkeypatch.setattr(module, "open_fetch", lambda *_, **__: fetch)
        source = KafkaSource({}, ["t"], "g")
        source._positions = {WHERE: 5}
        return source, fetch

    return make


def test_an_unexpected_exception_means_a_new_consumer_at_the_same_place(play) -> None:
    source, fetch = play([chunk(5, [b"a"])], RuntimeError("odd"), [chunk(6, [b"b"])])
    assert list(source.poll(0)[0].values) == [b"a"]
    assert source.poll(0) == []
    assert source.trouble() == "odd"
    assert list(source.poll(0)[0].values) == [b"b"]
    assert source.trouble() is None
    assert (fetch.assigned, fetch.closed) == ([{WHERE: 5}, {WHERE: 6}], 1)


def test_too_many_in_a_row_are_raised(play) -> None:
    source, fetch = play(*[RuntimeError("odd")] * (FAILURES_MAX + 1))
    for _ in range(FAILURES_MAX):
        assert source.poll(0) == []
    with pytest.raises(SourceError, match=r"failed 6 times in a row.*odd"):
        source.poll(0)
    assert fetch.closed == FAILURES_MAX


@pytest.mark.parametrize("error", [NodeNotReadyError("1"), UnknownBrokerIdError(1)])
def test_a_broker_that_is_away_is_waited_for_without_end(play, error) -> None:
    """Also one that is frozen: it still leads, and is none of the cluster's brokers any more."""
    source, fetch = play(*[error] * 50, [chunk(5, [b"a"])])
    assert [source.poll(0) for _ in range(50)] == [[]] * 50
    assert source.poll(0)[0].offsets.tolist() == [5]
    assert fetch.closed == 0


def test_a_missing_right_is_raised_at_once(play) -> None:
    source, _ = play(TopicAuthorizationFailedError("t"))
    with pytest.raises(SourceError, match="does not allow reading t"):
        source.poll(0)


def test_chunks_of_a_partition_become_one_batch() -> None:
    damaged = chunk(7, [], ((7, "corrupt batch"), (8, "corrupt batch")))
    batch = merge(WHERE, [chunk(5, [b"a", None]), damaged, chunk(9, [b"b"])])
    assert batch.offsets.tolist() == [5, 6, 9]
    assert batch.timestamps.tolist() == [50, 60, 90]
    assert list(batch.values) == [b"a", None, b"b"]
    assert (batch.next_offset, [offset for offset, _ in batch.faults]) == (10, [7, 8])
    assert batch.record(7) == (None, None, None)


def test_pausing_before_there_is_a_consumer_is_remembered(play) -> None:
    source, fetch = play([chunk(5, [b"a"])])
    source.pause(frozenset({WHERE}))
    source.poll(0)
    assert fetch.paused == {WHERE}
