"""Does the interval that scan gives for the beginning of a change hold it nine times of ten, and is it narrow?"""

import numpy as np
import pytest

from streamcheck.core.alerts import BETWEEN, AlertTracker, Finding
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.monitors import Span, finding
from streamcheck.core.plan import AlertRule
from streamcheck.core.types import Signal

PANE_MS = 10_000
AT = 60
CHARTS = 100
ROWS = 100
INSIDE_MIN = 0.87
"""0.9, less what chance takes off with so many charts."""


def coverage(steps, signal, change_ms: float) -> tuple[float, float]:
    """Of charts that step together, steps (N, CHARTS): how often their intervals hold it, and their width in panes."""
    bank, inside, widths = Bank(), [], []
    charts = [bank.enrol(up=True, down=True) for _ in range(CHARTS)]
    bank.h[:] = 4.9
    for at, values in enumerate(steps):
        verdicts = bank.step(np.array(charts), [signal(values[chart]) for chart in charts], at * PANE_MS)
        for chart, verdict in zip(list(charts), verdicts, strict=True):
            if not verdict.drifting:
                continue
            charts.remove(chart)
            if at < AT:
                continue  # a false alarm
            low, high = verdict.between
            high = (at + 1) * PANE_MS if high is None else high
            assert low <= verdict.change_at <= high
            inside.append(low <= change_ms <= high)
            widths.append((high - low) / PANE_MS)
        if not charts:
            break
    assert len(inside) > 0.9 * CHARTS
    return float(np.mean(inside)), float(np.median(widths))


@pytest.mark.parametrize(("shift", "width_max"), [(0.5, 120), (1.0, 25), (2.0, 6), (4.0, 3), (30.0, 2)])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.95])
def test_a_shift_of_a_mean_lies_within_its_interval(shift: float, width_max: float, part: float) -> None:
    """It comes after a part of a pane: that one moves by the rest only."""
    steps = np.random.default_rng(1).normal(size=(AT + 400, CHARTS))
    steps[AT:] += shift
    steps[AT] -= shift * part
    inside, width = coverage(steps, lambda z: Signal(z, 0.0, 1.0, 50, z, 0.0), (AT + part) * PANE_MS)
    assert inside >= INSIDE_MIN
    assert width <= width_max


@pytest.mark.parametrize(("before", "after"), [(0.05, 0.08), (0.1, 0.13), (0.1, 0.3)])
def test_a_share_that_rises_does_so_within_its_interval(before: float, after: float) -> None:
    shares = np.where(np.arange(AT + 400) < AT, before, after)[:, None]
    steps = np.random.default_rng(2).binomial(ROWS, shares, (AT + 400, CHARTS))
    se = (before * (1 - before) / ROWS) ** 0.5

    def signal(events) -> Signal:
        return Signal(events / ROWS, before, se, ROWS, events / ROWS, before, events=int(events))

    assert coverage(steps, signal, AT * PANE_MS)[0] >= INSIDE_MIN


def test_nothing_is_known_of_a_gap() -> None:
    """No rows for a week: the change may have come at any time of it."""
    detector, week = Scan(h=4.9), 7 * 86_400_000
    for at in range(50):
        detector.step(Signal(0.0, 0.0, 1.0, 50, 0.0, 0.0), at * PANE_MS)
    verdict = detector.step(Signal(30.0, 0.0, 1.0, 50, 30.0, 0.0), week)
    assert verdict.drifting
    assert verdict.change_at == week
    assert verdict.between == (49 * PANE_MS, None)


def test_the_interval_is_told_once_and_stays() -> None:
    """Later steps judge the same alarm; the alert keeps what was said when it opened."""
    detector = Scan(h=4.9)
    verdicts = []
    for at, z in enumerate([0.0] * 40 + [3.0] * 6):
        signal = Signal(z, 0.0, 1.0, 50, z, 0.0)
        verdicts.append((at, signal, detector.step(signal, at * PANE_MS)))
    drifting = [each for each in verdicts if each[2].drifting]
    assert [each[2].between is not None for each in drifting] == [True] + [False] * (len(drifting) - 1)
    tracker, told = AlertTracker(AlertRule(for_ms=30_000), pulsed=False), []
    for at, signal, verdict in verdicts:
        span = Span(at * PANE_MS, (at + 1) * PANE_MS)
        found: Finding | None = finding(signal, verdict, span) if verdict.drifting else None
        told += tracker.step(span.start_ms, span.end_ms, found)
    between = [dict(each.finding.evidence)[BETWEEN] for each in told]
    assert [each.state for each in told] == ["pending", "firing"]
    assert between[0] == between[1] == ["1970-01-01T00:06:30.000Z", "1970-01-01T00:06:50.000Z"]
