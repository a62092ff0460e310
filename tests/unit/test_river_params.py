"""Are parameters refused with which river would panic, fail at the first row, or never signal anything?"""

from typing import Any

import numpy as np
import pytest

import streamcheck.core.detectors
from streamcheck.core.components import build, find
from streamcheck.errors import ParameterError

assert streamcheck.core.detectors


@pytest.mark.parametrize(
    ("name", "params", "parameter", "message"),
    [
        ("adwin", {"clock": 0}, "clock", "clock must be a whole number >= 1"),
        ("adwin", {"max_buckets": 1}, "max_buckets", "max_buckets must be a whole number >= 2"),
        ("kswin", {"stat_size": 51}, "stat_size", r"stat_size \(51\) must be at most half of window_size \(100\)"),
        ("kswin", {"stat_size": 5}, "stat_size", "stat_size must be at least 6 for alpha 0.005, not 5"),
        ("ddm", {"warning_threshold": 4.0}, "warning_threshold", "a warning comes before a drift"),
        ("eddm", {"alpha": 0.5}, "alpha", "a warning comes before a drift"),
        ("fhddm", {"short_window_size": 101}, "short_window_size", "must not be above sliding_window_size"),
        ("fhddm", {"sliding_window_size": 6}, "sliding_window_size", "must be at least 7 .*no rise could ever"),
        ("fhddm", {"short_window_size": 6}, "short_window_size", "must be at least 7 .*no rise could ever"),
        ("hddm_a", {"warning_confidence": 0.0001}, "warning_confidence", "a warning comes before a drift"),
        ("hddm_w", {"warning_confidence": 0.0001}, "warning_confidence", "a warning comes before a drift"),
        ("hddm_w", {"lambda_val": 0.3}, "lambda_val", "lambda_val must be below 0.253"),
    ],
)
def test_refused_at_construction(name: str, params: dict[str, Any], parameter: str, message: str) -> None:
    for make in (lambda: build("detector", name, params), lambda: find("detector", name)(**params)):
        with pytest.raises(ParameterError, match=message) as caught:
            make()
        assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("kswin", {"stat_size": 6}),
        ("kswin", {"stat_size": 50}),
        ("fhddm", {"sliding_window_size": 7}),
        ("fhddm", {"sliding_window_size": 40, "short_window_size": 7}),
        ("hddm_w", {"lambda_val": 0.25, "drift_confidence": 0.001}),
    ],
)
def test_what_lies_just_inside_the_bounds_can_signal(name: str, params: dict[str, Any]) -> None:
    rows = np.repeat([0.0, 1.0], 300)
    assert len(build("detector", name, params).step(rows).drifts), "the bound is drawn too wide"
