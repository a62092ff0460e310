"""Checks 4 and 7: bursts of one key, values just inside limits, error codes, throughput; by name, not by default."""

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core.summaries.top import fold_top, halves
from streamcheck.errors import ConfigError
from tests.checks.harness import HEAD, REFERENCE_ROWS, Stream, monitors, of

CONFIG = (
    HEAD
    + """streams:
  predictions:
    topic: p
    id: id
    features:
      amount: {kind: numeric, range: [0, 1000]}
      age: numeric
      caller: categorical
      code: categorical
      status: numeric
alerts: {owner: serving}
monitors:
  - {on: caller, measure: top_share}
  - {on: [amount, age], measure: edge_rate}
  - {on: code, measure: share_of}
  - {on: status, measure: {share_of: {values: [5xx, 429], missing: true}}}
  - {on: throughput}
"""
)


def events(n, seed=1):
    """A few callers come often, thousands once or twice; one answer in a hundred fails."""
    rng = np.random.default_rng(seed)
    amount, age = rng.gamma(2.0, 90.0, n).clip(0, 980).round(2).tolist(), rng.normal(40.0, 8.0, n).round(1).tolist()
    caller = np.where(rng.random(n) < 0.1, rng.integers(0, 5, n), rng.integers(5, 8_000, n)).tolist()
    failed = rng.random(n) < 0.01
    code, status = np.where(failed, "timeout", "ok").tolist(), np.where(failed, 503, 200).tolist()
    rows = zip(amount, age, caller, code, status, strict=True)
    return [
        {"id": f"e{k}", "amount": a, "age": b, "caller": f"k{c}", "code": d, "status": s}
        for k, (a, b, c, d, s) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def usual():
    return events(REFERENCE_ROWS + 2_400)


def found(usual, fault):
    """What fires where `fault(k, event)` changes each of ten minutes of rows after the reference."""
    stream = Stream(CONFIG).feed(usual[:REFERENCE_ROWS])
    assert stream.fired() == []
    return stream.feed([fault(k, event) for k, event in enumerate(usual[REFERENCE_ROWS:])]).end()


def test_nothing_is_found_where_nothing_happens():
    assert Stream(CONFIG).feed(events(30_000, seed=6)).end() == []


def test_a_burst_of_one_key_is_named(usual):
    fired = found(usual, lambda k, event: event | {"caller": "k7777"} if k % 8 == 0 else event)
    told = of(fired, "caller-top_share")
    assert monitors(fired) == {"caller-top_share"}
    assert told["evidence"]["top"]["value"] == "k7777"
    assert told["summary"].startswith("caller: 1")
    assert "% of rows come from one value, k7777" in told["summary"]


def test_values_just_inside_a_declared_limit(usual):
    fired = found(usual, lambda k, event: event | {"amount": 995.0 + k % 5} if k % 12 == 0 else event)
    assert monitors(fired) == {"amount-edge_rate"}


def test_values_just_inside_what_was_learned(usual):
    ages = sorted(event["age"] for event in usual[:1_000])
    fired = found(usual, lambda k, event: event | {"age": ages[-4]} if k % 12 == 0 else event)
    assert monitors(fired) == {"age-edge_rate"}


def test_codes_that_fail(usual):
    fired = found(usual, lambda k, event: event | {"code": "error"} if k % 10 == 0 else event)
    assert monitors(fired) == {"code-share_of"}
    assert of(fired, "code-share_of")["summary"].startswith("code: error")
    for status in (502, 429, None):
        fired = found(usual, lambda k, event, status=status: event | {"status": status} if k % 10 == 0 else event)
        assert monitors(fired) == {"status-share_of"}, status
    assert found(usual, lambda k, event: event | {"status": 404} if k % 10 == 0 else event) == []


def test_half_of_the_traffic(usual):
    fired = found(usual, lambda k, event: None if k % 2 else event)
    told = of(fired, "throughput-scan")
    assert told["reference"] == pytest.approx(4.0, rel=0.01)
    assert told["value"] == pytest.approx(2.0, rel=0.25)
    stream = Stream(CONFIG).feed(usual[:1_200])
    assert stream.engine.reading().events_per_second == pytest.approx(4.0)


def test_limits_are_judged_from_the_first_pane_on(usual):
    limit = "detector: {threshold: {above: 0.05}}"
    entries = f"""  - {{on: code, measure: share_of, {limit}}}
  - {{on: caller, measure: top_share, detector: {{threshold: {{above: 0.2}}}}}}
  - {{on: throughput, detector: {{threshold: {{below: 3.5}}}}}}
"""
    config = CONFIG.partition("  - {on: caller")[0] + entries
    assert Stream(config).feed(usual[:400]).end() == []
    bad = [None if k % 5 == 0 else e | {"code": "error", "caller": "x"} for k, e in enumerate(usual[:400])]
    assert monitors(Stream(config).feed(bad).end()) == {"code-share_of", "caller-top_share", "throughput-threshold"}


def test_the_top_of_a_pane_is_chosen_on_other_rows_than_it_is_counted_on():
    rng = np.random.default_rng(2)
    offsets = np.arange(400_000)
    assert abs(halves(offsets).mean() - 0.5) < 0.001
    assert abs(halves(offsets[::2]).mean() - 0.5) < 0.001, "whoever takes turns is in both"
    names = [f"k{k}" for k in range(20_000)]
    for rows in (50, 500, 5_000):  # all keys are alike: 1 in 20,000, however many rows there are
        drawn = rng.integers(0, 20_000, (200, rows)).astype(np.int32)
        tops = [fold_top(keys, halves(offsets[:rows]), names) for keys in drawn]
        assert sum(top.events for top in tops) / sum(top.counted for top in tops) < 3e-4
        assert max(top.count for top in tops) >= 2


def test_a_session_is_no_burst_and_a_client_between_others_is_one():
    """Of rows of one value in a row three count, wherever they lie; of one that comes again and again all."""
    names, offsets = [f"k{k}" for k in range(500)], np.arange(400)
    session = np.concatenate([np.arange(1, 301), np.zeros(60), np.arange(301, 341)]).astype(np.int32)
    top = fold_top(session, halves(offsets), names)
    assert (top.name, top.count) == ("k0", 60), "people are told of all rows"
    assert top.events <= 3
    between = np.where(offsets % 6 == 0, 0, offsets).astype(np.int32)
    top = fold_top(between, halves(offsets), names)
    assert top.events / top.counted == pytest.approx(1 / 6, abs=0.05)


@pytest.mark.parametrize(
    ("measure", "mistake"),
    [
        ("{share_of: {values: []}}", "expected a list of texts or whole numbers"),
        ("{edge_rate: {low: 5}}", "low and high together"),
        ("{edge_rate: {low: 5, high: 5}}", "low (5) must be smaller than high (5)"),
        ("top_share", "top_share says nothing about amount"),
        ("{quantile: {p: 1.0}}", "expected a number > 0 and < 1"),
    ],
)
def test_mistakes(measure, mistake):
    with pytest.raises(ConfigError) as caught:
        loads(CONFIG + f"  - {{name: wrong, on: amount, measure: {measure}}}\n", {}, "config.yaml")
    assert mistake in str(caught.value)
