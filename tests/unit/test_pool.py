"""The search for weak and biased segments finds what was put in, names nothing else, and survives restarts."""

import numpy as np
import pytest

from evaluate.checks import ACCURACY, BIASED, CATEGORIES, PANE_ROWS, WEAK, config, feed, houses, removed, weak_segments
from evaluate.feed import Run, plan_of
from streamcheck.adapters.web.tables import search_tables
from streamcheck.core.readings import EngineReading, JoinReading, WeakSegment
from streamcheck.core.saving import Saver, restore
from streamcheck.core.searched import found_tables
from streamcheck.core.worst import LEVEL, biased, cells_of, weakest
from streamcheck.runtime.telemetry import Snapshot


def named(cell):
    """A segment's places and numbers as its name."""
    return () if cell is None else tuple(zip(map(str, cell.columns), map(str, cell.numbers), strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_weak_pair_of_fields_is_named_alone(seed):
    found = weak_segments(seed, 0.1)
    assert {each.segment for each in found} == {WEAK}
    last = found[-1]
    assert last.low <= 0.2 <= last.high
    assert last.chance <= LEVEL
    assert 0.03 < last.errors < 0.06
    assert weak_segments(seed + 50, 0.0) == []


def test_a_biased_area_is_named_with_its_sign_and_what_sets_it_right():
    (found,) = houses(0, 0.08)
    assert found.segment == BIASED
    assert found.relative == pytest.approx(0.08, abs=0.015)
    assert (found.scale, found.shift) == (pytest.approx(1 / 1.08, abs=0.012), 0.0)
    assert removed(found, 0, 0.08) >= 0.7
    assert found.left_error < found.later_error
    (below,) = houses(1, -0.08)
    assert below.bias < 0.0 < below.later


def test_scores_that_lean_are_shifted():
    rng = np.random.default_rng(1)
    columns, label = rng.integers(0, 3, (2, 9_000)).astype(np.int32), (rng.random(9_000) < 0.3).astype(float)
    score = np.clip(0.3 + rng.normal(0.0, 0.05, 9_000) + 0.1 * (columns[0] == 1), 0.0, 1.0)
    (found,) = biased(columns, score, label, named)
    assert (found.segment, found.scale, found.relative) == ((("0", "1"),), 1.0, None)
    assert found.shift == pytest.approx(-0.1, abs=0.03)


def test_numbers_have_errors_too():
    rng = np.random.default_rng(2)
    columns = rng.integers(0, 4, (3, 8_000)).astype(np.int32)
    error = rng.exponential(1.0, 8_000) * np.where((columns[0] == 1) & (columns[2] == 3), 2.0, 1.0)
    found = weakest(columns, error, named, classes=False)
    assert [each.segment for each in found] == [(("0", "1"), ("2", "3"))]
    assert weakest(columns, rng.exponential(1.0, 8_000), named, classes=False) == []


def test_cells_of_wide_and_narrow_columns_are_the_same():
    rng = np.random.default_rng(3)
    columns = rng.integers(0, 5, (2, 500)).astype(np.int32)
    narrow, wide = cells_of(columns)[2], cells_of(columns * 1_000)[2]
    assert narrow.rows.tolist() == wide.rows.tolist()
    assert narrow.place.tolist() == wide.place.tolist()
    assert [narrow.cell(at).numbers for at in range(3)] == [
        tuple(number // 1_000 for number in wide.cell(at).numbers) for at in range(3)
    ]


def test_restarts_and_batches_change_nothing():
    rng = np.random.default_rng(4)
    n = 14_000  # more than the pool holds
    area = rng.choice(12, n)
    label = (rng.random(n) < 0.5).astype(float)
    rows = {
        "area": area,
        "kind": rng.choice(4, n),
        "tier": rng.choice(3, n),
        "label": label,
        "prediction": np.where(rng.random(n) < 0.1 + 0.2 * (area == 3), 1.0 - label, label),
    }
    streams = {"task": "binary", "segments": ["area", "kind"]}
    plan = plan_of({**config(streams, ACCURACY, 80), "search": {"rows": 8_000}})
    whole, parts, store = Run(plan, CATEGORIES), Run(plan, CATEGORIES), {}
    feed(whole, rows)
    for start in range(0, n, 3_500):
        feed(parts, {name: column[start : start + 3_500] for name, column in rows.items()})
        store |= dict(Saver(parts.engine).take().put)
        parts.engine = restore(plan, store).engine
        open_pane = slice(start + 3_500 - PANE_ROWS, start + 3_500)
        parts.pane, parts.offset = (start + 3_500) // PANE_ROWS - 1, open_pane.start
        feed(parts, {name: column[open_pane] for name, column in rows.items()})
    pool, again = whole.engine.board.pool, parts.engine.board.pool
    assert [each.segment for each in pool.weak] == [(("area", "a3"),)]
    assert again.weak == pool.weak
    assert again._values.tolist() == pool._values.tolist()
    assert sum(key.startswith("pool/") for key in store) == 9


def test_what_was_found_stands_in_tables():
    weak = WeakSegment((("area", "a7"), ("kind", "house")), 400, 0.2, 0.16, 0.24, 0.1, 0.04, 1e-6)
    engine = EngineReading((), (), JoinReading(), None, None, 0, 0, weak=(weak,))
    (table,) = search_tables(Snapshot("shop", "1", 0, 1.0, engine=engine))
    assert table.title == "Where the model is worst"
    assert table.rows[0][:3] == ("area=a7, kind=house", "400", "0.2")


def test_what_events_call_themselves_moves_no_cursor():
    weak = WeakSegment((("area", "\x1b[2J" + "x" * 1_000),), 400, 0.2, 0.16, 0.24, 0.1, 0.04, 1e-6)
    engine = EngineReading((), (), JoinReading(), None, None, 0, 0, weak=(weak,))
    (table,) = found_tables(engine)
    assert table.rows[0][0].startswith("area=?[2Jxxx")
    assert len(table.rows[0][0]) == 200
