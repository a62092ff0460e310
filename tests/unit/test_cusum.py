"""Does the CUSUM keep its promise on stable signals, and find changes when it should?"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.detectors import cusum as cusum_module
from streamcheck.core.detectors.cusum import CARRY_MAX, STEP_SHARE_MAX, share_evidence
from streamcheck.core.types import Signal, Verdict

assert streamcheck.core.detectors


def cusum(arl: float = 2_000, **params: Any) -> Any:
    detector = build("detector", "cusum", params)
    detector.calibrate(arl)
    return detector


def ordinary(z: float, rows: int = 100) -> Signal:
    return Signal(z, 0.0, 1.0, rows, z, 0.0)


def share(events: int, rows: int, center: float, phi: float = 1.0) -> Signal:
    se = math.sqrt(phi * center * (1 - center) / rows)
    return Signal(events / rows, center, se, rows, events / rows, center, events)


def alarms(detector: Any, signals: Iterable[Signal]) -> int:
    """How often it begins to drift, starting afresh after each alarm."""
    count, clean = 0, detector.export()
    for at, signal in enumerate(signals):
        if detector.step(signal, at).drifting:
            count += 1
            detector.restore(clean)
            clean = detector.export()
    return count


def delay(detector: Any, signals: Iterable[Signal]) -> int:
    """Steps until it drifts."""
    for at, signal in enumerate(signals, 1):
        if detector.step(signal, at).drifting:
            return at
    raise AssertionError("no drift")


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_promise_holds_on_normal_signals(k: float) -> None:
    steps, arl = 60_000, 500
    z = np.random.default_rng(1).normal(size=steps)
    assert 0 < alarms(cusum(arl, k=k), map(ordinary, z.tolist())) <= steps / arl


@pytest.mark.parametrize(("p", "rows"), [(0.001, 50), (0.01, 1_000), (0.05, 50), (0.5, 100), (0.9, 50), (0.995, 200)])
def test_promise_holds_on_shares(p: float, rows: int) -> None:
    steps, arl = 20_000, 200
    events = np.random.default_rng(2).binomial(rows, p, steps)
    assert alarms(cusum(arl), (share(int(count), rows, p) for count in events)) <= steps / arl


def test_promise_holds_on_shares_that_scatter_more_than_chance() -> None:
    p, rows, phi, steps, arl = 0.1, 100, 3.0, 20_000, 200
    rho = (phi - 1) / (rows - 1)
    rng = np.random.default_rng(3)
    events = rng.binomial(rows, rng.beta(p * (1 / rho - 1), (1 - p) * (1 / rho - 1), steps))
    assert alarms(cusum(arl), (share(int(count), rows, p, phi) for count in events)) <= steps / arl
    assert alarms(cusum(arl), (share(int(count), rows, p) for count in events)) > steps / arl, "phi is what keeps it"


def alarms_by_reference(panes: int, p: float, rows: int, arl: float) -> int:
    """Alarms in 20 runs of 500 stable steps, each against its own sampled reference of so many panes."""
    count, n = 0, panes * rows
    for seed in range(20):
        rng = np.random.default_rng(seed)
        center = float(rng.binomial(n, p) + 0.5) / (n + 1)
        se = math.sqrt(center * (1 - center) * (1 / rows + 1 / n))
        events = rng.binomial(rows, p, 500).tolist()
        count += alarms(cusum(arl), (Signal(e / rows, center, se, rows, 0.0, 0.0, e) for e in events))
    return count


def test_promise_holds_when_the_reference_is_a_sample_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference of 20 panes has an error that all later panes share; unheeded, it breaks the promise."""
    assert alarms_by_reference(panes=20, p=0.05, rows=50, arl=500) <= 10_000 / 500
    monkeypatch.setattr(cusum_module, "REFERENCE_ERROR_MAX", 0.0)
    assert alarms_by_reference(panes=20, p=0.05, rows=50, arl=500) > 10_000 / 500


@pytest.mark.parametrize(("shift", "steps_max"), [(1.0, 60), (2.0, 15), (5.0, 4), (100.0, 2)])
@pytest.mark.parametrize("direction", [1, -1])
def test_finds_a_shift_in_time(shift: float, steps_max: int, direction: int) -> None:
    rng = np.random.default_rng(4)
    detector = cusum()
    for at in range(200):
        detector.step(ordinary(rng.normal()), at)
    assert delay(detector, (ordinary(rng.normal() + direction * shift) for _ in range(100))) <= steps_max


@pytest.mark.parametrize(
    ("before", "after", "rows", "steps_max"),
    [(0.95, 0.85, 50, 12), (0.95, 0.9, 50, 40), (0.0005, 0.03, 200, 6), (0.02, 0.05, 100, 30), (0.5, 0.55, 1_000, 8)],
)
def test_finds_a_changed_share_in_time(before: float, after: float, rows: int, steps_max: int) -> None:
    rng = np.random.default_rng(5)
    changed = (share(int(rng.binomial(rows, after)), rows, before) for _ in range(200))
    detector = cusum()
    assert delay(detector, changed) <= steps_max


def test_dates_the_change_and_says_which_way() -> None:
    detector = cusum(h=5.0)
    told = [detector.step(ordinary(z), 1_000 * at) for at, z in enumerate([0.0, 1.0, -3.0, 0.0, 4.0, 4.0])]
    assert told[4] == Verdict(False, 3.0, 5.0)
    assert told[5] == Verdict(True, 6.0, 5.0, 4_000, 1)
    assert cusum(h=2.0).step(ordinary(-2.6), 7).direction == 0, "one step alone is cut below h"
    detector = cusum(h=2.0)
    detector.step(ordinary(-2.6), 6)
    assert detector.step(ordinary(-2.6), 7) == Verdict(True, 2.4, 2.0, 6, -1)


@pytest.mark.parametrize(("side", "up", "down"), [("both", True, True), ("up", True, False), ("down", False, True)])
def test_sides(side: str, *, up: bool, down: bool) -> None:
    for z, expected in ((3.0, up), (-3.0, down)):
        detector = cusum(side=side)
        assert any(detector.step(ordinary(z), at).drifting for at in range(20)) is expected


def test_no_single_step_alarms_unless_a_share_is_overwhelming() -> None:
    assert not cusum().step(ordinary(1e300), 0).drifting
    assert not cusum().step(share(5, 5, 0.01), 0).drifting
    assert share_evidence(60, 100, 0.1, 0.03, 1.0) > 1.5 * math.log(4_000)
    assert not cusum().step(share(60, 100, 0.1), 0).drifting
    assert cusum().step(share(1_000, 1_000, 0.01), 0).drifting


def test_recovers_about_as_fast_as_it_rose() -> None:
    rng = np.random.default_rng(6)
    detector = cusum()
    for at in range(5_000):
        verdict = detector.step(ordinary(50.0), at)
    assert verdict.score == CARRY_MAX * verdict.threshold
    recovery = next(at for at in range(200) if not detector.step(ordinary(rng.normal()), at).drifting)
    assert recovery <= 40


def test_thresholds() -> None:
    assert cusum(2_000).step(ordinary(0.0), 0).threshold == math.log(4_000)
    assert cusum(2_000, side="up").step(ordinary(0.0), 0).threshold == math.log(2_000)
    assert cusum(2_000, h=3.0).step(ordinary(0.0), 0).threshold == 3.0
    with pytest.raises(AssertionError, match="call calibrate"):
        build("detector", "cusum", {}).step(ordinary(0.0), 0)


def test_ordinary_evidence_is_the_likelihood_ratio() -> None:
    detector = cusum(k=0.7, h=100.0)
    expected = stats.norm.logpdf(1.3, 0.7) - stats.norm.logpdf(1.3)
    assert detector.step(ordinary(1.3), 0).score == pytest.approx(expected, rel=1e-12)
    assert detector.step(ordinary(1e6), 1).score == pytest.approx(expected + STEP_SHARE_MAX * 100.0)


@pytest.mark.parametrize(("p0", "p1"), [(0.1, 0.13), (0.01, 0.02), (0.4, 0.5)])
def test_share_evidence_is_the_binomial_likelihood_ratio(p0: float, p1: float) -> None:
    rows, events = 100, 9
    se = math.sqrt(p0 * (1 - p0) / rows)
    found = share_evidence(events, rows, p0, se, k=(p1 - p0) / se)
    expected = stats.binom.logpmf(events, rows, p1) - stats.binom.logpmf(events, rows, p0)
    assert found == pytest.approx(expected, rel=1e-6)
    unbelieved = share_evidence(events, rows, p0, 1e-9, k=(p1 - p0) / se)
    assert unbelieved == pytest.approx(expected, rel=1e-9), "an se below chance is not believed"


@pytest.mark.parametrize("center", [0.0, 1e-12, 0.5, 1 - 1e-12, 1.0])
@pytest.mark.parametrize("rows", [1, 7, 10**7])
def test_share_evidence_is_finite_everywhere(center: float, rows: int) -> None:
    for se in (1e-150, 1e-3, 10.0):
        found = [share_evidence(events, rows, center, se, 1.0) for events in (0, rows // 2, rows)]
        assert all(map(math.isfinite, found))
        assert found == sorted(found), "more events are never less evidence"


def test_a_share_that_is_rare_already_does_not_fall() -> None:
    """A reference without one event says only that events are rare; ever more panes without any are no change."""
    detector = build("detector", "cusum", {"h": 12.0})
    rare = Signal(value=0.0, center=1.2e-5, se=2.6e-4, rows=180, level=0.0, baseline=0.0, events=0, center_se=1.7e-5)
    assert not any(detector.step(rare, at_ms=at).drifting for at in range(20_000))
