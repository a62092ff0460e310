"""What does the loop do when the world changes: silence, outages, gaps, partitions that come and go, another config?"""

import itertools

import orjson
import pytest

from streamcheck.core.journal import Advanced, Floored, Opened, Silent, Skipped
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError, StateError
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.ports import GapError, SourceUnavailable
from streamcheck.testing import AWAY, SILENCE, ScriptedSource, raw_batch

START_MS = 1_772_359_200_000
P0, P1, LABELS = SourcePartition("p", 0), SourcePartition("p", 1), SourcePartition("l", 0)


def rows(source, first, times, tier="a"):
    """Predictions (or labels) at these event times."""
    values = [
        {"id": f"{source}{first + i}", "at": at, "said": 1, "truth": 1, "amount": 10, "tier": tier}
        for i, at in enumerate(times)
    ]
    return raw_batch(source.topic, source.partition, values, first_offset=first, times_ms=times)


def waiting(made, seconds):
    """A step of a script that lets time pass, in the second between two looks at the world."""
    return [lambda: made.clock.advance(1.5) for _ in range(int(seconds / 1.5))]


def lively(made, steps, first=0):
    """P0 goes on with a row each time 1.5 seconds have passed, event time in step."""
    out = []
    for i in range(first, first + steps):
        out += [lambda: made.clock.advance(1.5), rows(P0, i, [START_MS + 1_500 * i])]
    return out


# ------------------------------------------------------------------ silence
def test_a_silent_partition_holds_nothing_back_after_a_while(rig):
    made, seen = rig([]), []
    look = [lambda: seen.append(made.loop.engine.open_from)]
    quiet = [rows(LABELS, 0, [START_MS]), rows(P1, 0, [START_MS + 100])]
    made.source = ScriptedSource([*quiet, *lively(made, 18), *look, *lively(made, 6, 18), *look])
    made.start()
    assert seen[0] * 1_000 <= START_MS
    assert seen[1] * 1_000 == START_MS + 34_000, "P0 alone decides: its newest row is at 34,500 (lateness 500)"
    assert {p.source for p in made.loop.engine.reading().partitions if p.idle} == {P1, LABELS}


def test_a_partition_that_wakes_gets_a_floor_and_the_journal_says_so(rig):
    made = rig([])
    quiet = [rows(LABELS, 0, [START_MS]), rows(P1, 0, [START_MS + 100])]
    wakes = rows(P1, 1, [START_MS + 32_500, START_MS + 34_500])
    made.source = ScriptedSource([*quiet, *lively(made, 24), wakes])
    made.start()
    assert [e for e in made.journal if isinstance(e, Floored)] == [Floored(P1, 1, START_MS + 34_000)]
    assert [(r.source, r.offset) for r in made.late.arrived + made.late.sent] == [(P1, 1)]


def test_when_all_are_silent_event_time_goes_on_with_the_wall_clock(rig):
    config = rig().config.replace("monitors:", "monitors:\n  - {on: volume, alert: {cooldown: 5s}}")
    made, at = rig([], config=config), rig.start_ms
    steady = [rows(source, 0, [at + 250 * i for i in range(200)]) for source in (LABELS, P0, P1)]
    made.source = ScriptedSource([*steady, *waiting(made, 90)])
    made.start()
    assert [type(entry) for entry in made.journal] == [Opened, Advanced, Silent, Advanced], "few lines, however long"
    # Newest 49,750, less 500; elapsed at the last look 90 s, less the first turn's second.
    assert at + 49_250 + 87_000 <= made.journal[-1].until_ms <= at + 49_250 + 90_000
    fired = [orjson.loads(record) for record in made.records]
    assert [(r["monitor"], r["state"]) for r in fired] == [("volume-scan", "firing")]
    assert fired[0]["value"] == 0


def test_an_outage_is_no_silence(rig):
    """Nobody could be heard: afterwards each partition gets its whole time to speak."""
    made, at = rig([]), rig.start_ms
    made.source = ScriptedSource(
        [
            rows(LABELS, 0, [at]),
            rows(P1, 0, [at]),
            rows(P0, 0, [at]),
            *[AWAY] * 8,
            rows(P0, 1, [at + 100 * i for i in range(100)]),
            *waiting(made, 3),
            rows(P1, 1, [at + 100 * i for i in range(100)]),
        ]
    )
    made.start()
    assert made.clock.monotonic() > 60, "it was away for longer than idle_after"
    assert made.late.sent + made.late.arrived == []
    assert not any(isinstance(entry, Floored) for entry in made.journal)


def test_trouble_that_raises_nothing_is_no_silence_either(rig):
    made, at = rig([]), rig.start_ms
    made.source = ScriptedSource([rows(LABELS, 0, [at]), rows(P1, 0, [at]), rows(P0, 0, [at]), *waiting(made, 60)])
    made.source.trouble = lambda: "the broker does not answer"
    made.start()
    assert not any(p.idle for p in made.loop.engine.reading().partitions)
    broker = made.telemetry.read().broker
    assert (broker.connected, broker.message) == (False, "the broker does not answer")


def test_idleness_survives_a_restart_while_nothing_new_has_come(rig):
    made = rig([])
    quiet = [rows(LABELS, 0, [START_MS]), rows(P1, 0, [START_MS])]
    made.source = ScriptedSource([*quiet, *lively(made, 24)])
    made.start()
    made.source._script, made.source._next = lively(made, 4, 24), 0
    made.start()
    assert {p.source for p in made.loop.engine.reading().partitions if p.idle} == {P1, LABELS}
    assert made.loop.engine.open_from * 1_000 == START_MS + 40_000, "P0 alone decides: 27 x 1,500, less 500"


def test_what_came_to_an_idle_partition_while_nobody_ran_wakes_it_first(rig):
    made = rig([])
    quiet = [rows(LABELS, 0, [START_MS]), rows(P1, 0, [START_MS])]
    made.source = ScriptedSource([*quiet, *lively(made, 24)])
    made.start()
    made.source._log[P1].append(rows(P1, 1, [START_MS + 34_600]))
    made.source._script, made.source._next = lively(made, 4, 24), 0
    made.start()
    assert [e for e in made.journal if isinstance(e, Floored)] == [Floored(P1, 1, START_MS + 34_000)]
    assert made.loop.engine.open_from * 1_000 == START_MS + 34_000, "P1 counts again: its newest row is at 34,600"
    assert made.late.sent + made.late.arrived == []


# ------------------------------------------------------------------ outages
@pytest.mark.parametrize("place", [0, 1, 20, 71])
def test_a_broker_that_goes_away_and_comes_back_changes_nothing(rig, undisturbed, place):
    script = rig.script()
    made = rig([*script[:place], AWAY, AWAY, AWAY, *script[place:]])
    seen = []
    made.source._script.insert(place + 3, lambda: seen.append(made.telemetry.read().broker))
    made.start()
    assert made.records == undisturbed.records
    assert (seen[0].connected, seen[0].message) == (False, f"scripted absence at item {place}")
    assert made.telemetry.read().broker.connected


def test_retries_are_told_once_and_wait_longer_each_time(rig, caplog):
    made = rig([AWAY] * 8)
    made.start()
    assert [r.levelname for r in caplog.records if "absence" in r.message] == ["ERROR"]
    assert made.clock.monotonic() == 0.5 + 1 + 2 + 4 + 8 + 16 + 30  # the last one ends with the script


@pytest.mark.parametrize("call", ["start", "status", "partitions"])
def test_a_broker_that_is_away_at_the_start_is_waited_for(rig, undisturbed, call):
    made = rig()
    answer, refusals = getattr(made.source, call), iter([True, True])
    calls = itertools.count()

    def refusing(*args):
        # The first calls of `partitions` are those of opening, which has a patience of its own (cli/service).
        if (call != "partitions" or next(calls) >= 2) and next(refusals, False):
            raise SourceUnavailable("nobody answers")
        return answer(*args)

    setattr(made.source, call, refusing)
    made.start()
    assert made.records == undisturbed.records


def test_a_stop_while_the_broker_is_away_at_the_start_makes_no_state(rig):
    made = rig()

    def away(*args):
        raise SourceUnavailable("nobody answers")

    made.source.start = away
    turns = itertools.count()
    made.start(lambda: next(turns) > 5)
    assert made.store.load() is None


# ------------------------------------------------------------------ gaps
def gap_script(rig, made):
    """Retention removes what has not been read of one partition."""
    script = rig.script()
    unread = [item for item in script[30:36] if item.source == P0]
    until = unread[-1].next_offset
    kept = [item for item in script[30:] if item not in unread]

    def remove():
        for item in unread:
            made.source._log[P0].append(item)
        made.source.forget(P0, until)

    return [*script[:30], remove, *kept], unread[0].offsets[0], until


def test_a_gap_is_refused_unless_told_otherwise(rig):
    made = rig([])
    items, first, until = gap_script(rig, made)
    made.source._script = items
    with pytest.raises(GapError, match=r"on_gap: skip") as caught:
        made.start()
    assert (caught.value.source, caught.value.wanted, caught.value.available[0]) == (P0, first, until)
    assert not any(isinstance(entry, Skipped) for entry in made.journal)


def test_a_skipped_gap_is_journaled_and_reading_goes_on(rig, undisturbed):
    made = rig([], rules=rig.rules(skip_gaps=True))
    made.source._script, first, until = gap_script(rig, made)
    made.start()
    assert [e for e in made.journal if isinstance(e, Skipped)] == [Skipped(P0, first, until)]
    read, whole = ({p.source: p for p in m.loop.engine.reading().partitions} for m in (made, undisturbed))
    assert read[P1] == whole[P1]
    assert 0 < read[P0].accepted < whole[P0].accepted
    made.source._script = []
    made.source._next = 0
    made.start()  # the position behind the gap is committed
    assert [e for e in made.journal if isinstance(e, Skipped)] == [Skipped(P0, first, until)]


def test_a_gap_found_at_the_start_of_a_run(rig):
    made = rig(rules=rig.rules(skip_gaps=True))
    made.start()
    position = made.loop.engine.partitions[P0].position().offset
    made.source._log[P0].append(rows(P0, made.source._end(P0), [rig.start_ms + 50_000] * 3))
    made.source.forget(P0, made.source._end(P0) - 1)
    made.source._script, made.source._next = [SILENCE], 0
    made.start()
    skipped = [e for e in made.journal if isinstance(e, Skipped)]
    assert skipped == [Skipped(P0, position, made.source._end(P0) - 1)]


# ------------------------------------------------------------------ partitions
def test_fewer_partitions_are_refused(rig):
    made = rig()
    made.start()
    made.source = ScriptedSource([item for item in rig.script() if item.source != P1])
    with pytest.raises(SourceError, match=r"p\[1\]: the saved state has read this"):
        made.start()


@pytest.mark.parametrize("running", [True, False])
def test_a_new_partition_joins_from_its_first_record(rig, running):
    made, p2 = rig(), SourcePartition("p", 2)
    fresh = rows(p2, 0, [rig.start_ms + 40_000 + 100 * i for i in range(80)])

    def grow():
        made.source._log[p2], made.source._log_start[p2] = [fresh], 0
        made.clock.advance(1.5)

    script = rig.script()
    if running:
        made.source = ScriptedSource([*script[:40], grow, *script[40:]])
        made.start()
    else:
        made.source = ScriptedSource(script[:40])
        made.start()
        grow()
        made.source._script, made.source._next = script[40:], 0
        made.start()
    (floor,) = [e for e in made.journal if isinstance(e, Floored)]
    assert (floor.source, floor.offset) == (p2, 0)
    assert made.loop.engine.partitions[p2].next_offset == 80


def test_partitions_that_run_ahead_wait_and_still_wait_after_the_source_began_anew(rig):
    made, at = rig([], rules=rig.rules(open_bytes_max=5_000)), rig.start_ms
    ahead = rows(P0, 0, [at + 100 * i for i in range(100)])
    made.source = ScriptedSource(
        [
            rows(LABELS, 0, [at]),
            rows(P1, 0, [at]),
            ahead,
            *waiting(made, 3),
            lambda: made.source._log.update({SourcePartition("p", 2): []}),
            lambda: made.source._log_start.update({SourcePartition("p", 2): 0}),
            *waiting(made, 3),
        ]
    )
    made.start()
    assert P0 in made.loop._brake.paused == made.source._paused


# ------------------------------------------------------------------ config
def half_and_half(rig, config):
    """Half the script with the rig's config, the other half with another one."""
    made = rig(rig.script()[:36])
    made.start()
    made.config = config
    made.source._script, made.source._next = rig.script()[36:], 0
    made.start()
    return made


def of(records, *monitors):
    """What is said of these monitors, without sequence numbers and incidents, which count all monitors."""
    read = [orjson.loads(record) for record in records]
    kept = [r for r in read if r["monitor"].startswith(monitors)]
    return [{k: v for k, v in r.items() if k not in ("sequence", "incident")} for r in kept]


def test_a_changed_monitor_starts_afresh_and_no_other_one(rig, undisturbed, caplog):
    made = half_and_half(rig, rig().config.replace("threshold: 15", "threshold: 16"))
    assert [r.args[0] for r in caplog.records if "starts afresh" in r.message] == ["amount-ph"]
    assert of(made.records, "amount-adwin", "floor") == of(undisturbed.records, "amount-adwin", "floor")
    caplog.clear()
    made.start()
    assert [r for r in caplog.records if "starts afresh" in r.message] == [], "once is enough"


def test_a_segment_that_came_before_the_change_only_makes_no_second_start(rig, caplog):
    """State of segments that never come again is dropped with the change, or each restart would find it anew."""
    made, at = rig([]), rig.start_ms
    other = [rows(P1, 0, [at + 100 * i for i in range(30)], "b"), rows(P1, 30, [at + 4_900] * 20, "a")]
    made.source = ScriptedSource(
        [rows(LABELS, 0, [at + 9_000]), rows(P0, 0, [at + 100 * i for i in range(50)], "a"), *other]
    )
    made.start()
    made.config = made.config.replace("delta: 0.01", "delta: 0.02")
    made.source._script = [rows(P0, 50, [at + 100 * i for i in range(50, 90)]), rows(P1, 50, [at + 9_000], "a")]
    made.source._next = 0
    made.start()
    assert {r.args[0] for r in caplog.records if "starts afresh" in r.message} == {
        "amount-adwin",
        "amount-adwin-by-tier",
    }
    caplog.clear()
    made.start()
    assert [r.message for r in caplog.records if "starts afresh" in r.message] == []


def test_another_owner_is_no_other_monitor(rig, undisturbed, caplog):
    made = half_and_half(rig, rig().config.replace("owner: nobody", "owner: somebody"))
    assert [r for r in caplog.records if "starts afresh" in r.message] == []
    assert [r["state"] for r in of(made.records, "")] == [r["state"] for r in of(undisturbed.records, "")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pane: 1s", "pane: 2s"),
        ("lateness: 500ms", "lateness: 900ms"),
        ("amount: numeric}", "amount: numeric, x: numeric}"),
    ],
)
def test_changed_time_or_streams_are_refused_with_the_way_out(rig, old, new):
    made = rig(rig.script()[:10])
    made.start()
    made.config = made.config.replace(old, new)
    with pytest.raises(StateError, match=r"another `name`.*--reset-state"):
        made.start()


# ------------------------------------------------------------------ the rest
def test_until_the_end_stops_by_itself(rig):
    made = rig([], rules=LoopRules(commit_every_s=0.0, until_end=True))
    for item in rig.script():
        made.source._log[item.source].append(item)
    made.start(lambda: False)
    assert made.loop.tally.events == sum(len(item.offsets) for item in rig.script())


def test_events_are_counted_as_they_are_read(undisturbed, rig):
    tally = undisturbed.loop.tally
    assert tally.events == sum(len(item.offsets) for item in rig.script())
    assert tally.alerts == len(undisturbed.records)


def test_a_topic_made_anew_is_refused_though_it_has_as_many_events(rig, undisturbed):
    made = rig(rig.script()[:36])
    made.source.ids = {"p": "first", "l": "truth"}
    made.start()
    made.source.ids = {"p": "second", "l": "truth"}
    made.source._script, made.source._next = rig.script()[36:], 0
    with pytest.raises(SourceError, match=r"topic 'p' was deleted and made again.*--reset-state"):
        made.start()
    made.source.ids = {"p": "first", "l": "truth"}
    made.start()
    assert made.records == undisturbed.records


def test_each_alert_transition_is_one_line_of_the_log(rig, caplog):
    caplog.set_level("INFO", "streamcheck")
    made = rig(rig.script())
    made.start()
    said = [r.args[:2] for r in caplog.records if r.msg.startswith("alert %s")]
    read = [orjson.loads(record) for record in made.records]
    assert said == [(r["state"], r["summary"]) for r in read]
    assert said
