"""Does a bank say of many charts at once what their definition says of each, bit for bit?

The oracle keeps all running sums of a chart, looks every window up in them by its definition, and works each out for
itself; it has nothing of the bank's tables, orders and blocks.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import streamcheck.core.detectors  # noqa: F401 - registers them
from streamcheck.core.codec import encode
from streamcheck.core.components import build
from streamcheck.core.detectors import _steps
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._statistics import DOUBT, FREEDOM_MIN, Z_EXACT, _of_counts, _tail
from streamcheck.core.detectors._steps import columns
from streamcheck.core.detectors._windows import LENGTHS, LEVEL_OF, freed, inflation, levels_for, windows_of
from streamcheck.core.types import Background, FloatArray, Signal, Verdict


class Kind(NamedTuple):
    """What a chart is shown."""

    share: bool
    rows: int
    level: float
    panes: int
    lag1: float
    skew: float
    scatter: float
    side: str
    settled: bool
    seldom: bool


def kinds(rng: np.random.Generator, number: int) -> list[Kind]:
    def one() -> Kind:
        share = bool(rng.random() < 0.5)
        pick = {
            "rows": [3, 12, 25, 50, 400], "level": [0.0, 0.002, 0.1, 0.5, 1.0], "panes": [30, 300, 10**6],
            "lag1": [0.0, 0.0, 0.3, 0.8], "skew": [0.0] if share else [0.0, 0.0, 0.5], "scatter": [1.0, 1.0, 1.7],
            "side": ["both", "both", "up", "down"],
        }  # fmt: skip
        drawn: dict[str, Any] = {name: values[int(rng.integers(len(values)))] for name, values in pick.items()}
        return Kind(share, settled=bool(rng.random() < 0.5), seldom=bool(rng.random() < 0.3), **drawn)

    return [one() for _ in range(number)]


def signal(rng: np.random.Generator, kind: Kind, shift: float) -> Signal:
    rows = max(1, int(rng.poisson(kind.rows)))
    worth, weight = kind.panes * kind.rows / kind.scatter, rows / kind.scatter
    known = Background(kind.panes, float(kind.rows), worth, weight, kind.lag1, kind.lag1, kind.skew)
    if kind.share:
        events = int(rng.binomial(rows, min(max(kind.level + 0.1 * shift, 0.0), 1.0)))
        return Signal(events / rows, kind.level, 0.05, rows, events / rows, kind.level, events, 0.01, known)
    own, center = 1 / math.sqrt(rows), 1 / math.sqrt(kind.panes * kind.rows)
    value = (float(rng.normal()) * kind.scatter + shift) * own
    return Signal(value, 0.0, math.hypot(own, center), rows, value, 0.0, None, center, known)


class Oracle:
    """One chart, by definition: running sums after each of its steps, from the first on."""

    def __init__(self) -> None:
        self.totals = [np.zeros(_steps.TOTALS)]
        self.since = 0

    def step(self, sums: FloatArray) -> None:
        self.totals.append(self.totals[-1] + sums)

    def windows(self, levels: int) -> list[tuple[int, FloatArray] | None]:
        """How many steps each window holds, and the sums of them."""
        count, found = len(self.totals) - 1, list[tuple[int, FloatArray] | None]()
        for length, level in zip(LENGTHS[: windows_of(levels)].tolist(), LEVEL_OF.tolist(), strict=False):
            first = (count - length) >> level << level
            none = first < self.since or count < length
            found.append(None if none else (count - first, self.totals[count] - self.totals[first]))
        return found

    def score(self, levels: int, usual: Usual, *, share: bool, skew: float, up: bool, down: bool) -> float:
        """The largest of all windows."""
        found = [0.0]
        for window in self.windows(levels):
            if window is not None:
                z = _z(*window, usual, share=share, skew=skew)
                found.append(abs(z) if (up and z > 0) or (down and z < 0) else 0.0)
        most = freed(np.array([max(found)]), np.maximum(usual.freedom, FREEDOM_MIN))
        part = np.where(most > Z_EXACT, 1.0 / np.maximum(most, 1.0), most / Z_EXACT**2)
        return float((most if usual.plain[0] else most - math.log(DOUBT) * part)[0])


def _z(length: int, held: FloatArray, usual: Usual, *, share: bool, skew: float) -> float:
    """As decision 0019 has it, of one window."""
    g = inflation(usual.lag1, usual.decay, np.array([float(length)])) if usual.lag1[0] else np.ones(1)
    first, weight, third, fourth, _ = (held[part : part + 1] for part in range(_steps.TOTALS))
    known = not np.isnan(usual.worth[0])
    if not share:
        variance = weight * g + (weight * weight / usual.worth if known else third * third)
        z = (first - usual.offset * weight) / np.sqrt(np.where(variance > 0.0, variance, 1.0)) / np.sqrt(usual.scatter)
        return float((_of_counts(z, skew * np.sqrt(g / weight)) if skew else z)[0])
    now, before = first / weight, np.clip(third / weight + usual.offset, 0.0, 1.0)
    reference = usual.worth if known else (weight / np.where(fourth > 0.0, fourth, 1e-9)) ** 2
    both = (weight * now + reference * before) / (weight + reference)
    apart = weight * _divergence(now, both) + reference * _divergence(before, both)
    z = np.sqrt(2.0 * np.maximum(apart, 0.0) / g)
    if z[0] > Z_EXACT and not usual.plain[0]:
        z = _tail(z, weight, now, reference, before, g)
    return float((np.where(now >= before, z, -z) / np.sqrt(usual.scatter))[0])


def _divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    up = p * np.log(p / q) if p[0] > 0.0 and q[0] > 0.0 else np.zeros(1)
    rest = (1.0 - p) * np.log((1.0 - p) / (1.0 - q)) if p[0] < 1.0 and q[0] < 1.0 else np.zeros(1)
    return np.asarray(up + rest)


def made(all_kinds: Sequence[Kind], bank: Bank | None) -> list[Any]:
    charts = []
    for number, kind in enumerate(all_kinds):
        chart = build("detector", "scan", {"side": kind.side})
        chart.join(bank or Bank())
        chart.calibrate((100.0, 1_000.0, 1e5)[number % 3])
        chart.settle(settled=kind.settled)
        charts.append(chart)
    return charts


@pytest.mark.parametrize(("seed", "charts", "steps"), [(1, 12, 400), (2, 12, 400), (3, 4, 700)])
def test_scores_are_those_of_the_definition(seed: int, charts: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    all_kinds, shifts, bank = kinds(rng, charts), [0.0] * charts, Bank()
    together, oracles, alarmed = made(all_kinds, bank), [Oracle() for _ in range(charts)], 0
    for at in range(steps):
        active = [k for k in rng.permutation(charts).tolist() if not all_kinds[k].seldom or rng.random() < 0.5]
        shifts = [float(rng.choice([0.0, 0.3, 1.5, -1.5])) if rng.random() < 0.01 else shift for shift in shifts]
        signals = [signal(rng, all_kinds[k], shifts[k]) for k in active]
        expected = []
        for k, each in zip(active, signals, strict=True):
            number, step = together[k].chart[1], columns([each])
            usual = bank.grown.usual(np.array([number]), step)
            oracles[k].step(step.sums[:, 0])
            levels = int(bank.sums.levels[number]) or levels_for(float(step.pane_rows[0]))
            sides = {"up": all_kinds[k].side != "down", "down": all_kinds[k].side != "up"}
            expected.append(
                oracles[k].score(levels, usual, share=all_kinds[k].share, skew=float(step.skew[0]), **sides)
            )
        numbers = np.array([together[k].chart[1] for k in active], np.int64)
        told = bank.step(numbers, signals, at) if active else []
        for k, verdict, score in zip(active, told, expected, strict=True):
            alarmed += verdict.drifting
            assert verdict.score == _shown(verdict, score), (at, all_kinds[k])
            oracles[k].since = int(bank.sums.since[together[k].chart[1]])
    assert alarmed


def _shown(verdict: Verdict, score: float) -> float:
    """While an alarm is open, above the threshold."""
    if verdict.drifting:
        return max(score, float(np.nextafter(verdict.threshold, np.inf)))
    return min(score, verdict.threshold)


@pytest.mark.parametrize(("seed", "block"), [(4, 1_024), (5, 7)])
def test_many_at_once_are_as_each_alone(seed: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts and states, in whatever order and blocks; charts that leave, restart and are restored among them."""
    monkeypatch.setattr(_steps, "BLOCK", block)
    rng, bank = np.random.default_rng(seed), Bank()
    all_kinds = kinds(rng, 20)
    together, alone = made(all_kinds, bank), made(all_kinds, None)
    for at in range(350):
        active = [k for k in rng.permutation(20).tolist() if not all_kinds[k].seldom or rng.random() < 0.5]
        signals = [signal(rng, all_kinds[k], 1.0 if k % 5 == at // 100 else 0.0) for k in active]
        told = bank.step(np.array([together[k].chart[1] for k in active], np.int64), signals, 1_000 * at)
        assert told == [alone[k].step(each, 1_000 * at) for k, each in zip(active, signals, strict=True)]
        if at % 50 == 49:
            again, anew = int(rng.integers(20)), int(rng.integers(20))
            together[again].restore(alone[again].export())
            for each in (together[anew], alone[anew]):
                each.restart()
    for one, other in zip(together, alone, strict=True):
        assert encode("chart", 1, one.export()) == encode("chart", 1, other.export())
