"""Two models on the same rows: an interval that may be looked at any time, by segment, afresh for each champion."""

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.joining import UNUSABLE
from streamcheck.core.paired import signed
from streamcheck.core.shadow import Pairs
from tests.unit.test_shadow_stream import CONFIG


def paired(config=CONFIG, tables=()):
    board = Engine(loads(config, {}).plan, "lineage").board
    for key in tables:
        board.tables[key[0]].number((key[1],))
    return board.paired


def pairs(rng, n, champion, challenger, segments=None):
    """Rows of which both models are right with these chances, independently."""
    label = (rng.random(n) < 0.5).astype(float)
    said = [np.where(rng.random(n) < right, label, 1.0 - label) for right in (champion, challenger)]
    return Pairs(*said, label, np.zeros((1, n), np.int32) if segments is None else segments)


@pytest.mark.parametrize("seed", range(5))
def test_the_better_wins_the_worse_loses_equals_stay_undecided(seed):
    for accuracy, verdict in ((0.92, "wins"), (0.82, "loses"), (0.87, "undecided")):
        rng, found = np.random.default_rng((41, seed)), paired()
        for _ in range(60):
            found.add(pairs(rng, 100, 0.87, accuracy))
        (all_rows, *_) = found.comparisons()
        assert (all_rows.champion, all_rows.challenger, all_rows.verdict) == ("champion", "forest", verdict)
        assert all_rows.low <= accuracy - 0.87 <= all_rows.high
        assert all_rows.rows == 6_000


def test_a_segment_may_win_where_another_loses():
    rng, found = np.random.default_rng(43), paired(tables=(("tier", "gold"), ("tier", "blue")))
    for number, accuracy in ((1, 0.95), (2, 0.75)):
        found.add(pairs(rng, 5_000, 0.85, accuracy, np.full((1, 5_000), number, np.int32)))
    by_name = {each.segment: each.verdict for each in found.comparisons()}
    assert by_name == {(): "undecided", (("tier", "gold"),): "wins", (("tier", "blue"),): "loses"}


def test_looking_all_the_time_is_wrong_seldom():
    """Also where the models hardly ever differ, so that a normal approximation could not be trusted."""
    for differing in (0.003, 0.05, 0.4):
        rng, wrong, n = np.random.default_rng(47), 0, np.arange(1, 5_001)
        for _ in range(200):
            steps = np.where(rng.random(5_000) < differing, rng.choice((-1.0, 1.0), 5_000), 0.0)
            total, square = np.cumsum(steps), np.cumsum(steps * steps)
            ends = [signed(total[k] / n[k], square[k], n[k], 0.95) for k in range(99, 5_000, 20)]
            wrong += any(low > 0.0 or high < 0.0 for low, high in ends)
        assert wrong <= 10


def test_models_that_say_the_same_are_undecided_and_agree():
    rng, found = np.random.default_rng(53), paired()
    rows = pairs(rng, 500, 0.9, 0.9)
    found.add(Pairs(rows.champion, rows.champion, rows.label, rows.segments))
    (all_rows, *_) = found.comparisons()
    assert (all_rows.difference, all_rows.agreement, all_rows.verdict) == (0.0, 1.0, "undecided")
    assert all_rows.low < 0.0 < all_rows.high


REGRESSION = CONFIG.replace("task: binary", "task: regression")


def test_numbers_are_compared_by_their_error():
    rng = np.random.default_rng(59)
    for scale, verdict in ((0.8, "wins"), (1.25, "loses"), (1.0, "undecided")):
        found, truth = paired(REGRESSION), rng.normal(100.0, 10.0, 5_000)
        champion, challenger = (truth + width * rng.normal(size=5_000) for width in (1.0, scale))
        found.add(Pairs(champion, challenger, truth, np.zeros((1, 5_000), np.int32)))
        (all_rows, *_) = found.comparisons()
        assert all_rows.verdict == verdict
        assert all_rows.low <= 0.798 * (scale - 1.0) <= all_rows.high
    found = paired(REGRESSION)
    found.add(Pairs(truth, truth, truth + 1.0, np.zeros((1, 5_000), np.int32)))
    found.add(Pairs(np.array([UNUSABLE / 10]), np.array([0.0]), np.array([0.0]), np.zeros((1, 1), np.int32)))
    (all_rows, *_) = found.comparisons()
    assert np.isfinite([all_rows.low, all_rows.high]).all(), "one absurd number is bounded"


VERSIONED = CONFIG.replace("segments: [tier]", "segments: [model_version, tier], model_version: v")


def test_a_new_champion_is_compared_anew():
    rng, found = np.random.default_rng(61), paired(VERSIONED, (("model_version", "v1"), ("model_version", "v2")))
    old = np.stack([np.ones(500), np.zeros(500)]).astype(np.int32)
    new = np.stack([np.where(np.arange(500) % 2, 2, 1), np.zeros(500)]).astype(np.int32)
    found.add(pairs(rng, 500, 0.9, 0.9, old))
    assert [each.champion for each in found.comparisons()][:1] == ["v1"]
    found.add(pairs(rng, 500, 0.9, 0.9, new))
    found.add(pairs(rng, 500, 0.9, 0.9, old))
    (all_rows, *_) = found.comparisons()
    assert (all_rows.champion, all_rows.rows) == ("v2", 250)


def test_what_it_holds_is_charged_to_the_room_of_monitors():
    rng, board = np.random.default_rng(67), Engine(loads(CONFIG, {}).plan, "lineage").board
    numbers = rng.integers(0, 300, (1, 3_000)).astype(np.int32)
    before = board.room.used
    board.paired.add(pairs(rng, 3_000, 0.9, 0.9, numbers))
    assert board.room.used - before == board.paired.held_bytes > 290 * 40
    board.paired._clear()
    assert (board.room.used, board.paired.held_bytes) == (before, 0)
    board.room.force(board.room.bytes_max - board.room.used)
    board.paired.add(pairs(rng, 3_000, 0.9, 0.9, numbers))
    assert board.paired.held_bytes == 0
    assert board.paired.comparisons()[0].rows == 3_000, "all rows together need no room"
