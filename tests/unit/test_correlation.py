"""Is the right lag found, and is the interval honest where neighbours of a series resemble one another?"""

import numpy as np
import pytest

from streamcheck.core.correlation import following


def drifting(rng, n, phi):
    """An autoregressive series of variance 1."""
    shocks = rng.normal(size=n) * np.sqrt(1.0 - phi * phi)
    series = np.empty(n)
    series[0] = rng.normal()
    for at in range(1, n):
        series[at] = phi * series[at - 1] + shocks[at]
    return series


@pytest.mark.parametrize("lag", [0, 3, 11])
def test_the_lag_is_found_with_gaps_in_both(lag):
    rng = np.random.default_rng(lag)
    ahead = drifting(rng, 300, 0.7)
    behind = np.concatenate([np.full(lag, np.nan), ahead[: len(ahead) - lag]]) + 0.5 * rng.normal(size=300)
    behind[rng.random(300) < 0.2] = np.nan
    ahead[rng.random(300) < 0.1] = np.nan
    found = following(behind, ahead, 24, looks=2)
    assert found.lag == lag
    assert found.shown
    assert found.low < found.r < found.high
    assert 150 < found.pairs < 300
    assert found.worth < found.pairs


def test_too_few_pairs_say_nothing():
    rng = np.random.default_rng(1)
    series = rng.normal(size=23)
    assert following(series, series, 5) is None
    assert following(np.full(50, np.nan), rng.normal(size=50), 5) is None
    assert following(np.ones(50), rng.normal(size=50), 5) is None


def test_a_falling_series_follows_with_a_negative_correlation():
    rng = np.random.default_rng(2)
    ahead = rng.normal(size=200)
    found = following(-np.roll(ahead, 2) + rng.normal(size=200), ahead, 6)
    assert found.lag == 2
    assert found.high < 0.0


@pytest.mark.parametrize(("n", "phi"), [(96, 0.0), (96, 0.8), (672, 0.0), (672, 0.9)])
def test_series_that_have_nothing_to_do_with_one_another_are_rarely_linked(n, phi):
    """25 lags are looked at, and 95 times of 100 none of them may be taken for a link."""
    rng = np.random.default_rng(7)
    pairs = [(drifting(rng, n, phi), drifting(rng, n, phi)) for _ in range(200)]
    found = [following(*pair, 24) for pair in pairs]
    assert sum(each is not None and each.shown for each in found) <= 20
