"""Does a calibrated row detector keep its promise, on rows that resemble one another too, and still notice a change?

Calibrated on the first rows of each stream as the engine does it, then run over the rest; the long version of these
runs is the table of docs/decisions/0011.
"""

import numpy as np
import pytest
from scipy.signal import lfilter

import streamcheck.core.detectors
from streamcheck.core.calibration import Calibration
from streamcheck.core.components import build, components
from streamcheck.core.detectors.base import Domain, RowDetector
from streamcheck.core.types import FloatArray

assert streamcheck.core.detectors  # importing it has registered them

DETECTORS = {
    name: cls for name, cls in components("detector").items() if issubclass(cls, RowDetector) and not cls.untunable
}
PANE_ROWS, CALIBRATION_ROWS = 50, 50_000
ROWS = {"kswin": 4_000, "hddm_a": 100_000, "hddm_w": 100_000}  # of a stream; those that are slow per row see fewer
PROMISED = {"kswin": 1_000, "ddm": 50_000}
CHANGED_ROWS = {"ddm": 8_000}
"""It compares with the mean of all rows before, and so is slow after many."""


def numbers(rows: int, rho: float, rng: np.random.Generator) -> FloatArray:
    """AR(1) with variance 1, as scores are."""
    return np.asarray(lfilter([1.0], [1.0, -rho], rng.normal(size=rows) * np.sqrt(1 - rho * rho)))


def errors(rows: int, rate: float, stay: float, rng: np.random.Generator) -> FloatArray:
    """0/1 with this rate; each repeats the one before with chance `stay`, which is its lag-1 correlation."""
    fresh, repeats = rng.random(rows) < rate, rng.random(rows) < stay
    repeats[0] = False
    return fresh[np.maximum.accumulate(np.where(repeats, 0, np.arange(rows)))].astype(float)


def stream(cls: type[RowDetector], rows: int, resemblance: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    if cls.domain is Domain.REAL:
        return numbers(rows, resemblance, rng)
    return errors(rows, 0.1, resemblance, rng)


def calibrated(name: str, rows: FloatArray, promised: float, blind: bool = False) -> tuple[RowDetector, int]:
    """The detector, and how many rows calibrated it. blind: it is told that the rows are independent."""
    cls = DETECTORS[name]
    calibration = Calibration(cls, shares=cls.domain is not Domain.REAL)
    if blind:
        calibration._scatter.dispersion = lambda: 1.0  # type: ignore[method-assign]
    for at in range(0, CALIBRATION_ROWS, PANE_ROWS):
        if calibration.add(rows[at : at + PANE_ROWS], promised / PANE_ROWS):
            detector: RowDetector = build("detector", name, calibration.params or {})
            detector.seed(7)
            return detector, at + PANE_ROWS
    raise AssertionError(f"{name} was not calibrated by {CALIBRATION_ROWS} rows")


def alarms(name: str, resemblance: float, *, blind: bool = False) -> tuple[int, float]:
    """How many came, and how many were promised at most."""
    rows, promised = ROWS.get(name, 400_000), PROMISED.get(name, 10_000)
    whole = stream(DETECTORS[name], CALIBRATION_ROWS + rows, resemblance, 11)
    detector, begin = calibrated(name, whole, promised, blind)
    return len(detector.step(whole[begin : begin + rows]).drifts), rows / promised


@pytest.mark.parametrize("resemblance", [0.0, 0.5], ids=["independent", "alike"])
@pytest.mark.parametrize("name", DETECTORS)
def test_false_alarms_are_no_more_than_promised(name: str, resemblance: float) -> None:
    seen, expected = alarms(name, resemblance)
    assert seen <= expected + 3 * expected**0.5


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "fhddm"])
def test_the_promise_would_be_broken_without_the_dispersion(name: str) -> None:
    """A twin that takes resembling rows for independent is caught by the test above."""
    seen, expected = alarms(name, 0.5, blind=True)
    assert seen > expected + 3 * expected**0.5


@pytest.mark.parametrize("name", DETECTORS)
def test_a_clear_change_is_noticed_at_one_alarm_in_a_million_rows(name: str) -> None:
    cls = DETECTORS[name]
    before = stream(cls, CALIBRATION_ROWS + 2_000, 0.0, 12)
    detector, begin = calibrated(name, before, 1e6)
    assert not len(detector.step(before[begin : begin + 2_000]).drifts)
    rng, rows = np.random.default_rng(13), CHANGED_ROWS.get(name, 1_000)
    shift = 2.0 if name == "kswin" else 1.0
    after = numbers(rows, 0.0, rng) + shift if cls.domain is Domain.REAL else errors(rows, 0.3, 0.0, rng)
    verdict = detector.step(after)
    assert len(verdict.drifts)


def test_what_cannot_be_calibrated_says_why_and_names_others() -> None:
    refused = {name: cls for name, cls in components("detector").items() if getattr(cls, "untunable", "")}
    assert list(refused) == ["eddm"]
    assert all(other in str(cls.untunable) for cls in refused.values() for other in ("ddm", "hddm_a", "adwin"))
