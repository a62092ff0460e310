"""Check 7, quality of service: an objective with its error budget; found where it burns, silent where it does not."""

from datetime import datetime, timedelta

import numpy as np

from streamcheck.core.orders import Acknowledge
from tests.checks.harness import HEAD, REFERENCE_ROWS, Stream, monitors, of

CONFIG = (
    HEAD
    + """streams:
  predictions: {topic: p, id: id, features: {latency_ms: numeric, code: numeric}}
alerts: {owner: serving}
monitors:
  - name: fast
    on: latency_ms
    measure: {burn_rate: {below: 300, objective: 0.99}}
    alert: {severity: page, owner: serving-oncall, runbook: "https://wiki.example/slow"}
  - {name: up, on: code, measure: {burn_rate: {below: 500, objective: 0.999}}}
"""
)


def answers(n, slow=0.002, failed=0.0, seed=1):
    rng = np.random.default_rng(seed)
    latency = np.where(rng.random(n) < slow, 900.0, rng.uniform(20, 200, n)).round(1).tolist()
    code = np.where(rng.random(n) < failed, 503, 200).tolist()
    return [{"id": f"e{k}", "latency_ms": a, "code": c} for k, (a, c) in enumerate(zip(latency, code, strict=True))]


def test_a_service_within_its_objective_is_no_news():
    """Half of the error budget is used, for longer than an hour."""
    assert Stream(CONFIG).feed(answers(20_000, slow=0.005)).end() == []


def test_slow_answers_burn_the_error_budget():
    stream = Stream(CONFIG).feed(answers(REFERENCE_ROWS)).feed(answers(4_800, slow=0.5, seed=2))
    fired = stream.end()
    assert monitors(fired) == {"fast"}
    found = of(fired, "fast")
    assert (found["severity"], found["owner"], found["runbook"]) == ("page", "serving-oncall", "https://wiki.example/slow")
    assert " rows bad in 6 h, where 1.0 % may be: the error budget burns 6." in found["summary"]
    assert found["evidence"]["burn_rate"] > 6


def test_failures_and_timeouts_are_bad():
    events = answers(4_800, failed=0.3, seed=2)
    fired = Stream(CONFIG).feed(answers(REFERENCE_ROWS)).feed(events).end()
    assert monitors(fired) == {"up"}
    timeouts = [event | {"latency_ms": None} if k % 3 == 0 else event for k, event in enumerate(answers(4_800, seed=3))]
    fired = Stream(CONFIG).feed(answers(REFERENCE_ROWS)).feed(timeouts).end()
    assert monitors(fired) == {"fast"}


def test_a_blip_that_is_over_pages_nobody():
    """The long window still holds it, the short one does not."""
    stream = Stream(CONFIG).feed(answers(REFERENCE_ROWS)).feed(answers(240, slow=1.0, seed=2)).feed(answers(4_800))
    assert stream.end() == []


RISING = CONFIG.replace("objective: 0.999}}}", "objective: 0.999}}, alert: {escalate: {after: 10m}}}")


def test_an_alert_that_nobody_acknowledges_rises_in_severity():
    stream = Stream(RISING).feed(answers(REFERENCE_ROWS)).feed(answers(6_000, failed=0.3, seed=2))
    stream.end()
    risen = [(record["severity"], record["pane_end"]) for record in stream.fired()]
    (_, first), (severity, second) = risen
    assert severity == "page"
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) == timedelta(minutes=10)
    assert len({record["id"] for record in stream.fired()}) == 1


def test_one_that_somebody_knows_does_not():
    stream = Stream(RISING).feed(answers(REFERENCE_ROWS)).feed(answers(1_200, failed=0.3, seed=2))
    (alert,) = stream.fired()
    stream.take(stream.engine.obey("an order", Acknowledge(alert["id"], "kim")))
    stream.feed(answers(4_800, failed=0.3, seed=3)).end()
    assert [record["severity"] for record in stream.fired()] == ["warning"]
