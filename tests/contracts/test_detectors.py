"""Does every registered detector keep the contract? A new one enrols itself by being registered."""

import subprocess
import sys
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest

import streamcheck.core.detectors
from streamcheck.contracts import DetectorContract
from streamcheck.core.components import components
from streamcheck.core.detectors.base import Detector
from streamcheck.core.types import FloatArray

assert streamcheck.core.detectors  # importing it has registered them


class TestDetectors(DetectorContract):
    stable_drifts_max: ClassVar[Mapping[str, int]] = {"eddm": 20, "page_hinkley": 8, "kswin": 12, "ddm": 5}
    slow = frozenset({"kswin"})  # its state is full after 100 rows

    @pytest.fixture(params=tuple(components("detector")))
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def stable(self, name: str, detector: Detector, rows: int) -> FloatArray:
        found = super().stable(name, detector, rows)
        return np.clip(found, -2.9, 2.9) if name == "threshold" else found

    def passed(self, name: str, score: float, threshold: float, direction: int) -> bool:
        if name == "threshold" and direction < 0:  # a line drawn from below
            return score <= threshold
        return super().passed(name, score, threshold, direction)


def test_import_is_light() -> None:
    """Naming the detectors must not cost the 0.7 s that importing river takes."""
    code = (
        "import streamcheck.core.detectors, sys; from streamcheck.core.components import components; "
        "assert 'adwin' in components('detector'); "
        "heavy = [m for m in ('river', 'scipy', 'pandas') if m in sys.modules]; assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
