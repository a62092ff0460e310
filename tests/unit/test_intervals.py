"""Do intervals hold the truth as often as they say?"""

import numpy as np
import pytest
from scipy import stats

from streamcheck.core.intervals import f1_interval, mean_interval, rmse_interval, wilson

RUNS = 2_000
SLACK = 0.035  # three standard errors of a 95 % share in RUNS, and the approximations' own error


def coverage(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("events", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (137, 10_000)])
def test_wilson_against_scipy(events, n, confidence):
    theirs = stats.binomtest(events, n).proportion_ci(confidence, method="wilson")
    assert wilson(events, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_holds_its_own_share():
    for events in range(51):
        low, high = wilson(events, 50)
        assert 0.0 <= low <= events / 50 <= high <= 1.0


def test_mean_interval_against_scipy():
    values = np.random.default_rng(1).normal(3.0, 2.0, 12)
    theirs = stats.t.interval(0.95, 11, values.mean(), values.std(ddof=1) / 12**0.5)
    assert mean_interval(12, values.mean(), values.var()) == pytest.approx(theirs)


@pytest.mark.parametrize("n", [20, 200])
def test_rmse_interval_covers(n):
    squares = np.random.default_rng(2).normal(0.0, 3.0, (RUNS, n)) ** 2
    seen = coverage((rmse_interval(n, s.mean(), s.var()) for s in squares), 3.0)
    assert seen == pytest.approx(0.95, abs=SLACK if n > 100 else 0.06)


def test_rmse_interval_holds_its_own_value():
    assert rmse_interval(5, 0.0, 0.0) == (0.0, 0.0)
    low, high = rmse_interval(2, 1e140, 1e280)
    assert 0.0 < low < 1e70 < high < np.inf


@pytest.mark.parametrize(("p", "n"), [((0.1, 0.05, 0.03), 200), ((0.3, 0.1, 0.1), 60)])
def test_f1_interval_covers(p, n):
    tp, fp, fn = p
    truth = 2 * tp / (2 * tp + fp + fn)
    draws = np.random.default_rng(3).multinomial(n, [*p, 1 - sum(p)], RUNS)
    assert coverage((f1_interval(*row[:3].tolist()) for row in draws), truth) == pytest.approx(0.95, abs=SLACK)


def test_f1_interval_ends():
    assert f1_interval(0, 1, 1)[0] == 0.0
    assert f1_interval(3, 0, 0)[1] == 1.0
