"""A KPI is one value an hour, or a day: nobody waits for it, and nothing of it is lost or counted by chance."""

import numpy as np
import pytest

from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.journal import Floored
from streamcheck.core.types import SourcePartition
from streamcheck.errors import ConfigError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import PartitionStatus
from streamcheck.runtime.silence import SilenceWatch
from streamcheck.testing import raw_batch

START_MS = 1_772_323_200_000
DAY_MS = 86_400_000
CONFIG = """version: 1
name: shop
streams:
  predictions: {topic: p, features: {amount: numeric}}
  kpi: {topic: k, value: revenue}
time: {pane: 10s, lateness: 5s}
reference: {first: 10m}
"""
P, K = SourcePartition("p", 0), SourcePartition("k", 0)


class World:
    """An engine, and what it has been told."""

    def __init__(self, engine=None, config=CONFIG):
        self.plan = loads(config, {}).plan
        self.decode = {"p": Decoder(self.plan.predictions, None).decode, "k": Decoder(self.plan.kpi, None).decode}
        self.offsets = {"p": 0, "k": 0}
        self.engine = engine or Engine(self.plan, "lineage")
        self.journal = []
        if engine is None:
            self.engine.open({P: 0, K: 0})

    def feed(self, topic, *rows):
        """Rows as (seconds, event)."""
        values, times = [event for _, event in rows], [START_MS + round(1000 * at) for at, _ in rows]
        raw = raw_batch(topic, 0, values, first_offset=self.offsets[topic], times_ms=times)
        self.offsets[topic] += len(rows)
        outcome = self.engine.feed(self.decode[topic](raw))
        self.journal += outcome.journal
        return outcome

    def predict(self, *seconds):
        return self.feed("p", *((at, {"amount": 1.5}) for at in seconds))

    def value(self, at, revenue=7.0):
        return self.feed("k", (at, {"revenue": revenue}))

    def read_to_its_end(self):
        self.journal += self.engine.set_idle(K).journal

    @property
    def closed_s(self):
        return None if self.engine.open_from is None else self.engine.open_from * 10 - START_MS // 1000

    def shown(self):
        (reading,) = [one for one in self.engine.reading().monitors if one.column == "kpi"]
        return reading

    def spans(self):
        link = self.engine.board.link
        return {link._first + at: n for at, n in enumerate(link._rows[0].tolist()) if n}


def test_while_it_is_read_panes_wait_for_it_and_afterwards_never():
    world = World()
    world.value(0)
    world.predict(1, 20, 60)
    assert world.closed_s is None or world.closed_s <= 0
    world.read_to_its_end()
    assert world.closed_s == 50
    world.predict(120)
    assert world.closed_s == 110
    world.value(121)
    world.predict(300)
    assert world.closed_s == 290, "it has spoken, and still nobody waits"
    assert world.journal == []


def test_a_value_that_comes_after_its_pane_counts_in_the_first_open_one_on_record():
    world = World()
    world.value(0)
    world.read_to_its_end()
    world.predict(1, 7_300)
    world.value(3_000)
    assert world.journal == [Floored(K, 1, START_MS + 7_290_000)]
    world.predict(7_400)
    assert world.spans() == {START_MS // 3_600_000: 1.0, START_MS // 3_600_000 + 2: 1.0}
    (books,) = [one for one in world.engine.reading().partitions if one.source == K]
    assert (books.accepted, books.late) == (2, 0)
    replay = World()
    replay.engine.replay_journal(world.journal)
    replay.value(0)
    replay.value(3_000)
    replay.predict(1, 7_300, 7_400)
    replay.engine.finish()
    world.engine.finish()
    assert replay.spans() == world.spans()
    assert replay.engine.digest == world.engine.digest


def test_a_reject_is_accounted_for_in_an_open_pane():
    world = World()
    world.value(0)
    world.read_to_its_end()
    world.predict(1, 100)
    world.feed("k", (101, {"revenue": "much"}), (102, {"other": 1}))
    world.engine.finish()
    (books,) = [one for one in world.engine.reading().partitions if one.source == K]
    assert dict(books.rejected) == {"bad value": 1, "missing value": 1}


def test_days_without_a_value_need_no_confirmation():
    world = World(config=CONFIG.replace("pane: 10s", "pane: 1h"))
    world.value(0)
    world.read_to_its_end()
    for day in (1, 4, 30):
        world.predict(*np.arange(day - 2, day + 0.01, 0.5) * DAY_MS / 1000)
        world.value(day * DAY_MS / 1000 + 60)
    world.engine.finish()
    (books,) = [one for one in world.engine.reading().partitions if one.source == K]
    assert (books.accepted, books.rejected) == (4, ())


def test_a_wrong_clock_of_its_own_closes_no_panes():
    world = World()
    world.predict(1, 60)
    world.value(7_200)
    world.read_to_its_end()
    world.engine.set_idle(P)
    assert world.closed_s == 50
    world.predict(61, 62)
    world.engine.finish()
    (books,) = [one for one in world.engine.reading().partitions if one.source == P]
    assert books.accepted == 4


def test_once_all_else_has_ended_it_goes_on_by_itself():
    world = World()
    world.predict(1, 60)
    world.engine.end(P)
    world.value(600)
    assert world.closed_s == 590


def test_after_a_restart_it_stands_where_it_stood():
    world = World()
    world.value(0)
    world.read_to_its_end()
    saver = saving.Saver(world.engine)
    world.predict(1, 60, 130)
    world.value(131)
    stored = dict(saver.take().put)
    restored = saving.restore(world.plan, stored).engine
    partition = restored.partitions[K]
    assert partition.idle
    assert partition.idle_at == 2
    assert partition.reading_again, "the value of an open pane is read once more"
    twin = World(restored)
    twin.offsets = {topic: restored.partitions[SourcePartition(topic, 0)].next_offset for topic in ("p", "k")}
    twin.predict(130)
    twin.value(131)
    for each in (world, twin):
        each.predict(7_500)
        each.engine.finish()
    assert twin.spans() == world.spans()
    assert twin.shown() == world.shown()
    assert twin.journal == []


def test_silence_is_judged_without_it():
    world = World()
    watch = SilenceWatch(30.0, world.engine.partitions, 0.0)
    world.predict(1, 60)
    raw = raw_batch("k", 0, [{"revenue": 1.0}], first_offset=0, times_ms=[START_MS + 60_000])
    batch = world.decode["k"](raw)
    world.engine.feed(batch)
    status = {source: PartitionStatus(2 if source == P else 1, 2 if source == P else 1) for source in (P, K)}
    watch.heard(batch, 25.0)
    assert watch.silent(world.engine, status, 25.0) == [K]
    world.engine.set_idle(K)
    assert watch.silent(world.engine, status, 31.0) == [P]
    world.engine.set_idle(P)
    assert watch.advance_until_ms(world.engine, 40.0) == START_MS + 60_000 + 40_000 - 5_000


@pytest.mark.parametrize(
    ("kpi", "said"),
    [
        ("{topic: k}", "value is missing"),
        ("{topic: p, value: v}", "a topic has one role"),
        ("{topic: k, value: v, every: 15s}", "expected a multiple of time.pane"),
        ("{topic: k, value: v, against: [accuracy]}", "nothing here gives accuracy; there is drift"),
        ("{topic: k, value: v, against: [acuracy]}", "expected a list of accuracy, mae, estimated_accuracy, drift"),
        ("{topic: k, value: v, values: total}", "expected mean or sum"),
        ("{topic: k, value: v, lag: 3}", "unknown key"),
        ("{topic: k, value: v, time: {field: ts}}", "the unit is not guessed"),
    ],
)
def test_mistakes_are_named(kpi, said):
    with pytest.raises(ConfigError) as error:
        loads(CONFIG.replace("{topic: k, value: revenue}", kpi), {})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("monitors", "said"),
    [
        ("[{on: kpi, measure: psi}]", "psi says nothing about kpi; measures for it: mean"),
        ("[{on: kpi, by: [amount]}]", "a kpi has no segments"),
        ("[{on: kpi, detector: {adwin: {delta: 0.01}}}]", "a pane detector such as scan takes it"),
        ("[{on: label_coverage}]", "label_coverage needs a stream of labels"),
    ],
)
def test_what_cannot_be_watched_is_named(monitors, said):
    with pytest.raises(ConfigError) as error:
        loads(CONFIG + f"monitors: {monitors}\n", {})
    assert said in str(error.value)


def test_without_a_stream_there_is_nothing_to_watch():
    text = CONFIG.replace("  kpi: {topic: k, value: revenue}\n", "") + "monitors: [{on: kpi}]\n"
    with pytest.raises(ConfigError, match="no KPI is declared"):
        loads(text, {})


def test_a_threshold_looks_at_the_mean():
    plan = loads(CONFIG + "monitors: [{on: kpi, detector: {threshold: {below: 5}}}]\n", {}).plan
    (spec,) = plan.monitors
    assert (spec.measure.name, spec.share) == ("mean", 0.0)


def test_its_monitor_has_the_share_of_one_column():
    plan = loads(CONFIG, {}).plan
    (spec,) = [spec for spec in plan.monitors if spec.column == "kpi"]
    columns = {spec.column for spec in plan.monitors if spec.share} - {"late_rate", "reject_rate"}
    assert spec.share == pytest.approx(1 / (len(columns) + 1))
    assert plan.kpi_rules.name == "revenue"
    assert plan.kpi_rules.against == ("drift",)
