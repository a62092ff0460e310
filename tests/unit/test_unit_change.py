"""Are values sorted once what they would be, sorted anew in each unit?"""

import numpy as np
import pytest
from scipy.signal import lfilter

from streamcheck.core.components import build
from streamcheck.core.measures._units import UNITS
from streamcheck.core.measures.unit_change import _ascending, _moved, found
from streamcheck.core.summaries.layout import Layout
from streamcheck.core.summaries.numeric import fold_numeric
from streamcheck.core.summaries.values import ValuesSummary
from streamcheck.core.types import SourcePartition

DRAWN = np.random.default_rng(11)
SAMPLES = {
    "normal": DRAWN.standard_normal(2_000),
    "negative, with ties": -np.round(DRAWN.lognormal(3, 2, 2_000)),
    "huge and tiny": DRAWN.standard_normal(2_000) * 10.0 ** DRAWN.integers(-300, 300, 2_000),
    "constant": np.full(5, 3.0),
    "one": np.array([-2.5]),
}


@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
def test_order_outlives_every_unit(values) -> None:
    with np.errstate(over="ignore"):
        changed = [(unit.undone(values), unit.undone(np.sort(values))) for unit in UNITS]
        changed += zip(_moved(values, -1.25), _moved(np.sort(values), -1.25), strict=True)
    for one_by_one, ordered in changed:
        assert (_ascending(ordered) == np.sort(one_by_one)).all()


@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
def test_bins_hold_as_many_ordered_values_as_there_are(values) -> None:
    layout = Layout.build(np.concatenate([values, SAMPLES["normal"]]))
    shifted = values + 0.5
    held = np.bincount(layout.bins(shifted), minlength=layout.n_bins)
    assert layout.counts(np.sort(shifted)).tolist() == held.tolist()


# ------------------------------------------------------------------ seasons
def year(mean: float, amplitude: float, sd: float, days: int = 3_650) -> np.ndarray:
    """Daily values of ten years."""
    rng = np.random.default_rng(7)
    return mean - amplitude * np.cos(2 * np.pi * np.arange(days) / 365) + sd * rng.standard_normal(days)


def named(reference: np.ndarray, values: np.ndarray, rows: int = 30) -> list[str]:
    """The units that values have come in, against what a reference of panes of so many rows holds."""
    layout = Layout.build(reference[:1_000])

    def summary(part: np.ndarray) -> ValuesSummary:
        pane = fold_numeric(part, np.zeros(len(part), np.uint8), layout)
        return ValuesSummary(pane.summary(0), part, (SourcePartition("p", 0),), np.array([len(part)]))

    known = build("measure", "unit_change", {}).accumulator()
    for start in range(0, len(reference), rows):
        known.add(summary(reference[start : start + rows]))
    return [each.unit.said for each in found(summary(values), known)]


def test_a_season_is_no_unit() -> None:
    fahrenheit, standardised = year(50, 25, 12), year(0.8, 1.2, 0.5)
    hard_winter = (fahrenheit[:3_650:100] - 32) / 1.8  # about 10 °F: in °C they would be the year
    assert named(fahrenheit, hard_winter) == []
    assert named(standardised, -standardised[:3_650:60]) == []


def test_what_lies_where_no_season_has_been_is_one() -> None:
    summer, amounts = year(75, 5, 4), np.exp(year(3, 0.3, 0.5))
    assert named(summer, (summer[::60] - 32) / 1.8) == ["from °F to °C"]
    assert named(amounts, -amounts[::60]) == ["x-1 (the sign)"]
    assert named(amounts, amounts[::60] * 100) == ["x100 (as from euros to cents, or a share to per cent)"]


# ------------------------------------------------------------------ few values
def drawn(seed: int, rows: int) -> dict[str, np.ndarray]:
    """Columns of two, five, some ten values, and one that is 0 nearly always."""
    rng = np.random.default_rng(seed)
    return {
        "flag": (rng.random(rows) < 0.3) * 1.0,
        "rare flag": (rng.random(rows) < 0.01) * 1.0,
        "rating": rng.choice([1.0, 2, 3, 4, 5], rows, p=[0.6, 0.2, 0.1, 0.05, 0.05]),
        "count": rng.poisson(2, rows) * 1.0,
        "large count": rng.geometric(1 / 30, rows) - 1.0,
        "0 or amount": np.where(rng.random(rows) < 0.99, 0.0, np.exp(rng.normal(3, 1, rows))),
    }


BEFORE, SINCE = drawn(3, 18_000), drawn(4, 500)
RNG = np.random.default_rng(5)
DRIFTS = {
    "a flag becomes frequent": ("rare flag", (RNG.random(500) < 0.2) * 1.0),
    "nearly always": ("rare flag", (RNG.random(500) < 0.9) * 1.0),
    "a third value of a flag": ("rare flag", (RNG.random(500) < 0.5) * 5.0),
    "counts ten times as high": ("count", RNG.poisson(20, 500) * 1.0),
    "counts a tenth as high": ("large count", RNG.geometric(1 / 4, 500) - 1.0),
    "half ratings": ("rating", SINCE["rating"] + 0.5),
    "other ratings": ("rating", 6.0 - SINCE["rating"]),
    "0 becomes rare": ("0 or amount", np.exp(RNG.normal(3, 1, 500))),
    "small amounts become frequent": ("0 or amount", np.where(RNG.random(500) < 0.5, 0.0, RNG.uniform(5, 10, 500))),
}


@pytest.mark.parametrize("rows", [20, 50, 500])
@pytest.mark.parametrize(("column", "since"), DRIFTS.values(), ids=DRIFTS)
def test_other_shares_of_few_values_are_no_unit(column: str, since: np.ndarray, rows: int) -> None:
    """Of a rare flag that becomes frequent a tenth lay with 0, and all the rest fitted: "unit changed x10"."""
    assert named(BEFORE[column], since[:rows]) == []


@pytest.mark.parametrize(
    ("column", "factor", "said"),
    [
        ("flag", 10.0, "x10"),
        ("rating", 10.0, "x10"),
        ("rating", 0.1, "x1/10"),
        ("rating", 100.0, "x100 (as from euros to cents, or a share to per cent)"),
        ("count", 1 / 60.0, "x1/60 (as from seconds to minutes)"),
        ("large count", 0.001, "x1/1000 (as from milliseconds to seconds, or metres to kilometres)"),
    ],
)
def test_few_values_in_another_unit_are_named_in_one_pane(column: str, factor: float, said: str) -> None:
    assert named(BEFORE[column], SINCE[column][:50] * factor) == [said]


def test_few_values_and_a_zero_of_its_own() -> None:
    degrees = np.random.default_rng(6).integers(18, 24, 18_050) * 1.0
    assert named(degrees[50:], degrees[:50] * 1.8 + 32) == ["from °C to °F"]


# ------------------------------------------------------------------ rows that hang together
def slow(phi: float, rows: int) -> np.ndarray:
    """AR(1), of mean 0 and variance 1."""
    noise = np.random.default_rng(8).standard_normal(rows + 2_000)
    return lfilter([np.sqrt(1 - phi**2)], [1.0, -phi], noise)[2_000:]


def test_a_calm_pane_of_slow_rows_is_no_unit() -> None:
    """Twenty rows near 0, where others lie as near each other elsewhere: they are worth one. They were called x1/10."""
    rows = slow(0.99, 60_000)
    panes = rows[10_000:].reshape(-1, 20)
    nearest = panes[np.argsort(np.abs(panes).max(axis=1))[:50]]
    assert [said for pane in nearest for said in named(rows[:10_000], pane, 20)] == []


def test_slow_rows_where_none_has_been_are_in_another_unit() -> None:
    level = 100.0 + 15.0 * slow(0.5, 20_000)
    said = [named(level[:10_000], pane * 10.0, 20) for pane in level[10_000:10_200].reshape(-1, 20)]
    assert said.count(["x10"]) >= 8  # a pane that lies in few of the groups fits in no unit


def test_slow_rows_that_go_a_little_beyond_are_not() -> None:
    """Amounts ten times as high are 2.3 standard deviations away: a slow column comes there by itself."""
    logs = slow(0.9, 200_000)
    panes = logs[10_000:].reshape(-1, 20)
    highest = panes[np.argsort(np.median(panes, axis=1))[-50:]]
    assert [said for pane in highest for said in named(np.exp(3.0 + logs[:10_000]), np.exp(3.0 + pane), 20)] == []


def test_huge_values_are_judged_without_a_warning() -> None:
    amounts = 1e300 * np.exp(np.random.default_rng(9).normal(3, 1, 10_000))
    assert named(amounts, amounts[:50] / 1000.0)[0].startswith("x1/1000")
    assert named(amounts, amounts[:50] * 1.2) == []
