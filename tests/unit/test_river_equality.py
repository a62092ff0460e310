"""Do our detectors drift at exactly the rows at which river's own do, fed by hand?"""

import random
import warnings
from typing import Any

import numpy as np
import pytest
from river import drift
from river.drift import binary

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.detectors.base import RowDetector
from streamcheck.core.types import FloatArray

assert streamcheck.core.detectors

ROWS = 3_000
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("adwin", drift.ADWIN, {}),
    ("adwin", drift.ADWIN, {"delta": 0.5, "clock": 1, "max_buckets": 2, "min_window_length": 1, "grace_period": 0}),
    ("adwin", drift.ADWIN, {"delta": 0.05, "clock": 7, "max_buckets": 9}),
    ("page_hinkley", drift.PageHinkley, {}),
    ("page_hinkley", drift.PageHinkley, {"threshold": 5.0, "min_instances": 10, "delta": 0.1, "mode": "up"}),
    ("page_hinkley", drift.PageHinkley, {"threshold": 8.0, "alpha": 0.99, "mode": "down"}),
    ("kswin", drift.KSWIN, {}),
    ("kswin", drift.KSWIN, {"alpha": 0.05, "window_size": 40, "stat_size": 20}),
    ("ddm", binary.DDM, {}),
    ("ddm", binary.DDM, {"warm_start": 1, "warning_threshold": 1.5, "drift_threshold": 2.0}),
    ("eddm", binary.EDDM, {}),
    ("eddm", binary.EDDM, {"warm_start": 10, "alpha": 0.97, "beta": 0.95}),
    ("fhddm", binary.FHDDM, {}),
    ("fhddm", binary.FHDDM, {"sliding_window_size": 50, "confidence_level": 0.01, "short_window_size": 15}),
    ("fhddm", binary.FHDDM, {"sliding_window_size": 3, "confidence_level": 0.5, "short_window_size": 1}),
    ("hddm_a", binary.HDDMA, {}),
    ("hddm_a", binary.HDDMA, {"drift_confidence": 0.05, "warning_confidence": 0.2, "two_sided_test": True}),
    ("hddm_w", binary.HDDMW, {}),
    ("hddm_w", binary.HDDMW, {"drift_confidence": 0.05, "warning_confidence": 0.2, "lambda_val": 0.1}),
    ("hddm_w", binary.HDDMW, {"two_sided_test": True}),
]


def stream(name: str, seed: int) -> FloatArray:
    """Rows whose level (or error rate) goes up and down, slowly and at once."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.permutation([0.05, 0.1, 0.3, 0.6, 0.9, 0.2]), ROWS // 6) + np.linspace(0, 0.1, ROWS)
    if name in ("adwin", "page_hinkley", "kswin"):
        return rng.normal(10 * level, 1.0)
    if name.startswith("hddm"):
        return np.clip(rng.normal(level, 0.2), 0.0, 1.0)
    return (rng.random(ROWS) < level).astype(np.float64)


def by_hand(name: str, river: Any, rows: FloatArray) -> list[int]:
    found = []
    for at, value in enumerate(rows.tolist()):
        river.update(1 - value if name == "fhddm" else value)
        if river.drift_detected:
            found.append(at)
    return found


def ours(detector: RowDetector, rows: FloatArray, cuts: list[int]) -> list[int]:
    found: list[int] = []
    for begin, chunk in zip([0, *cuts], np.split(rows, cuts), strict=True):
        found += [begin + int(at) for at in detector.step(chunk).drifts]
    return found


@pytest.mark.parametrize(("name", "river", "params"), CASES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_same_drift_rows_as_river(name: str, river: Any, params: dict[str, Any], seed: int) -> None:
    rows = stream(name, seed)
    seeds = {"seed": seed} if name == "kswin" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = by_hand(name, river(**params, **seeds), rows)
    cutter = random.Random(seed)
    cuttings = [
        [],
        sorted(cutter.sample(range(1, ROWS), 40)),
        sorted({at + more for at in expected for more in (0, 1, 2) if 0 < at + more < ROWS}),
        list(range(1, ROWS)),
    ]
    for cuts in cuttings:
        detector = build("detector", name, params)
        detector.seed(seed)
        assert ours(detector, rows, cuts) == expected
    assert expected, "a stream without drifts shows nothing"


@pytest.mark.parametrize(
    "params",
    [{}, {"alpha": 0.05, "window_size": 41, "stat_size": 20}, {"alpha": 0.4, "window_size": 4, "stat_size": 2}],
    ids=["default", "odd", "least"],
)
@pytest.mark.parametrize("digits", [17, 0], ids=["numbers", "ties"])
def test_kswin_finds_the_very_p_values_of_river(params: dict[str, Any], digits: int) -> None:
    """At each row: its quick test is of river's samples, and says what scipy says of them, bit for bit."""
    rows = np.round(stream("kswin", 4)[:1_200], digits)
    detector, river = build("detector", "kswin", params), drift.KSWIN(**params, seed=4)
    detector.seed(4)
    found, expected = [], []
    for value in rows:
        detector.step(np.array([value]))
        river.update(float(value))
        found.append((float(detector.inner("p_value")), list(detector.inner("window"))))
        expected.append((float(river.p_value), list(river.window)))
    assert found == expected
    assert len({p for p, _ in found}) > 2


def test_kswin_is_reproducible_by_its_seed_alone() -> None:
    rows = np.random.default_rng(0).normal(size=1_200)
    found = []
    for seed in (1, 1, 2):
        detector = build("detector", "kswin", {"alpha": 0.05})
        detector.seed(seed)
        found.append(detector.step(rows).drifts.tolist())
    assert found[0] == found[1] != found[2]
    unseeded = [build("detector", "kswin", {"alpha": 0.05}).step(rows).drifts.tolist() for _ in range(2)]
    assert unseeded[0] == unseeded[1]


def test_fhddm_takes_errors_although_river_wants_the_opposite() -> None:
    rising = np.repeat([0.0, 1.0], [300, 100])
    assert len(build("detector", "fhddm", {}).step(rising).drifts)
    assert not len(build("detector", "fhddm", {}).step(1.0 - rising).drifts)
    assert by_hand("river as documented", binary.FHDDM(), rising) == []


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_enormous_values_do_not_silence_a_detector_by_overflow(name: str) -> None:
    """Unbounded, 1e300 would make river's ADWIN hold an infinite variance for good; cut, its numbers stay finite."""
    detector = build("detector", name, {})
    detector.step(np.array([1e300, -1e300] * 50))
    found = detector.step(np.repeat([0.0, 1e300], [500, 500])).drifts
    assert len(found)
