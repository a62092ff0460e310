"""Does the threshold detector judge by the user's lines, and date a run of steps out of bounds?"""

from typing import Any

import pytest

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.types import Signal, Verdict
from streamcheck.errors import ParameterError

assert streamcheck.core.detectors


def signal(value: float, rows: int = 100) -> Signal:
    return Signal(value, 0.0, 1.0, rows, value, 0.0)


def test_both_sides() -> None:
    detector = build("detector", "threshold", {"above": 10, "below": 0})
    assert detector.step(signal(4.0), 0) == Verdict(False, 4.0, 0.0)
    assert detector.step(signal(9.0), 1) == Verdict(False, 9.0, 10.0)
    assert detector.step(signal(11.0), 2) == Verdict(True, 11.0, 10.0, 2, 1)
    assert detector.step(signal(12.0), 3) == Verdict(True, 12.0, 10.0, 2, 1)
    assert detector.step(signal(-1.0), 4) == Verdict(True, -1.0, 0.0, 4, -1)
    assert detector.step(signal(5.0), 5).drifting is False


def test_what_people_see_is_judged_or_the_value_of_a_measure_that_has_a_limit_itself() -> None:
    seen, detector = Signal(1.3, 1.0, 0.1, 100, 130.0, 100.0), build("detector", "threshold", {"above": 120})
    assert detector.step(seen, 0) == Verdict(True, 130.0, 120.0, 0, 1)
    detector.by_value = True
    assert detector.step(seen, 1) == Verdict(False, 1.3, 120.0)


def test_the_line_itself_is_within_bounds() -> None:
    detector = build("detector", "threshold", {"above": 10, "below": 0})
    assert not detector.step(signal(10.0), 0).drifting
    assert not detector.step(signal(0.0), 1).drifting


def test_few_rows_neither_drift_nor_end_a_run() -> None:
    detector = build("detector", "threshold", {"below": 0.8, "rows_min": 50})
    assert not detector.step(signal(0.1, rows=49), 0).drifting
    assert detector.step(signal(0.1, rows=50), 1).change_at == 1
    assert not detector.step(signal(0.9, rows=3), 2).drifting
    assert detector.step(signal(0.1, rows=50), 3).change_at == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "threshold needs above or below"),
        ({"above": 1.0, "below": 1.0}, r"below \(1\) must be smaller than above \(1\)"),
        ({"above": 1.0, "rows_min": 0}, "rows_min must be a whole number >= 1"),
        ({"above": float("nan")}, "above must be a number or null"),
    ],
)
def test_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build("detector", "threshold", params)
