"""What is promised and what was seen: which alarms count, which rate so few of them prove."""

from dataclasses import replace

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Budget
from streamcheck.core.truth import Incident
from streamcheck.report.record.alerts import FiredAlert
from streamcheck.report.record.rows import RowsInTime
from streamcheck.report.result.promise import promise
from streamcheck.report.result.result import ConfigResult, Written
from streamcheck.report.result.truth import fired, judge
from streamcheck.report.tables import promised

H = 3_600_000
DAY = 24 * H
CONFIG = """
version: 1
name: demo
alarm_budget: 2 per week
streams: {predictions: {topic: t, features: {amount: numeric}}}
monitors:
  - {name: shift, on: amount, measure: mean_shift}
  - {name: adwin, on: amount, detector: {adwin: {delta: 0.01}}}
"""


def result(days: float, *alerts: tuple[str, int, str]) -> ConfigResult:
    plan = loads(CONFIG, {}).plan
    rows = RowsInTime(60_000)
    rows.add(np.array([0, round(days * DAY)]))
    made = tuple(
        FiredAlert(f"{at}", group, monitor, "amount", (), "warning", "", at * H, at * H)
        for monitor, at, group in alerts
    )
    reading = Engine(plan, "x").reading()
    return ConfigResult(Written("demo", "", "2 per week"), plan, "x", reading, rows, made, len(made), len(made), {})


def test_only_calibrated_monitors_are_held_to_the_budget() -> None:
    of = promise(result(14, ("shift", 5, "a"), ("shift", 6, "a"), ("adwin", 7, "b")))
    assert (of.per_week, of.seen, of.groups, of.outside, of.judged) == (2.0, 2, 1, 1, False)
    assert (of.rate, of.kept) == (1.0, True)
    assert of.interval == pytest.approx((0.121, 3.612), abs=1e-3)
    assert promised(of) == (
        "promised: at most 2 a week; seen: 2 alarms in 1 group, 1 a week (95 % interval 0.1211 to 3.612); "
        "1 more of detectors that are not calibrated to the budget"
    )


def test_more_than_was_promised() -> None:
    of = promise(result(7, *(("shift", at, f"{at}") for at in range(9))))
    assert of.kept is False
    assert promised(of).endswith("9 a week (95 % interval 4.115 to 17.08): more than false ones alone would be")


def test_what_tells_of_an_incident_is_no_false_alarm() -> None:
    whole = result(7, ("shift", 5, "a"), ("shift", 60, "b"))
    truth = judge([Incident(4 * H, 6 * H)], [fired(alert) for alert in whole.alerts], whole.rows)
    of = promise(replace(whole, truth=truth))
    assert (of.seen, of.judged) == (1, True)
    assert "seen: 1 false alarm, 1 a week" in promised(of)


def test_a_few_hours_tell_no_rate() -> None:
    of = promise(result(0.5, ("shift", 5, "a")))
    assert (of.rate, of.interval, of.kept) == (None, None, None)
    assert promised(of) == "promised: at most 2 a week; seen: 1 alarm"
    assert promise(replace(result(7), plan=replace(result(7).plan, budget=Budget(1, DAY)))).per_week == 7
