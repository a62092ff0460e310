"""Are values sorted once what they would be, sorted anew in each unit?"""

import numpy as np
import pytest

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


def named(reference: np.ndarray, values: np.ndarray) -> list[str]:
    """The units that values have come in, against what a reference of panes of 30 holds."""
    layout = Layout.build(reference[:1_000])

    def summary(part: np.ndarray) -> ValuesSummary:
        pane = fold_numeric(part, np.zeros(len(part), np.uint8), layout)
        return ValuesSummary(pane.summary(0), part, (SourcePartition("p", 0),), np.array([len(part)]))

    known = build("measure", "unit_change", {}).accumulator()
    for start in range(0, len(reference), 30):
        known.add(summary(reference[start : start + 30]))
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
