"""Do the rows of an open pane stay within their limit, wherever batches are cut, and keep nothing else alive?"""

import sys
import tracemalloc

import numpy as np
import pytest

from streamcheck.core.buffers import SMALL_PARTS, Kept, Mark
from streamcheck.core.ids import keys_of
from streamcheck.core.partitions import NEVER, OTHER_REASON, REASONS_MAX, Partition
from streamcheck.core.plan import Limits, TimeRules
from streamcheck.core.rows import Rows
from streamcheck.core.types import Batch, Dictionary, Rejects, SourcePartition, StreamRole
from streamcheck.runtime.ports import RawBatch

SOURCE = SourcePartition("p", 0)
RULES = TimeRules(pane_ms=10_000, lateness_ms=5_000, max_jump_ms=100_000)


def made_rows(n, texts, *, first=0, id_chars=8):
    """Rows whose one categorical column holds `texts`, coded in the order of a dictionary of this call."""
    dictionary = Dictionary()
    codes = np.array([[dictionary.encode(text) for text in texts]], np.int32)
    ids = [f"{at:0{id_chars}d}" for at in range(first, first + n)]
    offsets = np.arange(first, first + n)
    return Rows(offsets, offsets, keys_of(ids), np.ones((2, n)), codes, np.zeros((3, n), np.uint8), (dictionary,))


def texts_of(rows):
    return [rows.dictionaries[0].values[code] for code in rows.codes[0].tolist()]


@pytest.mark.parametrize("seed", range(20))
def test_the_limit_bites_at_the_same_row_however_the_rows_were_cut(seed):
    rng = np.random.default_rng(seed)
    texts = [f"{'ä' if rng.random() < 0.3 else 'a'}{int(rng.integers(0, 150))}" for _ in range(400)]
    limit = int(rng.integers(500, 90_000))
    whole, cut = Kept(), Kept()
    whole.add(made_rows(400, texts), 10**9, limit)
    at = 0
    while at < 400:
        n = min(400 - at, int(rng.integers(1, 60)))
        cut.add(made_rows(n, texts[at : at + n], first=at), 10**9, limit)
        at += n
    assert (whole.n, whole.bytes) == (cut.n, cut.bytes)
    assert whole.bytes <= limit
    assert whole.n < 400 or whole.bytes > 0
    if whole.n:
        assert texts_of(cut.merged()) == texts_of(whole.merged()) == texts[: whole.n]
        assert cut.merged().offsets.tolist() == list(range(whole.n))


def test_rows_are_limited_by_number_too_and_none_follows_the_first_that_does_not_fit():
    kept = Kept()
    kept.add(made_rows(30, ["x"] * 30), 20, 10**9)
    assert kept.n == 20
    kept.add(made_rows(1, ["x"], first=30), 10**9, 10**9)
    assert (kept.n, kept.full) == (20, True)


@pytest.mark.parametrize("texts", ["all different", "few"])
@pytest.mark.parametrize("rows_a_part", [1, 7, 5_000])
def test_what_rows_count_is_about_what_they_take(texts, rows_a_part):
    rng = np.random.default_rng(1)
    n = 20_000
    named = [f"value-{at if texts == 'all different' else int(rng.integers(0, 9)):012d}" for at in range(n)]
    kept = Kept()
    tracemalloc.start()
    for at in range(0, n, rows_a_part):
        stop = min(n, at + rows_a_part)
        kept.add(made_rows(stop - at, named[at:stop], first=at, id_chars=36), 10**9, 10**9)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 1.1 * kept.bytes, (taken / n, kept.bytes / n)
    assert len(kept.parts) < n // SMALL_PARTS + SMALL_PARTS + 2


def batch(times, *, first=0, raw=None, rejects=None):
    n = len(times)
    offsets = np.arange(first, first + n)
    stamps = np.array(times, np.int64)
    empty = np.zeros((0, n), np.int32), np.zeros((0, n), np.uint8)
    ids = [str(at) for at in offsets]
    bad = rejects or Rejects.none()
    stop = first + n + len(bad.offsets)
    keys = keys_of(ids)
    return Batch(SOURCE, StreamRole.PREDICTIONS, offsets, stamps, keys, np.zeros((0, n)), *empty, (), stop, bad, raw)


def test_excess_rows_are_counted_and_the_limit_holds_per_pane():
    made = Partition(SOURCE, StreamRole.PREDICTIONS, RULES, Mark(0, NEVER, NEVER), Limits(pane_rows=3))
    made.feed(batch([1_000] * 5 + [11_000] * 4 + [40_000] + [2_000] * 3), NEVER)
    assert [(pane, b.n_rows, b.on_time.n, b.excess) for pane, b in sorted(made.buffers.items())] == [
        (0, 5, 3, 2), (1, 4, 3, 1), (3, 0, 0, 2), (4, 1, 1, 0),
    ]  # fmt: skip
    assert made.buffers[3].late_rows.n == 1  # a quarter of the rows, one at least
    held = made.open_bytes
    assert held == sum(b.bytes for b in made.buffers.values()) > 0
    for pane in (0, 1, 3, 4):
        made.close(pane)
    assert (made.excess, made.accepted, made.late, made.open_bytes) == (5, 10, 3, 0)


def test_a_waiting_row_keeps_no_batch_alive():
    """Neither its bytes nor its columns: a part of 16 MiB must not stay for one row that came late or too early."""
    values = [bytes(1_000) for _ in range(50)]
    baseline = sys.getrefcount(values[7])
    n = len(values)
    raw = RawBatch(SOURCE, np.arange(n), np.zeros(n, np.int64), [None] * n, values, n)
    made = Partition(SOURCE, StreamRole.PREDICTIONS, RULES, Mark(0, NEVER, NEVER))
    times = [100_000] * 49 + [10**9]  # the last is set aside
    times[20] = 1_000  # late
    strays = made.feed(batch(times, raw=raw), NEVER)
    assert [stray.offset for stray in strays] == [20]
    del strays, raw
    values_7 = values[7]
    del values
    assert sys.getrefcount(values_7) == baseline
    for buffer in made.buffers.values():
        for part in (*buffer.on_time.parts, *buffer.late_rows.parts):
            assert part.raw is None
            assert part.offsets.base is None
            assert part.numeric.base is None or part.numeric.base.nbytes <= part.numeric.nbytes
    (aside,) = made._aside
    assert aside.rows.raw.record(49) == (None, bytes(1_000), None)
    assert len(aside.rows.raw.values) == 1


def test_a_row_far_ahead_keeps_no_large_dictionary_alive():
    many = [f"v{at}" for at in range(5_000)]
    kept = Kept()
    kept.add(made_rows(5_000, many).take(np.array([4_000])), 10**9, 10**9)
    assert len(kept.parts[0].dictionaries[0]) == 1
    assert texts_of(kept.parts[0]) == ["v4000"]


def test_reasons_are_a_bounded_set():
    made = Partition(SOURCE, StreamRole.PREDICTIONS, RULES, Mark(0, NEVER, NEVER))
    made.feed(batch([1_000]), NEVER)
    offsets = np.arange(1, 201)
    rejects = Rejects(offsets, tuple(f"reason {at}" for at in offsets))
    made.feed(batch([], first=1, rejects=rejects), NEVER)
    made.close(0)
    assert len(made.rejected) == REASONS_MAX + 1
    assert made.rejected[OTHER_REASON] == 200 - REASONS_MAX
