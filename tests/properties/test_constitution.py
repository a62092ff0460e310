"""The constitution (DESIGN section 4): one input + start positions + config + journal = one alert log."""

from dataclasses import replace
from json import loads

import pytest

from streamcheck.core.codec import encode
from streamcheck.core.journal import Advanced, Floored
from streamcheck.core.orders import Ordered

WORLDS = 6
SCHEDULES = 200
TINY_SCHEDULES = 40
ORDERED_SCHEDULES = 40
CHECKED_SCHEDULES = 30
QUIET = {"amount-zeros", "amount-stuck", "amount-unit", "score-edge", "late", "rejected", "sure", "kpi", "estimate"}
"""Monitors to which nothing happens in the worlds, or not enough; scores are too few to be calibrated."""


def conserved(run, world):
    """Rows in = on time + late + rejected, and the join's books balance."""
    engine = run.engine
    for source, log in world.logs.items():
        p = engine.partitions[source]
        assert p.accepted + p.late + p.rejected.total() == len(log) + len(log.rejects.offsets), source
    for j in (engine.closing.join_reading(), engine.closing.shadow.reading()):
        balanced(j)


def balanced(j):
    assert (
        j.predictions
        == j.predictions_matched
        + j.predictions_pending
        + j.predictions_expired
        + j.predictions_evicted
        + j.predictions_duplicate
    )
    assert (
        j.labels
        == j.labels_matched
        + j.labels_corrections
        + j.labels_duplicate
        + j.labels_pending
        + j.labels_expired
        + j.labels_evicted
    )
    assert j.labels_matched == j.predictions_matched


def compared(run):
    """What was found of the challenger, and how far it met the champion."""
    shadow = run.engine.reading().shadow
    return shadow.compared, shadow.join, encode("paired", 1, run.engine.board.paired.export())


@pytest.fixture(scope="session")
def worlds(lab):
    made = lab.plan()
    return [(world, lab.uninterrupted(world, made)) for world in (lab.make_world(seed) for seed in range(WORLDS))]


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_schedule_gives_the_same_alert_log(lab, worlds, seed):
    made = lab.plan()
    world, plain = worlds[seed % WORLDS]
    idle, crashes = seed % 3 > 0, seed % 4 > 0
    live = lab.scheduled(world, made, seed, idle=idle, crashes=crashes)
    conserved(live, world)
    if not any(isinstance(entry, Floored | Advanced) for entry in live.journal):
        assert live.alerts == plain.alerts
        assert compared(live) == compared(plain)
        return
    replay = lab.uninterrupted(world, made, live.journal)
    conserved(replay, world)
    assert live.alerts == replay.alerts
    assert live.engine.digest == replay.engine.digest
    assert live.engine.closing.join_reading() == replay.engine.closing.join_reading()
    assert compared(live) == compared(replay)


@pytest.mark.parametrize("seed", range(TINY_SCHEDULES))
def test_limits_bite_at_the_same_place_in_any_schedule(lab, worlds, seed):
    """Rows left out, monitors refused, references cut short and predictions evicted are the same ones."""
    made = lab.tiny()
    world, _ = worlds[seed % WORLDS]
    live = lab.scheduled(world, made, seed, idle=seed % 3 > 0, crashes=seed % 4 > 0)
    replay = lab.uninterrupted(world, made, live.journal)
    conserved(live, world)
    assert live.alerts == replay.alerts
    assert live.engine.digest == replay.engine.digest
    assert live.engine.closing.join_reading() == replay.engine.closing.join_reading()
    assert compared(live) == compared(replay)
    kept = [[p.excess for p in run.engine.partitions.values()] for run in (live, replay)]
    assert kept[0] == kept[1]
    assert live.engine.board.room.used == replay.engine.board.room.used


@pytest.mark.parametrize("seed", range(ORDERED_SCHEDULES))
def test_orders_are_obeyed_at_the_same_place_in_a_replay(lab, worlds, seed):
    """References begin anew, alerts are acknowledged: the journal says when, whatever crashes in between."""
    made = lab.plan()
    world, _ = worlds[seed % WORLDS]
    live = lab.scheduled(world, made, seed, idle=seed % 3 > 0, crashes=seed % 4 > 0, orders=True)
    conserved(live, world)
    names = [entry.name for entry in live.journal if isinstance(entry, Ordered)]
    assert len(names) == len(set(names)) > 0
    replay = lab.uninterrupted(world, made, live.journal)
    assert live.alerts == replay.alerts
    assert live.engine.digest == replay.engine.digest
    assert live.engine.board.room.used == replay.engine.board.room.used
    assert whole_state(live.engine) == whole_state(replay.engine)


def whole_state(engine):
    """All that monitors, windows, search, comparisons and the KPI keep, as bytes."""
    return encode("all", 1, {key: export() for key, export in sorted(engine.board._exporters.items())})


def pages(run):
    """What is shown; how much memory arrays take that grew, or were restored, is a matter of the process."""
    shown = run.engine.reading()
    return replace(shown, shadow=replace(shown.shadow, memory_bytes=0))


@pytest.mark.parametrize("seed", range(CHECKED_SCHEDULES))
def test_every_check_says_and_keeps_the_same_in_any_schedule(lab, worlds, seed):
    """Alerts with their severity as it rises; and what pages show of it, which stands in no alert."""
    made = lab.checks()
    world, _ = worlds[seed % WORLDS]
    live = lab.scheduled(world, made, seed, idle=seed % 3 > 0, crashes=seed % 4 > 0, orders=seed % 5 == 0)
    replay = lab.uninterrupted(world, made, live.journal)
    conserved(live, world)
    assert live.alerts == replay.alerts
    assert live.engine.digest == replay.engine.digest
    assert whole_state(live.engine) == whole_state(replay.engine)
    shown, again = pages(live), pages(replay)
    for name in ("monitors", "weak", "biased", "versions", "kpi", "shadow"):
        assert getattr(shown, name) == getattr(again, name), name


def test_the_world_gives_every_check_something_to_say(lab, worlds):
    runs = [lab.uninterrupted(world, lab.checks()) for world, _ in worlds]
    records = [loads(alert) for run in runs for alert in run.alerts]
    silent = {spec.id for spec in lab.checks().monitors} - {record["monitor"] for record in records}
    assert silent <= QUIET, silent
    assert {record["severity"] for record in records if "escalated" in record["evidence"]} == {"page"}
    shown = [run.engine.reading() for run in runs]
    assert any(each.weak for each in shown)
    assert any(link.r is not None for each in shown for link in each.kpi)


def test_the_tiny_limits_bite(lab, worlds):
    run = lab.uninterrupted(worlds[0][0], lab.tiny())
    bitten = {name for name, hits in run.engine.reading().limits if hits}
    assert bitten >= {"pane_rows", "segments", "monitor_memory", "join_memory", "pending_labels"}
    room = run.engine.board.room
    first = sum(next(iter(members.values())).held_bytes for members in run.engine.board._instances if members)
    assert first < room.bytes_max, "the limit is one on more than each monitor's first segment"
    late = [at for at, m in enumerate(run.engine.plan.monitors) if m.column in ("kpi", "label_coverage")]
    forced = sum(sum(run.engine.board._sizes[at]) for at in late)  # a first segment is always there
    assert room.used <= room.bytes_max + forced
    assert len(run.alerts) > 20


def test_the_schedules_do_what_they_are_for(lab, worlds):
    """The worlds bring every kind of transition, and the schedules crash, idle, wake and fall silent."""
    made = lab.plan()
    runs = [lab.scheduled(worlds[seed % WORLDS][0], made, seed, idle=True, crashes=True) for seed in range(5, 29, 4)]
    journal = [entry for run in runs for entry in run.journal]
    assert sum(run.crashes for run in runs) >= 10
    assert sum(run.wakes for run in runs) >= 10
    assert any(isinstance(entry, Floored) for entry in journal)
    assert any(isinstance(entry, Advanced) for entry in journal)
    fired = {a.split(b'"monitor":"')[1].split(b'"')[0] for _, plain in worlds for a in plain.alerts}
    assert len(fired) >= 10, fired
    assert fired >= {b"kpi", b"schema"}
    books = worlds[0][1].engine.closing.shadow.reading()
    assert books.predictions_matched > 1_000, "most rows are compared"
    assert all(getattr(books, name) > 10 for name in ("predictions_expired", "predictions_duplicate", "labels_expired"))
    states = {a.split(b'"state":"')[1].split(b'"')[0] for _, plain in worlds for a in plain.alerts}
    assert states == {b"pending", b"firing", b"resolved"}
