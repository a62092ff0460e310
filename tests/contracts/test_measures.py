"""Does every registered measure keep the contract? A new one enrols itself by being registered."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

import streamcheck.core.measures
from streamcheck.contracts import LabelledMeasureContract, MeasureContract
from streamcheck.contracts.measures import filled, panes
from streamcheck.core.components import build, components
from streamcheck.core.measures.base import LabelledMeasure

assert streamcheck.core.measures  # importing it has registered them

LABELLED = tuple(name for name, cls in components("measure").items() if issubclass(cls, LabelledMeasure))
OTHERS = tuple(name for name in components("measure") if name not in LABELLED)


class TestMeasures(MeasureContract):
    # Their phi compares a pane with the part before it.
    merge_error: ClassVar[Mapping[str, float]] = {"psi": 0.05, "category_shift": 0.05}
    from_reference = frozenset({"dependence"})
    unscattered = frozenset({"unseen"})  # single appearances cannot scatter

    @pytest.fixture(params=OTHERS)
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


class TestLabelledMeasures(LabelledMeasureContract):
    @pytest.fixture(params=LABELLED)
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


LIMITED_TO_ALL_ROWS = {"top_share"}
"""Without a reference it counts all rows, and with one half of them."""
BY_LINE = {"quantile", "edge_rate"}
"""What people see of it, its instance knows; or there is none as long as its limits are to be learned."""


@pytest.mark.parametrize("name", sorted(set(OTHERS) - LIMITED_TO_ALL_ROWS - BY_LINE))
def test_without_a_reference_a_measure_says_what_people_see(name: str) -> None:
    made = build("measure", name, {})
    if not made.alone({}):
        return
    reference, (pane,) = filled(made, panes(made, 1, 50)), panes(made, 2, 1)
    bare, beside = made.signal(pane, None), made.signal(pane, reference)
    assert bare is not None
    assert bare.value == bare.level == beside.level


def test_limits_do_without_a_reference_where_they_can() -> None:
    """What is left says how far it is from a reference, or what is too much by itself."""
    bound = {name for name in OTHERS if not components("measure")[name].alone({})}
    assert bound == {
        "burn_rate", "category_share", "category_shift", "dependence", "edge_rate", "freshness", "outside", "psi",
        "schema_changes", "unit_change", "unseen",
    }  # fmt: skip
