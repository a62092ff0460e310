"""Is an order of a person obeyed once, at a place that a replay knows, and does it do what it says?"""

import json
import random
from dataclasses import dataclass, field

import orjson
import pytest
from click.testing import CliRunner

from streamcheck.adapters.sqlite.orders import OrderFolder
from streamcheck.cli import main
from streamcheck.config.load import loads
from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.journal import from_bytes, to_bytes
from streamcheck.core.orders import DONE_MAX, Acknowledge, Ordered, Orders, Rebaseline, heard, told
from streamcheck.core.readings import AlertState
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

TEXT = """
version: 1
name: orders
kafka: {bootstrap_servers: "localhost:9092"}
streams:
  predictions: {topic: p, features: {x: numeric}, segments: [tier]}
time: {pane: 1s, lateness: 1ms}
reference: {first: 40s}
monitors:
  - {name: missing, on: x, measure: missing_rate, by: [tier], alert: {cooldown: 1h}}
  - {name: adwin, on: x, detector: {adwin: {delta: 0.002}}}
state: {dir: STATE}
"""
PLAN = loads(TEXT, {}).plan
SOURCE = SourcePartition("p", 0)
ROWS = 40


def opened():
    engine = Engine(PLAN, "lineage")
    engine.open({SOURCE: 0})
    return engine


def feed(engine, panes, missing, seed=1):
    """Panes (from, to) in which this share of x is missing."""
    rng, first = random.Random(seed * 1_000 + panes[0]), engine.partitions[SOURCE].next_offset
    n = (panes[1] - panes[0]) * ROWS
    rows = [({} if rng.random() < missing else {"x": rng.gauss(0, 1)}) | {"tier": rng.choice("ab")} for _ in range(n)]
    times = [panes[0] * 1_000 + i * 1_000 // ROWS for i in range(n)]
    batch = raw_batch("p", 0, rows, first_offset=first, times_ms=times)
    outcome = engine.feed(Decoder(PLAN.predictions, None).decode(batch))
    return outcome, [orjson.loads(alert.record) for alert in outcome.alerts]


def alarmed():
    """Sixty quiet panes, then four in ten are missing: alerts of all rows and both segments are open."""
    engine = opened()
    feed(engine, (0, 60), 0.05)
    _, records = feed(engine, (60, 80), 0.4)
    return engine, {(r["monitor"], r["segment"].get("tier")): r for r in records if r["state"] == "firing"}


def reference(engine, monitor, tier):
    segment = (("tier", tier),) if tier else ()
    return next(r.reference for r in engine.reading().monitors if (r.monitor, r.segment) == (monitor, segment))


def test_accepted_an_alert_is_resolved_and_normal_begins_where_the_change_did():
    engine, fired = alarmed()
    alert = fired["missing-by-tier", "a"]
    outcome = engine.obey("o1", Acknowledge(alert["id"], "kim", rebaseline=True))
    assert outcome.journal == [Ordered(79_000, "o1", Acknowledge(alert["id"], "kim", rebaseline=True))]
    assert any("is acknowledged by kim" in note for note in outcome.notes)
    assert any("missing-by-tier, tier=a: the reference begins anew: accepted by kim" in note for note in outcome.notes)
    _, records = feed(engine, (80, 150), 0.4)
    [resolved] = [r for r in records if r["id"] == alert["id"]]
    assert (resolved["state"], resolved["pane_start"]) == ("resolved", "1970-01-01T00:01:19.000Z")
    assert resolved["evidence"]["acknowledged_by"] == "kim"
    assert resolved["evidence"]["accepted_because"] == "accepted by kim"
    assert "is taken as it is from now on (accepted by kim)" in resolved["summary"]
    assert reference(engine, "missing-by-tier", "a") == pytest.approx(0.4, abs=0.05)
    assert reference(engine, "missing-by-tier", "b") == pytest.approx(0.05, abs=0.03)
    normal = next(i.normal for i in engine.board.instances() if i.segment == (("tier", "a"),) and i.spec.id != "adwin")
    assert normal.renewed.since_ms <= 62_000, "what was learned begins with the change, not with the order"
    _, records = feed(engine, (150, 200), 0.05)
    [again] = [r for r in records if r["segment"] == {"tier": "a"} and r["state"] == "firing"]
    assert again["evidence"]["reference_because"] == "accepted by kim"
    assert again["reference"] == pytest.approx(0.4, abs=0.05)


def test_acknowledged_an_alert_goes_on_and_says_so():
    engine, fired = alarmed()
    alert = fired["missing", None]
    engine.obey("o1", Acknowledge(alert["id"], "kim"))
    shown = next(r for r in engine.reading().monitors if r.monitor == "missing")
    assert (shown.alert, shown.acknowledged_by) == (AlertState.FIRING, "kim")
    feed(engine, (80, 100), 0.4)
    _, records = feed(engine, (100, 4_000), 0.05)
    [resolved] = [r for r in records if r["id"] == alert["id"]]
    assert resolved["evidence"]["acknowledged_by"] == "kim"
    assert next(r for r in engine.reading().monitors if r.monitor == "missing").acknowledged_by is None


def test_an_acknowledgement_says_why_and_ends_when_it_was_to():
    engine, fired = alarmed()
    alert = fired["missing", None]
    order = Acknowledge(alert["id"], "kim", why="a late supplier", until_ms=90_000)
    assert heard(told(order)) == order
    engine.obey("o1", order)

    def known(of):
        shown = next(r for r in of.reading().monitors if r.monitor == "missing")
        return shown.acknowledged_by, shown.acknowledged_why, shown.acknowledged_until_ms

    again = saving.restore(engine.plan, dict(saving.Saver(engine).take().put)).engine
    assert known(engine) == known(again) == ("kim", "a late supplier", 90_000)
    feed(engine, (80, 88), 0.4)
    assert known(engine)[0] == "kim"
    feed(engine, (88, 100), 0.4)
    assert known(engine) == (None, "", None)
    _, records = feed(engine, (100, 4_000), 0.05)
    [resolved] = [r for r in records if r["id"] == alert["id"]]
    assert "acknowledged_by" not in resolved["evidence"], "it was known no more when it was over"


def test_later_records_say_why():
    engine, fired = alarmed()
    alert = fired["missing", None]
    engine.obey("o1", Acknowledge(alert["id"], "kim", why="a late supplier"))
    _, records = feed(engine, (80, 4_000), 0.05)
    [resolved] = [r for r in records if r["id"] == alert["id"]]
    assert resolved["evidence"]["acknowledged_because"] == "a late supplier"


def test_what_is_not_open_cannot_be_acknowledged():
    engine, _ = alarmed()
    outcome = engine.obey("o1", Acknowledge("0" * 24, "kim", rebaseline=True))
    assert outcome.notes == [f"alert {'0' * 24} is not open: nothing to acknowledge"]
    assert outcome.journal, "a replay must meet it too, and find the same"


def test_a_rebaseline_concerns_whom_it_names():
    engine, _ = alarmed()
    before = {i.key: i.normal.times for i in engine.board.instances() if i.normal}
    engine.obey("o1", Rebaseline(("missing-by-tier",), (("tier", "b"),), None, "new prices"))
    after = {i.key: i.normal.times for i in engine.board.instances() if i.normal}
    [changed] = [key for key in after if after[key] != before[key]]
    assert {i.segment for i in engine.board.instances() if i.key == changed} == {(("tier", "b"),)}
    assert changed.startswith("monitor/missing-by-tier/")
    outcome = engine.obey("o2", Rebaseline())
    assert outcome.notes[0] == "rebaseline: 3 references begin anew; 1 have none, or a profile, and stay as they are"
    assert {i.normal.times for i in engine.board.instances() if i.normal} <= {1, 2}


def test_nothing_before_since_is_in_the_new_reference():
    engine, _ = alarmed()
    engine.obey("o1", Rebaseline(("missing",), None, 79_000, "from here on"))
    normal = next(i.normal for i in engine.board.instances() if i.spec.id == "missing")
    feed(engine, (80, 100), 0.4)
    assert normal.renewed.since_ms >= 79_000


def test_an_order_is_obeyed_once():
    engine, _ = alarmed()
    order = Rebaseline(("missing",))
    assert engine.obey("o1", order).journal
    assert not engine.obey("o1", order).journal
    stored = dict(saving.Saver(engine).take().put)
    again = saving.restore(PLAN, stored).engine
    assert not again.obey("o1", order).journal
    assert again.obey("o2", order).journal


def test_a_replay_obeys_at_the_same_place():
    live, fired = alarmed()
    journal = [
        *live.obey("o1", Acknowledge(fired["missing", None]["id"], "kim", rebaseline=True)).journal,
        *live.obey("o2", Rebaseline(("missing-by-tier",), (("tier", "b"),), None, "new")).journal,
    ]
    rest = [feed(live, (80, 120), 0.4)[1], feed(live, (120, 200), 0.05)[1]]
    replay = opened()
    replay.replay_journal([from_bytes(to_bytes(entry)) for entry in journal])
    told_again = [feed(replay, panes, m)[1] for panes, m in (((0, 60), 0.05), ((60, 80), 0.4))]
    assert any(told_again)
    assert [feed(replay, (80, 120), 0.4)[1], feed(replay, (120, 200), 0.05)[1]] == rest
    assert replay.digest == live.digest
    # met again in a replay that goes on from a later state, they are past
    replay.replay_journal(journal)
    assert not replay.orders.due(10**9)


def test_orders_to_come_survive_a_stop_in_the_replay():
    entry = Ordered(5_000, "o1", Rebaseline(("missing",)))
    orders = Orders()
    orders.foresee(entry)
    again = Orders()
    again.restore(orders.export())
    assert not again.is_new("o1")
    assert again.due(4_999) == []
    assert again.due(5_000) == [entry]


def test_done_ones_are_remembered_to_a_limit():
    orders = Orders()
    for number in range(DONE_MAX + 5):
        orders.obeyed(str(number))
    assert len(orders.export()["done"]) == DONE_MAX
    assert not orders.is_new(str(DONE_MAX + 4))


@pytest.mark.parametrize(
    "order",
    [Rebaseline(), Rebaseline(("a", "b"), (("tier", "x"),), 17, "why"), Acknowledge("9f", "kim", rebaseline=True)],
)
def test_orders_pass_through_json(order):
    assert heard(json.loads(json.dumps(told(order)))) == order


@pytest.mark.parametrize(
    "said", [None, [], {}, {"kind": "dance"}, {"kind": "acknowledge"}, {"kind": "rebaseline", "monitors": 3}]
)
def test_what_is_no_order_is_refused(said):
    with pytest.raises(StateError):
        heard(said)


# ---------------------------------------------------------------------- the loop
@dataclass
class Box:
    """Implements ports.OrderBox."""

    held: dict = field(default_factory=dict)
    removed: list = field(default_factory=list)

    def waiting(self):
        return sorted(self.held.items())

    def done(self, names):
        for name in names:
            self.held.pop(name, None)
            self.removed.append(name)


def test_the_loop_obeys_journals_and_forgets(rig):
    box = Box({"1": orjson.dumps(told(Rebaseline((), None, None, "all anew"))), "2": b"{nonsense"})
    made = rig(orders=box)
    items = rig.script()
    made.source._script = [*items[:30], lambda: made.clock.advance(1.5), *items[30:]]
    made.start()
    [entry] = [e for e in made.journal if isinstance(e, Ordered)]
    assert entry.name == "1"
    assert set(box.removed) == {"1", "2"}
    assert not box.held


# ---------------------------------------------------------------------- the command line
def config(tmp_path, text=TEXT):
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("STATE", str(tmp_path / "state")))
    return str(path)


def test_commands_leave_orders_where_a_run_finds_them(tmp_path):
    path = config(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    runner = CliRunner()
    options = ["--monitor", "missing", "--segment", "tier=a", "--since", "1970-01-01T00:01:00Z", "--reason", "new"]
    first = runner.invoke(main, ["rebaseline", path, *options])
    second = runner.invoke(main, ["acknowledge", path, "9f2c", "--by", "kim", "--rebaseline"])
    assert (first.exit_code, second.exit_code) == (0, 0), (first.output, second.output)
    assert "nothing runs with this state: the next run obeys" in first.output
    box = OrderFolder(tmp_path / "state")
    waiting = box.waiting()
    assert [heard(orjson.loads(content)) for _, content in waiting] == [
        Rebaseline(("missing",), (("tier", "a"),), 60_000, "new"),
        Acknowledge("9f2c", "kim", rebaseline=True),
    ]
    box.done([name for name, _ in waiting])
    box.done([name for name, _ in waiting])
    assert box.waiting() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--monitor", "mising"], "--monitor: 'mising' is none of the config (did you mean 'missing'?)"),
        (["--segment", "tier"], "--segment: expected FIELD=VALUE"),
        (["--since", "yesterday"], "--since: expected a time with an offset"),
    ],
)
def test_mistakes_of_the_command_line_are_told(tmp_path, options, message):
    (tmp_path / "state").mkdir(mode=0o700)
    result = CliRunner().invoke(main, ["rebaseline", config(tmp_path), *options])
    assert result.exit_code == 2
    assert message in result.output
    assert not OrderFolder(tmp_path / "state").waiting()


def test_without_a_state_there_is_nobody_to_order(tmp_path):
    result = CliRunner().invoke(main, ["rebaseline", config(tmp_path)])
    assert result.exit_code == 2
    assert "nothing has ever run with this state.dir" in result.output
