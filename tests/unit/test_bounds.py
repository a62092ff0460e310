"""Which rows of a backtest count, and where a partition may be read no further: whatever the batches were."""

import random

import numpy as np
import pytest

from streamcheck.core.types import Batch, Rejects, SourcePartition, StreamRole
from streamcheck.runtime.bounds import Reach, Window

SOURCE = SourcePartition("p", 0)


def batch(first: int, times: list[int], rejects: tuple[int, ...] = ()) -> Batch:
    offsets = np.array([o for o in range(first, first + len(times) + len(rejects)) if o not in rejects], np.int64)
    n = len(times)
    return Batch(
        SOURCE, StreamRole.PREDICTIONS, offsets, np.array(times, np.int64), np.empty((0, 2), np.uint64),
        np.zeros((1, n)), np.zeros((0, n), np.int32), np.zeros((1, n), np.uint8), (),
        first + n + len(rejects), Rejects(np.array(rejects, np.int64), ("bad",) * len(rejects)),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_where_reading_stops_does_not_depend_on_how_batches_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    times = [rng.choice([50, 150]) if at < 60 or at in (70, 78) else 150 for at in range(200)]
    stops, kept = [], []
    for _ in range(6):
        reach, at, seen = Reach({"p": 100}, rows=12), 0, []
        while at < len(times):
            size = rng.choice([1, 2, 7, 30, 200])
            cut = reach.cut(batch(at, times[at : at + size]))
            seen += cut.offsets.tolist()
            at += size
        stops.append(reach.stopped)
        kept.append(seen)
    run = next(at for at in range(len(times)) if all(t >= 100 for t in times[at : at + 12]))
    assert stops == [{SOURCE: run + 12}] * 6
    assert kept == [list(range(run + 12))] * 6


def test_a_partition_that_never_lies_behind_for_long_is_read_to_its_end() -> None:
    reach = Reach({"p": 100}, rows=5)
    assert len(reach.cut(batch(0, [200, 200, 200, 200, 50] * 9))) == 45
    assert reach.stopped == {}
    assert Reach({}).cut(batch(0, [500] * 20)).next_offset == 20


def test_rejects_behind_the_stop_are_never_met() -> None:
    reach = Reach({"p": 100}, rows=3)
    cut = reach.cut(batch(10, [200, 200, 200, 200], rejects=(11, 14, 15)))
    assert (cut.offsets.tolist(), cut.rejects.offsets.tolist(), cut.next_offset) == ([10, 12, 13], [11], 14)
    assert len(reach.cut(batch(17, [50]))) == 0


def test_a_window_tells_of_what_it_lets_through() -> None:
    heard: list[int] = []
    window = Window(100, 200, lambda times: heard.extend(times.tolist()))
    assert window.cut(batch(0, [99, 100, 199, 200])).times.tolist() == [100, 199]
    assert heard == [100, 199]
