"""What a waiting prediction takes, and the arrays that keep it: bits, entries, the table of ids."""

import numpy as np
import pytest

from streamcheck.core.bits import Bits
from streamcheck.core.entries import SLAB_ROWS, Entries, Mortals
from streamcheck.core.id_table import LIVES, NOWHERE, IdTable
from streamcheck.core.ids import keys_of, mixed
from streamcheck.core.join import Join
from streamcheck.core.join_size import entry_bytes
from streamcheck.core.joining import Labels, Predictions
from streamcheck.core.plan import JoinRules
from streamcheck.core.shelf import FOLDS_MAX, Filter

TARGET_BYTES = 64


def numbered(first: int, n: int) -> np.ndarray:
    return keys_of([f"e{i}" for i in range(first, first + n)])


def predictions(first: int, n: int, segmentations: int) -> Predictions:
    segments = np.ones((segmentations, n), np.int32)
    return Predictions(numbered(first, n), np.ones(n), np.full(n, 0.5), np.full(n, first), segments)


NOTHING = Labels(numbered(0, 0), np.empty(0))


def test_the_target_is_kept_with_score_and_four_segmentations() -> None:
    assert entry_bytes(4, 1_000) <= TARGET_BYTES


@pytest.mark.parametrize("segmentations", [1, 4])
def test_a_pending_prediction_takes_no_more_than_its_limit_says(segmentations: int) -> None:
    """At whatever number of them, the oldest leaving all the time; one slab is full in part only at each end."""
    pane_rows, kept = 9_000, 100_000
    join = Join(JoinRules(horizon_ms=10**9, predictions_max=kept, labels_max=10), segmentations, 1_000)
    empty = join.nbytes
    for pane in range(40):
        join.step(1_000 * (pane + 1), predictions(pane * pane_rows, pane_rows, segmentations), NOTHING)
        most = min(kept + pane_rows, (pane + 1) * pane_rows)  # the pane enters, then the oldest leave
        assert join.nbytes - empty <= (most + 2 * SLAB_ROWS) * entry_bytes(segmentations, 1_000)
    assert join.reading().predictions_evicted == 40 * pane_rows - kept


def test_slabs_are_used_again() -> None:
    entries = Entries({"value": (np.float64, None)}, SLAB_ROWS)
    for turn in range(50):
        first = entries.append(numbered(turn * 10_000, 10_000), value=np.arange(10_000.0) + turn)
        found = entries.columns["value"][entries.place(np.array([first, first + 9_999]))]
        assert found.tolist() == [turn, 9_999.0 + turn]
        entries.forget(first - 5_000)
    assert entries.nbytes <= 3 * SLAB_ROWS * entries.row_bytes
    assert len(entries.keys) == entries.nbytes // entries.row_bytes + SLAB_ROWS, "what was foreseen was enough"


def test_more_than_was_foreseen_is_kept_all_the_same() -> None:
    entries, n = Entries({"both": (np.int32, 2)}, 10), 5 * SLAB_ROWS + 7
    entries.append(numbered(0, 3), both=np.array([[7, 8, 9], [1, 2, 3]], np.int32))
    entries.append(numbered(3, n), both=np.zeros((2, n), np.int32))
    assert entries.columns["both"][:, entries.place(np.array([1, 2]))].tolist() == [[8, 9], [2, 3]]
    numbers = np.array([2, 3, n + 2, n + 3])
    assert entries.matching(numbers, numbered(0, n + 4)[numbers]).tolist() == [True, True, True, False]


@pytest.mark.parametrize("seed", range(20))
def test_the_table_of_ids_is_a_dict(seed: int) -> None:
    """Entries that come, are forgotten from the oldest on, die one by one, and come again."""
    rng = np.random.default_rng(seed)
    entries, table, known, ids = Mortals({}), IdTable(salt=seed), {}, int(rng.integers(3, 5_000))
    for _ in range(60):
        wanted = np.unique(rng.integers(0, ids, int(rng.integers(0, 400))))
        new = [i for i in wanted.tolist() if i not in known]
        first = entries.append(keys_of([f"e{i}" for i in new]))
        table.add(keys_of([f"e{i}" for i in new]), first, entries)
        known |= {i: first + at for at, i in enumerate(new)}
        gone = [i for i in known if rng.random() < 0.1]
        entries.kill(np.array([known.pop(i) for i in gone], np.int64))
        if rng.random() < 0.3:
            entries.forget(int(rng.integers(entries.head, entries.next + 1)))
            known = {i: number for i, number in known.items() if number >= entries.head}
        asked = list(range(ids))
        assert table.find(keys_of([f"e{i}" for i in asked]), entries).tolist() == [known.get(i, NOWHERE) for i in asked]


@pytest.mark.parametrize("sum_", [0, 1, 2**40 + 7])
def test_ids_that_all_want_one_place_are_told_apart(sum_: int) -> None:
    """Keys of one mixed number: bucket after bucket fills up, on from the last one to the first, all with one tag."""
    first_words = np.arange(200, dtype=np.uint64)
    keys = np.stack([first_words, np.uint64(sum_) - first_words * np.uint64(0x9E3779B97F4A7C15)], axis=1)
    assert len(np.unique(mixed(keys))) == 1
    entries, table = Entries({}), IdTable()
    for start in range(0, 150, 50):
        table.add(keys[start : start + 50], entries.append(keys[start : start + 50]), entries)
        assert table.find(keys, entries).tolist() == [at if at < start + 50 else NOWHERE for at in range(200)]
    entries.forget(60)
    table.add(keys[150:], entries.append(keys[150:]), entries)
    assert table.find(keys, entries).tolist() == [NOWHERE] * 60 + list(range(60, 200))


def test_numbers_outgrow_the_bits_that_the_table_has_for_them() -> None:
    """Few live at a time, many more come and go than a place has bits for: it is made again in time."""
    entries, table, rows = Entries({}), IdTable(), 4_000
    for turn in range(LIVES * SLAB_ROWS // rows * 5):
        first = entries.append(numbered(turn * rows, rows))
        table.add(numbered(turn * rows, rows), first, entries)
        entries.forget(first)
        assert table.find(numbered(turn * rows - 2, 4), entries).tolist() == [NOWHERE, NOWHERE, first, first + 1]


@pytest.mark.parametrize("seed", range(20))
def test_bits_are_a_set(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits, kept, head = Bits(), set(), int(rng.integers(0, 100))
    bits.begin(head)
    for _ in range(50):
        new = np.unique(rng.integers(head, head + 5_000, int(rng.integers(0, 300))))
        bits.set(new)
        kept |= set(new.tolist())
        head += int(rng.integers(0, 1_000))
        bits.forget(head)
        asked = np.arange(head, head + 8_000)
        assert bits.get(asked).tolist() == [n in kept for n in asked.tolist()]
        first, until = sorted(rng.integers(head, head + 8_000, 2).tolist())
        assert bits.count(first, until) == sum(n in kept for n in range(first, until))


def test_a_filter_misses_nothing_and_is_seldom_wrong() -> None:
    """Two bytes an entry: one key in 230 is looked for in vain; each halving makes that worse, and loses none."""
    rng = np.random.default_rng(1)
    mix = rng.integers(0, 2**64, 200_000, np.uint64)
    others = rng.integers(0, 2**64, 200_000, np.uint64)
    held, wrong = Filter(len(mix)), []
    held.add(mix[:100_000])
    held.add(mix[100_000:])
    for fold in range(FOLDS_MAX + 1):
        assert held.may_hold(mix).all()
        wrong.append(held.may_hold(others).mean())
        assert held.foldable == (fold < FOLDS_MAX)
        if held.foldable:
            held.fold()
    assert wrong[0] < 1 / 200
    assert wrong[1] < 1 / 25
    assert wrong == sorted(wrong)
