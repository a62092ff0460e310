"""Are values sorted once what they would be, sorted anew in each unit?"""

import numpy as np
import pytest

from streamcheck.core.measures._units import UNITS
from streamcheck.core.measures.unit_change import _ascending, _moved
from streamcheck.core.summaries.layout import Layout

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
