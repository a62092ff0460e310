"""Does a state of an older format come through every version in between, and is a newer one refused with words?"""

import copy

import numpy as np
import pytest

import streamcheck.core.detectors  # noqa: F401 - registers them
from streamcheck.config.load import loads
from streamcheck.core import codec, migrations, saving
from streamcheck.core.components import build
from streamcheck.core.engine import Engine
from streamcheck.core.measures.schema_changes import FormsAccumulator
from streamcheck.core.migrations import VERSION, migrated
from streamcheck.core.room import unlimited
from streamcheck.core.summaries.stream import Names
from streamcheck.core.types import SourcePartition
from streamcheck.core.zones import Timing
from streamcheck.errors import StateError
from streamcheck.runtime.decode import Decoder
from streamcheck.testing import raw_batch

PLAN = loads(
    """
version: 1
name: n
streams:
  predictions: {topic: p, features: {x: numeric}}
time: {pane: 1s, lateness: 1ms}
reference: {first: 5s}
monitors:
  - {name: shift, on: x, measure: mean_shift}
  - {name: adwin, on: x, detector: {adwin: {delta: 0.002}}}
""",
    {},
).plan
SOURCE = SourcePartition("p", 0)


def saved() -> dict[str, bytes]:
    engine = Engine(PLAN, "lineage")
    engine.open({SOURCE: 0})
    batch = raw_batch("p", 0, [{"x": at % 7} for at in range(3_000)], first_offset=0, times_ms=range(0, 30_000, 10))
    engine.feed(Decoder(PLAN.predictions, None).decode(batch))
    return dict(saving.Saver(engine).take().put)


def as_written_by(version: int, parts: dict[str, bytes], change=lambda key, state: state) -> dict[str, bytes]:
    """The same parts in another version, as a release of that time would have written them."""
    states = {key: codec.decode("streamcheck.state", data)[1] for key, data in parts.items()}
    return {key: codec.encode("streamcheck.state", version, change(key, state)) for key, state in states.items()}


def test_a_state_passes_through_a_chain_of_versions(monkeypatch) -> None:
    """Three releases from now: the engine's counter was renamed twice, monitors got a field in between."""
    now = saved()

    def older(key, state):
        if key == "engine":
            core = dict(state["engine"])
            core["number"] = core.pop("sequence")
            return {**state, "engine": core}
        return {name: part for name, part in state.items() if name != "made_of"}

    def rename(old, new):
        def step(state):
            core = dict(state["engine"])
            core[new] = core.pop(old)
            return {**state, "engine": core}

        return step

    def say_what_it_is_made_of(state):
        return {**state, "made_of": ["?", None, "?"]}

    table = {
        (1, "engine"): rename("number", "serial"),
        (2, "monitor"): say_what_it_is_made_of,
        (3, "engine"): rename("serial", "sequence"),
    }
    old = as_written_by(1, now, older)
    with pytest.raises(KeyError):
        saving.restore(PLAN, old)  # nobody would understand it without the chain
    monkeypatch.setattr(migrations.migrated, "__defaults__", (table, 4))
    again = saving.restore(PLAN, old).engine
    wanted = {key: codec.decode("streamcheck.state", data)[1] for key, data in now.items()}
    assert again.core_state() == wanted["engine"]["engine"]
    # what a release of today writes has missed the renaming only
    middle = as_written_by(2, now, lambda key, s: rename("sequence", "serial")(s) if key == "engine" else s)
    assert saving.restore(PLAN, middle).engine.core_state() == again.core_state()
    assert saving.restore(PLAN, as_written_by(4, now)).engine.core_state() == again.core_state()


def test_migrations_leave_what_they_are_given(monkeypatch) -> None:
    state = {"engine": {"a": 1}}
    before = copy.deepcopy(state)
    table = {(1, "engine"): lambda s: {"engine": {**s["engine"], "b": 2}}}
    assert migrated("engine", 1, state, table, 2) == {"engine": {"a": 1, "b": 2}}
    assert state == before


def test_parts_of_other_families_are_passed_on() -> None:
    table = {(1, "join"): lambda s: {"changed": True}}
    assert migrated("join/00000000000000010000", 1, {}, table, 2) == {"changed": True}
    for key in ("joined", "monitor/join/0", "window/join/rows100/0", "engine"):
        assert migrated(key, 1, {"kept": 1}, table, 2) == {"kept": 1}


def test_a_newer_format_is_refused_with_the_way_out() -> None:
    newer = as_written_by(VERSION + 1, saved())
    with pytest.raises(StateError, match=rf"has format {VERSION + 1}, this streamcheck reads up to {VERSION}.*upgrade"):
        saving.restore(PLAN, newer)


def test_a_format_that_never_was_is_refused() -> None:
    with pytest.raises(StateError, match=r"has format 0, this streamcheck reads 1 to"):
        saving.restore(PLAN, as_written_by(0, saved()))


def test_every_step_of_the_table_leads_somewhere() -> None:
    families = {migrations.family(key) for key in saved()} | {"join", "segments", "window"}
    for since, family in migrations.MIGRATIONS:
        assert migrations.OLDEST <= since < VERSION
        assert family in families


def test_a_monitor_says_what_it_is_made_of() -> None:
    """Without that, no later release could find the state of one detector."""
    parts = {key: codec.decode("streamcheck.state", data)[1] for key, data in saved().items()}
    assert parts["monitor/adwin/0"]["made_of"] == ["adwin", None, "first"]
    assert parts["monitor/shift/0"]["made_of"][1:] == ["mean_shift", "first"]


def with_one_part(key, state):
    """A monitor as format 5 had it."""
    if migrations.family(key) != "monitor":
        return state
    instance = copy.deepcopy(state["instance"])
    if "detectors" in instance:
        (instance["detector"],) = instance.pop("detectors")
        del instance["parts"]
    forget_neighbours(instance["normal"])
    return {**state, "instance": instance}


def forget_neighbours(state):
    for part in state.values() if isinstance(state, dict) else state if isinstance(state, list) else ():
        forget_neighbours(part)
    if isinstance(state, dict) and "neighbours" in state:
        del state["neighbours"], state["square_rows"]


def without_orders(key, state):
    """What format 4 did not have."""
    if key == "engine":
        return {**state, "engine": {k: v for k, v in state["engine"].items() if k != "orders"}}
    if migrations.family(key) != "monitor":
        return state
    state = with_one_part(key, state)
    tracker = {k: v for k, v in state["instance"]["tracker"].items() if k not in ("acknowledged", "accepted")}
    return {**state, "instance": {**state["instance"], "tracker": tracker}}


def without_successors(key, state):
    """What format 3 did not have."""
    state = without_orders(key, state)
    if migrations.family(key) != "monitor":
        return state
    instance = dict(state["instance"])
    normal = instance.pop("normal")
    reference = None if normal is None else dict(normal["reference"])
    if reference is not None and "calendar" in reference:
        reference["calendar"] = {k: v for k, v in reference["calendar"].items() if k != "open"}
    return {**state, "instance": {**instance, "reference": reference}}


def test_incidents_of_a_state_of_format_2_go_on() -> None:
    """What was open then keeps its incident, and the newest one is joined by who comes soon enough."""

    def older(key, state):
        if key != "engine":
            return without_successors(key, state)
        state = without_orders(key, state)
        core = {**state["engine"], "incidents": {"a1": "i1", "a2": "i1"}, "last_incident": ["i1", 20_000]}
        return {**state, "engine": core}

    engine = saving.restore(PLAN, as_written_by(2, saved(), older)).engine
    assert (engine.incidents.open, engine.incidents.total) == (1, 1)
    assert engine.incidents.of("a1", 0) == engine.incidents.of("a3", 25_000) == "i1"
    assert engine.incidents.of("a4", 90_000) != "i1"


def test_format_3_had_neither_successors_nor_an_hour_that_goes_on() -> None:
    """It goes on as this release does from the same moment; only what was not kept is missing."""

    now = saved()
    now = as_written_by(5, now, with_one_part)
    old = as_written_by(3, now, without_successors)
    engines = [saving.restore(PLAN, parts).engine for parts in (now, old)]
    rows = [{"x": at % 7 + 3 * (at > 1_000)} for at in range(3_000)]
    batch = raw_batch("p", 0, rows, first_offset=3_000, times_ms=range(30_000, 60_000, 10))
    alerts = [
        [a.record for a in engine.feed(Decoder(PLAN.predictions, None).decode(batch)).alerts] for engine in engines
    ]
    assert alerts[0] == alerts[1]
    assert alerts[0]


def test_nobody_had_ordered_anything_in_format_4() -> None:
    now = saved()
    old = saving.restore(PLAN, as_written_by(4, now, without_orders)).engine
    new = saving.restore(PLAN, now).engine
    assert dict(saving.Saver(old).take().put)["engine"] == dict(saving.Saver(new).take().put)["engine"]
    trackers = [[i.export()["tracker"] for i in engine.board.instances()] for engine in (old, new)]
    assert trackers[0] == trackers[1]


def test_the_calendar_of_format_3_had_closed_its_hours() -> None:
    calendar = {"overall": {}, "slots": {}}
    instance = {"tracker": {}, "reference": {"first_ms": 0, "calendar": calendar}, "shown": [], "detector": {"a": 1}}
    new = migrated("monitor/a/0", 3, {"instance": instance, "made_of": ["cusum", "psi", "auto"]}, newest=7)["instance"]
    assert (new["parts"], new["detectors"]) == ([""], [{"a": 1}])
    assert new["tracker"] == {"acknowledged": None, "accepted": None}
    assert new["normal"]["reference"]["calendar"] == {**calendar, "open": None}
    assert "reference" not in new
    assert instance["reference"]["calendar"] == calendar


def test_nothing_had_joined_a_reference_in_format_6() -> None:
    chart, other = {"before": np.zeros((5, 85)), "count": 3}, {"positive": 0.5}
    new = migrated("monitor/a/0", 6, {"instance": {"detectors": [chart, other]}, "made_of": []}, newest=7)["instance"]
    fresh = build("detector", "scan", {}).export()["grown"]
    assert str(new["detectors"][0]["grown"]) == str(fresh)
    assert new["detectors"][1] == other
    assert "grown" not in chart


def test_alerts_of_format_8_have_fired_since_they_opened() -> None:
    for state, fired_ms in ((2, 5_000), (1, None), (0, None)):
        tracker = {"state": state, "opened_ms": 5_000}
        new = migrated("monitor/a/0", 8, {"instance": {"tracker": tracker}}, newest=9)["instance"]["tracker"]
        assert new == {**tracker, "fired_ms": fired_ms, "escalated": False}


def test_nobody_had_looked_for_undeclared_fields_in_format_10() -> None:
    """Of a season, too, whose forms lie in several places."""
    forms = {"counts": [["x", 0, 40]]}
    normal = {"reference": {"calendar": {"slots": [{"content": forms}, {"content": forms}]}}, "stage": 3}
    state = {"instance": {"normal": normal}, "made_of": ["threshold", "schema_changes", "season"]}
    new = migrated("monitor/schema_changes-threshold/0", 10, state)["instance"]
    assert new["looked"] == []
    for slot in new["normal"]["reference"]["calendar"]["slots"]:
        content = FormsAccumulator()
        content.restore(slot["content"])
        assert content.export() == {"counts": [["x", 0, 40]], "names": [], "panes": 0, "beyond": False}
        assert content.undeclared(Names(20, (("fee", 20),))) == [], "a reference that knows none says nothing of them"
    assert migrated("monitor/a/0", 10, {"instance": 1, "made_of": ["scan", "mean", "first"]})["instance"] == 1


def test_scale_of_panes_of_few_rows_begins_anew_after_format_12() -> None:
    def after(measure, rows):
        content = {"between": 1.0, "panes": 40, "moment": [40 * rows, 0.0, 0.0, 0.0]}
        normal = {"reference": {"calendar": {"slots": {"3": {"panes": 40, "content": content}}}}}
        state = {"fingerprint": "f", "instance": {"normal": normal}, "made_of": ["scan", measure, "auto"]}
        return migrated("monitor/a/0", 12, state, newest=13)

    assert after("scale", 2)["fingerprint"] != "f", "as if its config had changed"
    assert after("scale", 50)["fingerprint"] == after("mean_shift", 2)["fingerprint"] == "f"


def test_calendars_of_format_15_had_put_nothing_aside() -> None:
    made = build("reference", "auto", {})
    made.bind(build("measure", "volume", {}).accumulator, unlimited(), Timing(3_600_000))
    held = made.export()
    old = {"calendar": {key: part for key, part in held["calendar"].items() if key != "aside"}}
    state = {"instance": {"normal": {"reference": old, "successor": None}}, "made_of": ["scan", "volume", "auto"]}
    new = migrated("monitor/a/0", 15, state, newest=16)["instance"]["normal"]["reference"]
    assert new["calendar"] == held["calendar"]
    assert "aside" not in old["calendar"]
