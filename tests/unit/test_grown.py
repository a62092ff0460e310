"""Do quiet steps join a reference that stays as it is, once no window holds them, and no others?"""

import math
from typing import Any

import numpy as np
import pytest

from streamcheck.core.components import build
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.instances import Span
from streamcheck.core.monitors import finding
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import Signal, Verdict
from tests.unit.test_scan import alarms, mean, scan, share

OLDEST = 256 + 64
"""Steps after which the first block has joined."""


def settled(arl: float = 2_000) -> Any:
    detector = scan(arl)
    detector.settle(settled=True)
    return detector


def joined(detector: Any) -> float:
    return float(detector.export()["grown"]["joined"][0])


def test_steps_join_when_no_window_holds_them() -> None:
    detector = settled()
    for at in range(OLDEST + 64):
        assert joined(detector) == max(0, at // 64 - 4) * 64
        detector.step(mean(0.5 * (-1) ** at), at)


def test_a_reference_that_learns_by_itself_is_left_alone() -> None:
    detector = scan()
    for at in range(2 * OLDEST):
        detector.step(mean(0.0), at)
    assert joined(detector) == 0


def test_the_level_that_has_joined_is_what_is_compared_with() -> None:
    """A small reference that lies two of its own errors off by chance."""
    rng, frozen, grown = np.random.default_rng(3), scan(1e9), settled(1e9)
    told = [[d.step(mean(z), at).score for d in (frozen, grown)] for at, z in enumerate(rng.normal(0.2, 1, 2_000))]
    before, after = np.array(told[250]), np.array(told[-500:]).mean(axis=0)
    assert before[0] == before[1]
    assert after[0] > after[1] + 0.25, "the longest windows no longer see the reference's own error"


def test_an_alarm_names_the_level_that_was_compared_with() -> None:
    """The share lies below the reference's for long; then it rises, but not up to that."""
    detector = build("detector", "scan", {"side": "up", "h": 4.5})
    detector.settle(settled=True)
    usual, risen = share(32, before=0.08, rows=500), share(36, before=0.08, rows=500)
    for at in range(4_000):
        assert not detector.step(usual, at).drifting
    verdict = next(v for at in range(4_000, 4_400) if (v := detector.step(risen, at)).drifting)
    found = finding(risen, verdict, Span(4_000, 4_001))
    assert found.value is not None
    assert found.reference == pytest.approx(0.064, abs=0.001)
    assert found.reference < found.value < 0.08
    assert dict(found.evidence)["expected"] == pytest.approx(0.064, abs=0.001)


def test_the_level_compared_with_is_said_in_the_unit_of_each_signal() -> None:
    def told(signal: Signal, offset: float) -> tuple[float | None, float]:
        found = finding(signal, Verdict(True, 5.0, 4.0, offset=offset), Span(0, 1))
        return found.reference, dict(found.evidence)["expected"]

    assert told(share(5), 0.0) == (0.1, share(5).center)
    assert told(mean(1.0), 0.5) == pytest.approx((0.5, 0.5)), "rows scatter by 1"
    assert told(mean(1.0)._replace(level=20.0, baseline=10.0), 0.5) == pytest.approx((10.0, 0.5)), "in other units"
    volume = build("measure", "volume", {})
    before = volume.accumulator()
    for rows in (90, 100, 110) * 20:
        before.add(StreamSummary(rows))
    signal = volume.signal(StreamSummary(50), before)
    part = math.sqrt(signal.se**2 - signal.center_se**2) * math.sqrt(signal.background.weight)
    assert told(signal, -1.0) == pytest.approx((100.0 * (1.0 - part), 1.0 - part))


def test_scatter_that_a_reference_missed_is_learned() -> None:
    """Panes scatter twice as much as those of the reference did."""
    rng = np.random.default_rng(4)
    noisy = (2.0 * rng.normal(size=(1, 3_000))).tolist()
    detector = settled(1e100)
    scores = [detector.step(mean(z), at).score for at, z in enumerate(noisy[0])]
    usual = detector.chart[0].grown.joined[0]
    assert usual[3] / usual[0] == pytest.approx(4.0, rel=0.2)
    assert np.mean(scores[-500:]) < 2.5


def test_likeness_that_a_reference_missed_is_learned() -> None:
    rng, z, values = np.random.default_rng(5), 0.0, []
    for fresh in rng.normal(size=3_000):
        z = 0.7 * z + np.sqrt(1 - 0.49) * fresh
        values.append(z)
    blind, detector = scan(1e12), settled(1e12)
    scores = np.array([[d.step(mean(v), at).score for d in (blind, detector)] for at, v in enumerate(values)])
    assert scores[-1_000:, 0].max() > 1.5 * scores[-1_000:, 1].max()


def test_what_an_alarm_is_about_never_joins() -> None:
    detector = settled()
    for at in range(600):
        detector.step(share(5), at)
    held = joined(detector)
    assert held > 0
    drifting = [detector.step(share(20), at).drifting for at in range(600, 1_200)]
    assert drifting.index(True) < 4
    assert joined(detector) == held
    again = [detector.step(share(5), at).drifting for at in range(1_200, 1_220)]
    assert not again[-1]
    assert joined(detector) == held, "nor what came just before it"


@pytest.mark.parametrize("events", [False, True])
def test_a_state_holds_what_has_joined(*, events: bool) -> None:
    rng = np.random.default_rng(6)
    signals = [share(int(k)) if events else mean(float(k)) for k in rng.binomial(50, 0.1, 900) - (0 if events else 5)]
    first = settled(1e6)
    for at in range(500):
        first.step(signals[at], at)
    second = settled(1e6)
    second.restore(first.export())
    for at in range(500, 900):
        assert first.step(signals[at], at) == second.step(signals[at], at)
    assert str(first.export()) == str(second.export())


def test_charts_of_a_bank_grow_as_if_alone() -> None:
    rng, bank, together, alone = np.random.default_rng(7), Bank(), [], []
    for k in range(9):
        one, other = scan(500), settled(500) if k % 2 else scan(500)
        other_bank = bank
        one.leave()
        one.join(other_bank)
        one.settle(settled=bool(k % 2))
        together.append(one)
        alone.append(other)
    for at in range(700):
        signals = [mean(float(z)) if k % 3 else share(int(5 + z)) for k, z in enumerate(rng.normal(0, 1, 9))]
        told = bank.step(np.array([each.chart[1] for each in together]), signals, at)
        assert told == [each.step(signal, at) for each, signal in zip(alone, signals, strict=True)]


def test_the_tail_of_a_handful_of_events_is_theirs() -> None:
    """0.1 events are expected in a pane, so that a third one is rare: the deviance alone makes 1.5 times too many."""
    rng, arl = np.random.default_rng(8), 400.0
    counts = rng.binomial(50, 0.002, (60, 2_000)).tolist()
    signals = [[share(k, 0.002, reference=10**7) for k in row] for row in counts]
    assert alarms(signals, arl, side="up") <= 60 * 2_000 / arl
