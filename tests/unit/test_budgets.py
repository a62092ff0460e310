"""Is a segment's threshold settled when the reference is ready, whatever appears later, and does the sum hold?"""

import math
from dataclasses import replace

import numpy as np
import pytest

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.core import saving
from streamcheck.core.budgets import Roll, granted
from streamcheck.core.engine import Engine
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.plan import (
    Budget,
    Column,
    ComponentSpec,
    Kind,
    Limits,
    MonitorSpec,
    Plan,
    Role,
    Schema,
    Segmentation,
    Target,
    TimeRules,
)
from streamcheck.core.types import Batch, Dictionary, SourcePartition, StreamRole

PANE_MS, START_MS = 1_000, 1_772_323_200_000
SOURCE = SourcePartition("p", 0)
TIER = Segmentation(("tier",))
PANES_A_WEEK = 604_800


def plan(*, segments=8, reference=ComponentSpec("first", (("span_ms", 40 * PANE_MS),))):  # noqa: B008 (frozen)
    columns = (
        Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE),
        Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT),
    )
    schema = Schema(StreamRole.PREDICTIONS, ("p",), None, None, columns, 1 << 20, 300_000)
    monitor = MonitorSpec(
        "missing-by-tier", Target.COLUMN, "amount", ComponentSpec("cusum"), ComponentSpec("missing_rate"), TIER,
        reference=reference, share=0.5,
    )  # fmt: skip
    whole = replace(monitor, id="missing", by=None, share=0.25)
    time, limits = TimeRules(PANE_MS, 0), Limits(segments=segments)
    return Plan("budgets", schema, None, None, time, None, (TIER,), (whole, monitor), Budget(), limits)


def feed(engine, panes, tiers, *, missing=0.0, rows=40):
    """Panes (from, to), each with rows of these tiers in turn."""
    rng, offset = np.random.default_rng(panes[0]), engine.partitions[SOURCE].next_offset
    n = (panes[1] - panes[0]) * rows
    times = START_MS + (panes[0] * rows + np.arange(n)) * PANE_MS // rows
    dictionary = Dictionary()
    codes = np.array([[dictionary.encode(tiers[i % len(tiers)]) for i in range(n)]], np.int32)
    status = np.stack([(rng.random(n) < 0.05 + missing).astype(np.uint8), np.zeros(n, np.uint8)])
    keys = np.repeat(NO_KEYS[:0], 0, axis=0)
    batch = Batch(
        SOURCE, StreamRole.PREDICTIONS, offset + np.arange(n), times, keys, rng.normal(size=(1, n)), codes, status,
        (dictionary,), offset + n,
    )  # fmt: skip
    return engine.feed(batch)


def opened(made):
    engine = Engine(made, "lineage")
    engine.open({SOURCE: 0})
    return engine


def limits(engine):
    """Thresholds by segment."""
    return {dict(r.segment).get("tier", "all"): r.threshold for r in engine.reading().monitors if r.score is not None}


def h(share):
    """What cusum with two sides takes for this part of one alarm a week."""
    return math.log(2 * PANES_A_WEEK / share)


def test_shares_sum_up_to_no_more_than_the_whole_however_many_follow():
    for roll in (Roll(0), Roll(1), Roll(7), Roll(1_000, other=True)):
        known = sum(roll.share(number, 10**6) for number in range(1, roll.known + 1))
        later = sum(roll.share(roll.known + i, 10**6) for i in range(1, 20_000))
        other = roll.share(0, 10**6)
        assert known + later + other <= 1.0
        assert known + (other if roll.other else 0.0) == pytest.approx(0.9 if roll.known or roll.other else 0.0)
        assert later == pytest.approx(0.1, rel=1e-4)


def test_per_pane_is_a_unit():
    spec = plan().monitors[0]
    grant = granted(spec, Budget(0.01, None), PANE_MS)
    assert grant.steps == pytest.approx(100 / 0.25)
    assert grant.alarms_per_week == pytest.approx(PANES_A_WEEK * 0.01 * 0.25)


def test_who_was_there_shares_nine_tenths_and_later_ones_the_rest():
    engine = opened(plan())
    feed(engine, (0, 2), ["a", "b"])
    assert {r.alarms_per_week for r in engine.reading().monitors if r.segment} == {None}, "who shares is not settled"
    feed(engine, (2, 50), ["a", "b"])
    assert limits(engine) == pytest.approx({"all": h(0.25), "a": h(0.5 * 0.45), "b": h(0.5 * 0.45)})
    feed(engine, (50, 100), ["c", "a", "d", "b"])
    sixth = 0.1 * 6 / math.pi**2
    expected = {"all": h(0.25), "a": h(0.225), "b": h(0.225), "c": h(0.5 * sixth), "d": h(0.5 * sixth / 4)}
    assert limits(engine) == pytest.approx(expected)
    promised = {r.segment: r.alarms_per_week for r in engine.reading().monitors if r.segment}
    assert promised[("tier", "a"),] == pytest.approx(0.225)
    assert sum(promised.values()) <= 0.5


def test_what_appears_later_moves_no_threshold_and_no_alert():
    few, many = opened(plan()), opened(plan())
    tiers = ["a", "b"]
    later = [*tiers, "a", "b", "c", "d", "e"]
    alerts = []
    for engine, after in ((few, tiers), (many, later)):
        feed(engine, (0, 60), tiers)
        feed(engine, (60, 62), after, rows=70)
        outcome = feed(engine, (62, 130), tiers, missing=0.3)
        alerts.append([(a.id, a.state) for a in outcome.alerts])
    assert alerts[0] == alerts[1]
    assert alerts[0]
    both = limits(few), limits(many)
    assert both[0] == {tier: both[1][tier] for tier in both[0]}
    assert len(list(many.board.instances())) == 6


def test_before_the_roll_is_called_nothing_alarms():
    engine = opened(plan())
    outcome = feed(engine, (0, 39), ["a", "b"])
    outcome = feed(engine, (39, 41), ["a", "b"], missing=0.9)
    assert not outcome.alerts
    assert not any(i.grant.final for i in engine.board.instances() if i.spec.by)
    assert all(i.grant.final for i in engine.board.instances() if not i.spec.by)


def test_the_roll_survives_a_restart():
    made = plan()
    engine, saver = opened(made), None
    saver = saving.Saver(engine)
    feed(engine, (0, 50), ["a", "b", "c"])
    stored = dict(saver.take().put)
    assert "roll/missing-by-tier" in stored
    again = saving.restore(made, stored).engine
    for each in (engine, again):
        feed(each, (50, 80), ["a", "b", "c", "d"])
    assert limits(again) == limits(engine)
    assert {i.grant for i in again.board.instances()} == {i.grant for i in engine.board.instances()}


def test_a_changed_monitor_calls_its_roll_anew():
    made = plan()
    engine = opened(made)
    saver = saving.Saver(engine)
    feed(engine, (0, 50), ["a", "b", "c"])
    stored = dict(saver.take().put)
    changed = plan(reference=ComponentSpec("first", (("span_ms", 41 * PANE_MS),)))
    restored = saving.restore(changed, stored)
    assert set(restored.restarted) == {"missing", "missing-by-tier"}
    feed(restored.engine, (50, 60), ["a"])
    assert not any(i.grant.final for i in restored.engine.board.instances() if i.spec.by)
    assert "roll/missing-by-tier" in restored.engine.board.take_stale()


@pytest.mark.parametrize(("first", "expected"), [(["a", "b"], 3), (["a", "b", "c", "d"], None)])
def test_what_counts_as_other_is_known_or_comes_last(first, expected):
    """With three segments at most: `__other__` appears behind them, or was there from the beginning."""
    engine = opened(plan(segments=3))
    feed(engine, (0, 50), first)
    feed(engine, (50, 130), ["a", "b", "c", "d", "e"])
    found = limits(engine)["__other__"]
    place = None if expected is None else expected - 2 + 1
    share = 0.9 / 4 if place is None else 0.1 * 6 / (math.pi * place) ** 2
    assert found == pytest.approx(h(0.5 * share))
