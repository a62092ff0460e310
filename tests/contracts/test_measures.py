"""Does every registered measure keep the contract? A new one enrols itself by being registered."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

import streamcheck.core.measures
from streamcheck.contracts import LabelledMeasureContract, MeasureContract
from streamcheck.core.components import components
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
