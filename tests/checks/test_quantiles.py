"""Check 7: quantiles of a latency, of the newest minutes; drift of what lies above a line, or a limit of the user's."""

import numpy as np
import pytest

from evaluate.checks import PANE_ROWS, feed
from evaluate.feed import Run, plan_of
from streamcheck.core.instances import Span
from streamcheck.core.quantiles import Newest
from streamcheck.core.saving import Saver, restore
from streamcheck.core.summaries import ValuesSummary
from streamcheck.core.summaries.sketch import RELATIVE_ERROR, SIZES_MAX, Sketch
from tests.checks.harness import HEAD, REFERENCE_ROWS, Stream, monitors, of

STREAM = (
    HEAD
    + """streams:
  predictions: {topic: p, id: id, features: {latency_ms: numeric}, segments: [tier]}
alerts: {owner: serving}
monitors:
"""
)
DRIFT = (
    STREAM
    + """  - {on: latency_ms, measure: {quantile: {p: 0.99}}}
  - {on: latency_ms, measure: {quantile: {p: 0.5}}, by: [tier]}
"""
)
LIMIT = (
    STREAM
    + """  - on: latency_ms
    measure: {quantile: {p: 0.99, over_s: 120}}
    detector: {threshold: {above: 400}}
    alert: {severity: page}
"""
)


def answers(n, slow=0.0, seed=1):
    """Half of a service's answers within 40 ms, 99 of 100 within 160; `slow`: ten times as long."""
    rng = np.random.default_rng(seed)
    latency = 40.0 * np.exp(0.6 * rng.standard_normal(n)) * np.where(rng.random(n) < slow, 10.0, 1.0)
    tier = rng.choice(["a", "b"], n)
    rows = zip(latency.round(2).tolist(), tier.tolist(), strict=True)
    return [{"id": f"e{k}", "latency_ms": ms, "tier": which} for k, (ms, which) in enumerate(rows)]


def test_a_quantile_of_any_values_is_within_its_error():
    rng = np.random.default_rng(3)
    for values in (rng.lognormal(3, 2, 50_000), rng.normal(0, 5, 50_000), -rng.pareto(2, 9_999), np.zeros(7)):
        sketch = Sketch()
        sketch.add(values)
        for p in (0.01, 0.25, 0.5, 0.95, 0.999):
            true = float(np.sort(values)[max(int(np.ceil(p * len(values))), 1) - 1])
            assert abs(sketch.quantile(p) - true) <= RELATIVE_ERROR * abs(true)


@pytest.mark.parametrize("spread", [0.5, 30.0, -30.0])
def test_parts_in_any_order_are_the_same_sketch(spread):
    """Also where there are more buckets than are kept."""
    rng = np.random.default_rng(4)
    parts = [np.exp(abs(spread) * rng.standard_normal(400)) for _ in range(12)]
    parts = parts if spread > 0 else [part * rng.choice([-1.0, 0.0, 1.0], 400) for part in parts]
    whole = Sketch()
    whole.add(np.concatenate(parts))
    assert len(np.unique(np.abs(whole.keys))) <= SIZES_MAX + 1
    for _ in range(5):
        rng.shuffle(parts)
        left, right = Sketch(), Sketch()
        for at, part in enumerate(parts):
            (left if at % 3 else right).add(part)
        left.merge(right)
        assert left.keys.tolist() == whole.keys.tolist()
        assert left.counts.tolist() == whole.counts.tolist()


def test_a_tail_that_grows_is_found_and_told_as_a_quantile():
    stream = Stream(DRIFT).feed(answers(REFERENCE_ROWS))
    assert stream.fired() == []
    fired = stream.feed(answers(1_200, slow=0.05, seed=2)).end()
    found = of(fired, "latency_ms-p99")
    assert monitors(fired) == {"latency_ms-p99"}
    assert 150 < found["reference"] < 175
    assert found["value"] > 250
    assert found["summary"].startswith("latency_ms rose from 1")
    assert "(p99 of " in found["summary"]
    assert "fault" not in found["evidence"]


def test_nothing_is_found_where_nothing_changes():
    assert Stream(DRIFT).feed(answers(30_000, seed=5)).end() == []
    assert Stream(LIMIT).feed(answers(30_000, seed=5)).end() == []


def test_a_limit_is_judged_from_the_first_minutes_on_by_the_newest_values():
    stream = Stream(LIMIT).feed(answers(600)).feed(answers(600, slow=0.05, seed=2)).feed(answers(2_400, seed=3))
    (found,) = stream.end()
    assert (found["monitor"], found["severity"], found["threshold"]) == ("latency_ms-p99", "page", 400.0)
    assert found["value"] > 400
    assert found["reference"] is None or found["reference"] == found["value"]
    assert [record["state"] for record in stream.records] == ["firing", "resolved"]


def test_readings_have_the_quantiles_of_the_newest_values():
    stream = Stream(DRIFT).feed(answers(REFERENCE_ROWS))
    readings = {(r.monitor, r.segment): r for r in stream.engine.reading().monitors}
    shown = dict(readings["latency_ms-p99", ()].quantiles)
    assert list(shown) == [0.5, 0.95, 0.99]
    assert shown[0.5] == pytest.approx(40, rel=0.1)
    assert readings["latency_ms-p99", ()].value == shown[0.99]
    assert dict(readings["latency_ms-p50-by-tier", (("tier", "a"),)].quantiles)[0.5] == pytest.approx(40, rel=0.15)
    assert readings["latency_ms-p99", ()].rows == pytest.approx(1_200, rel=0.1), "five minutes of four a second"


def test_restarts_and_cuts_change_nothing():
    """Where the last pane was open it is read again."""
    config = {"version": 1, "name": "q", "reference": {"first": "300s"}, "time": {"lateness": "1ms"}} | {
        "streams": {"predictions": {"topic": "evaluate", "features": {"ms": "numeric"}, "segments": ["tier"]}},
        "monitors": [
            {"on": "ms", "measure": {"quantile": {"p": 0.9}}, "by": ["tier"]},
            {"name": "limit", "on": "ms", "measure": "quantile", "detector": {"threshold": {"above": 90}}},
        ],
    }
    rng = np.random.default_rng(8)
    held = {"ms": rng.lognormal(3.0, 1.0, 8_000) * np.where(np.arange(8_000) > 6_500, 2.0, 1.0)}
    held["tier"] = rng.integers(0, 2, 8_000)
    whole, parts = (Run(plan_of(config), {"tier": ("a", "b")}) for _ in range(2))
    alarms, again, store = feed(whole, held), [], {}
    for start in range(0, 8_000, 2_000):
        again += feed(parts, {name: column[start : start + 2_000] for name, column in held.items()})
        store |= dict(Saver(parts.engine).take().put)
        parts.engine = restore(parts.plan, store).engine
        last = slice(start + 2_000 - PANE_ROWS, start + 2_000)
        parts.pane, parts.offset = (start + 2_000) // PANE_ROWS - 1, last.start
        again += feed(parts, {name: column[last] for name, column in held.items()})
    assert alarms == again
    assert {alarm.monitor for alarm in alarms} == {"limit", "ms-p90", "ms-p90-by-tier"}
    assert parts.engine.reading().monitors == whole.engine.reading().monitors


def test_old_values_leave():
    newest = Newest(10_000)
    for second in range(30):
        newest.add(*pane(second))
    assert newest.since().n == 10
    assert newest.since(28_000).n == 2
    assert newest.since().quantile(0.0) == pytest.approx(20, rel=0.01)


def pane(second):
    summary = ValuesSummary(None, np.array([float(second)]), (), np.array([1]))
    return Span(1_000 * second, 1_000 * second + 1_000), summary
