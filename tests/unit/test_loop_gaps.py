"""Does the service go on, and stay exact, where events are gone or a partition's clock is behind what has closed?"""

import pytest

from streamcheck.core.journal import Floored, Opened, Silent, Skipped, to_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.past import Life
from streamcheck.testing import SILENCE, ScriptedSource, raw_batch

P0, P1, LABELS = SourcePartition("p", 0), SourcePartition("p", 1), SourcePartition("l", 0)


def rows(source, first, times):
    """Predictions (or labels) at these event times; no time: not an event."""
    values = [
        b"garbage" if at is None else {"id": f"{source}{first + i}", "at": at, "said": 1, "truth": 1, "amount": 10}
        for i, at in enumerate(times)
    ]
    stamps = [max((at for at in times if at is not None), default=0)] * len(times)
    return raw_batch(source.topic, source.partition, values, first_offset=first, times_ms=stamps)


def since(rig, *seconds):
    return [None if each is None else rig.start_ms + round(1_000 * each) for each in seconds]


@pytest.fixture
def behind(rig):
    """A stopped service: panes up to 5 s have closed, and P0 must read again from a row before which its clock was 0.

    P0 was read up to offset 3, the others hold nothing back.
    """
    made = rig([], rules=rig.rules(skip_gaps=True))
    script = [rows(source, 0, since(rig, 0, 20)) for source in (LABELS, P1)]
    made.source = ScriptedSource([*script, rows(P0, 0, since(rig, 0, 5, 5.6))])
    made.start()
    position = made.loop.engine.partitions[P0].position()
    assert (position.offset, position.newest) == (1, rig.start_ms)
    assert made.loop.engine.open_from * 1_000 == rig.start_ms + 5_000
    return made


def go_on(made, *items):
    """Start again, with more to come."""
    made.source._script, made.source._next = [*items, SILENCE], 0
    made.start()


@pytest.mark.parametrize("removed", [2, 3, 5])
def test_behind_a_skipped_gap_what_has_closed_stays_closed(rig, behind, removed):
    """The rows on which the partition's clock stood are gone; the next ones must not reach panes that have closed."""
    behind.source._log[P0].append(rows(P0, 3, since(rig, 5.7, 5.8)))
    behind.source.forget(P0, removed)
    go_on(behind, rows(P0, 5, since(rig, 2, 6, 3)))
    assert [e for e in behind.journal if isinstance(e, Skipped | Floored)] == [
        Skipped(P0, 1, removed),
        Floored(P0, max(removed, 3), rig.start_ms + 5_000),
    ]
    assert [(r.source, r.offset) for r in behind.late.arrived] == [(P0, 5), (P0, 7)]
    go_on(behind)
    go_on(behind, rows(P0, 8, since(rig, 4, 9)))
    assert len([e for e in behind.journal if isinstance(e, Skipped | Floored)]) == 2, "a restart brings nothing new"
    assert [r.offset for r in behind.late.arrived if r.offset > 7] == [8]
    counts = {p.source: p for p in behind.loop.engine.reading().partitions}[P0]
    assert counts.accepted + behind.loop.engine.partitions[P0].open_rows == 1 + (10 - removed) - 3


def test_a_gap_in_a_partition_that_is_silent(rig, behind):
    """It has been idle for long when events come and are removed unread: what is left meets the floor, too."""
    made = behind
    made.source._script, made.source._next = [lambda: made.clock.advance(1.5) for _ in range(24)], 0
    made.start()
    partition = made.loop.engine.partitions[P0]
    assert (partition.idle, partition.idle_at) == (True, 3)
    closed_ms = made.loop.engine.open_from * 1_000
    made.source._log[P0].append(rows(P0, 3, since(rig, 6, 7, 8, 9)))
    made.source.forget(P0, 6)
    go_on(made, rows(P0, 7, since(rig, 5.9)))
    assert [e for e in made.journal if isinstance(e, Floored)] == [Floored(P0, 6, closed_ms)]
    assert [r.offset for r in made.late.arrived] == [6, 7]


def test_an_idle_partition_that_brought_only_rejects_before_a_restart(rig, behind):
    """Its floor begins behind them: below, it would be passed over."""
    made = behind
    script = [lambda: made.clock.advance(1.5) for _ in range(24)]
    made.source._script, made.source._next = [*script, rows(P0, 3, [None]), *script], 0
    made.start()
    go_on(made, rows(P0, 4, since(rig, 5.9)))
    assert [(r.offset, r.reason) for r in made.late.arrived] == [(4, "late")]


def test_a_gap_in_a_silence_is_no_end_of_it():
    """What a partition brings after a state was lost is held against all that had closed by then."""
    lines = [
        to_bytes(Opened("77ab", ((P0, 0),))),
        to_bytes(Floored(P0, 120, 1_000)),
        to_bytes(Silent(5_000, ((P0, 120),))),
    ]
    assert Life(tuple(lines)).unspoken == (Floored(P0, 120, 5_000),)
    assert Life((*lines, to_bytes(Floored(P0, 121, 6_000)))).unspoken == ()
