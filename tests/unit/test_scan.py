"""Does the scan keep its promise, see what it should, end when it is over, and judge each chart as if it were alone?"""

import math
from typing import Any

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures  # noqa: F401 - both register them
from streamcheck.core.components import build
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors._windows import LENGTHS, inflation, threshold
from streamcheck.core.detectors.scan import SAFETY
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import Background, Signal

ROWS, REFERENCE = 50, 5_000


def scan(arl: float = 2_000, **params: Any) -> Any:
    detector = build("detector", "scan", params)
    detector.calibrate(arl)
    return detector


def mean(z: float, panes: int = 100, rows: int = ROWS, lag1: float = 0.0) -> Signal:
    """A pane's mean, z standard errors of its own from a reference of `panes` such panes."""
    own, center = 1 / rows, 1 / (panes * rows)
    known = Background(panes, rows, panes * rows, rows, lag1, lag1)
    value = z * math.sqrt(own)
    return Signal(value, 0.0, math.sqrt(own + center), rows, value, 0.0, None, math.sqrt(center), known)


def share(events: int, before: float = 0.1, rows: int = ROWS, reference: int = REFERENCE) -> Signal:
    center = (before * reference + 0.5) / (reference + 1)
    se = math.sqrt(center * (1 - center) * (1 / rows + 1 / reference))
    known = Background(reference // rows, rows, reference, rows)
    return Signal(events / rows, center, se, rows, events / rows, before, events, 0.0, known)


def alarms(signals: list[list[Signal]], arl: float, **params: Any) -> int:
    """How many alarms open in all of these streams, each a chart of one bank; an alarm that opened ends its chart."""
    bank, charts = Bank(), []
    for _ in signals:
        made = build("detector", "scan", params)
        made.join(bank)
        made.calibrate(arl)
        charts.append(made)
    numbers = np.array([chart.chart[1] for chart in charts])
    opened = 0
    for at in range(len(signals[0])):
        for chart, verdict in zip(charts, bank.step(numbers, [s[at] for s in signals], at), strict=True):
            if verdict.drifting:
                opened += 1
                chart.restart()
    return opened


@pytest.mark.parametrize("expected", [0.25, 3.0, 50.0])
def test_a_few_events_a_pane_are_judged_as_counts(expected: float) -> None:
    """7.5 alarms are promised; of a normal law a quarter of an event a pane made hundreds."""
    rng, volume = np.random.default_rng(4), build("measure", "volume", {})
    known = volume.accumulator()
    for rows in rng.poisson(expected, 2_000).tolist():
        known.add(StreamSummary(rows))
    signals = [volume.signal(StreamSummary(rows), known) for rows in range(300)]
    counts = rng.poisson(expected, (100, 1_500)).tolist()
    assert alarms([[signals[rows] for rows in stream] for stream in counts], 20_000, side="both") <= 12
    more = rng.poisson(4 * expected, (20, 60)).tolist()
    assert alarms([[signals[rows] for rows in stream] for stream in more], 20_000, side="both") >= 20


def test_the_law_holds_for_the_windows_that_there_are() -> None:
    """A reference that is as good as exact, no factor to spare: one alarm in arl steps, 40 x 3,000 / 500 = 240 here."""
    rng, arl = np.random.default_rng(1), 500.0
    z = rng.normal(size=(40, 3_000))
    signals = [[mean(value, panes=10**7) for value in row] for row in z.tolist()]
    found = alarms(signals, arl / SAFETY)
    assert found == pytest.approx(z.size / arl, rel=0.25)


@pytest.mark.parametrize("p", [0.1, 0.01])
def test_shares_keep_the_promise(p: float) -> None:
    rng, arl = np.random.default_rng(2), 250.0
    counts = rng.binomial(ROWS, p, (40, 1_500)).tolist()
    assert alarms([[share(k, p, reference=10**7) for k in row] for row in counts], arl) <= 40 * 1_500 / arl


def test_one_side_alarms_on_one_side() -> None:
    for side, direction in (("up", 1), ("down", -1)):
        up, down = scan(side=side), scan(side=side)
        told = [[d.step(mean(z), at) for at in range(10)] for d, z in ((up, 4.0), (down, -4.0))]
        drifting = [any(v.drifting for v in verdicts) for verdicts in told]
        assert drifting == [direction > 0, direction < 0]
    assert threshold(1_000) < threshold(2_000)


def test_the_error_of_the_reference_counts_once() -> None:
    """Panes that lie where a small reference happens to be wrong: cusum would add that up, two samples do not."""
    detector = scan()
    assert not any(detector.step(mean(0.3, panes=100), at).drifting for at in range(2_000))


def test_what_is_said_of_a_change() -> None:
    detector = scan()
    for at in range(50):
        assert not detector.step(share(5), 1_000 * at).drifting
    verdicts = [detector.step(share(15), 1_000 * at) for at in range(50, 60)]
    first = next(v for v in verdicts if v.drifting)
    assert (first.change_at, first.direction) == (50_000, 1)
    assert first.level == pytest.approx(0.3)
    assert first.rows is not None
    assert first.rows % ROWS == 0


@pytest.mark.parametrize(("changed", "window"), [(5, 6), (7, 8), (11, 12)])
def test_a_change_is_dated_to_the_step_whichever_window_found_it(changed: int, window: int) -> None:
    """The height is such that the one that reaches back one step too far is the first to see it."""
    detector = build("detector", "scan", {"h": 0.999 * changed / math.sqrt(window)})
    signals = [Signal(z, 0.0, 1.0, ROWS, z, 0.0) for z in [0.0] * 40 + [1.0] * changed]
    verdicts = [detector.step(signal, 1_000 * at) for at, signal in enumerate(signals)]
    assert [v.drifting for v in verdicts[-2:]] == [False, True]
    assert verdicts[-1].change_at == 40_000


def test_an_alarm_ends_once_the_stream_has_returned_and_not_before() -> None:
    rng, detector = np.random.default_rng(3), scan()
    counts = [*rng.binomial(ROWS, 0.1, 100), *rng.binomial(ROWS, 0.25, 150), *rng.binomial(ROWS, 0.1, 100)]
    drifting = [detector.step(share(int(k)), at).drifting for at, k in enumerate(counts)]
    assert not any(drifting[:100])
    opened = drifting.index(True)
    assert opened < 110
    assert all(drifting[opened:250])
    ended = drifting.index(False, opened)
    assert 250 < ended < 265
    assert not any(drifting[ended:]), "no window reaches back into the alarm"


def test_alike_panes_make_long_windows_worth_less() -> None:
    assert inflation(np.array([0.5]), np.array([0.5]), np.array([1.0])).tolist() == [1.0]
    long = inflation(np.array([0.4]), np.array([0.6]), np.array([10_000.0]))
    assert long[0] == pytest.approx(1 + 2 * 0.4 / (1 - 0.6), rel=1e-3)
    alone, alike = scan(), scan()
    told = [[d.step(mean(1.2, lag1=lag1), at).score for at in range(30)] for d, lag1 in ((alone, 0.0), (alike, 0.6))]
    assert told[0][-1] > 1.5 * told[1][-1]


def test_panes_of_few_rows_get_longer_windows() -> None:
    few, many = scan(), scan()
    for at in range(600):
        few.step(mean(0.3, panes=10**6, rows=12), at)
        many.step(mean(0.3, panes=10**6, rows=50), at)
    assert LENGTHS.max() == 2_048
    assert few.export()["levels"] > many.export()["levels"] == 5


def test_a_chart_is_judged_as_if_it_were_alone() -> None:
    """Bit for bit, whatever else is in the bank, in whatever order, and whichever of them step."""
    rng = np.random.default_rng(5)
    streams = [
        [mean(float(z), lag1=0.3 * (k % 2)) for z in rng.normal(0.4 * (k % 3), 1, 300)]
        if k % 3
        else [share(int(c)) for c in rng.binomial(ROWS, 0.1 + 0.03 * (k % 2), 300)]
        for k in range(37)
    ]
    bank, together = Bank(), []
    for _ in streams:
        made = build("detector", "scan", {})
        made.join(bank)
        made.calibrate(300)
        together.append(made)
    alone = [scan(300) for _ in streams]
    for at in range(300):
        active = [k for k in rng.permutation(len(streams)).tolist() if rng.random() < 0.8]
        numbers = np.array([together[k].chart[1] for k in active], np.int64)
        told = bank.step(numbers, [streams[k][at] for k in active], at)
        assert told == [alone[k].step(streams[k][at], at) for k in active]
    assert [str(one.export()) for one in together] == [str(one.export()) for one in alone]


def test_a_place_in_a_bank_is_used_again() -> None:
    bank = Bank()
    first, second = build("detector", "scan", {"h": 4.0}), build("detector", "scan", {"h": 5.0, "side": "up"})
    first.join(bank)
    for at in range(20):
        first.step(mean(3.0), at)
    first.leave()
    second.join(bank)
    fresh = build("detector", "scan", {"h": 5.0, "side": "up"})
    assert bank.charts == 1
    assert [second.step(mean(0.5), at) for at in range(20)] == [fresh.step(mean(0.5), at) for at in range(20)]


def test_a_correlation_that_may_be_chance_hides_no_large_change() -> None:
    """40 panes whose lag-1 correlation is .27 by chance: one standard error is allowed for, nothing more."""
    share_of = 0.4
    known = Background(40, 20.0, 300.0, 20.0, 0.43, 0.54)
    detector = scan(5e6)
    for at in range(60):
        center = math.sqrt(share_of * (1 - share_of) / 300)
        se = math.sqrt(share_of * (1 - share_of) * (1 / 20 + 1 / 300))
        verdict = detector.step(Signal(0.05, share_of, se, 20, 0.05, share_of, 1, center, known), at)
    assert verdict.drifting
