"""Do thinned-out series keep every extreme, and sums by age and by time everything that came?"""

import numpy as np
import pytest

from streamcheck.core.intervals import Interval
from streamcheck.core.plan import ComponentSpec, MonitorSpec, Target
from streamcheck.core.watching import Step
from streamcheck.report.record.ages import PIECES_PER_SIZE, Ages
from streamcheck.report.record.bins import BINS_MAX, Bins
from streamcheck.report.record.series import POINTS_MAX, Series

SPEC = MonitorSpec("m", Target.COLUMN, "amount", ComponentSpec("cusum"))


def step(n: int, level: float, **more: object) -> Step:
    given = {"rows": 3, "baseline": 1.0, "usual": Interval(0.0, 2.0), "score": level / 2, "threshold": 9.0} | more
    return Step(SPEC, (), n * 10, n * 10 + 10, level=level, drifting=level > 15, normal=None, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 399, 401, 5_000, 12_345])
def test_series_keep_extremes_in_few_points(n: int) -> None:
    levels = np.random.default_rng(n).normal(0.0, 5.0, n)
    series = Series()
    for at, level in enumerate(levels):
        series.add(step(at, float(level)))
    assert len(series) <= POINTS_MAX
    assert len(series) >= min(n, POINTS_MAX // 2)
    times, drawn = series.line()
    assert (min(drawn), max(drawn)) == (levels.min(), levels.max())
    assert times[int(np.argmax(drawn))] == 10 * int(np.argmax(levels)) + 10
    assert times == sorted(times)
    assert series.column("rows").sum() == 3 * n
    assert series.column("drifting").sum() == (levels > 15).sum()
    assert series.column("score").max() == pytest.approx(levels.max() / 2)
    assert series.column("usual_high").tolist() == pytest.approx([2.0] * len(series))
    assert series.steps == n


def test_steps_of_one_pane_are_one_stretch() -> None:
    series = Series()
    for level in (3.0, 20.0, 1.0):
        series.add(step(7, level))
    series.add(step(8, 2.0, usual=None, baseline=None, score=None, threshold=None))
    assert len(series) == 2
    assert series.line()[1] == [1.0, 20.0, 2.0]
    assert series.column("drifting").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("n", [1, 50, 3_000])
def test_ages_know_every_moment_to_a_part_of_its_age(n: int) -> None:
    rng, ages = np.random.default_rng(n), Ages()
    rows = rng.integers(1, 9, n).astype(np.float64)
    for pane, amount in enumerate(rows):
        ages.add(10 * pane, 10 * pane + 10, np.array([amount, 1.0] if pane % 2 else [amount]))
    assert ages.total[0] == rows.sum()
    assert len(ages.pieces) <= PIECES_PER_SIZE * (np.log2(n) + 1)
    for back in {1, n // 20, n // 3, n} - {0}:
        since = ages.since(10 * (n - back))
        before, _ = ages.until(10 * (n - back), np.inf)
        assert since[0] + (before[0] if len(before) else 0.0) == rows.sum()
        assert abs(since[0] - rows[n - back :].sum()) <= 8 * (back / PIECES_PER_SIZE + 1)


def test_ages_look_back_no_further_than_asked() -> None:
    ages = Ages()
    for pane in range(100):
        ages.add(10 * pane, 10 * pane + 10, np.array([1.0]))
    found, since_ms = ages.until(980, 3.0)
    assert (found[0], since_ms) == (3.0, 950)


def test_bins_add_up_and_stay_few() -> None:
    rng, bins = np.random.default_rng(1), Bins(1_000)
    times = rng.integers(-5_000_000, 50_000_000, 5_000)
    for part in np.array_split(times, 17):
        bins.add(part, np.stack([np.ones(len(part)), part], axis=1).astype(np.float64))
    held = bins.items()
    assert len(held) <= BINS_MAX
    assert sum(content[0] for _, content in held) == 5_000
    for start, content in held:
        inside = times[(times >= start) & (times < start + bins.width_ms)]
        assert content.tolist() == [len(inside), inside.sum()]
