"""Does the loop commit and deliver in the order that makes any crash harmless?"""

import contextlib
import itertools
from dataclasses import replace

import orjson
import pytest

from streamcheck.core.buffers import Mark
from streamcheck.core.partitions import Partition
from streamcheck.errors import StateError
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.ports import SinkLost
from streamcheck.testing import ABORT, FailingStore, Fault, MemoryStore, ScriptedSource

COMMIT = MemoryStore.commit


def test_the_script_brings_what_these_tests_are_about(undisturbed):
    """All kinds of transitions, more of them than commits can swallow at once; dead letters; late events."""
    states = [orjson.loads(record)["state"] for record in undisturbed.records]
    assert {"pending", "firing", "resolved"} == set(states)
    assert len(states) >= 8
    assert undisturbed.alerts.sendings >= 5
    assert len(undisturbed.dead.arrived) == 24
    assert len(undisturbed.late.arrived) >= 20
    assert [e.sequence for e in undisturbed.alerts.records] == list(range(1, len(states) + 1))


# ------------------------------------------------------------------ order
def test_a_commit_goes_strays_state_delivery_progress(undisturbed):
    calls = [name for name, _ in undisturbed.log]
    commits = [at for at, name in enumerate(calls) if name == "store.commit"]
    assert len(commits) > 10
    for at in commits:
        assert calls[at - 2 : at] == ["dead.flush", "late.flush"]
    for at in (at for at, name in enumerate(calls) if name == "alerts.send"):
        assert calls[at + 1] == "store.delivered"
        before = calls[:at][::-1]
        assert before.index("store.commit") < before.index("dead.flush"), "what is sent has been committed"


def test_nothing_is_sent_that_is_not_committed(undisturbed):
    committed, sent = 0, 0
    for name, args in undisturbed.log:
        committed += len(args[0].outbox) if name == "store.commit" else 0
        sent += len(args[0]) if name == "alerts.send" else 0
        assert sent <= committed
    assert sent == committed


def test_dead_letters_carry_their_bytes_and_where_they_came_from(undisturbed):
    assert {(r.source.topic, r.reason, r.value) for r in undisturbed.dead.arrived} == {("p", "not JSON", b"garbage")}
    places = [(r.source, r.offset) for r in undisturbed.dead.arrived]
    assert len(set(places)) == len(places)
    assert {r.reason for r in undisturbed.late.arrived} == {"late"}


def test_a_commit_waits_for_dead_letters_and_holds_alerts_back(rig, undisturbed):
    made = rig()
    made.dead.refusals = 10
    made.start()
    first = [name for name, _ in made.log].index("store.commit")
    assert [name for name, _ in made.log[:first]].count("dead.flush") == 11
    assert "alerts.send" not in [name for name, _ in made.log[:first]]
    assert made.records == undisturbed.records


def test_progress_shown_to_lag_tools_is_where_a_restart_would_read(undisturbed):
    shown = undisturbed.source.shown
    positions = {s: p.position().offset for s, p in undisturbed.loop.engine.partitions.items()}
    assert shown == positions


def test_without_a_closed_pane_nothing_is_committed(rig):
    made = rig([*rig.script()[:1]])
    made.start()
    assert [name for name, _ in made.log].count("store.commit") == 1  # the new life itself


def test_commits_are_as_rare_as_told_but_for_alerts(rig, undisturbed):
    """The clock stands still: after the first one, only alerts make commits, and the stop."""
    made = rig(rules=LoopRules(commit_every_s=60.0))
    made.start()
    commits = [args[0] for name, args in made.log if name == "store.commit"]
    assert [bool(c.outbox) for c in commits[1:-1]] == [True] * (len(commits) - 2)
    assert made.records == undisturbed.records


# ------------------------------------------------------------------ crashes
@pytest.mark.parametrize("place", range(72))
def test_a_crash_anywhere_loses_and_repeats_nothing(rig, undisturbed, place):
    script = rig.script()
    made = rig([*script[:place], ABORT, *script[place:]])
    assert made.survive() == 1
    assert made.records == undisturbed.records
    assert made.alerts.digests[-1] == undisturbed.alerts.digests[-1]


def forgetful_position(partition):
    """A mutant: reading goes on where it stopped; the rows of open panes are forgotten."""
    return Mark(partition.next_offset, partition.newest, partition.floor)


def forgetful_commit(store, commit):
    """A mutant: the outbox is not a part of the commit."""
    COMMIT(store, replace(commit, outbox=()))
    store._sequence += len(commit.outbox)


@pytest.mark.parametrize(
    ("owner", "name", "mutant"),
    [(Partition, "position", forgetful_position), (MemoryStore, "commit", forgetful_commit)],
)
def test_these_crashes_catch_mutants(rig, undisturbed, monkeypatch, owner, name, mutant):
    monkeypatch.setattr(owner, name, mutant)
    script, caught = rig.script(), 0
    for sending in (1, 2, 3):
        made = rig([*script[:-20], ABORT, *script[-20:]])
        made.alerts.faults = {sending: "crash before"}
        with contextlib.suppress(AssertionError, StateError):  # a gap in the sequence is refused
            made.survive()
        caught += made.records != undisturbed.records
    assert caught


@pytest.mark.parametrize("every", [1, 2, 5])
def test_crash_after_crash(rig, undisturbed, every):
    script = rig.script()
    items = itertools.chain(*([*script[at : at + every], ABORT] for at in range(0, len(script), every)))
    made = rig(list(items)[:-1])
    assert made.survive() >= 14
    assert made.records == undisturbed.records


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("commit", [1, 2, 5, 9, 14])
def test_a_commit_that_fails_or_nobody_hears_of(rig, undisturbed, commit, fault):
    made = rig(store=FailingStore(MemoryStore(), {commit: fault}))
    with pytest.raises(StateError, match="scripted"):
        made.start()
    made.start()
    assert made.records == undisturbed.records


@pytest.mark.parametrize("fault", ["crash before", "crash after"])
@pytest.mark.parametrize("sending", [1, 2, 4])
def test_a_crash_while_alerts_are_sent(rig, undisturbed, sending, fault):
    made = rig()
    made.alerts.faults = {sending: fault}
    assert made.survive() == 1
    assert made.records == undisturbed.records
    assert made.store.load().outbox == ()


def test_dead_letters_arrive_at_least_once_across_crashes(rig, undisturbed):
    script = rig.script()
    made = rig(list(itertools.chain(*([item, ABORT] for item in script)))[:-1])
    made.survive()
    places = {(r.source, r.offset) for r in made.dead.arrived}
    assert places == {(r.source, r.offset) for r in undisturbed.dead.arrived}
    # Panes that did not close hold the last of them: the stop commits what has closed only.
    late = {(r.source, r.offset) for r in made.late.arrived}
    assert late == {(r.source, r.offset) for r in undisturbed.late.arrived}


@pytest.mark.parametrize("every", [2, 7])
def test_stop_and_resume_is_no_disturbance(rig, undisturbed, every):
    made = rig()
    turns = itertools.count()

    def stopping():
        return made.source.exhausted or next(turns) % (every + 1) == every

    while not made.source.exhausted:
        made.start(stopping)
    made.start()
    assert made.records == undisturbed.records
    counters = [(p.accepted, p.late, p.rejected) for p in made.loop.engine.reading().partitions]
    assert counters == [(p.accepted, p.late, p.rejected) for p in undisturbed.loop.engine.reading().partitions]


def test_one_life_has_one_lineage_and_one_opening(rig, undisturbed):
    script = rig.script()
    made = rig([*script[:30], ABORT, *script[30:]])
    made.survive()
    opened = [entry for entry in made.journal if type(entry).__name__ == "Opened"]
    assert len(opened) == 1
    assert opened[0].lineage == made.alerts.lineage == undisturbed.alerts.lineage


# ------------------------------------------------------------------ delivery
def test_what_cannot_be_delivered_waits_in_the_store_and_goes_out_in_order(rig, undisturbed):
    script = rig.script()
    made = rig(script)
    made.alerts.faults = dict.fromkeys(range(1, 1_000), "refuse")
    made.start()
    assert made.records == []
    assert [e.value for e in made.store.load().outbox] == undisturbed.records
    assert made.telemetry.read().outbox == len(undisturbed.records)
    made.alerts.faults = {}
    made.start(iter([False, True]).__next__)
    assert made.records == undisturbed.records
    assert made.store.load().outbox == ()


def test_delivery_is_tried_again_with_back_off_never_in_a_tight_circle(rig, undisturbed):
    made = rig()
    made.alerts.faults = dict.fromkeys(range(1, 4), "refuse")
    made.start()
    assert made.alerts.sendings == 1, "the clock stands still: no second try"
    for _ in range(40):
        made.clock.advance(0.5)
        made.loop._turn()
    assert made.records == undisturbed.records
    assert made.alerts.sendings == 4


def test_a_run_whose_alerts_topic_was_taken_over_ends(rig):
    """Each of its attempts would fence the run that delivers now."""
    made = rig()
    made.alerts.faults = {1: "lost"}
    with pytest.raises(SinkLost):
        made.start()
    assert made.alerts.sendings == 1


def test_an_alerts_topic_that_knows_more_than_the_state_is_refused(rig):
    """Somebody put an older copy of the state back."""
    made = rig()
    made.start()
    made.store = MemoryStore()
    made.source = ScriptedSource(rig.script())
    with pytest.raises(StateError, match="older copy"):
        made.start()
