"""The simulation as a source of the loop: positions, watermarks, pauses, and its clock."""

from collections import defaultdict

import numpy as np
import pytest

from streamcheck.adapters.simulate import (
    PREDICTIONS,
    PaymentsStream,
    Scenario,
    SimulatedSource,
    StoppedProducer,
    source,
)
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import RawBatch

STREAM = PaymentsStream(seed=5, scenario=Scenario("none", ()), rate=1.0, duration_ms=14_400_000)
THIRD = SourcePartition(PREDICTIONS, 3)


def read(reader: SimulatedSource) -> dict[SourcePartition, list[tuple[int, bytes | None, int]]]:
    """Everything up to the end, per partition; polls must go on from offset to offset."""
    found: dict[SourcePartition, list[tuple[int, bytes | None, int]]] = defaultdict(list)
    while not reader.exhausted:
        take(reader.poll(0.5), found)
    return found


def take(batches: list[RawBatch], found: dict[SourcePartition, list[tuple[int, bytes | None, int]]]) -> None:
    for batch in batches:
        assert batch.next_offset == batch.offsets[-1] + 1
        found[batch.source] += zip(batch.offsets.tolist(), batch.values, batch.timestamps.tolist(), strict=True)


WHOLE = read(SimulatedSource(STREAM))


def test_reads_all_that_is_published_whatever_the_step() -> None:
    assert sum(map(len, WHOLE.values())) == sum(1 for _ in STREAM.records())
    for rows in WHOLE.values():
        assert [offset for offset, _, _ in rows] == list(range(len(rows)))
    assert read(SimulatedSource(STREAM, step_ms=7_000)) == WHOLE
    assert sorted(WHOLE) == list(SimulatedSource(STREAM).partitions())


def test_goes_on_from_any_positions() -> None:
    positions = {at: (len(rows) * (index + 3)) // 10 for index, (at, rows) in enumerate(sorted(WHOLE.items()))}
    reader = SimulatedSource(STREAM)
    reader.poll(0.5)
    reader.start(positions)
    first = reader.poll(0.5)
    assert first
    assert reader.clock.monotonic() > 60
    found: dict[SourcePartition, list[tuple[int, bytes | None, int]]] = defaultdict(list)
    take(first, found)
    while not reader.exhausted:
        take(reader.poll(0.5), found)
    assert found == {at: WHOLE[at][position:] for at, position in positions.items()}


def test_reads_only_what_it_was_started_on() -> None:
    reader = SimulatedSource(STREAM)
    reader.start({THIRD: 0})
    assert list(read(reader)) == [THIRD]
    assert list(reader.status()) == [THIRD]


def test_refuses_partitions_that_do_not_exist() -> None:
    with pytest.raises(SourceError, match=r"no partition payments.predictions\[9\]; it has payments.labels\[0\]"):
        SimulatedSource(STREAM).start({SourcePartition(PREDICTIONS, 9): 0})


def test_the_high_watermark_grows_or_is_complete() -> None:
    growing, complete = SimulatedSource(STREAM), SimulatedSource(STREAM, complete=True)
    assert growing.status()[THIRD].high_watermark == 0
    assert complete.status()[THIRD].high_watermark == len(WHOLE[THIRD])
    for reader in (growing, complete):
        reader.poll(0.5)
    assert growing.status()[THIRD].high_watermark == growing.status()[THIRD].position > 0
    assert complete.status()[THIRD].high_watermark == len(WHOLE[THIRD])
    for reader in (growing, complete):
        read(reader)
        assert all(at.position == at.high_watermark == len(WHOLE[p]) for p, at in reader.status().items())
        assert all(at.log_start == 0 for at in reader.status().values())


def test_paused_partitions_wait_and_lose_nothing() -> None:
    reader = SimulatedSource(STREAM)
    found: dict[SourcePartition, list[tuple[int, bytes | None, int]]] = defaultdict(list)
    reader.pause(frozenset({THIRD}))
    for _ in range(5):
        batches = reader.poll(0.5)
        assert THIRD not in {batch.source for batch in batches}
        take(batches, found)
    assert reader.status()[THIRD].position == 0
    assert (reader.status()[THIRD].high_watermark or 0) > 0
    reader.pause(frozenset())
    while not reader.exhausted:
        take(reader.poll(0.5), found)
    assert found == WHOLE


def test_a_pause_for_ever_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "HELD_RECORDS_MAX", 100)
    reader = SimulatedSource(STREAM)
    reader.pause(frozenset({THIRD}))
    for _ in range(100):
        reader.poll(0.5)
    held = (reader.status()[THIRD].high_watermark or 0) - reader.status()[THIRD].position
    assert 100 <= held < 300
    assert not reader.exhausted
    reader.pause(frozenset())
    assert sum(map(len, read(reader).values())) > held


def test_the_clock_goes_with_the_events_and_on_after_them() -> None:
    reader = SimulatedSource(STREAM)
    reader.poll(0.5)
    assert (reader.clock.monotonic(), reader.clock.now_ms()) == (60.0, STREAM.start_ms + 60_000)
    read(reader)
    before = reader.clock.monotonic()
    assert before >= 14_400
    assert reader.poll(0.5) == []
    assert reader.clock.monotonic() == before + 0.5


def test_a_stopped_producer_is_seen_as_silent() -> None:
    stop = StoppedProducer(
        name="stop", start_ms=600_000, end_ms=1_200_000, columns=("volume",), expected="volume", producer=3
    )
    stream = PaymentsStream(seed=5, scenario=Scenario("stop", (stop,)), rate=5.0, duration_ms=1_800_000)
    reader = SimulatedSource(stream)
    spoke = []
    while not reader.exhausted:
        spoke.append(THIRD in {batch.source for batch in reader.poll(0.5)})
        at = reader.status()[THIRD]
        assert at.position == at.high_watermark
    silent = np.flatnonzero(~np.array(spoke[:30]))
    assert 8 <= len(silent) <= 10
    assert silent.min() >= 10
    assert silent.max() < 20
