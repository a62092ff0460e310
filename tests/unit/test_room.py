"""Does what monitors keep stay within its room, do the constants bound what it takes, does all work without room?"""

import gc
import tracemalloc

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core.budgets import Grant
from streamcheck.core.components import build, components
from streamcheck.core.instances import INSTANCE_BYTES, Span
from streamcheck.core.monitors import PaneInstance, RowInstance
from streamcheck.core.plan import ComponentSpec, MonitorSpec, Target, Task, Window
from streamcheck.core.room import Room, unlimited
from streamcheck.core.stepping import Work, step
from streamcheck.core.summaries import CategoricalSummary, LabelledRows, Layout, fold_numeric
from streamcheck.core.windows import ROW_BYTES, WINDOW_BYTES, RollingWindow
from streamcheck.core.zones import Timing

HOUR_MS = 3_600_000
LAYOUT = Layout.build(np.random.default_rng(0).normal(size=1_000))


def numeric_summary(rng):
    values = rng.normal(size=60)
    return fold_numeric(values, np.zeros(60, np.uint8), LAYOUT).summary(0)


def categorical_summary(rng, distinct=200):
    names = tuple(f"category-{int(at)}" for at in rng.integers(0, 5_000, distinct))
    return CategoricalSummary(distinct, distinct, 0, 0, np.ones(distinct, np.int64), names)


def filled(name, measure, room, summary, hours=170):
    rng, built = np.random.default_rng(1), build("reference", name, {})
    built.bind(build("measure", measure, {}).accumulator, room, Timing())
    for hour in range(hours):
        for pane in range(2):
            built.observe(hour * HOUR_MS + pane, summary(rng), quiet=True)
    return built


def held_by_the_package():
    """Bytes allocated here, by streamcheck or by numpy, and not by another thread of the process."""
    ours = [tracemalloc.Filter(True, pattern) for pattern in ("*/streamcheck/*", "*/numpy/*", __file__)]
    return sum(each.size for each in tracemalloc.take_snapshot().filter_traces(ours).traces)


SUMMARIES = {"mean_shift": numeric_summary, "psi": numeric_summary, "missing_rate": numeric_summary,
             "category_shift": categorical_summary, "unseen": categorical_summary}  # fmt: skip


@pytest.mark.parametrize("measure", list(SUMMARIES))
@pytest.mark.parametrize("reference", ["auto", "rolling", "first", "season"])
def test_references_take_no_more_than_they_are_charged(reference, measure):
    filled(reference, measure, unlimited(), SUMMARIES[measure], hours=2)  # whatever is made once
    gc.collect()
    tracemalloc.start()
    room = unlimited()
    kept = filled(reference, measure, room, SUMMARIES[measure])
    gc.collect()
    whole = held_by_the_package()
    assert kept.baseline(170 * HOUR_MS) is not None
    del kept
    gc.collect()
    taken = whole - held_by_the_package()  # numpy keeps some freed objects for later, now more, now fewer of them
    tracemalloc.stop()
    assert taken <= room.used + 5_000, (taken, room.used)  # the rest is in INSTANCE_BYTES
    assert room.used < 6 * taken + 20_000, "no bound that says nothing"


@pytest.mark.parametrize("measure", list(SUMMARIES))
@pytest.mark.parametrize("reference", ["auto", "rolling", "first", "season"])
def test_a_reference_without_room_works_on_what_it_has_and_is_restored_as_it_was(reference, measure):
    room = Room(20_000)
    kept = filled(reference, measure, room, SUMMARIES[measure])
    assert room.used <= room.bytes_max
    if (reference, measure) != ("first", "mean_shift") and measure != "missing_rate" and reference != "first":
        assert room.refused
    if reference != "rolling":  # whose one part, from the first hours on, has left: it begins anew where there is room
        assert kept.baseline(170 * HOUR_MS) is not None
    twin, again = build("reference", reference, {}), Room(20_000)
    twin.bind(build("measure", measure, {}).accumulator, again, Timing())
    twin.restore(kept.export())
    assert again.used == room.used
    rng = np.random.default_rng(5)
    summary = SUMMARIES[measure](rng)
    for one in (kept, twin):
        one.observe(171 * HOUR_MS, summary, quiet=True)
    assert again.used == room.used
    assert str(kept.export()) == str(twin.export())


@pytest.mark.parametrize("name", list(components("detector")))
def test_an_instance_takes_no_more_than_it_is_charged(name):
    rng, example = np.random.default_rng(2), dict(getattr(components("detector")[name], "example", {}))
    spec_params = tuple(sorted(example.items()))
    rows = hasattr(components("detector")[name], "domain")
    measure = None if rows else ComponentSpec("mean_shift")
    spec = MonitorSpec("m", Target.COLUMN, "x", ComponentSpec(name, spec_params), measure)

    def made():
        if rows:
            one = RowInstance(spec, (("tier", "a" * 64),), "mean", unlimited(), Timing(), Grant(1e6, 0.1))
            for pane in range(150):
                one.step(Span(pane, pane + 1), (rng.random(20) < 0.3).astype(float), None)
            return one
        room = unlimited()
        one = PaneInstance(spec, (("tier", "a" * 64),), Grant(1e6, 0.1), room, Timing())
        for pane in range(40):
            step(Span(pane, pane + 1), [Work(one, [numeric_summary(rng)])])
        return one

    made()
    gc.collect()
    tracemalloc.start()
    kept = [made() for _ in range(3)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] / 3
    tracemalloc.stop()
    assert kept[0].held_bytes >= INSTANCE_BYTES
    assert taken <= kept[0].held_bytes + 4_000, (taken, kept[0].held_bytes)  # 4 kB: its reference's own


@pytest.mark.parametrize("window", [Window(rows=500), Window(span_ms=1_000)])
def test_a_window_without_room_keeps_the_newest_rows_and_gives_back_what_leaves(window):
    room = Room(100 * ROW_BYTES)
    kept = RollingWindow(window, Task.REGRESSION, scored=False, room=room)
    for pane in range(40):
        rows = LabelledRows(np.arange(7.0) + 7 * pane, np.zeros(7), None, Task.REGRESSION)
        kept.add(np.arange(7) + 7 * pane, rows, 10 * pane)
    assert len(kept) == 100
    assert kept.rows().prediction.tolist() == list(range(180, 280))
    assert (room.used, room.refused > 0) == (100 * ROW_BYTES, True)
    again = Room(100 * ROW_BYTES)
    twin = RollingWindow(window, Task.REGRESSION, scored=False, room=again)
    twin.restore(kept.export())
    assert again.used == room.used
    if window.span_ms:
        kept.expire(10**9)
        assert (len(kept), room.used) == (0, 0)


def test_windows_take_no_more_than_they_are_charged():
    def made(rows_a_pane, room):
        one = RollingWindow(Window(rows=2_000), Task.REGRESSION, scored=False, room=room)
        for pane in range(5_000 // rows_a_pane):
            values = np.zeros(rows_a_pane)
            one.add(np.arange(rows_a_pane), LabelledRows(values, values, None, Task.REGRESSION), pane)
        return one

    for rows_a_pane in (1, 10, 700):
        gc.collect()
        tracemalloc.start()
        room = unlimited()
        kept = made(rows_a_pane, room)
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(kept) == 2_000
        assert taken <= room.used + WINDOW_BYTES, rows_a_pane
