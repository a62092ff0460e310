"""Does the scripted source behave like topics that outlive their readers?"""

import pytest

from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import GapError, SourceUnavailable
from streamcheck.testing import ABORT, AWAY, SILENCE, Aborted, ManualClock, ScriptedSource, raw_batch

P0, P1 = SourcePartition("p", 0), SourcePartition("p", 1)


def offsets(source: ScriptedSource) -> dict[SourcePartition, list[int]]:
    found: dict[SourcePartition, list[int]] = {}
    for batch in source.poll(0.0):
        found.setdefault(batch.source, []).extend(batch.offsets.tolist())
    return found


def test_crash_is_once_and_the_next_run_reads_again() -> None:
    source = ScriptedSource(
        [raw_batch("p", 0, [b"0", b"1", b"2"], first_offset=0), ABORT, raw_batch("p", 0, [b"3"], first_offset=3)]
    )
    source.start({P0: 0})
    assert offsets(source) == {P0: [0, 1, 2]}
    with pytest.raises(Aborted, match="item 1"):
        source.poll(0.0)
    source.start({P0: 1})
    assert offsets(source) == {P0: [1, 2]}
    assert offsets(source) == {P0: [3]}
    assert source.exhausted


def test_only_what_has_been_scripted_so_far_is_there() -> None:
    clock = ManualClock()
    script = [SILENCE, lambda: clock.advance(30), raw_batch("p", 1, [b"a"], first_offset=5)]
    source = ScriptedSource(script, partitions=[P0])
    assert source.partitions() == (P0, P1)
    source.start({P0: 0, P1: 0})
    assert offsets(source) == {}
    assert clock.monotonic() == 0
    assert offsets(source) == {}
    assert clock.monotonic() == 30
    assert source.status()[P1].high_watermark == 0
    assert offsets(source) == {P1: [5]}
    assert source.status()[P1].position == source.status()[P1].high_watermark == 6


def test_paused_partition_is_delivered_later() -> None:
    source = ScriptedSource([raw_batch("p", 0, [b"a"], first_offset=0), raw_batch("p", 1, [b"b"], first_offset=0)])
    source.start({P0: 0, P1: 0})
    source.pause(frozenset({P0}))
    assert offsets(source) == {}
    assert offsets(source) == {P1: [0]}
    source.pause(frozenset())
    assert offsets(source) == {P0: [0]}


def test_retention_and_absence() -> None:
    source = ScriptedSource([raw_batch("p", 0, [b"a"] * 5, first_offset=0), AWAY])
    source.start({P0: 0})
    assert offsets(source) == {P0: [0, 1, 2, 3, 4]}
    with pytest.raises(SourceUnavailable, match="item 1"):
        source.poll(0.0)
    source.forget(P0, 3)
    with pytest.raises(GapError) as gap:
        source.start({P0: 2})
    assert (gap.value.wanted, gap.value.available) == (2, (3, 5))
    source.start({P0: 3})
    assert offsets(source) == {P0: [3, 4]}
    with pytest.raises(SourceError, match=r"p\[7\] does not exist"):
        source.start({SourcePartition("p", 7): 0})


def test_retention_that_overtakes_the_reader() -> None:
    source = ScriptedSource([raw_batch("p", 0, [b"a"] * 5, first_offset=0)])
    source.start({P0: 0})
    source.forget(P0, 3)
    with pytest.raises(GapError):
        source.poll(0.0)


def test_end_is_told_each_time() -> None:
    told: list[int] = []
    source = ScriptedSource([SILENCE], on_end=lambda: told.append(1))
    source.start({})
    assert [source.poll(0.0) for _ in range(3)] == [[], [], []]
    assert len(told) == 2


def test_faults_and_gaps_in_offsets_survive_a_restart() -> None:
    whole = raw_batch("p", 0, [b"a", b"b", b"c"], first_offset=10)
    batch = type(whole)(P0, whole.offsets, whole.timestamps, whole.keys, whole.values, 20, ((15, "corrupt"),))
    source = ScriptedSource([batch])
    for position, expected in ((0, [10, 11, 12]), (12, [12]), (14, [])):
        source.start({P0: position})
        (found,) = source.poll(0.0)
        assert found.offsets.tolist() == expected
        assert found.faults == ((15, "corrupt"),)
        assert found.next_offset == 20
    source.start({P0: 16})
    (found,) = source.poll(0.0)
    assert found.faults == ()
