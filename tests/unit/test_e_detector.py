"""Does the e-detector keep its promise where panes scatter more than chance has it, and find a change in the end?"""

import math
from typing import Any

import numpy as np
import pytest

import streamcheck.core.detectors  # noqa: F401 - registers them
from streamcheck.core.components import build
from streamcheck.core.types import Signal

ROWS = 50


def detector(arl: float, **params: Any) -> Any:
    made = build("detector", "e_detector", params)
    made.calibrate(arl)
    return made


def share(events: int, p: float = 0.1) -> Signal:
    se = math.sqrt(p * (1 - p) / ROWS)
    return Signal(events / ROWS, p, se, ROWS, events / ROWS, p, events)


def shift(z: float) -> Signal:
    return Signal(z, 0.0, 1.0, ROWS, z, 0.0)


def panes(kind: str, rng: np.random.Generator, steps: int) -> list[Signal]:
    """Stable ones: of a known share, or of a mean."""
    if kind == "mean":
        return list(map(shift, rng.normal(size=steps).tolist()))
    if kind == "scattered":  # a level of its own for each pane
        return list(map(share, rng.binomial(ROWS, rng.beta(2, 18, steps)).tolist()))
    runs = np.repeat(rng.random(steps * ROWS // 5) < 0.1, 5)  # rows in runs of five, within panes
    return list(map(share, runs.reshape(steps, ROWS).sum(axis=1).tolist()))


@pytest.mark.parametrize("kind", ["mean", "scattered", "runs"])
def test_promise_holds_whatever_the_dependence_within_panes(kind: str) -> None:
    """With the true share; scan and cusum would take rows for independent here, as their reference does."""
    steps, arl, found = 30_000, 300.0, 0
    chart = detector(arl)
    for at, signal in enumerate(panes(kind, np.random.default_rng(1), steps)):
        if chart.step(signal, at).drifting:
            found += 1
            chart.restart()
    assert 0 < found <= steps / arl


def test_a_change_is_found_and_dated_and_alarms_again_while_it_lasts() -> None:
    rng, chart = np.random.default_rng(2), detector(2_000)
    counts = [*rng.binomial(ROWS, 0.1, 200), *rng.binomial(ROWS, 0.2, 60), *rng.binomial(ROWS, 0.1, 200)]
    told = [chart.step(share(int(k)), at) for at, k in enumerate(counts)]
    opened = next(at for at, verdict in enumerate(told) if verdict.drifting)
    assert 200 < opened <= 220
    assert told[opened].direction == 1
    assert abs((told[opened].change_at or 0) - 200) <= 10
    drifting = [at for at, verdict in enumerate(told) if verdict.drifting]
    assert len(drifting) >= 3
    assert max(drifting) < 270


def test_a_margin_forgives_the_error_of_the_reference() -> None:
    """One and a half standard errors of the reference above it for ever: within the margin there is no proof."""
    held = Signal(0.115, 0.1, 0.014, 1_000, 0.115, 0.1, 115, center_se=0.01)
    for margin, proved in ((0.0, True), (2.0, False)):
        chart = detector(500, margin=margin)
        assert any(chart.step(held, at).drifting for at in range(3_000)) == proved
