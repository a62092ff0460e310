"""Volume where the expected number goes with the hour: what is said of a fall, and is it over only when it is?"""

import math

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures  # noqa: F401 - both register them
from streamcheck.core.components import build
from streamcheck.core.detectors._course import Course
from streamcheck.core.detectors._steps import columns
from streamcheck.core.migrations import migrated
from streamcheck.core.summaries import StreamSummary

DAY = 24 * 60


def expected(minute):
    """From 2 rows a minute at 3 in the morning to 100 in the afternoon."""
    return 14.0 * math.exp(2.0 * math.sin((minute / 60 - 9) / 24 * 2 * math.pi))


def usual(minute, measure="volume"):
    """A reference of this minute's traffic."""
    made = build("measure", measure, {}).accumulator()
    rng = np.random.default_rng(minute % DAY)
    for rows in rng.poisson(expected(minute), 200).tolist():
        made.add(StreamSummary(rows, span_ms=60_000))
    return made


def signals(counts, start, measure="volume"):
    made = build("measure", measure, {})
    return [made.signal(StreamSummary(n, span_ms=60_000), usual(start + at, measure)) for at, n in enumerate(counts)]


def chart():
    detector = build("detector", "scan", {})
    detector.calibrate(100_000)
    return detector


def test_no_rows_at_night_are_no_return():
    """Traffic stops at noon for 30 hours: at night that is fewer standard deviations than half of it is at noon."""
    detector, rng = chart(), np.random.default_rng(3)
    start, hours = 12 * 60, 30
    counts = [0] * (hours * 60) + [int(rng.poisson(expected(start + m))) for m in range(hours * 60, hours * 60 + 60)]
    drifting = [detector.step(signal, at).drifting for at, signal in enumerate(signals(counts, start))]
    assert all(drifting[: hours * 60])
    assert not drifting[-1]


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_fall_is_told_as_its_part_of_what_is_expected(share):
    """From noon, when much comes, into the evening, when little does. The rows told are those that came."""
    detector, start = chart(), 15 * 60
    counts = [int(share * expected(start + minute)) for minute in range(9 * 60)]
    verdicts = [detector.step(signal, at) for at, signal in enumerate(signals(counts, start))]
    open_ = [(at, verdict) for at, verdict in enumerate(verdicts) if verdict.drifting]
    assert len(open_) > 500
    for at, verdict in open_:
        part = verdict.level / usual(start + at).moment.mean
        assert part == pytest.approx(share, abs=0.08)
        assert verdict.level >= 0.0
    first = next(at for at, verdict in enumerate(verdicts) if verdict.drifting)
    came = {sum(counts[since : first + 1]) for since in range(first + 1)}
    assert verdicts[first].rows in came


def test_a_rate_is_told_in_its_own_unit():
    detector = chart()
    verdicts = [detector.step(signal, at) for at, signal in enumerate(signals([7] * 60, 15 * 60, "throughput"))]
    assert verdicts[-1].level == pytest.approx(7 / 60, rel=0.1)
    assert verdicts[-1].rows % 7 == 0


def test_what_never_came_before_is_told_as_it_comes():
    made, detector = build("measure", "volume", {}), chart()
    empty = made.accumulator()
    for _ in range(200):
        empty.add(StreamSummary(0))
    verdicts = [detector.step(made.signal(StreamSummary(9), empty), at) for at in range(5)]
    assert verdicts[-1].drifting
    assert verdicts[-1].rows % 9 == 0
    assert verdicts[-1].level is None, "as the signal has it"


def test_many_steps_in_one_go_are_as_one_after_the_other():
    rng, start = np.random.default_rng(5), 12 * 60
    counts = [int(rng.poisson(expected(start + m) * (0.3 if 40 <= m < 160 else 1.0))) for m in range(300)]
    some, one, other = signals(counts, start), chart(), chart()
    verdicts = [one.step(signal, 0) for signal in some]
    bank, number = other.chart
    course = Course(bank, number, columns(some), 0, stop=False)
    assert [course.verdict(at).drifting for at in range(300)] == [verdict.drifting for verdict in verdicts]
    assert course.verdict(course.drifting)[:7] == verdicts[course.drifting][:7]
    assert any(verdict.drifting for verdict in verdicts)
    assert not verdicts[-1].drifting


def test_charts_of_volume_of_format_15_begin_their_counts_anew_and_keep_their_alarm():
    detector = chart()
    for at, signal in enumerate(signals([0] * 20, 15 * 60)):
        detector.step(signal, at)
    held = detector.export() | {"return": [-3.2, 0.5]}
    instance = {"normal": None, "detectors": [held]}
    part = {"instance": instance, "made_of": ["scan", "volume", "auto"]}
    new = migrated("monitor/a/0", 15, part, newest=16)["instance"]["detectors"][0]
    assert new["return"] == [-0.1, 0.5]
    assert not new["total"][3:].any()
    assert not new["before"][3:].any()
    assert (new["total"][:3] == held["total"][:3]).all()
    assert held["total"][4] > 0
    detector.restore(new)
    verdict = detector.step(signals([0], 15 * 60 + 20)[0], 20)
    assert (verdict.drifting, verdict.level, verdict.rows) == (True, 0.0, 0)
    kept = migrated("monitor/a/0", 15, {**part, "made_of": ["scan", "mean_shift", "auto"]}, newest=16)
    assert kept["instance"]["detectors"][0]["return"] == [-3.2, 0.5]
