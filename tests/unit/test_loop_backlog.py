"""One row may complete thousands of panes: does the loop show that it lives, commit on the way, stop when told to?"""

import itertools
from dataclasses import replace

import pytest

from streamcheck.core.engine import Engine
from streamcheck.errors import StateError
from streamcheck.runtime import loop
from streamcheck.runtime.limits import PANES_A_BREATH
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.telemetry import HealthRules, Telemetry
from streamcheck.testing import FailingStore, Fault, MemoryStore, raw_batch

PANES = 1_300
PANE_S = 0.1
"""What closing a pane takes, by the clock of these tests."""


@pytest.fixture
def backlog(rig):
    """A partition that is far ahead of the two others, which then catch up at one blow."""
    start_ms, last_ms = rig.start_ms, rig.start_ms + 1_000 * PANES
    ahead = [
        {"id": f"e{i}", "at": start_ms + 1_000 * i, "said": i % 2, "amount": 10 + i % 7 + 40 * (i // 200 % 2)}
        for i in range(PANES)
    ]
    behind = {"at": last_ms, "said": 1, "amount": 10, "truth": 1}

    def batch(topic: str, partition: int, first: int, events: list[dict[str, object]]):
        return raw_batch(topic, partition, events, first_offset=first, times_ms=[last_ms] * len(events))

    return [
        batch("p", 0, 0, ahead),
        batch("p", 1, 0, [{**behind, "id": "b0"}]),
        batch("l", 0, 0, [{**behind, "id": "e1"}]),
        batch("l", 0, 1, [{**behind, "id": "e2"}]),
    ]


@pytest.fixture
def whole(rig, backlog):
    """All at once."""
    made = rig(backlog)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "PANES_A_BREATH", None)
        made.start()
    assert made.loop.tally.panes >= PANES - 2
    assert len(made.records) > 10
    return made


def test_it_shows_that_it_lives_and_commits_on_the_way(rig, backlog, monkeypatch) -> None:
    made, close, beats = rig(backlog, rules=LoopRules(commit_every_s=5.0)), Engine._close, []

    def takes_its_time(*args, **more):
        made.clock.advance(PANE_S)
        return close(*args, **more)

    monkeypatch.setattr(Engine, "_close", takes_its_time)
    monkeypatch.setattr(Telemetry, "beat", lambda _, now_s: beats.append(now_s))
    made.start()
    assert 2 * HealthRules().beat_s_max < PANES * PANE_S, "nothing that a probe would notice"
    assert max(b - a for a, b in itertools.pairwise(beats)) <= PANES_A_BREATH * PANE_S + 1.0
    commits = [args[0] for name, args in made.log if name == "store.commit"]
    assert len(commits) > PANES * PANE_S / (2 * 5.0)
    assert max(len(commit.outbox) for commit in commits) < len(made.records) / 2


def test_what_is_shown_of_a_commit_that_waits_ends_with_the_commit(rig, backlog, monkeypatch) -> None:
    """Nothing else is shown while panes close at one blow: a probe, and operational alerts, would take it for late."""
    made, close, waiting = rig(backlog, rules=LoopRules(commit_every_s=5.0)), Engine._close, []

    def takes_its_time(*args, **more):
        made.clock.advance(PANE_S)
        shown = made.telemetry.read()
        waiting.append(shown.commit_waiting_since_s)
        if len(waiting) == 1:  # as if somebody had looked just then
            made.telemetry.publish(replace(shown, commit_waiting_since_s=made.clock.monotonic()))
        return close(*args, **more)

    monkeypatch.setattr(Engine, "_close", takes_its_time)
    made.start()
    assert waiting[1] is not None
    assert waiting[-1] is None


@pytest.mark.parametrize("panes", [20, 100])
def test_alerts_are_the_same_however_often_it_breathes(rig, whole, backlog, monkeypatch, panes: int) -> None:
    monkeypatch.setattr(loop, "PANES_A_BREATH", panes)
    made = rig(backlog)
    made.start()
    made.start()
    assert made.records == whole.records


def test_a_crash_on_the_way_leaves_nothing_out(rig, whole, backlog) -> None:
    made = rig(backlog, store=FailingStore(MemoryStore(), {4: Fault.BEFORE, 6: Fault.AFTER}))
    for _ in range(2):
        with pytest.raises(StateError, match="scripted failure"):
            made.start()
        assert 0 < made.loop.tally.panes < PANES
    made.start()
    assert made.records == whole.records


def test_a_stop_on_the_way_is_heeded_and_the_rest_comes_later(rig, whole, backlog) -> None:
    made = rig(backlog)
    made.start(stopping=lambda: made.loop is not None and made.loop.tally.panes > PANES // 3)
    assert made.loop.tally.panes < PANES // 3 + 2 * PANES_A_BREATH
    made.start()
    assert made.records == whole.records
