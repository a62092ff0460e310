"""Two versions of a model side by side: an interval that may be looked at any time, a fresh start with each version."""

import numpy as np

from evaluate.checks import PANE_ROWS, config, feed
from evaluate.feed import Run, plan_of
from streamcheck import Watch
from streamcheck.core.saving import Saver, restore
from streamcheck.core.versus import always_valid

STREAMS = {"task": "binary", "model_version": "version", "segments": ["model_version", "tier"]}
NAMES = {"model_version": ("v1", "v2", "v3"), "tier": ("premium", "general")}


def rows(rng, n, accuracies, tiers=(0.0, 0.0)):
    """Versions take turns; accuracies: of each; tiers: what the newest gains in each tier."""
    version, tier = rng.integers(0, len(accuracies), n), rng.integers(0, 2, n)
    version[: len(accuracies)] = range(len(accuracies))  # which is the newest: that which came last
    right = np.array(accuracies)[version] + np.where(version == len(accuracies) - 1, np.array(tiers)[tier], 0.0)
    label = (rng.random(n) < 0.5).astype(float)
    said = np.where(rng.random(n) < right, label, 1.0 - label)
    return {"model_version": version, "tier": tier, "label": label, "prediction": said}


def run_of():
    return Run(plan_of(config(STREAMS, [{"on": "accuracy"}], 60)), NAMES)


def compared(run):
    return {each.segment: each for each in run.engine.reading().versions}


def test_the_better_one_wins_and_the_worse_one_loses():
    for accuracy, verdict in ((0.95, "wins"), (0.85, "loses"), (0.9, "undecided")):
        run = run_of()
        feed(run, rows(np.random.default_rng(1), 8_000, (0.9, accuracy)))
        found = compared(run)[()]
        assert (found.champion, found.challenger, found.verdict) == ("v1", "v2", verdict)
        assert found.low <= accuracy - 0.9 <= found.high


def test_a_segment_may_win_where_another_loses():
    run = run_of()
    feed(run, rows(np.random.default_rng(2), 20_000, (0.85, 0.85), (0.1, -0.1)))
    found = compared(run)
    assert found[()].verdict == "undecided"
    assert {each: found[(("tier", each),)].verdict for each in NAMES["tier"]} == {"premium": "wins", "general": "loses"}


def test_a_new_version_is_compared_with_the_newest_before_it():
    rng, run = np.random.default_rng(3), run_of()
    feed(run, rows(rng, 5_000, (0.9, 0.95)))
    feed(run, rows(rng, 9_000, (0.9, 0.95, 0.95)))
    found = compared(run)[()]
    assert (found.champion, found.challenger) == ("v2", "v3")
    assert 2_500 < found.champion_rows < 3_500, "rows from before it came do not count"


def test_looking_all_the_time_is_wrong_seldom():
    rng, wrong, n = np.random.default_rng(4), 0, np.arange(1, 5_001)
    for _ in range(200):
        first, second = (np.cumsum(rng.random(5_000) < 0.9) / n for _ in range(2))
        looks = range(100, 5_000, 50)
        spread = first * (1 - first) + second * (1 - second)
        ends = [always_valid(second[k] - first[k], spread[k] / n[k], (spread[k] / 2) ** 0.5, 0.95) for k in looks]
        wrong += any(low > 0.0 or high < 0.0 for low, high in ends)
    assert wrong <= 10


def test_numbers_are_compared_by_their_error():
    text = """version: 1
name: prices
streams:
  predictions:
    {topic: p, time: {field: ts, unit: s}, prediction: said, label: paid, task: regression, model_version: version,
     segments: [model_version], features: {area: numeric}}
"""
    watch, rng = Watch(text), np.random.default_rng(6)
    paid, noise = 100.0 + rng.normal(size=4_000), rng.normal(size=4_000)
    said = paid + noise * np.where(np.arange(4_000) % 2, 1.0, 2.0)
    rows = (
        {"ts": 1_772_323_200 + k, "said": said[k], "paid": paid[k], "area": 1.0, "version": f"v{k % 2 + 1}"}
        for k in range(4_000)
    )
    watch.predictions(rows)
    found = compared(watch)[()]
    assert (found.champion, found.challenger, found.verdict) == ("v1", "v2", "wins")
    assert found.low < -0.8 < found.high, "mean absolute errors of 1.6 and 0.8"


def test_a_restart_changes_nothing():
    held = rows(np.random.default_rng(5), 8_000, (0.9, 0.92))
    whole, parts, store = run_of(), run_of(), {}
    feed(whole, held)
    for start in range(0, 8_000, 2_000):
        feed(parts, {name: column[start : start + 2_000] for name, column in held.items()})
        store |= dict(Saver(parts.engine).take().put)
        parts.engine = restore(parts.plan, store).engine
        last = slice(start + 2_000 - PANE_ROWS, start + 2_000)
        parts.pane, parts.offset = (start + 2_000) // PANE_ROWS - 1, last.start
        feed(parts, {name: column[last] for name, column in held.items()})
    assert compared(parts) == compared(whole)
    assert len(compared(whole)) == 3


def test_what_it_holds_is_charged_to_the_room_of_monitors():
    streams = {**STREAMS, "segments": ["model_version", "tier", "shop"]}
    names = {**NAMES, "shop": tuple(f"s{k}" for k in range(500))}

    def made(seed=5):
        run = Run(plan_of(config(streams, [{"on": "accuracy"}], 60)), names)
        rng = np.random.default_rng(seed)
        feed(run, rows(rng, 4_000, (0.9, 0.9)) | {"shop": rng.integers(0, 500, 4_000)})
        return run

    run = made()
    board = run.engine.board
    before, held = board.room.used, board.versus.held_bytes
    assert held > 480 * 48
    board.versus._clear()
    assert before - board.room.used == held
    assert board.versus.held_bytes == 0

    full = Run(plan_of(config(streams, [{"on": "accuracy"}], 60)), names)
    room = full.engine.board.room
    room.force(room.bytes_max - room.used - 1_000)
    rng = np.random.default_rng(5)
    feed(full, rows(rng, 4_000, (0.9, 0.9)) | {"shop": rng.integers(0, 500, 4_000)})
    assert full.engine.board.versus.held_bytes <= 1_000
    assert room.used <= room.bytes_max
    assert room.refused
    assert () in compared(full), "all rows together need no room"
