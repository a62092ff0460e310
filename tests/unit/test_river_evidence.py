"""Are the numbers beside a drift (since, score, threshold, direction) those of the method?"""

import math
from typing import Any

import numpy as np
import pytest
from river.drift import ADWIN, binary

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.types import FloatArray, RowVerdict
from streamcheck.errors import StateError

assert streamcheck.core.detectors


def errors(rate_before: float, rate_after: float, rows: int = 1_000, seed: int = 5) -> FloatArray:
    chances = np.random.default_rng(seed).random(2 * rows)
    return (chances < np.repeat([rate_before, rate_after], rows)).astype(np.float64)


def until_first_drift(name: str, rows: FloatArray, **params: Any) -> RowVerdict:
    """The verdict on the rows up to the first drift at or after the change in the middle of the rows."""
    detector = build("detector", name, params)
    detector.step(rows[: len(rows) // 2])
    for at in range(len(rows) // 2, len(rows)):
        verdict = detector.step(rows[at : at + 1])
        if len(verdict.drifts):
            return verdict
    raise AssertionError(f"{name} saw no drift")


@pytest.mark.parametrize("direction", [1, -1])
def test_adwin_dates_the_change_by_the_window_it_keeps(direction: int) -> None:
    rows = np.concatenate([np.zeros(1_000), np.full(1_000, 2.0 * direction)])
    river, width = ADWIN(), 0
    for value in rows.tolist():
        river.update(value)
        if river.drift_detected:
            width = int(river.width)
            break
    verdict = build("detector", "adwin", {}).step(rows)
    assert (verdict.since, verdict.direction) == (width, direction)


@pytest.mark.parametrize(("mode", "direction"), [("both", 1), ("both", -1), ("up", 1), ("down", -1)])
def test_page_hinkley_dates_the_change_to_the_extreme(mode: str, direction: int) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=300), rng.normal(3.0 * direction, size=300)])
    verdict = until_first_drift("page_hinkley", rows, threshold=30.0, delta=0.5, mode=mode)
    assert verdict.direction == direction
    assert verdict.score is not None
    assert 30.0 < verdict.score < 35.0
    assert verdict.threshold == 30.0
    assert 10 <= verdict.since <= 16, "30 = about 12 rows of 2.5 above what is tolerated"


def test_page_hinkley_has_no_score_before_its_first_look() -> None:
    detector = build("detector", "page_hinkley", {"min_instances": 20})
    assert detector.step(np.zeros(19)).score is None
    assert detector.step(np.zeros(1)).score is not None


def test_ddm_score_is_rate_and_deviation_against_the_lowest() -> None:
    rows = np.tile([1.0, 0.0, 0.0, 0.0], 25)
    detector = build("detector", "ddm", {})
    verdict = detector.step(rows)
    sums = []
    for n in range(31, 101):
        p = rows[:n].mean()
        sums.append((p + math.sqrt(p * (1 - p) / n), p, math.sqrt(p * (1 - p) / n)))
    lowest = min(sums)
    assert verdict.score == pytest.approx(sums[-1][0], rel=1e-12)
    assert verdict.threshold == pytest.approx(lowest[1] + 3 * lowest[2], rel=1e-12)


def test_ddm_dates_the_change_to_its_warning() -> None:
    rows = errors(0.1, 0.4)
    river, warned_at, found = binary.DDM(), 0, 0
    for at, value in enumerate(rows.tolist()):
        before = river.warning_detected
        river.update(value)
        if river.drift_detected:
            found = at
            break
        if river.warning_detected and not before:
            warned_at = at
    verdict = build("detector", "ddm", {}).step(rows[: found + 1])
    assert verdict.since == found - warned_at + 1 > 1


@pytest.mark.parametrize("name", ["ddm", "eddm", "fhddm", "hddm_a", "hddm_w"])
def test_error_detectors_say_rose_and_passed_their_threshold(name: str) -> None:
    params = {"alpha": 0.7, "beta": 0.6} if name == "eddm" else {}
    verdict = until_first_drift(name, errors(0.05, 0.6), **params)
    assert verdict.direction == 1
    assert verdict.score is not None
    assert verdict.threshold is not None
    assert verdict.score >= verdict.threshold > 0


@pytest.mark.parametrize("name", ["hddm_a", "hddm_w"])
def test_two_sided_tests_see_a_fall(name: str) -> None:
    rows = errors(0.6, 0.05)
    verdict = until_first_drift(name, rows, two_sided_test=True)
    assert verdict.direction == -1
    assert verdict.score is not None
    assert verdict.threshold is not None
    assert verdict.score >= verdict.threshold
    one_sided = build("detector", name, {})
    one_sided.step(rows[:1_000])
    assert not len(one_sided.step(rows[1_000:]).drifts)


def test_hddm_a_dates_the_change_to_its_cut_point() -> None:
    verdict = build("detector", "hddm_a", {}).step(np.repeat([0.0, 1.0], [200, 4]))
    assert (verdict.drifts.tolist(), verdict.since) == ([203], 4)


def test_fhddm_score_by_hand() -> None:
    params = {"sliding_window_size": 20, "confidence_level": 0.001, "short_window_size": 5}
    detector = build("detector", "fhddm", params)
    long_bound, short_bound = (math.sqrt(math.log(1000) / (2 * size)) for size in (20, 5))
    assert detector.step(np.zeros(19)).score is None
    assert detector.step(np.zeros(1)).score == 0.0
    verdict = detector.step(np.ones(3))
    assert not len(verdict.drifts)
    assert (verdict.score, verdict.threshold) == (pytest.approx(3 / 5), pytest.approx(short_bound))
    assert 3 / 20 / long_bound < 3 / 5 / short_bound
    verdict = detector.step(np.ones(2))
    assert verdict.drifts.tolist() == [1]
    assert (verdict.score, verdict.since) == (1.0, 5)


def test_kswin_score_is_the_p_value() -> None:
    detector = build("detector", "kswin", {"alpha": 1e-9})
    assert detector.step(np.zeros(99)).score is None
    verdict = detector.step(np.ones(29))
    # 30 zeros against 29 ones and a zero: D = 29/30, p = 1.06e-15 (exact two-sided, computed by scipy).
    assert verdict.drifts.tolist()
    assert verdict.score is not None
    assert verdict.score > verdict.threshold == pytest.approx(9.0)
    assert verdict.since == 30


def test_state_of_another_river_is_refused() -> None:
    detector = build("detector", "ddm", {})
    state = detector.export()
    state["river"]["_added_later"] = 1.0
    with pytest.raises(StateError, match=r"another release of river .*_added_later"):
        detector.restore(state)


def test_values_outside_the_domain_are_our_mistake() -> None:
    for name, value in (("adwin", math.nan), ("adwin", math.inf), ("ddm", 0.5), ("hddm_a", 1.5)):
        with pytest.raises(AssertionError, match="outside its domain"):
            build("detector", name, {}).step(np.array([0.0, value]))
