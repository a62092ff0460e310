"""Are intervals, ratios and medians right? Known processes, and how often intervals hold what they should."""

import numpy as np
import pytest

from evaluate import figures
from evaluate.cells import added
from evaluate.delays import BEFORE, trial
from evaluate.feed import Alarm
from evaluate.segments import CHANGE_ROW
from evaluate.segments import trial as segment_trial
from evaluate.tornado import scored


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_ratio_of_a_poisson_process_is_its_actual_by_its_promised_rate(truth: float) -> None:
    generator = np.random.default_rng(7)
    promised, exposure, held, times = 1_000, 50_000, 0, 2_000
    for _ in range(times):
        alarms = int(generator.poisson(exposure / promised / truth))
        ratio = figures.ratio(alarms, exposure, promised)
        held += bool((ratio.low or 0) <= truth <= (ratio.high or np.inf))
    assert 0.945 <= held / times <= 0.99  # exact intervals hold a little more than 95 %
    counted = figures.ratio(round(50 * exposure / promised / truth), 50 * exposure, promised)
    assert counted.value == pytest.approx(truth, rel=0.02)


def test_no_alarm_bounds_the_ratio_from_below_only() -> None:
    ratio = figures.ratio(0, 10_000, 1_000)
    assert (ratio.value, ratio.high) == (None, None)
    assert ratio.low == pytest.approx(10 / 3.689, rel=1e-3)


def test_median_counts_what_was_missed_as_later_than_all_else() -> None:
    found = [50.0] * 60 + [100.0] * 60
    assert figures.median(found, 120).value == 75
    assert figures.median(found, 140).value == 100
    assert figures.median(found, 300).value is None
    high = figures.median(found, 230)
    assert high.value == 100
    assert high.high is None  # the interval reaches into what was missed
    generator, held = np.random.default_rng(3), 0
    for _ in range(500):
        estimate = figures.median(generator.exponential(1.0, 101).tolist(), 101)
        held += bool((estimate.low or 0) <= np.log(2) <= (estimate.high or np.inf))
    assert 0.93 <= held / 500 <= 0.985


def alarm(pane: int, since: float = 0.0, *, resolved: bool = False) -> Alarm:
    return Alarm("c0-mean", "c0", (), pane, since, "i", resolved=resolved)


def test_a_trial_counts_false_alarms_before_the_change_and_the_first_after_it() -> None:
    before, after = alarm(BEFORE - 10), alarm(BEFORE + 2, BEFORE + 1.0)
    found = trial([before, after, alarm(BEFORE + 9)], [alarm(BEFORE - 5, resolved=True)])
    assert (found["false"], found["spoiled"], found["hits"]) == (1, 0, 1)
    assert found["delays"] == [150]
    assert found["starts"] == [50]
    assert found["by"] == {"mean": 1}


def test_a_trial_whose_alert_is_open_already_is_neither_hit_nor_miss() -> None:
    found = trial([alarm(BEFORE - 10)], [alarm(BEFORE + 5, resolved=True)])
    assert (found["spoiled"], found["hits"], found["delays"]) == (1, 0, [])


def test_a_segment_is_named_alone_only_if_no_other_is_named_later() -> None:
    right, total, wrong = ("a", CHANGE_ROW + 1_500), ("", CHANGE_ROW + 900), ("c", CHANGE_ROW + 9_000)
    alone = segment_trial([right, total])
    assert (alone["hits"], alone["alone"], alone["delays"], alone["any_delays"]) == (1, 1, [1_500], [900])
    assert segment_trial([right, total, wrong])["alone"] == 0
    assert segment_trial([total])["hits"] == 0
    assert segment_trial([("b", CHANGE_ROW - 50), right])["false"] == 1


def test_alarms_near_a_concept_change_find_it_and_others_are_false() -> None:
    found = scored([[20_050, 20_000], [20_400, 20_350], [33_000, 32_000], [41_001, 40_900]], (20_000, 40_000))
    assert (found["hits"], found["delays"], found["starts"]) == (1, [50], [0])
    assert (found["missed"], found["false"]) == ([40_000], 2)


def test_parts_are_added_up() -> None:
    parts = [{"n": 1, "delays": [1], "by": {"a": 1}}, {"n": 2, "delays": [2, 3], "by": {"a": 1, "b": 4}}]
    assert added(parts) == {"n": 3, "delays": [1, 2, 3], "by": {"a": 2, "b": 4}}
    assert parts[0]["by"] == {"a": 1}  # what was read is left as it is
