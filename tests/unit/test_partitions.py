"""Does a source partition put rows into panes by the rules of DESIGN section 4, however its records are cut?"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest

from streamcheck.core.buffers import Mark
from streamcheck.core.ids import keys_of
from streamcheck.core.partitions import CONFIRMATIONS, JUMP_REASON, LATE_REASON, NEVER, PATIENCE, Partition
from streamcheck.core.plan import TimeRules
from streamcheck.core.types import Batch, Rejects, SourcePartition, StreamRole

SOURCE = SourcePartition("p", 0)
RULES = TimeRules(pane_ms=10_000, lateness_ms=5_000, idle_after_ms=30_000, max_jump_ms=100_000)
NOTHING_CLOSED = NEVER


def batch(records, start=None, stop=None, role=StreamRole.PREDICTIONS):
    """Records as (offset, time) or (offset, reason), from offset start to stop."""
    start = records[0][0] if start is None else start
    stop = records[-1][0] + 1 if stop is None else stop
    inside = [r for r in records if start <= r[0] < stop]
    rows = [r for r in inside if not isinstance(r[1], str)]
    bad = [r for r in inside if isinstance(r[1], str)]
    n = len(rows)
    return Batch(
        SOURCE,
        role,
        np.array([offset for offset, _ in rows], np.int64),
        np.array([time for _, time in rows], np.int64),
        keys_of([f"e{offset}" for offset, _ in rows]),
        np.zeros((0, n)),
        np.zeros((0, n), np.int32),
        np.zeros((0, n), np.uint8),
        (),
        stop,
        Rejects(np.array([offset for offset, _ in bad], np.int64), tuple(reason for _, reason in bad)),
    )


def partition(role=StreamRole.PREDICTIONS, start=None):
    return Partition(SOURCE, role, RULES, start or Mark(0, NEVER, NEVER))


def fed(times, role=StreamRole.PREDICTIONS):
    """A partition that has been fed rows (or rejects) at offsets 0, 1, 2 ..., and what strayed."""
    made = partition(role)
    strays = made.feed(batch(list(enumerate(times)), role=role), NOTHING_CLOSED)
    return made, [(s.offset, s.reason) for s in strays]


def held(made):
    """(pane, offsets, times) of all rows on time."""
    rows = {pane: b.on_time.merged() for pane, b in sorted(made.buffers.items())}
    return {pane: list(zip(r.offsets.tolist(), r.times.tolist(), strict=True)) for pane, r in rows.items() if r}


# ------------------------------------------------------------------ lateness
@pytest.mark.parametrize(("newest", "late"), [(14_999, False), (15_000, True)])
def test_a_row_is_late_once_the_watermark_has_reached_the_end_of_its_pane(newest, late):
    made, strays = fed([newest, 9_999])
    assert strays == ([(1, LATE_REASON)] if late else [])
    assert made.buffers[newest // 10_000].late == late


def test_lateness_looks_at_the_rows_before_not_at_the_batch():
    """The row that moves the watermark on is never its own judge, and what follows it in the same batch is late."""
    _, strays = fed([9_000, 40_000, 9_000])
    assert strays == [(2, LATE_REASON)]


def test_a_late_prediction_enters_the_join_at_the_watermark_and_counts_in_the_pane_of_the_newest():
    made, _ = fed([40_000, 9_000])
    assert made.buffers[4].late == 1  # newest is 40,000
    late = made.buffers[3].late_rows.merged()  # the watermark is 35,000
    assert (late.keys.tolist(), late.times.tolist()) == (keys_of(["e1"]).tolist(), [35_000])
    assert held(made) == {4: [(0, 40_000)]}
    assert (made.close(3).late, made.close(4).late) == (0, 1)
    assert (made.accepted, made.late) == (1, 1)


def test_late_rows_of_one_batch_are_read_again_from_the_first_that_joins_in_their_pane():
    made, _ = fed([52_000, 9_000, 8_000, 61_000, 7_000, 6_000])
    panes = {pane: (b.mark.offset, b.late, b.n_late) for pane, b in made.buffers.items()}
    assert panes == {4: (1, 0, 2), 5: (0, 2, 2), 6: (3, 2, 0)}


def test_labels_are_never_late():
    made, strays = fed([40_000, 9_000, 33_000, 52_000], StreamRole.LABELS)
    assert strays == []
    assert held(made) == {3: [(1, 35_000), (2, 33_000)], 4: [(0, 40_000)], 5: [(3, 52_000)]}
    assert sum(b.late for b in made.buffers.values()) == 0


def test_another_partition_makes_no_row_late():
    ahead, behind = partition(), partition()
    ahead.feed(batch([(0, 900_000)]), NOTHING_CLOSED)
    assert behind.feed(batch([(0, 1_000)]), NOTHING_CLOSED) == []


# ------------------------------------------------------------------ floors
def test_a_floor_counts_from_its_offset_on():
    """Offset 1 may still reach the pane that offset 2 may not."""
    made = partition()
    made.raise_floor(2, 20_000)
    strays = made.feed(batch([(0, 12_000), (1, 12_000), (2, 12_000), (3, 20_000)]), NOTHING_CLOSED)
    assert [(s.offset, s.reason) for s in strays] == [(2, LATE_REASON)]
    assert held(made) == {1: [(0, 12_000), (1, 12_000)], 2: [(3, 20_000)]}
    assert made.watermark == 20_000


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_floor_is_met_however_the_batches_are_cut(cut):
    records = [(0, 12_000), (1, "not JSON"), (2, 12_000), (3, "not JSON")]
    made = partition()
    made.raise_floor(2, 20_000)
    strays = made.feed(batch(records, 0, cut), NOTHING_CLOSED) + made.feed(batch(records, cut, 4), NOTHING_CLOSED)
    assert sorted((s.offset, s.reason) for s in strays) == [(1, "not JSON"), (2, LATE_REASON), (3, "not JSON")]
    assert (made.buffers[1].rejected, made.buffers[2].rejected) == (Counter({"not JSON": 1}), Counter({"not JSON": 1}))


def test_a_floor_in_a_gap_of_offsets_counts_behind_it():
    """Compaction has removed the offset that the journal names."""
    made = partition()
    made.raise_floor(5, 20_000)
    strays = made.feed(batch([(3, 12_000), (9, 12_000)], 0, 10), NOTHING_CLOSED)
    assert [(s.offset, s.reason) for s in strays] == [(9, LATE_REASON)]


def test_a_floor_among_removed_records_counts_behind_them():
    made = partition()
    made.raise_floor(5, 20_000)
    made.pass_over(8)
    assert made.feed(batch([(8, 12_000)]), 2)[0].reason == LATE_REASON
    assert made.next_offset == 9


def test_floors_that_no_restart_can_meet_are_forgotten():
    made = partition()
    made.raise_floor(2, 20_000)
    made.feed(batch([(0, 12_000), (1, 12_000), (2, 25_000)]), NOTHING_CLOSED)
    made.forget_floors()
    assert made.floors == [(2, 20_000)]  # pane 1 is open and begins at offset 0
    made.close(1)
    made.forget_floors()
    assert made.floors == [(2, 20_000)]  # pane 2 begins at offset 2
    made.close(2)
    made.forget_floors()
    assert made.floors == []


# ------------------------------------------------------------------ jumps
FAR = 500_000


def test_a_jump_is_believed_once_three_further_rows_say_so():
    made, _ = fed([1_000, FAR, FAR + 1, FAR + 2])
    assert held(made) == {0: [(0, 1_000)]}
    assert made.newest == 1_000
    assert made.feed(batch([(4, FAR + 3)]), NOTHING_CLOSED) == []
    assert held(made) == {0: [(0, 1_000)], 50: [(i, FAR + i - 1) for i in range(1, 5)]}


def test_rows_less_than_the_allowed_jump_before_it_confirm_as_well():
    made, _ = fed([1_000, FAR, *[FAR - 100_000] * 3])
    assert made.newest == FAR
    assert held(made)[50] == [(1, FAR)]


def test_a_jump_that_nobody_confirms_is_rejected():
    made, strays = fed([1_000, FAR, *range(1_001, 1_000 + PATIENCE)])
    assert (strays, made.open_rows) == ([], 1 + PATIENCE)
    strays = made.feed(batch([(PATIENCE + 1, 2_000)]), NOTHING_CLOSED)
    assert [(s.offset, s.reason) for s in strays] == [(1, JUMP_REASON)]
    assert made.buffers[0].rejected == Counter({JUMP_REASON: 1})
    assert made.newest == 2_000


def test_one_bad_clock_closes_nothing():
    times = list(range(0, 60_000, 100))
    times[300:300] = [10**12]
    made, strays = fed(times)
    assert strays == [(300, JUMP_REASON)]
    assert made.newest == 59_900


def test_a_clock_that_comes_within_reach_of_a_jump_accepts_it():
    made, _ = fed([1_000, 101_001])
    assert made.newest == 1_000
    made.feed(batch([(2, 1_001)]), NOTHING_CLOSED)
    assert made.newest == 101_001
    assert held(made) == {0: [(0, 1_000), (2, 1_001)], 10: [(1, 101_001)]}


def test_exactly_the_allowed_jump_is_no_jump():
    made, _ = fed([1_000, 101_000])
    assert made.newest == 101_000


def test_the_end_of_a_file_confirms():
    made, _ = fed([1_000, FAR])
    made.end_of_input(NOTHING_CLOSED)
    assert held(made) == {0: [(0, 1_000)], 50: [(1, FAR)]}


def test_confirmations_and_patience_leave_room_for_each_other():
    assert CONFIRMATIONS < PATIENCE


# ------------------------------------------------------------------ rejects
def test_rejects_before_the_first_row_count_in_its_pane():
    made, strays = fed(["not JSON", "tombstone", 25_000])
    assert strays == [(0, "not JSON"), (1, "tombstone")]
    assert made.buffers[2].rejected == Counter({"not JSON": 1, "tombstone": 1})
    assert made.position() == Mark(0, NEVER, NEVER)


def test_rejects_count_in_the_pane_of_the_newest_row_before_them():
    made, _ = fed([5_000, "a", 25_000, "b", 24_000, "c"])
    assert {pane: dict(b.rejected) for pane, b in made.buffers.items()} == {0: {"a": 1}, 2: {"b": 1, "c": 1}}


def test_a_partition_of_nothing_but_rejects_counts_them_at_the_end():
    made, _ = fed(["not JSON", "not JSON"])
    assert made.position() == Mark(0, NEVER, NEVER)
    made.end_of_input(NOTHING_CLOSED)
    assert made.rejected == Counter({"not JSON": 2})


# ------------------------------------------------------------------ where to read again
def test_the_position_is_the_oldest_row_of_an_open_pane_with_the_clock_as_it_was():
    made, _ = fed([5_000, 12_000, 6_000, 22_000])
    assert made.position() == Mark(0, NEVER, NEVER)
    made.close(0)
    assert made.position() == Mark(1, 5_000, NEVER)
    made.close(1)
    assert made.position() == Mark(3, 12_000, NEVER)
    made.close(2)
    assert made.position() == Mark(4, 22_000, NEVER)


def test_a_row_set_aside_holds_the_position():
    made, _ = fed([1_000, FAR, 2_000])
    made.close(0)
    assert made.position() == Mark(1, 1_000, NEVER)


def test_rows_of_closed_panes_are_passed_over_when_met_again():
    first, _ = fed([5_000, 12_000, 6_000, 22_000, 4_000])
    first.close(0)
    again = partition(start=first.position())
    again.read_until = first.next_offset
    assert again.reading_again
    assert again.feed(batch([(1, 12_000), (2, 6_000), (3, 22_000), (4, 4_000)]), 1)[0].offset == 4
    assert not again.reading_again
    assert held(again) == held(first)
    assert (again.newest, again.position()) == (first.newest, first.position())


def test_a_row_of_a_closed_pane_that_was_never_read_is_our_own_mistake():
    made, _ = fed([5_000])
    with pytest.raises(AssertionError, match="which has closed"):
        made.feed(batch([(1, 6_000)]), 1)


def test_an_offset_twice_is_our_own_mistake():
    made, _ = fed([5_000, 6_000])
    with pytest.raises(AssertionError, match="again"):
        made.feed(batch([(1, 6_000)]), NOTHING_CLOSED)


# ------------------------------------------------------------------ everything at once, against plain statements
@dataclass
class Oracle:
    """One record at a time; `panes` holds what each pane gets."""

    role: StreamRole
    floors: dict[int, int]
    newest: int | None = None
    floor: int = NEVER
    aside: list = field(default_factory=list)
    rows: dict[int, list] = field(default_factory=dict)
    late_rows: dict[int, list] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    unplaced: list = field(default_factory=list)

    def record(self, offset, what):
        for at in [o for o in self.floors if o <= offset]:
            self.floor = max(self.floor, self.floors.pop(at))
        if isinstance(what, str):
            self.reject(what)
            return
        for jump in self.aside:
            jump["age"] += 1
            jump["confirmed"] += what >= jump["time"] - RULES.max_jump_ms
        if self.newest is not None and what > self.newest + RULES.max_jump_ms:
            self.aside.append({"offset": offset, "time": what, "age": 0, "confirmed": 0})
        else:
            self.accept(offset, what)
        while believed := [
            a for a in self.aside if a["confirmed"] >= 3 or a["time"] <= self.newest + RULES.max_jump_ms
        ]:
            self.aside.remove(believed[0])
            self.accept(believed[0]["offset"], believed[0]["time"])
        for jump in [a for a in self.aside if a["age"] >= 10]:
            self.aside.remove(jump)
            self.reject(JUMP_REASON)

    def accept(self, offset, time):
        watermark = self.floor if self.newest is None else max(self.newest - RULES.lateness_ms, self.floor)
        newest_before = self.newest
        self.newest = time if self.newest is None else max(self.newest, time)
        for reason in self.unplaced:
            self.counts[max(time, self.floor) // RULES.pane_ms, reason] += 1
        self.unplaced = []
        if time - time % RULES.pane_ms + RULES.pane_ms > watermark:
            self.rows.setdefault(time // RULES.pane_ms, []).append((offset, time))
        elif self.role is StreamRole.LABELS:
            self.rows.setdefault(watermark // RULES.pane_ms, []).append((offset, watermark))
        else:
            self.counts[max(self.floor, newest_before or NEVER) // RULES.pane_ms, LATE_REASON] += 1
            self.late_rows.setdefault(watermark // RULES.pane_ms, []).append((offset, watermark))

    def reject(self, reason):
        if self.newest is None and self.floor == NEVER:
            self.unplaced.append(reason)
        else:
            self.counts[max(self.floor, self.newest or NEVER) // RULES.pane_ms, reason] += 1


def random_log(rng):
    time, offset, records = int(rng.integers(10**6, 2 * 10**6)), 0, []
    for _ in range(int(rng.integers(10, 150))):
        offset += int(rng.choice([1, 1, 1, 4]))
        time += int(rng.choice([100, 1_000, 4_000, 30_000]))
        if rng.random() < 0.03:
            time += int(rng.choice([150_000, 10**6]))  # the producer's clock really moved on
        draw = rng.random()
        seen = time - int(rng.integers(0, 40_000)) if draw < 0.2 else time
        seen = time + int(rng.integers(90_000, 500_000)) if 0.2 <= draw < 0.28 else seen
        records.append((offset, "not JSON" if draw > 0.93 else seen))
    return records


class Collected:
    """What panes got when they closed, taken from partitions that are cut, closed and restarted at random."""

    def __init__(self):
        self.rows, self.late_rows, self.counts = {}, {}, Counter()

    def take(self, pane, buffer):
        for kept, found in ((self.rows, buffer.on_time.parts), (self.late_rows, buffer.late_rows.parts)):
            pairs = [pair for r in found for pair in zip(r.offsets.tolist(), r.times.tolist(), strict=True)]
            if pairs:
                assert pane not in kept
                kept[pane] = pairs
        self.counts[pane, LATE_REASON] += buffer.late
        self.counts.update({(pane, reason): n for reason, n in buffer.rejected.items()})


@pytest.mark.parametrize("seed", range(200))
def test_any_cuts_and_restarts_give_what_plain_statements_give(seed):
    rng = np.random.default_rng(seed)
    role = (StreamRole.PREDICTIONS, StreamRole.LABELS)[seed % 2]
    records = random_log(rng)
    end = records[-1][0] + 1
    floors = (
        {int(rng.integers(1, end)): (records[0][1] if isinstance(records[0][1], int) else 10**6) + 400_000}
        if seed % 3 == 0
        else {}
    )
    oracle = Oracle(role, dict(floors))
    for offset, what in records:
        oracle.record(offset, what)
    for jump in oracle.aside:
        oracle.accept(jump["offset"], jump["time"])

    made, collected, open_from = partition(role), Collected(), NEVER
    for offset, floor in floors.items():
        made.raise_floor(offset, floor)
    while made.next_offset < end:
        stop = min(end, made.next_offset + int(rng.integers(1, 30)))
        made.feed(batch(records, made.next_offset, stop, role), open_from)
        if rng.random() < 0.5 and made.watermark > NEVER:
            open_from = max(open_from, made.watermark // RULES.pane_ms)
            for pane in sorted(p for p in made.buffers if p < open_from):
                collected.take(pane, made.close(pane))
        if rng.random() < 0.3:
            mark, before = made.position(), made
            made = partition(role, mark)
            made.read_until, made.floors = max(before.next_offset, before.read_until), list(before.floors)
            made.forget_floors()
    made.end_of_input(open_from)
    for pane in sorted(made.buffers):
        collected.take(pane, made.close(pane))
    assert collected.rows == oracle.rows
    assert collected.late_rows == oracle.late_rows
    assert +collected.counts == +oracle.counts
