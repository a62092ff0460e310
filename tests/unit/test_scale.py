"""Are means of scale scores near enough to normal for alarms that are to be rare?"""

import numpy as np
import pyarrow as pa
import pytest
from scipy.signal import lfilter
from scipy.stats import skew

from streamcheck.core.components import build
from streamcheck.core.measures.scale import rooted
from streamcheck.core.summaries import Layout, Moment
from streamcheck.core.summaries.numeric import fold_numeric
from streamcheck.library import replay

ROWS, PANES = 50, 6_000


def moments(rho: float, rows: int = ROWS, sd: float = 1.0, level: float = 0.0) -> np.ndarray:
    """Mean scale scores of panes of AR(1) rows, every second pane `level` higher, the others as much lower."""
    rng = np.random.default_rng(11)
    values = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], rng.standard_normal(1_000 + rows * PANES))
    layout = Layout.build(values[:1_000])
    measure, status = build("measure", "scale", {}), np.zeros(rows, np.uint8)
    panes = sd * values[1_000:].reshape(PANES, rows) + level * (np.arange(PANES) % 2 * 2 - 1)[:, None]
    made = [measure.moment(fold_numeric(pane, status, layout).summary(0)) for pane in panes]
    return np.array([moment.mean for moment in made])


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_tail_is_no_heavier_where_rows_resemble_their_neighbours(rho: float) -> None:
    """The mean absolute score is skewed by .14, by .33 where rows are AR(1) .5: five times the alarms beyond 4 sd."""
    assert abs(skew(moments(rho))) < 0.2


def test_large_and_small_panes_agree() -> None:
    small, large = moments(0.0, rows=10), moments(0.0, rows=100)
    assert small.mean() == pytest.approx(large.mean(), abs=3 / np.sqrt(10 * PANES))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_panes_of_a_few_rows_agree_with_large_ones(rows: int) -> None:
    """Of one row nothing is what it has in common with others. When all of its size was, it lay .7 sd too low, and in
    thin traffic panes of two to four rows stood out from a reference made of single ones."""
    assert moments(0.0, rows=rows).mean() == pytest.approx(moments(0.0, rows=100).mean(), abs=0.1)


def test_panes_that_move_up_and_down_look_no_wider() -> None:
    """By half a standard deviation: uncorrected, scores would lie .16 higher."""
    assert moments(0.0, level=0.5).mean() - moments(0.0).mean() == pytest.approx(0.0, abs=0.03)


def test_a_wider_column_scores_as_before() -> None:
    """Twice the variance: the mean size grows by 41 %, which the root leaves at 0.48 of a row's standard deviation."""
    assert moments(0.0, sd=np.sqrt(2)).mean() - moments(0.0).mean() == pytest.approx(0.48, abs=0.05)


def test_a_column_that_is_one_value_nearly_always_has_no_scale() -> None:
    """Scale scores would be told by one value in thirty, whose counts in a pane are no normal numbers."""
    rng = np.random.default_rng(9)
    nearly = np.where(rng.random(1_000) < 0.96, 999.0, rng.integers(0, 28, 1_000))
    assert not Layout.build(nearly).weights[:, 1].any()
    assert Layout.build(nearly).weights[:, 0].any()
    for column in (rng.standard_normal(1_000), rng.poisson(2.0, 1_000).astype(float), rng.standard_t(3, 1_000)):
        assert Layout.build(column).weights[:, 1].any()


def test_the_lowest_hour_of_a_day_scatters_no_more_than_others() -> None:
    """All its values lie at one end: little size is left once their place is taken off, where the root is steep.

    Six columns over twelve days, a mean that goes from -1.5 to 1.5 and back: 18 alarms came for 1.4 that were promised.
    """
    rng, at = np.random.default_rng(2), np.arange(7 * 86_400 // 20) * 20
    columns = {f"v{k}": 1.5 * np.cos(2 * np.pi * at / 86_400) + rng.standard_normal(len(at)) for k in range(3)}
    stream = {"topic": "t", "time": {"field": "ts", "unit": "s"}, "features": dict.fromkeys(columns, "numeric")}
    config = {"version": 1, "name": "n", "streams": {"predictions": stream}, "time": {"pane": "5m"}}
    table = pa.table({"ts": 1_772_323_200 + at, **columns})
    assert [alert["monitor"] for alert in replay(config, table) if alert["state"] == "firing"] == []


@pytest.mark.parametrize("rows", [1, 3, 15, 100])
def test_the_tangent_goes_on_where_the_root_stops(rows: int) -> None:
    """No jump, no fall, and nothing but numbers down to less than no size at all."""
    raw = Moment(rows, 0.0, float(rows))

    def mean(of: float) -> float:
        return rooted(Moment(rows, of * rows, of * of * rows), raw, 1.2).mean

    made = np.array([mean(of) for of in np.linspace(-2.0, 1.0, 3_001)])
    assert np.isfinite(made).all()
    assert (np.diff(made) >= 0.0).all()
    assert np.diff(made).max() < 1.0
    assert mean(0.0) == pytest.approx(1 / (3.6 * rows))


def scored(values: np.ndarray, first: np.ndarray) -> float | None:
    """The scale of one pane, against the first values of its column."""
    pane = fold_numeric(values, np.zeros(len(values), np.uint8), Layout.build(first)).summary(0)
    moment = build("measure", "scale", {}).moment(pane)
    return None if moment is None else moment.mean


@pytest.mark.parametrize("moved", [-2.0, -1.0, 0.5, 1.0, 1.5, 2.0])
def test_a_column_that_only_moves_becomes_no_narrower(moved: float) -> None:
    """0.66 d^2 was taken off however far it had moved: 0.08 too much at 1 sd, 0.6 at 2."""
    rng = np.random.default_rng(5)
    first, pane = rng.standard_normal(1_000), rng.standard_normal(20_000)
    assert scored(pane + moved, first) - scored(pane, first) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("moved", [0.5, 1.0, 2.0])
def test_a_column_that_moves_and_widens_becomes_wider(moved: float) -> None:
    rng = np.random.default_rng(5)
    first, pane = rng.standard_normal(1_000), rng.standard_normal(20_000)
    assert scored(np.sqrt(2) * pane + moved, first) - scored(pane + moved, first) > 0.05
    assert scored(np.sqrt(2) * pane + moved, first) > 0.05


def test_nothing_is_said_of_rows_that_lie_beyond_one_end() -> None:
    rng = np.random.default_rng(5)
    first, pane = rng.standard_normal(1_000), rng.standard_normal(1_000)
    assert scored(pane + 5.0, first) is None
    assert scored(pane - 5.0, first) is None
    assert scored(10.0 * pane, first) > 1.5
