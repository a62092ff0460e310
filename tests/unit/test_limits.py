"""Does a run stay within its limits where a partition stands still, without locking up or counting otherwise?"""

import json
import logging

import numpy as np
import pytest

from streamcheck.core import windows
from streamcheck.core.plan import Task, Window
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import SourcePartition
from streamcheck.runtime import journal_log, telemetry
from streamcheck.runtime.limits import ADVICE, SAY_AGAIN_S, LimitLog
from streamcheck.runtime.ports import RawBatch
from streamcheck.testing import ScriptedSource, raw_batch

P0, P1, LABELS = SourcePartition("p", 0), SourcePartition("p", 1), SourcePartition("l", 0)
OPEN_BYTES = 20_000


def in_order(script, order):
    """The same topics, read one partition after the other."""
    return [item for source in order for item in script if isinstance(item, RawBatch) and item.source == source]


class Shared(ScriptedSource):
    """All of the script is in the topics from the start; what is read first follows the order of partitions."""

    def __init__(self, script):
        super().__init__(script)
        while not self.exhausted:
            self._log[self._script[self._next].source].append(self._script[self._next])
            self._next += 1
        self.most = 0
        self.loop = None

    def poll(self, timeout_s):
        """One batch of the first partition that may be read."""
        if self.loop is not None:
            self.most = max(self.most, sum(p.open_bytes for p in self.loop().engine.partitions.values()))
        for source in sorted(self._positions):
            if source not in self._paused:
                for batch in self._log[source]:
                    if batch.offsets[0] >= self._positions[source]:
                        self._positions[source] = batch.next_offset
                        return [batch]
        return []

    @property
    def done(self):
        return all(self._positions.get(s) == self._end(s) for s in self._log)


def run(rig, made, **rules):
    made.rules = rig.rules(idle_after_s=10**9, **rules)
    made.source.loop = lambda: made.loop
    turns = 0

    def stop():
        nonlocal turns
        turns += 1
        assert turns < 10_000, f"locked up; paused: {made.loop._brake.paused}"
        return made.source.done

    return made.start(stop)


def test_partitions_that_run_ahead_wait_for_one_that_is_behind_and_the_alerts_are_the_same(rig, undisturbed):
    free, braked = rig(), rig()
    free.source, braked.source = Shared(rig.script()), Shared(rig.script())
    run(rig, free)
    loop = run(rig, braked, open_bytes_max=OPEN_BYTES)
    batch = 2 * OPEN_BYTES / 4  # two batches more at most: that of the poll, and what the pane in question needs
    assert braked.source.most < OPEN_BYTES + batch < free.source.most, (braked.source.most, free.source.most)
    assert dict(loop._limits())["open_memory"] > 3
    assert braked.records == free.records == undisturbed.records[: len(free.records)]
    assert len(free.records) > 5


@pytest.mark.parametrize("open_bytes", [1, 500, 3_000])
def test_however_little_may_be_open_there_is_always_a_partition_to_be_read(rig, open_bytes):
    made, plain = rig(), rig()
    made.source, plain.source = Shared(rig.script()), Shared(rig.script())
    run(rig, plain)
    run(rig, made, open_bytes_max=open_bytes)
    assert made.records == plain.records


def test_reading_waits_while_the_journal_cannot_be_copied(rig, monkeypatch):
    monkeypatch.setattr(journal_log, "UNCOPIED_MAX", 0)
    made, turns = rig(), []

    def stop():
        turns.append(0)
        return len(turns) > 20

    made.start(stop)
    assert made.loop.tally.events == 0
    assert dict(made.loop._limits())["delivery"] == 1


def test_a_limit_is_named_at_once_then_at_most_every_ten_minutes(caplog):
    caplog.set_level(logging.WARNING)
    said = LimitLog([("segments", 5), ("pane_rows", 0)])
    said.look([("segments", 5), ("pane_rows", 0)], 0.0)
    assert not caplog.records, "what a former run has said is no news"
    said.look([("segments", 9), ("pane_rows", 0)], 1.0)
    said.look([("segments", 12), ("pane_rows", 0)], 2.0)
    assert [r.message for r in caplog.records] == [f"the limit segments has bitten 4 times: {ADVICE['segments']}"]
    said.look([("segments", 20), ("pane_rows", 1)], 1.0 + SAY_AGAIN_S)
    assert [r.message.split(":")[0] for r in caplog.records[1:]] == [
        "the limit segments has bitten 11 times",
        "the limit pane_rows has bitten 1 time",
    ]


def test_every_limit_that_is_counted_has_its_advice(rig):
    made = rig()
    made.start()
    assert {name for name, _ in made.telemetry.read().engine.limits} == set(ADVICE)


def test_a_window_by_time_that_is_full_counts_what_leaves_too_early(monkeypatch):
    monkeypatch.setattr(windows, "SPAN_ROWS_MAX", 5)
    by_time = windows.RollingWindow(Window(span_ms=1_000), Task.BINARY, scored=False)
    by_rows = windows.RollingWindow(Window(rows=5), Task.BINARY, scored=False)
    cuts = []
    for at, n in ((100, 4), (200, 4), (1_150, 2), (3_000, 5)):
        rows = LabelledRows(np.zeros(n), np.zeros(n), None, Task.BINARY)
        for window in (by_time, by_rows):
            window.add(np.arange(at, at + n), rows, at)
        cuts.append(by_time.cut)
    assert cuts == [0, 3, 4, 4], "what time would have taken away counts not"
    assert by_rows.cut == 0


def test_firing_alerts_without_a_place_on_the_page_are_counted(monkeypatch):
    monkeypatch.setattr(telemetry, "FIRING_MAX", 2)

    def records(*numbers):
        return [json.dumps({"id": str(n), "sequence": n, "state": "firing", "monitor": "m"}) for n in numbers]

    book = telemetry.AlertBook().after(map(str.encode, records(1, 2)))
    assert book.hidden == 0
    book = book.after(map(str.encode, records(3, 4, 5)))
    assert (book.hidden, [alert.id for alert in book.firing]) == (3, ["5", "4"])
    assert telemetry.AlertBook.restore(book.export()).hidden == 0


def test_a_jump_that_nothing_confirms_is_counted_as_a_limit(rig, caplog):
    made, at = rig([]), rig.start_ms

    def rows(source, first, times):
        values = [{"id": f"{source}{first + i}", "at": each, "said": 1, "truth": 1} for i, each in enumerate(times)]
        return raw_batch(source.topic, source.partition, values, first_offset=first, times_ms=times)

    others = [rows(source, 0, [at + 60_000]) for source in (P1, LABELS)]
    mine = rows(P0, 0, [at, at + 10**10, *(at + 1_000 * i for i in range(30))])
    made.source = ScriptedSource([*others, mine, lambda: made.clock.advance(2), lambda: made.clock.advance(2)])
    made.start()
    assert dict(made.telemetry.read().engine.limits)["set_aside"] == 1
    assert [r.args[:2] for r in caplog.records if "has bitten" in r.msg] == [("set_aside", "1 time")]
