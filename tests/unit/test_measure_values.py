"""Do measures give the numbers that a hand computation gives?"""

import math

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures  # noqa: F401 - registers them
from streamcheck.core.components import build
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._shares import index_signal, near_equal_groups, stability
from streamcheck.core.plan import Task
from streamcheck.core.summaries import LabelledRows, Layout, Moment, StreamSummary, fold_categorical, fold_numeric


def summary(values, layout=None, valid=None, status=None):
    values = np.array(values, dtype=float)
    marks = np.zeros(len(values), np.uint8) if status is None else np.array(status, np.uint8)
    return fold_numeric(values, marks, layout, valid).summary(0)


def categories(**rows):
    codes = np.repeat(np.arange(len(rows), dtype=np.int32), list(rows.values()))
    return fold_categorical(codes, np.zeros(len(codes), np.uint8), tuple(rows)).summary(0)


def signal(name, pane, reference, **params):
    measure = build("measure", name, params)
    accumulator = measure.accumulator()
    for one in reference:
        accumulator.add(one)
    return measure.signal(pane, accumulator)


def test_psi_by_hand():
    now, then = np.array([30, 50, 20]), np.array([100, 200, 100])
    q = [(x / 100 + 0.005) / 1.015 for x in now]
    p = [(x / 400 + 0.005) / 1.015 for x in then]
    by_hand = sum((a - b) * math.log(a / b) for a, b in zip(q, p, strict=True))
    result = stability(now, then)
    assert result.value == pytest.approx(by_hand)
    assert result.center == pytest.approx(2 * (1 / 100 + 1 / 400))
    assert result.se == pytest.approx(2 * (1 / 100 + 1 / 400))


@pytest.mark.parametrize("groups", [2, 3, 10])
def test_an_index_keeps_the_promise_of_a_chart_for_normal_signals(groups):
    rng, rows, steps, arl = np.random.default_rng(groups), 180, 20_000, 1_000
    shares = np.full(groups, 1 / groups)
    then = rng.multinomial(240 * rows, shares)
    indices = [stability(now, then) for now in rng.multinomial(rows, shares, steps)]
    signals = [index_signal(index, 1.0, rows) for index in indices]
    assert alarms(signals, arl) <= steps / arl
    if groups < 10:
        skewed = [signal._replace(se=index.se) for signal, index in zip(signals, indices, strict=True)]
        assert alarms(skewed, arl) > steps / arl, "the larger standard error is what keeps it"


def alarms(signals, arl):
    detector, count = build("detector", "cusum", {"side": "up"}), 0
    detector.calibrate(arl)
    for signal in signals:
        if detector.step(signal, 0).drifting:
            count += 1
            detector.setup()
            detector.calibrate(arl)
    return count


def test_an_index_of_no_surprise_has_the_error_of_chance():
    index = stability(np.array([50, 50]), np.array([500, 500]))
    assert index.value < index.center
    assert index_signal(index, 2.0, 100).se == 2.0 * index.se


def test_psi_groups_are_nearly_equal():
    counts = np.random.default_rng(1).multinomial(100_000, [1 / 250] * 250)
    group = near_equal_groups(np.concatenate([[0] * 8, counts, [0] * 8]), 10)
    held = np.bincount(group, weights=np.concatenate([[0] * 8, counts, [0] * 8]))
    assert len(held) == 10
    assert held.min() > 9_000
    assert held.max() < 11_000


def test_psi_pools_more_for_small_panes():
    rng = np.random.default_rng(2)
    layout = Layout.build(rng.normal(0, 1, 1_000))
    reference = [summary(rng.normal(0, 1, 1_000), layout)]
    for n, groups in ((8, 2), (25, 5), (1_000, 10)):
        pane = summary(rng.normal(0, 1, n), layout)
        assert signal("psi", pane, reference).center == pytest.approx((groups - 1) * (1 / n + 1 / 1_000))


def test_leaving_a_constant_shows_in_psi_but_not_in_scores():
    layout = Layout.build(np.zeros(100))
    reference = [summary([0.0] * 50, layout)] * 40
    left = summary([0.0] * 30 + [1.0] * 20, layout)
    found = signal("psi", left, reference)
    assert (found.value - found.center) / found.se > 7
    scores = signal("mean_shift", left, reference)
    assert (scores.value, scores.center, scores.level, scores.baseline) == (0.0, 0.0, 0.4, 0.0)


def test_category_shift_by_hand():
    reference = categories(a=60, b=30, c=4, d=4, e=1, f=1)
    pane = categories(a=50, c=5, new=5)
    # c, d: rare, 100 - 90 rows less the two seen once, which stand for the unseen ones
    result = stability(np.array([50, 0, 5, 5]), np.array([60, 30, 8, 2]))
    found = signal("category_shift", pane, [reference])
    assert found == index_signal(result, 1.0, 60)
    assert (found.value, found.center) == pytest.approx((result.value, result.center))
    assert found.se > result.se
    assert found.rows == 60


def test_categories_meet_by_name_whatever_their_codes():
    one, other = categories(a=60, b=40), categories(b=40, a=60)
    pane = categories(x=0, b=55, a=45)
    assert signal("category_shift", pane, [one]) == signal("category_shift", pane, [other])


def test_unseen_expects_what_good_and_turing_expect():
    reference = categories(a=90, b=6, c=2, d=1, e=1)
    found = signal("unseen", categories(a=18, z=2), [reference])
    assert (found.value, found.events, found.rows) == (0.1, 2, 20)
    assert found.center == pytest.approx(2 / 101)
    assert found.baseline == 0.02
    pooled = (2 + 2) / 121
    own = (2 + 2 * 1) / 100**2 - 2**2 / 100**3
    assert found.se == pytest.approx(math.sqrt(pooled * (1 - pooled) / 20 + own))


def test_a_share_by_hand():
    reference = [summary([1.0] * 100, status=[1] * 2 + [0] * 98)] * 10
    found = signal("missing_rate", summary([1.0] * 50, status=[1] * 5 + [0] * 45), reference)
    pooled = (20 + 5 + 0.5) / 1_051
    assert (found.value, found.events, found.rows, found.baseline) == (0.1, 5, 50, 0.02)
    assert found.center == pytest.approx(20.5 / 1_001)
    assert found.se == pytest.approx(math.sqrt(pooled * (1 - pooled) * (1 / 50 + 1 / 1_000)))


def test_wrong_types_and_ranges_are_counted_of_the_right_rows():
    pane = summary([5.0, -1.0, 0.0, 0.0, 0.0], valid=(0.0, 2.0), status=[0, 0, 1, 2, 3])
    assert build("measure", "wrong_type_rate", {}).count(pane) == (2, 5)
    assert build("measure", "out_of_range", {}).count(pane) == (2, 2)


def test_dispersion_against_brute_force():
    rng = np.random.default_rng(3)
    panes = [rng.normal(rng.normal(0, 0.5), 1.0, rng.integers(5, 60)) for _ in range(200)]
    accumulator = MomentAccumulator(Moment.of)
    for pane in panes:
        accumulator.add(pane)
    rows = np.concatenate(panes)
    across = sum(len(p) * (p.mean() - rows.mean()) ** 2 for p in panes) / 199
    within = sum(((p - p.mean()) ** 2).sum() for p in panes) / (len(rows) - 200)
    assert accumulator.across() == pytest.approx(across)
    assert accumulator.within() == pytest.approx(within)
    assert across > 3 * within
    sizes = np.array([len(p) for p in panes])
    typical = (len(rows) - (sizes**2).sum() / len(rows)) / 199
    levels = (across - within) / typical  # the variance of panes' own levels, by the analysis of variance
    assert levels == pytest.approx(0.25, rel=0.2)
    for n in (5, 60, 300):
        assert accumulator.variance(n, within) == pytest.approx(max(across, within + levels * n))
    one = MomentAccumulator(Moment.of)
    one.add(rows)
    assert one.variance(10, one.within()) == pytest.approx(rows.var())


def test_panes_that_resemble_their_neighbours_are_noticed_and_others_are_not():
    """Levels that go on: lag-1 is 0.8 x their part of the variance. Estimates are raised by 1/sqrt(n)."""
    rng = np.random.default_rng(4)
    level, alike, alone = 0.0, MomentAccumulator(Moment.of), MomentAccumulator(Moment.of)
    for _ in range(2_000):
        level = 0.8 * level + 0.6 * rng.normal()
        alike.add(rng.normal(0.5 * level, 1.0, 20))
        alone.add(rng.normal(0.5 * rng.normal(), 1.0, 20))
    expected = 0.8 * 0.25 / (0.25 + 1 / 20)
    lag1, decay = alike.dependence()
    assert lag1 == pytest.approx(expected + 2_000**-0.5, abs=0.05)
    assert decay == pytest.approx(0.8 + 2_000**-0.5, abs=0.05)
    assert alone.dependence() == (0.0, 0.0)
    assert alike.mean_variance(1.0) > 4 * alone.mean_variance(1.0)


def test_shares_with_few_events_have_no_dispersion():
    """All 20 events in one pane: the scatter is large, but 20 events are too few to believe it; 40 are enough."""
    labels = [np.repeat([1.0, 0.0], [k, 100 - k]) for k in (20, 40)]
    few, many = ([LabelledRows(np.zeros(100), label, None, Task.BINARY)] for label in labels)
    none = [LabelledRows(np.zeros(100), np.zeros(100), None, Task.BINARY)] * 19
    pane = none[0]
    for held, chance in ((few + none, 20), (many + none, 40)):
        found = signal("error_rate", pane, held)
        pooled = (chance + 0.5) / 2_101
        binomial = math.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 2_000))
        assert (found.se == pytest.approx(binomial)) == (chance < 30)


def test_scale_and_shift_show_raw_numbers():
    rng = np.random.default_rng(4)
    layout = Layout.build(rng.normal(100.0, 5.0, 1_000))
    reference, pane = rng.normal(100.0, 5.0, 2_000), rng.normal(110.0, 20.0, 100)
    shift = signal("mean_shift", summary(pane, layout), [summary(reference, layout)])
    scale = signal("scale", summary(pane, layout), [summary(reference, layout)])
    assert (shift.level, shift.baseline) == (pytest.approx(pane.mean()), pytest.approx(reference.mean()))
    assert (scale.level, scale.baseline) == (pytest.approx(pane.std()), pytest.approx(reference.std()))


def test_a_constant_reference_makes_any_other_mean_a_sensation_but_not_an_infinity():
    reference = [summary([0.1] * 30)] * 30
    same, other = (signal("mean", summary([value] * 7), reference) for value in (0.1, 0.11))
    assert abs(same.value - same.center) < same.se
    assert 1e5 < (other.value - other.center) / other.se < 1.001e9


def test_volume_by_hand():
    reference = [StreamSummary(rows) for rows in (80, 120, 100, 100)]
    found = signal("volume", StreamSummary(50), reference)
    expected = 400.5 / 4
    sample = (400 + 400) / 3
    assert found.value == pytest.approx(50 / expected)
    assert found.se == pytest.approx(math.sqrt(sample * 1.25) / expected)
    silent = signal("volume", StreamSummary(0), reference)
    assert (silent.value, silent.level, silent.rows) == (0.0, 0.0, 101)


def test_qualities_by_hand():
    prediction, label = np.array([1.0, 1, 1, 0, 0, 0]), np.array([1.0, 1, 0, 1, 0, 0])
    score = np.array([0.9, 0.8, 0.7, 0.4, 0.2, 0.1])
    rows = LabelledRows(prediction, label, score, Task.BINARY)
    names = ("accuracy", "error_rate", "precision", "recall", "f1", "log_loss", "brier")
    values = {name: build("measure", name, {}).estimate(rows) for name in names}
    assert (values["accuracy"].value, values["accuracy"].n) == (4 / 6, 6)
    assert (values["precision"].value, values["precision"].n) == (2 / 3, 3)
    assert (values["recall"].value, values["recall"].n) == (2 / 3, 3)
    assert (values["f1"].value, values["f1"].n) == (pytest.approx(2 / 3), 4)
    assert values["error_rate"].value == pytest.approx(2 / 6)
    given = np.array([0.9, 0.8, 0.3, 0.4, 0.8, 0.9])
    assert values["log_loss"].value == pytest.approx(-np.log(given).mean())
    assert values["brier"].value == pytest.approx(((1 - given) ** 2).mean())


def test_numbers_by_hand():
    rows = LabelledRows(np.array([1.0, 5.0, 2.0]), np.array([2.0, 1.0, 2.0]), None, Task.REGRESSION)
    values = {name: build("measure", name, {}).estimate(rows).value for name in ("mae", "rmse", "bias")}
    assert values == {"mae": pytest.approx(5 / 3), "rmse": pytest.approx(math.sqrt(17 / 3)), "bias": pytest.approx(1.0)}
