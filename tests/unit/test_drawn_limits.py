"""Does a limit judge what people see, from the first pane on, whatever is normal?"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamcheck import Watch
from streamcheck.adapters.web.words import against, limited
from streamcheck.config.explain import explain
from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.alerts import Change, Finding, Transition
from streamcheck.core.orders import Acknowledge, Rebaseline
from streamcheck.core.records import summarise

START_MS = 1_772_323_200_000
PER_PANE = 10
X = {"features": {"x": "numeric"}}


def watch(*monitors: dict[str, Any], reference: Any = "auto", streams: dict[str, Any] | None = None) -> Watch:
    predictions = {"topic": "p", "id": "id", "time": {"field": "ts", "unit": "ms"}} | (streams or X)
    return Watch(
        {
            "version": 1, "name": "drawn", "streams": {"predictions": predictions}, "reference": reference,
            "monitors": list(monitors), "alarm_budget": "1 per week",
        }
    )  # fmt: skip


def limit(name: str, on: str, measure: Any = None, rows_min: int | None = 1, **lines: float) -> dict[str, Any]:
    least = {} if rows_min is None else {"rows_min": rows_min}
    named = {"measure": measure} if measure else {}
    return {"name": name, "on": on, "detector": {"threshold": lines | least}} | named


def rows(x: np.ndarray, first: int = 0) -> list[dict[str, Any]]:
    """Ten a pane of ten seconds."""
    return [{"ts": START_MS + (first + i) * 1_000, "id": f"e{first + i}", "x": float(v)} for i, v in enumerate(x)]


def normal(n: int, mean: float = 100.0, sd: float = 10.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, sd, n)


def firing(alerts: list[Any]) -> dict[str, Any]:
    return {alert["monitor"]: alert for alert in alerts if alert["state"] == "firing"}


def test_the_number_that_is_shown_is_the_one_that_is_judged() -> None:
    lines = {"on": {"below": 2.0}, "off": {"above": 2.0}}
    monitors = [
        *(limit(f"volume-{name}", "volume", **each) for name, each in lines.items()),
        *(limit(f"{measure}-{name}", "x", measure, **each) for measure in ("scale", "mean_shift", "mean")
          for name, each in lines.items()),
    ]  # fmt: skip
    seen = watch(*monitors, reference={"first": "30m"})
    found = firing(seen.predictions(rows(normal(4_000))) + seen.finish())
    assert found.keys() == {"volume-off", "scale-off", "mean_shift-off", "mean-off"}, "10 events, sd 10, mean 100"
    for alert in found.values():
        assert alert["value"] == alert["score"] > alert["threshold"] == 2.0
        assert (alert["reference"], alert["evidence"]["signal"]) == (None, alert["value"])
    assert found["volume-off"]["summary"] == "volume is 10, above its limit 2 (events per pane)"
    for reading in seen.monitors():
        assert (reading.value, reading.status) == (reading.score, "ready")


@pytest.mark.parametrize("reference", ["auto", {"first": "1h"}])
def test_it_fires_while_normal_is_still_learned(reference: Any) -> None:
    seen = watch(
        limit("mean", "x", "mean", above=50.0), limit("missing", "x", "missing_rate", below=0.5),
        limit("zeros", "x", "zeros", below=0.5), limit("volume", "volume", below=20.0),
        limit("spread", "x", "scale", above=1.0), reference=reference,
    )  # fmt: skip
    found = firing(seen.predictions(rows(normal(600))) + seen.finish())
    assert {name: alert["pane_start"] for name, alert in found.items()} == dict.fromkeys(
        ("mean", "missing", "zeros", "volume", "spread"), "2026-03-01T00:00:00.000Z"
    )
    assert {reading.status for reading in seen.monitors()} == {"ready"}


def test_others_learn_what_they_would_learn_without_it() -> None:
    """An open limit neither stops the references of the same column nor begins another."""
    drift = {"name": "drift", "on": "x", "measure": "mean_shift"}
    alone = watch(drift, reference={"first": "30m"})
    beside = watch(
        drift, limit("always", "x", "mean", above=50.0), limit("wide", "x", "scale", above=1.0),
        reference={"first": "30m"},
    )  # fmt: skip
    x = np.concatenate([normal(4_000), normal(1_000, mean=120.0, seed=1)])
    told = [[alert for alert in each.predictions(rows(x)) + each.finish() if alert["monitor"] == "drift"]
            for each in (alone, beside)]  # fmt: skip
    assert [alert["summary"] for alert in told[0]] == [alert["summary"] for alert in told[1]]
    assert told[0], "it was found"
    parts = [saving.Saver(each.engine).take().put["monitor/drift/0"] for each in (alone, beside)]
    assert parts[0] == parts[1]


def test_what_is_measured_against_a_reference_waits_for_one() -> None:
    """Far away while that is learned (1,000 values for the histogram, then an hour), and again when it is ready."""
    seen = watch(limit("far", "x", "psi", above=1.0), reference={"first": "1h"})
    x = normal(6_000)
    x[2_500:2_520] += 100.0
    x[5_000:] += 100.0
    alerts = seen.predictions(rows(x)) + seen.finish()
    fired = [alert for alert in alerts if alert["state"] == "firing"]
    assert all(alert["pane_start"] >= "2026-03-01T01:16:40" for alert in fired)
    alert = next(alert for alert in fired if alert["pane_start"] >= "2026-03-01T01:23:20")
    assert "size" not in alert["evidence"]


def test_few_events_are_no_reason_not_to_count_them() -> None:
    seen = watch(
        limit("few", "volume", rows_min=None, below=5.0), limit("slow", "throughput", rows_min=None, below=0.5)
    )
    assert firing(seen.predictions(rows(normal(200)))) == {}
    gap = rows(normal(50, seed=1), first=400)
    found = firing(seen.predictions(gap) + seen.finish())
    assert {name: alert["summary"] for name, alert in found.items()} == {
        "few": "volume is 0, below its limit 5 (events per pane)",
        "slow": "throughput is 0, below its limit 0.5 (events a second)",
    }


def test_drift_of_a_count_is_not_said_of_so_many_rows() -> None:
    seen = watch({"name": "drift", "on": "volume"}, reference={"first": "30m"})
    seen.predictions(rows(normal(4_000)))
    found = firing(seen.predictions(rows(normal(100, seed=1), first=6_000)) + seen.finish())
    assert "(events per pane) since about" in found["drift"]["summary"]


def test_explain_says_from_how_many_rows_on() -> None:
    text = """
version: 1
name: drawn
streams: {predictions: {topic: p, features: {x: numeric}}}
monitors:
  - {name: few, on: volume, detector: {threshold: {below: 5}}}
  - {name: high, on: x, measure: mean, detector: {threshold: {above: 5}}}
  - {name: given, on: volume, detector: {threshold: {below: 5, rows_min: 9}}}
"""
    views = {view.id: view for view in explain(loads(text, {})).monitors}
    assert {name: view.params["rows_min"] for name, view in views.items()} == {"few": 1, "high": 30, "given": 9}
    assert {view.reference for view in views.values()} == {"none"}


def test_the_spread_of_values_far_from_zero_waits_for_their_layout() -> None:
    """Sums about 0 do not know the spread of 1.7e12 +- 10; those about a layout's origin do."""
    seen = watch(limit("wide", "x", "scale", above=50.0), limit("narrow", "x", "scale", below=1.0))
    alerts = seen.predictions(rows(normal(3_000, mean=1.7e12))) + seen.finish()
    assert alerts == []
    assert [reading.value for reading in seen.monitors()] == pytest.approx([10.0, 10.0], abs=6.0)


def test_an_edge_is_judged_at_once_where_it_is_given() -> None:
    seen = watch(
        limit("given", "x", "edge_rate", above=0.2), limit("learned", "y", "edge_rate", above=0.2),
        streams={"features": {"x": {"kind": "numeric", "range": [0, 100]}, "y": "numeric"}},
    )  # fmt: skip
    crowded = [row | {"y": row["x"]} for row in rows(np.full(100, 99.5))]
    assert firing(seen.predictions(crowded) + seen.finish()).keys() == {"given"}
    assert {reading.monitor: reading.status == "ready" for reading in seen.monitors()} == {
        "given": True, "learned": False
    }  # fmt: skip


# ------------------------------------------------------------------ orders
def exceeded() -> tuple[Watch, Any]:
    seen = watch(
        {"name": "drift", "on": "x", "measure": "mean_shift"}, limit("high", "x", "mean", above=110.0),
        reference={"first": "30m"},
    )  # fmt: skip
    alerts = seen.predictions(rows(np.concatenate([normal(4_000, sd=2.0), normal(600, mean=130.0, sd=2.0)])))
    return seen, firing(alerts)["high"]


def test_a_new_normal_does_not_close_it() -> None:
    seen, _ = exceeded()
    outcome = seen.engine.obey("o1", Rebaseline())
    assert outcome.notes[0] == (
        "rebaseline: 1 references begin anew; 1 have none, or a profile, and stay as they are; "
        "alerts of 1 limit stay open: a limit has no normal"
    )
    more = seen.predictions(rows(normal(600, mean=130.0, sd=2.0, seed=1), first=4_600))
    assert [alert["state"] for alert in more if alert["monitor"] == "high"] == []
    back = seen.predictions(rows(normal(600, sd=2.0, seed=2), first=5_200)) + seen.finish()
    [resolved] = [alert for alert in back if alert["monitor"] == "high"]
    assert resolved["summary"].startswith("x is back within its limit 110 (mean)")


def test_nor_does_its_acceptance() -> None:
    seen, alert = exceeded()
    outcome = seen.engine.obey("o1", Acknowledge(alert["id"], "kim", rebaseline=True))
    assert outcome.notes == [
        f"alert {alert['id']} of high is acknowledged by kim; a limit has no normal: it stays open"
    ]
    more = seen.predictions(rows(normal(600, mean=130.0, sd=2.0, seed=1), first=4_600)) + seen.finish()
    assert [each["state"] for each in more if each["monitor"] == "high"] == []
    [reading] = [each for each in seen.monitors() if each.monitor == "high"]
    assert (reading.alert.name, reading.acknowledged_by) == ("FIRING", "kim")


def test_its_alert_tells_nothing_of_a_reference_and_all_of_what_moved() -> None:
    seen = watch(
        {"name": "shape", "on": "x", "measure": "psi"}, limit("high", "x", "mean", above=110.0),
        reference={"first": "30m"},
    )  # fmt: skip
    alerts = seen.predictions(rows(np.concatenate([normal(4_000, sd=2.0), normal(600, mean=130.0, sd=2.0)])))
    evidence = firing(alerts)["high"]["evidence"]
    assert "bins" in evidence
    assert not {"size", "expected", "standard_error"} & evidence.keys()


def test_what_is_missing_is_told_of_too_much_alone() -> None:
    gaps = [{**row, "x": None} if at % 2 else row for at, row in enumerate(rows(normal(100)))]
    above = watch(limit("gaps", "x", "missing_rate", above=0.2))
    assert firing(above.predictions(gaps) + above.finish())["gaps"]["evidence"]["fault"] == "missing in 50.0 % of rows"
    below = watch(limit("gaps", "x", "missing_rate", below=0.8))
    summary = firing(below.predictions(gaps) + below.finish())["gaps"]["summary"]
    assert summary == "x is 0.5, below its limit 0.8 (share of missing values of 10 rows)"


# ------------------------------------------------------------------ measures with a limit of their own
def test_silence_is_judged_by_what_is_allowed_and_told_so() -> None:
    seen = watch(limit("silent", "freshness", rows_min=None, above=0.2), {"name": "up", "on": "x", "measure": "mean"})
    seen.predictions(rows(normal(400)))
    alerts = seen.predictions(rows(normal(10, seed=1), first=430))
    found = firing(alerts)["silent"]
    assert found["score"] == pytest.approx(found["value"] / found["reference"])
    said = f"freshness is {found['score']:.4g}, above its limit 0.2 (silence by what is allowed)"
    assert found["summary"].partition(";")[0] == said
    back = seen.predictions(rows(normal(600, seed=2), first=440)) + seen.finish()
    [resolved] = [each for each in (*alerts, *back) if each["state"] == "resolved"]
    assert resolved["summary"].startswith("freshness is back within its limit 0.2 (silence by what is allowed)")
    [reading] = [each for each in seen.monitors() if each.monitor == "silent"]
    assert not limited(reading), "the limit is not one of seconds"
    assert against(reading).startswith("normal ")


def test_a_limit_is_drawn_beside_what_it_judges() -> None:
    seen = watch(limit("high", "x", "mean", above=110.0))
    seen.predictions(rows(normal(100)))
    [reading] = seen.monitors()
    assert limited(reading)
    assert against(reading) == "limit 110"
    assert not limited(replace(reading, measure="burn_rate"))
    assert limited(replace(reading, measure="unit_change")), "a share beside a limit of 0"


def test_the_sentence_names_the_number_that_the_limit_judges() -> None:
    seen = watch(limit("high", "x", "mean", above=110.0))
    [spec] = seen.loaded.plan.monitors
    finding = Finding(0, 312.0, 60.0, 5.2, 1.0, 3, 1)
    change = Change(spec, (), "silence by what is allowed", Transition("firing", 0, 0, 10, finding), sure=True)
    assert summarise(change) == "x is 5.2, above its limit 1 (silence by what is allowed)"
