"""Do folds hold what their rows held, in whatever cuts, and do layouts keep their bins apart?"""

import itertools

import numpy as np
import pytest

from streamcheck.core.codec import decode, encode
from streamcheck.core.plan import Task
from streamcheck.core.summaries import LabelledRows, Layout, Moment, fold_categorical, fold_numeric
from streamcheck.core.types import FieldStatus

LAYOUT = Layout.build(np.random.default_rng(0).normal(10.0, 2.0, 1_000))
STATUSES = {"missing": 1, "wrong_type": 2, "non_finite": 3}


def rows(seed, n=5_000, n_groups=4):
    rng = np.random.default_rng(seed)
    status = rng.choice(4, n, p=[0.8, 0.1, 0.06, 0.04]).astype(np.uint8)
    values = np.where(status == 0, rng.normal(10.0, 3.0, n), 0.0)
    codes = np.where(status == 0, rng.integers(0, 5, n), -1).astype(np.int32)
    return values, status, codes, rng.integers(-1, n_groups, n).astype(np.int32)


@pytest.mark.parametrize("groups", [None, 4])
@pytest.mark.parametrize("all_ok", [True, False])
def test_cuts_in_one_call_are_those_added_one_by_one(groups, all_ok):
    values, status, _, numbers = rows(7)
    status = np.zeros_like(status) if all_ok else status
    values[status == 0] = np.random.default_rng(1).choice([1e140, -3e150, 0.0, -0.0, 12.5], int((status == 0).sum()))
    status[2_000:2_100] = 1
    cuts = [(0, 7), (7, 2_000), (2_000, 2_100), (2_100, 5_000)]  # one of them without a usable value
    of = [(None, 1) if groups is None else (numbers[slice(*cut)], groups) for cut in cuts]
    parts = [(values[slice(*cut)], status[slice(*cut)]) for cut in cuts]
    alone = [fold_numeric(*part, LAYOUT, (5, 15), *group) for part, group in zip(parts, of, strict=True)]
    for part in alone[1:]:
        alone[0].add(part)
    together = fold_numeric(values, status, LAYOUT, (5, 15), numbers if groups else None, groups or 1, cuts)
    for name in together.__slots__:
        if name != "layout":
            assert getattr(together, name).tobytes() == getattr(alone[0], name).tobytes(), name


@pytest.mark.parametrize("sample", [[0.0, 0.0], [0.0, 1.0, 1.0, 3.0], list(range(400))])
def test_counts_of_bins_are_those_of_each_value(sample):
    layout = Layout.build(np.array(sample, dtype=np.float64))
    values = np.concatenate([layout.edges, np.nextafter(layout.edges, np.inf), np.repeat(sample, 2), [-1e300, 1e300]])
    expected = np.bincount(layout.bins(values), minlength=layout.n_bins)
    assert layout.counts(np.sort(values)).tolist() == expected.tolist()
    assert layout.counts(np.empty(0)).tolist() == [0] * layout.n_bins


@pytest.mark.parametrize("seed", range(3))
def test_numeric_groups_against_brute_force(seed):
    values, status, _, groups = rows(seed)
    pane = fold_numeric(values, status, LAYOUT, (5.0, 15.0), groups, 4)
    for g in range(4):
        mine, summary = groups == g, pane.summary(g)
        ok = values[mine & (status == FieldStatus.OK)]
        assert summary.rows == mine.sum()
        assert summary.ok == len(ok)
        for name, number in STATUSES.items():
            assert getattr(summary, name) == (mine & (status == number)).sum()
        assert summary.out_of_range == sum(not 5.0 <= x <= 15.0 for x in ok)
        assert (summary.low, summary.high) == (ok.min(), ok.max())
        assert summary.moment.mean == pytest.approx(ok.mean(), rel=1e-12)
        assert summary.moment.variance == pytest.approx(ok.var(), rel=1e-12)
        by_bin = [sum(LAYOUT.bins(ok) == b) for b in range(LAYOUT.n_bins)]
        assert summary.counts.tolist() == by_bin
        scores = LAYOUT.weights[LAYOUT.bins(ok)]
        for column in (0, 1):
            assert summary.scores(column).mean == pytest.approx(scores[:, column].mean(), abs=1e-12)
            assert summary.scores(column).variance == pytest.approx(scores[:, column].var(), rel=1e-9)
    assert sum(pane.rows) == (groups >= 0).sum()


@pytest.mark.parametrize("seed", range(3))
def test_categorical_groups_against_brute_force(seed):
    _, status, codes, groups = rows(seed)
    pane = fold_categorical(codes, status, ("a", "b", "c", "d", "e"), groups, 4)
    for g in range(4):
        mine, summary = groups == g, pane.summary(g)
        assert summary.counts.tolist() == [int((mine & (codes == k)).sum()) for k in range(5)]
        assert summary.ok == summary.counts.sum()
        assert summary.missing == (mine & (status == FieldStatus.MISSING)).sum()
        assert summary.wrong_type == (mine & (status > FieldStatus.MISSING)).sum()
        assert summary.rows == summary.ok + summary.missing + summary.wrong_type


def test_cuts_merge_to_the_whole():
    values, status, codes, groups = rows(7)
    cuts = [0, 1_000, 1_001, 3_500, 5_000]
    parts = list(itertools.pairwise(cuts))
    whole = fold_numeric(values, status, LAYOUT, (5.0, 15.0), groups, 4)
    merged = [_merged(values, status, groups, parts) for _ in range(2)]
    for name in ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range", "low", "high", "counts"):
        assert np.array_equal(getattr(merged[0], name), getattr(whole, name)), name
    for name in ("total", "square"):
        assert np.allclose(getattr(merged[0], name), getattr(whole, name), rtol=1e-12, atol=1e-9)
        assert getattr(merged[0], name).tobytes() == getattr(merged[1], name).tobytes(), "equal cuts, equal bits"
    coded = fold_categorical(codes[:0], status[:0], ("a", "b", "c", "d", "e"), groups[:0], 4)
    for a, b in parts:
        coded.add(fold_categorical(codes[a:b], status[a:b], ("a", "b", "c", "d", "e"), groups[a:b], 4))
    assert np.array_equal(coded.counts, fold_categorical(codes, status, coded.categories, groups, 4).counts)


def _merged(values, status, groups, parts):
    pane = fold_numeric(values[:0], status[:0], LAYOUT, (5.0, 15.0), groups[:0], 4)
    for a, b in parts:
        pane.add(fold_numeric(values[a:b], status[a:b], LAYOUT, (5.0, 15.0), groups[a:b], 4))
    return pane


@pytest.mark.parametrize("clean", [True, False])
def test_all_rows_come_to_the_same_bits_as_one_group(clean):
    rng = np.random.default_rng(11)
    values = np.concatenate([rng.normal(size=5_000) * 10.0 ** rng.integers(-9, 9, 5_000), [-0.0, 0.0, 1e300, -1e300]])
    status = np.zeros(len(values), np.uint8) if clean else rng.choice(4, len(values), p=[0.9, 0.05, 0.03, 0.02])
    layout = Layout.build(rng.normal(size=1_000))
    for n in (0, 1, 4_999, len(values)):
        part = values[:n], status[:n].astype(np.uint8), layout, (-1.0, 2.0)
        alone, grouped = fold_numeric(*part), fold_numeric(*part, np.zeros(n, np.int32))
        for name in ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range", "counts", "total", "square"):
            assert getattr(alone, name).tobytes() == getattr(grouped, name).tobytes(), name
        assert (alone.low.tobytes(), alone.high.tobytes()) == (grouped.low.tobytes(), grouped.high.tobytes())


@pytest.mark.parametrize("shape", ["normal", "lognormal", "t", "steps", "far", "tiny", "huge"])
def test_bins_are_those_of_a_binary_search(shape):
    rng = np.random.default_rng(12)
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "lognormal": lambda n: np.exp(2 * rng.normal(size=n)),
        "t": lambda n: rng.standard_t(1.1, n),
        "steps": lambda n: rng.integers(0, 60, n) / 7,
        "far": lambda n: 1e15 + rng.normal(size=n),
        "tiny": lambda n: 1e-308 * rng.normal(size=n),
        "huge": lambda n: 1e308 * (rng.random(n) * 2 - 1),
    }[shape]
    for _ in range(20):
        layout = Layout.build(draw(int(rng.integers(20, 3_000))))
        edges = layout.edges
        values = np.concatenate([draw(20_000), edges, np.nextafter(edges, -np.inf), [0.0, -0.0, 1.7e308, -1.7e308]])
        values = values[np.isfinite(values)]
        assert (layout.bins(values) == np.searchsorted(edges, values, side="right")).all()


def test_groups_and_categories_that_only_one_cut_has():
    ok = np.zeros(2, np.uint8)
    groups = [np.array(g, np.int32) for g in ([0, 0], [2, -1])]
    pane = fold_numeric(np.array([1.0, 2.0]), ok, None, None, groups[0], 1)
    pane.add(fold_numeric(np.array([5.0, 9.0]), ok, None, None, groups[1], 3))
    assert pane.rows.tolist() == [2, 0, 1]
    assert (pane.summary(1).low, pane.summary(2).low, pane.summary(2).high) == (None, 5.0, 5.0)
    coded = fold_categorical(np.array([0, 1], np.int32), ok, ("FR", "DE"), groups[0], 1)
    coded.add(fold_categorical(np.array([0, 1], np.int32), ok, ("US", "DE"), groups[1], 3))
    assert coded.categories == ("FR", "DE", "US")
    assert coded.counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_huge_values_keep_sums_finite():
    values = np.array([1.7e308, -1.7e308, 1.7e308])
    for layout in (None, Layout.build(values), Layout.build(np.array([0.0, 1e-300]))):
        with np.errstate(all="raise"):
            summary = fold_numeric(values, np.zeros(3, np.uint8), layout).summary(0)
        assert np.isfinite([summary.moment.mean, summary.moment.variance]).all()
        assert summary.moment.mean > 0
        assert (summary.low, summary.high) == (-1.7e308, 1.7e308)


def test_variance_of_values_far_from_zero():
    values = 1.7e12 + np.random.default_rng(1).normal(0.0, 1.0, 10_000)
    summary = fold_numeric(values, np.zeros(10_000, np.uint8), Layout.build(values[:100])).summary(0)
    assert summary.moment.variance == pytest.approx(np.var(values - 1.7e12), rel=1e-6)


def test_moments_add_whatever_their_origin():
    values = np.random.default_rng(2).normal(50.0, 3.0, 300)
    parts = [Moment.of(values[:100]), Moment.of(values[100:]).about(49.0)]
    for total in (parts[0] + parts[1], parts[1] + parts[0], Moment() + parts[0] + parts[1]):
        assert total.n == 300
        assert (total.mean, total.variance) == (pytest.approx(values.mean()), pytest.approx(values.var()))


# ---------------------------------------------------------------------- layouts
@pytest.mark.parametrize("values", [
    np.random.default_rng(1).normal(0, 1, 1_000),
    np.exp(np.random.default_rng(2).normal(0, 2, 3_000)),
    np.random.default_rng(3).integers(0, 40, 500).astype(float),
    np.random.default_rng(4).standard_cauchy(77),
], ids=["normal", "lognormal", "discrete", "cauchy"])  # fmt: skip
def test_scores_are_standardised_under_the_sample(values):
    layout = Layout.build(values)
    counts = np.bincount(layout.bins(values), minlength=layout.n_bins)
    assert layout.n_bins <= 272
    share = counts / counts.sum()
    location, scale = layout.weights.T
    for product, expected in ((location, 0), (scale, 0), (location**2, 1), (scale**2, 1), (location * scale, 0)):
        assert (share * product).sum() == pytest.approx(expected, abs=1e-9)
    taken = np.flatnonzero(counts)
    assert (np.diff(location[taken]) > 0).all()
    assert (np.diff(taken) == 1).all(), "no inner bin is empty"
    assert np.array_equal(layout.weights[0], layout.weights[taken[0]])
    assert np.array_equal(layout.weights[-1], layout.weights[taken[-1]])


def test_equal_values_share_a_bin_and_few_values_have_their_own():
    layout = Layout.build(np.array([1.0, 2.0, 3.0] * 100))
    inside = layout.bins(np.array([1.0, 2.0, 3.0]))
    assert len(set(inside.tolist())) == 3
    beyond = layout.bins(np.array([0.999, 3.001]))
    assert (beyond[0], beyond[1]) == (inside[0] - 1, inside[2] + 1)


def test_a_change_of_unit_moves_bins_on_both_sides():
    layout = Layout.build(np.linspace(1.0, 2.0, 1_000))
    far = layout.bins(np.array([-1e6, -30.0, -3.0, 2.5, 5.0, 20.0, 100.0, 1e6]))
    assert (np.diff(far) > 0).all()
    assert (far[0], far[-1]) == (0, layout.n_bins - 1)


@pytest.mark.parametrize("constant", [0.0, 5.0, -1e300, 1.7976931348623157e308])
def test_a_constant_keeps_below_equal_and_above_apart(constant):
    layout = Layout.build(np.full(10, constant))
    assert not layout.weights.any()
    near = [np.nextafter(constant, -np.inf), constant, *([np.nextafter(constant, np.inf)] if constant < 1e308 else [])]
    assert layout.bins(np.array(near)).tolist() == list(range(len(near)))


def test_two_values_have_a_location_but_no_scale():
    layout = Layout.build(np.array([0.0] * 30 + [1.0] * 70))
    zero, one = layout.weights[layout.bins(np.array([0.0, 1.0]))]
    assert zero[0] == pytest.approx(-((7 / 3) ** 0.5))
    assert one[0] == pytest.approx((3 / 7) ** 0.5)
    assert not layout.weights[:, 1].any()


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308], [5e-324, -5e-324], [0.0, 5e-324], [1e16, 1e16 + 2]])
def test_extreme_values_lay_out(values):
    with np.errstate(all="raise", under="ignore"):
        layout = Layout.build(np.array(values))
    assert np.isfinite(layout.edges).all()
    assert np.isfinite(layout.weights).all()
    assert (layout.edges[1:] > layout.edges[:-1]).all()
    assert len(set(layout.bins(np.array(values)).tolist())) == 2


def test_a_layout_survives_its_state_and_shares_nothing():
    state = LAYOUT.export()
    again = Layout.restore(decode("layout", encode("layout", 1, state))[1])
    assert again.edges.tobytes() == LAYOUT.edges.tobytes()
    assert again.weights.tobytes() == LAYOUT.weights.tobytes()
    assert again.origin == LAYOUT.origin
    for array in (state["edges"], state["weights"]):
        assert not np.shares_memory(array, LAYOUT.edges)
        assert not np.shares_memory(array, LAYOUT.weights)


# ---------------------------------------------------------------------- labelled rows
def test_errors_of_classes_and_of_numbers():
    a, b = np.array([1.0, 0.0, 2.0]), np.array([1.0, 1.0, 0.0])
    assert LabelledRows(a, b, None, Task.MULTICLASS).error().tolist() == [0.0, 1.0, 1.0]
    assert LabelledRows(a, b, None, Task.REGRESSION).error().tolist() == [0.0, 1.0, 2.0]
    huge = LabelledRows(np.array([1.7e308]), np.array([-1.7e308]), None, Task.REGRESSION)
    assert np.isfinite(huge.error()).all()
