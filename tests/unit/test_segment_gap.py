"""Two segments side by side, calibration and entropy: what they see, and how a config names them."""

import numpy as np
import pytest

from evaluate.checks import PANE_ROWS, config, feed, reading, scored
from evaluate.feed import Run, plan_of
from streamcheck.config.load import loads
from streamcheck.core.saving import Saver, restore
from streamcheck.errors import ConfigError

STREAMS = {"task": "binary", "segments": ["tier"]}
TIERS = {"tier": ("premium", "general")}
GAP = [{"on": "accuracy", "between": {"tier": ["premium", "general"]}}]


def rows(rng, n, premium):
    """One row of five is premium; accuracy there, .9 elsewhere."""
    tier, label = (rng.random(n) < 0.8).astype(float), (rng.random(n) < 0.5).astype(float)
    wrong = rng.random(n) > np.where(tier == 0, premium, 0.9)
    return {"tier": tier, "label": label, "prediction": np.where(wrong, 1.0 - label, label)}


def test_one_segment_falls_behind():
    rng, run = np.random.default_rng(1), Run(plan_of(config(STREAMS, GAP, 200)), TIERS)
    assert feed(run, rows(rng, 40_000, 0.9)) == []
    assert abs(reading(run, "segment_gap").reference) < 0.01
    alarms = feed(run, rows(rng, 15_000, 0.75))
    assert [(alarm.monitor, alarm.column) for alarm in alarms] == [("accuracy-gap-tier", "segment_gap")]
    assert reading(run, "segment_gap").value < -0.05


def test_both_fall_alike_and_the_gap_stays():
    rng, run = np.random.default_rng(2), Run(plan_of(config(STREAMS, GAP, 200)), TIERS)
    feed(run, rows(rng, 40_000, 0.9))
    worse = rows(rng, 15_000, 0.9)
    hurt = rng.random(15_000) < 0.15
    worse["prediction"] = np.where(hurt, 1.0 - worse["prediction"], worse["prediction"])
    assert feed(run, worse) == []


def test_a_restart_changes_nothing():
    held = rows(np.random.default_rng(3), 20_000, 0.8)
    whole, parts, store = (Run(plan_of(config(STREAMS, GAP, 60)), TIERS) for _ in range(2)), None, {}
    whole, parts = whole
    feed(whole, held)
    for start in range(0, 20_000, 5_000):
        feed(parts, {name: column[start : start + 5_000] for name, column in held.items()})
        store |= dict(Saver(parts.engine).take().put)
        parts.engine = restore(parts.plan, store).engine
        last = slice(start + 5_000 - PANE_ROWS, start + 5_000)
        parts.pane, parts.offset = (start + 5_000) // PANE_ROWS - 1, last.start
        feed(parts, {name: column[last] for name, column in held.items()})
    assert reading(parts, "segment_gap") == reading(whole, "segment_gap")


def test_scores_that_become_too_sure():
    streams = {"task": "binary", "score": "score", "features": {"x": "numeric"}}
    run = Run(plan_of(config(streams, [{"on": "calibration_error"}, {"on": "entropy"}], 100)))
    rng = np.random.default_rng(4)
    assert feed(run, scored(rng, 24_000, 0.0)) == []
    surer = scored(rng, 6_000, 0.0)
    surer["score"] = 1.0 / (1.0 + (1.0 / surer["score"] - 1.0) ** 3)
    found = {alarm.column for alarm in feed(run, surer)}
    assert found == {"calibration_error", "entropy"}


@pytest.mark.parametrize("name", ["between", "entropy", "estimate_gap"])
def test_limits_on_them_need_no_reference(name):
    """They are open before a reference would be ready, and go on after a restart."""
    lines = {"between": {"above": -1.0}, "entropy": {"above": 0.0}, "estimate_gap": {"above": -1.0}}
    entry = GAP[0] if name == "between" else {"on": name}
    entry = entry | {"detector": {"threshold": lines[name]}}
    if name == "between":
        run = Run(plan_of(config(STREAMS, [entry], 200)), TIERS)
        fed = rows(np.random.default_rng(1), 3_000, 0.9)
    else:
        streams = {"task": "binary", "score": "score", "features": {"x": "numeric"}}
        run = Run(plan_of(config(streams, [entry], 200)))
        fed = scored(np.random.default_rng(4), 8_000, 0.0)
    assert len(feed(run, fed)) == 1
    (instance,) = run.engine.board.instances()
    assert (instance.normal, instance.status(), instance.baseline) == (None, "ready", None)
    again = restore(run.plan, dict(Saver(run.engine).take().put)).engine
    (same,) = again.board.instances()
    assert same.export()["tracker"] == instance.export()["tracker"]


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ("{on: accuracy, between: {tier: premium}}", "expected a segment field with two of its values"),
        ("{on: f1, between: {tier: [a, b]}}", "between compares one of accuracy, error_rate, mae, bias"),
        ("{on: accuracy, between: {colour: [a, b]}}", "unknown segment 'colour'"),
        ("{on: accuracy, by: [tier], between: {tier: [a, b]}}", "do not go with between"),
        ("{on: accuracy, between: {tier: [a, b]}, detector: ddm}", "ddm reads rows"),
        ("{on: mae, between: {tier: [a, b]}}", "mae needs task: regression"),
    ],
)
def test_mistakes(entry, mistake):
    text = (
        "version: 1\nname: n\nstreams:\n"
        "  predictions: {topic: t, prediction: p, label: y, task: binary, segments: [tier]}\n"
        f"monitors:\n  - {entry}\n"
    )
    with pytest.raises(ConfigError) as caught:
        loads(text, {})
    assert mistake in str(caught.value)
