"""Does a pane show its rows in canonical order, and do its summaries equal plain sums, bit for bit for any batching?"""

import math
from collections import Counter
from functools import reduce

import numpy as np
import pytest

from streamcheck.core.ids import NO_KEYS
from streamcheck.core.panes import CATEGORIES_MAX, FOLD_ROWS, PaneRows
from streamcheck.core.plan import Column, Kind, Role, Schema, Segmentation
from streamcheck.core.rows import Rows, concatenate
from streamcheck.core.summaries import Layout, fold_numeric
from streamcheck.core.types import OTHER_SEGMENT, Dictionary, SourcePartition, StreamRole

TIER = Segmentation(("tier",))
SCHEMA = Schema(
    StreamRole.PREDICTIONS,
    ("p", "q"),
    None,
    None,
    (
        Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE, (-1.0, 1.0)),
        Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT),
        Column("prediction", ("prediction",), Kind.BINARY, Role.PREDICTION),
    ),
    1_024,
    0,
)
SOURCES = (SourcePartition("p", 0), SourcePartition("p", 1), SourcePartition("q", 0))


def made_rows(rng, n, tiers=("a", "b", "c", None), first_offset=0):
    """Rows of one source partition: few distinct times, values of every status."""
    status = rng.choice([0, 0, 0, 0, 1, 2, 3], n).astype(np.uint8)
    tier = [tiers[i] for i in rng.integers(0, len(tiers), n)]
    dictionary = Dictionary(tuple(rng.permutation(sorted({t for t in tiers if t is not None})).tolist()))
    codes = [-1 if t is None else dictionary.encode(t) for t in tier]
    binary = rng.choice([0, 1, -1], n, p=(0.5, 0.4, 0.1))
    table = np.array([codes, binary], np.int32).reshape(2, n)
    return Rows(
        first_offset + np.cumsum(rng.integers(1, 3, n)),
        rng.integers(0, 5, n) * 100,
        NO_KEYS,
        np.where(status == 0, rng.normal(size=n), 0.0)[None, :],
        table,
        np.concatenate([status[None, :], (table < 0).astype(np.uint8)]),
        (dictionary, Dictionary(("0", "1"))),
    )


def in_batches(rows, rng):
    """The same rows as several batches brought them, each with a dictionary of its own."""
    cuts = sorted(rng.integers(0, len(rows) + 1, int(rng.integers(1, 9))).tolist())
    parts = []
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = rows.slice(start, stop)
        fresh = Dictionary(tuple(rng.permutation(rows.dictionaries[0].values).tolist()[: int(rng.integers(0, 3))]))
        tier = [-1 if c < 0 else fresh.encode(rows.dictionaries[0].values[c]) for c in part.codes[0].tolist()]
        codes = np.array([tier, part.codes[1]], np.int32)
        dictionaries = (fresh, Dictionary(("0", "1")))
        if stop > start:
            parts.append(Rows(part.offsets, part.times, NO_KEYS, part.numeric, codes, part.status, dictionaries))
    return concatenate(parts)


def pane_of(parts):
    made = PaneRows(SCHEMA, [part for part in parts if len(part[1])])
    texts = [made.rows.dictionaries[0].values[c] if c >= 0 else "" for c in made.rows.codes[0].tolist()]
    made.add_segments(TIER, np.array([sum(map(ord, text)) for text in texts], np.int32))
    return made


def plain(parts):
    """All rows as tuples in canonical order: (time, source, offset, status, value, tier, prediction)."""
    return sorted(
        (
            (
                int(r.times[i]),
                source,
                int(r.offsets[i]),
                int(r.status[0, i]),
                float(r.numeric[0, i]),
                "" if r.codes[0, i] < 0 else r.dictionaries[0].values[r.codes[0, i]],
                int(r.codes[1, i]),
            )
            for source, r in parts
            for i in range(len(r))
        ),
        key=lambda row: row[:3],
    )


def some_parts(rng, n_max=80):
    sizes = rng.integers(0, n_max, len(SOURCES)).tolist()
    parts = [(source, made_rows(rng, n)) for source, n in zip(SOURCES, sizes, strict=True) if n]
    return parts or [(SOURCES[0], made_rows(rng, 3))]


@pytest.mark.parametrize("seed", range(60))
def test_order_selections_and_summaries_equal_plain_walks(seed):
    rng = np.random.default_rng(seed)
    parts = some_parts(rng)
    rows = plain(parts)
    pane = pane_of([(source, in_batches(r, rng)) for source, r in parts])
    assert pane.rows.times[pane.order].tolist() == [row[0] for row in rows]
    assert pane.rows.offsets[pane.order].tolist() == [row[2] for row in rows]
    ok = [row for row in rows if row[3] == 0]
    assert pane.select("amount").values.tolist() == [row[4] for row in ok]
    assert pane.select("prediction").values.tolist() == [row[6] for row in rows if row[6] >= 0]
    by_tier = {sum(map(ord, tier)): [row for row in rows if row[5] == tier] for tier in {row[5] for row in rows}}
    split = dict(pane.split(pane.select("amount"), TIER))
    assert {n: values.tolist() for n, values in split.items()} == {
        n: values for n, members in by_tier.items() if (values := [row[4] for row in members if row[3] == 0])
    }
    assert pane.segments(TIER) == sorted(by_tier)
    layout = Layout.build(rng.normal(size=50))
    for by, number, members in [(None, 0, rows), *((TIER, n, m) for n, m in by_tier.items())]:
        check_numeric(pane.numeric_summary("amount", by, number, layout), members, layout)
        check_coded(pane.coded_summary("tier", by, number), [row[5] for row in members])


def check_numeric(summary, rows, layout):
    values = [row[4] for row in rows if row[3] == 0]
    by_status = Counter(row[3] for row in rows)
    assert (summary.rows, summary.ok) == (len(rows), len(values))
    assert (summary.missing, summary.wrong_type, summary.non_finite) == (by_status[1], by_status[2], by_status[3])
    assert summary.out_of_range == sum(not -1 <= value <= 1 for value in values)
    assert (summary.low, summary.high) == ((min(values), max(values)) if values else (None, None))
    assert summary.counts.sum() == len(values)
    assert summary.counts.tolist() == np.bincount(layout.bins(np.array(values)), minlength=layout.n_bins).tolist()
    if values:
        mean = math.fsum(values) / len(values)
        assert summary.moment.mean == pytest.approx(mean, abs=1e-12)
        assert summary.moment.variance == pytest.approx(
            math.fsum((v - mean) ** 2 for v in values) / len(values), abs=1e-12
        )


def check_coded(summary, texts):
    known = Counter(text for text in texts if text)
    assert {c: n for c, n in zip(summary.categories, summary.counts.tolist(), strict=True) if n} == known
    assert (summary.rows, summary.ok, summary.missing) == (len(texts), known.total(), len(texts) - known.total())


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_large_panes_are_cut_by_rows_never_by_batches(seed):
    """More than two folds of one partition and one of another: the same bits as folding 65,536 rows each by hand."""
    rng = np.random.default_rng(seed)
    parts = [(SOURCES[0], made_rows(rng, 2 * FOLD_ROWS + 777)), (SOURCES[2], made_rows(rng, FOLD_ROWS))]
    layout = Layout.build(rng.normal(size=1_000))
    folds = [
        fold_numeric(r.numeric[0, a : a + FOLD_ROWS], r.status[0, a : a + FOLD_ROWS], layout, (-1.0, 1.0))
        for _, r in parts
        for a in range(0, len(r), FOLD_ROWS)
    ]
    assert len(folds) == 4
    expected = reduce(lambda whole, part: whole.add(part) or whole, folds).summary(0)
    by_tier = []
    for _ in range(3):
        pane = pane_of([(source, in_batches(r, rng)) for source, r in parts])
        found = pane.numeric_summary("amount", None, 0, layout)
        assert found.moment == expected.moment  # exact floats
        assert found.counts.tolist() == expected.counts.tolist()
        by_tier.append([pane.numeric_summary("amount", TIER, n, layout).moment for n in pane.segments(TIER)])
    assert by_tier[0] == by_tier[1] == by_tier[2]
    # Summing all at once gives other bits: the cuts matter, and this test can fail.
    values = np.concatenate([r.numeric[0][r.status[0] == 0] for _, r in parts])
    assert float((values - layout.origin).sum()) != expected.moment.total


def categories_pane(rng, texts, times=None):
    n = len(texts)
    dictionary = Dictionary(tuple(rng.permutation(sorted(set(texts))).tolist()))
    codes = np.array([[dictionary.encode(t) for t in texts], [0] * n], np.int32)
    zeros = np.zeros((3, n), np.uint8)
    when = np.arange(n) if times is None else np.array(times)
    r = Rows(np.arange(n), when, NO_KEYS, np.zeros((1, n)), codes, zeros, (dictionary, Dictionary(("0", "1"))))
    return PaneRows(SCHEMA, [(SOURCES[0], r)])


def test_categories_beyond_the_limit_count_as_other_by_first_canonical_appearance():
    rng = np.random.default_rng(0)
    texts = [f"c{i}" for i in range(CATEGORIES_MAX + 50)]
    times = rng.permutation(len(texts))
    summary = categories_pane(rng, texts, times).coded_summary("tier", None, 0)
    counts = dict(zip(summary.categories, summary.counts.tolist(), strict=True))
    assert counts.pop(OTHER_SEGMENT) == 50
    assert set(counts) == {text for text, time in zip(texts, times, strict=True) if time < CATEGORIES_MAX}
    assert set(counts.values()) == {1}
    assert list(summary.categories[:-1]) == sorted(counts)


def test_exactly_as_many_categories_as_the_limit_leave_no_other():
    summary = categories_pane(np.random.default_rng(0), [f"c{i}" for i in range(CATEGORIES_MAX)]).coded_summary(
        "tier", None, 0
    )
    assert OTHER_SEGMENT not in summary.categories


def test_a_category_that_is_called_like_the_rest_is_counted_with_the_rest():
    """Two columns of one name would lose the counts of one of them when panes merge."""
    texts = [OTHER_SEGMENT, *(f"c{i}" for i in range(CATEGORIES_MAX + 9))]
    summary = categories_pane(np.random.default_rng(0), texts).coded_summary("tier", None, 0)
    assert len(set(summary.categories)) == len(summary.categories)
    assert summary.counts[summary.categories.index(OTHER_SEGMENT)] == 11
    assert summary.counts.sum() == len(texts)


@pytest.mark.parametrize("seed", range(5))
def test_a_binary_column_is_a_number_too(seed):
    """Row detectors that standardise their input want a mean of 0s and 1s."""
    rng = np.random.default_rng(seed)
    parts = some_parts(rng)
    predictions = [row[6] for row in plain(parts)]
    summary = pane_of(parts).numeric_summary("prediction", None, 0, None)
    assert (summary.rows, summary.missing) == (len(predictions), predictions.count(-1))
    assert summary.moment.total == predictions.count(1)
