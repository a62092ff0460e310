"""Is a state that was made again by replay the one that was lost? Schedules with silence, floors, new partitions."""

import contextlib
import itertools
import random
from dataclasses import replace

import pytest

from streamcheck.config.load import loads
from streamcheck.core.journal import Advanced, Floored, Silent, Skipped, from_bytes, to_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError, StateError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decoding import Inline
from streamcheck.runtime.delivery import StrayPost
from streamcheck.runtime.past import Life, begun, lives
from streamcheck.runtime.ports import Arrived, PartitionStatus, RawBatch
from streamcheck.runtime.rebuild import PastDiffers, rebuild
from streamcheck.testing import ABORT, Aborted, MemoryStore, ScriptedSource, raw_batch

SEEDS = 40
IDLE_S = 4.0
L0, P0, P1, P2 = (SourcePartition(*at) for at in (("l", 0), ("p", 0), ("p", 1), ("p", 2)))


# ------------------------------------------------------------------ worlds
def schedule(rig, made, seed, silence):
    """The rig's events in a random order of partitions; with silence: spells in which some say nothing, new ones."""
    rng = random.Random(seed)
    queues = {L0: [], P0: [], P1: []}
    for item in rig.script(seed % 7 + 1):
        queues[item.source].append(item)
    items, silent, spell, added = [], None, 0, silence and rng.random() < 0.5

    def wait():
        made.clock.advance(1.5)

    while any(queues.values()):
        if silence and spell == 0 and rng.random() < 0.08:
            silent, spell = rng.choice([*queues, None]), rng.randrange(4, 9)
            items += [wait] * (rng.randrange(3, 7) if silent is None else 0)
        spell = max(0, spell - 1)
        speaking = [s for s in queues if queues[s] and (s != silent or not spell)]
        source = max(speaking, key=lambda s: len(queues[s]), default=None)
        if source is None:
            spell = 0
            continue
        items.append(queues[source].pop(0))
        if silence and (spell or rng.random() < 0.3):
            items.append(wait)
        if added and len(items) > 40:
            items += [lambda: grow(made.source), wait]
            queues[P2], added = fresh(rig, rng), False
    return items, rng


def grow(source):
    """A partition is added; nothing is in it yet."""
    source._log.setdefault(P2, [])
    source._log_start.setdefault(P2, 0)


def fresh(rig, rng):
    """What the added partition brings: rows late and on time."""
    batches, at = [], rig.start_ms + 20_000
    for number in range(6):
        values = [
            {"id": f"n{number}-{i}", "at": at + 4_000 * number + rng.randrange(4_000), "said": 1, "amount": 30}
            for i in range(20)
        ]
        batches.append(raw_batch("p", 2, values, first_offset=20 * number, times_ms=[at] * 20))
    return batches


def lose(made):
    """The state is gone; what the topics hold stays. The topics, as a rebuild finds them."""
    made.store = MemoryStore()
    past = ScriptedSource([], partitions=made.source._log)
    past._log = {source: list(log) for source, log in made.source._log.items()}
    past._log_start = dict(made.source._log_start)
    return past


def rebuilt(made, past, store=None, life=None, expected="marker", **rules):
    """Make the state again, in a store of its own."""
    plan = loads(made.config, {}).plan
    schemas = [s for s in (plan.predictions, plan.labels) if s is not None]
    decoders = {topic: Decoder(s, plan.task).decode for s in schemas for topic in s.topics}
    life = life or list(lives(made.journal_topic.records, "journal").values())[-1]
    store = store or MemoryStore()
    marker = made.alerts.marker if expected == "marker" else expected
    until_end = replace(made.rules, until_end=True, **rules)
    posts = StrayPost(None, None)
    args = (life, marker, posts, Inline(decoders), made.clock, made.telemetry, until_end)
    return store, rebuild(plan, store, past, *args, lambda: False)


def world(rig, seed, *, silence=True, place=None):
    """Two runs of one schedule that both die at the same place: one will lose its state."""
    runs = []
    for _ in range(2):
        made = rig([], rules=rig.rules(idle_after_s=IDLE_S))
        items, rng = schedule(rig, made, seed, silence)
        at = place or rng.randrange(len(items) // 3, len(items))
        made.source._script = [*items[:at], ABORT, *items[at:]]
        with pytest.raises(Aborted):
            made.start()
        runs.append(made)
    assert runs[0].alerts.records == runs[1].alerts.records
    return runs


def while_dead(made, seed):
    """What comes into the topics while nobody runs."""
    rng = random.Random(seed)
    for _ in range(rng.choice([0, 0, 3, 9])):
        if not made.source.exhausted:
            item = made.source._script[made.source._next]
            made.source._next += 1
            if isinstance(item, RawBatch):
                made.source._log[item.source].append(item)
            else:
                item()


# ------------------------------------------------------------------ the promise
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("silence", [True, False])
def test_a_rebuilt_state_goes_on_as_if_it_had_never_been_lost(rig, seed, silence):
    lost, kept = world(rig, seed, silence=silence)
    for made in (lost, kept):
        while_dead(made, seed)
    lost.store, report = rebuilt(lost, lose(lost))
    assert report.arrived == report.verified == lost.alerts.marker.sequence
    assert lost.alerts.records == kept.alerts.records, "a rebuild sends nothing"
    assert report.pending == len(lost.store.load().outbox) == report.sequence - report.arrived
    lost.start()
    kept.start()
    # Who is idle right after a restart is the wall clock's decision, of which the journal tells where it mattered.
    if not silence or lost.journal == kept.journal:
        assert lost.records == kept.records
    # The whole story once more: topics and the journal as it is now give what has arrived by now.
    _, report = rebuilt(lost, lose(lost))
    assert report.verified == len(lost.alerts.records)


def test_these_schedules_do_what_they_are_for(rig):
    journals, same = [], 0
    for seed in range(12):
        lost, kept = world(rig, seed)
        lost.store, _ = rebuilt(lost, lose(lost))
        lost.start()
        kept.start()
        journals += kept.journal
        same += lost.records == kept.records
    assert sum(isinstance(entry, Advanced) for entry in journals) >= 5
    assert sum(isinstance(entry, Floored) for entry in journals) >= 20
    assert sum(isinstance(entry, Floored) and entry.source == P2 for entry in journals) >= 3
    assert same >= 11


@pytest.mark.parametrize("seed", range(12))
def test_an_older_copy_catches_up(rig, seed):
    """A backup that was put back: only the rest is replayed."""
    lost, _ = world(rig, seed)
    backups, copy, store = [], MemoryStore(), lost.store
    commit = store.commit
    store.commit = lambda change: (commit(change), backups.append((store._saved, store._sequence)))
    while_dead(lost, seed)
    lost.start()
    copy._saved, copy._sequence = backups[len(backups) // 2]
    lost.store, report = rebuilt(lost, lose(lost), copy)
    assert report.began_at <= report.arrived == len(lost.alerts.records)
    lost.source._script, lost.source._next = [], 0
    before = list(lost.records)
    lost.start(iter([False, True]).__next__)
    assert lost.records[: len(before)] == before


def test_the_journal_of_a_rebuilt_state_is_not_copied_again(rig):
    lost, _ = world(rig, 3)
    before = list(lost.journal_topic.records)
    lost.store, _ = rebuilt(lost, lose(lost))
    lost.source._script = lost.source._script[: lost.source._next]
    lost.start(iter([False, True]).__next__)
    new = [number for number, _ in lost.journal_topic.records[len(before) :]]
    assert min(new, default=len(before)) >= max(number for number, _ in before), "the last may go on"


def test_what_was_not_delivered_is_sent_by_the_next_run(rig, undisturbed):
    made = rig()
    made.alerts.faults = dict.fromkeys(range(3, 1_000), "refuse")
    made.start()
    arrived = len(made.records)
    made.store, report = rebuilt(made, lose(made))
    assert (report.arrived, report.sequence) == (arrived, len(undisturbed.records))
    assert [e.value for e in made.store.load().outbox] == undisturbed.records[arrived:]
    made.alerts.faults = {}
    made.start(iter([False, True]).__next__)
    assert made.records == undisturbed.records


def test_a_life_in_which_nothing_was_delivered(rig, undisturbed):
    made = rig()
    made.alerts.faults = dict.fromkeys(range(1, 1_000), "refuse")
    made.start()
    assert made.alerts.marker.sequence == 0
    made.store, report = rebuilt(made, lose(made))
    assert (report.arrived, report.pending) == (0, len(undisturbed.records))


def test_what_a_silent_partition_brings_after_the_loss_changes_no_alert(rig):
    """Panes had closed without it; a replay that met its late rows as if on time would give other alerts."""
    outcomes = []
    for noted in (True, False):
        made = rig([], rules=rig.rules(idle_after_s=IDLE_S))

        def wait(made=made):
            made.clock.advance(1.5)

        items = [item for item in rig.script() if item.source != P1]
        withheld = [item for item in rig.script() if item.source == P1]
        made.source._script = [*withheld[:4], *(step for item in items for step in (item, wait))]
        made.start()
        assert any(isinstance(entry, Silent) and P1 in dict(entry.read) for entry in made.journal)
        (life,) = lives(made.journal_topic.records, "journal").values()
        if not noted:
            life = Life(tuple(line for line in life.lines if not isinstance(from_bytes(line), Silent)))
        made.source._log[P1] += withheld[4:]
        try:
            _, report = rebuilt(made, lose(made), life=life)
            outcomes.append(report.verified)
        except PastDiffers as error:
            outcomes.append(str(error)[:10])
    assert outcomes == [len(made.records), "the replay"]


# ------------------------------------------------------------------ refusals
def test_a_gap_in_the_past_is_refused(rig):
    lost, _ = world(rig, 1)
    past = lose(lost)
    past.forget(P0, 40)
    with pytest.raises(StateError, match=r"p\[0\]: the state was made from events at offsets 0 and up, .*backup"):
        rebuilt(lost, past)


def test_a_gap_that_the_lost_run_had_skipped_is_no_obstacle(rig):
    """For a copy of the state that stands right before it."""
    made = rig([], rules=rig.rules(skip_gaps=True))
    script = rig.script()
    made.source._script = script[:30]
    made.start()
    backup = MemoryStore()
    backup._saved, backup._sequence = made.store.load(), made.loop.engine.sequence
    position = made.loop.engine.partitions[P0].position().offset
    end = made.source._end(P0)
    made.source.forget(P0, end)
    made.source._script, made.source._next = script[30:], 0
    made.start()
    assert Skipped(P0, position, end) in made.journal
    _, report = rebuilt(made, lose(made), backup)
    assert report.arrived == len(made.records)
    with pytest.raises(StateError, match="cannot be made again"):
        rebuilt(made, lose(made))


def test_a_journal_that_lacks_an_entry_is_noticed(rig):
    """Without its floors a replay would count rows that the lost run took for late."""
    noticed = 0
    for seed in range(16):
        lost, _ = world(rig, seed)
        (life,) = lives(lost.journal_topic.records, "journal").values()
        without = Life(tuple(line for line in life.lines if not isinstance(from_bytes(line), Floored)))
        past = lose(lost)
        rebuilt(lost, past)
        with contextlib.suppress(PastDiffers):
            rebuilt(lost, past, life=without)
            noticed -= 1
        noticed += 1
    assert noticed >= 3


def test_another_config_is_noticed(rig):
    made = rig()
    made.start()
    made.config = made.config.replace("delta: 0.01", "delta: 0.2")
    with pytest.raises(PastDiffers, match=r"other alerts than .* have arrived: after transition \d+"):
        rebuilt(made, lose(made))
    made.config = made.config.replace("below: 0.7", "below: 0.001").replace("threshold: 15", "threshold: 15000")
    with pytest.raises(PastDiffers, match=r"holds \d+ transitions, the replay of the topics gives only \d+"):
        rebuilt(made, lose(made))


def test_fewer_partitions_are_refused(rig):
    made = rig()
    made.start()
    past = lose(made)
    del past._log[P1]
    with pytest.raises(SourceError, match=r"p\[1\]: the saved state has read this"):
        rebuilt(made, past)


def test_a_copy_with_another_journal_is_refused(rig):
    made = rig(rig.script()[:40])
    made.start()
    copy, (life,) = made.store, lives(made.journal_topic.records, "j").values()
    other = Life((to_bytes(replace(life.opened, positions=((P0, 5),))), *life.lines[1:]))
    with pytest.raises(StateError, match=r"entry 0 of the journal is .* in the state and .* in its copy"):
        rebuilt(made, lose(made), copy, other)


def test_told_to_stop_it_says_that_it_is_not_done(rig):
    made = rig()
    made.start()
    plan = loads(made.config, {}).plan
    life = begun(made.alerts.lineage, dict.fromkeys((L0, P0, P1), 0))
    args = (life, made.alerts.marker, StrayPost(None, None), {}, made.clock, made.telemetry, made.rules)
    assert rebuild(plan, MemoryStore(), lose(made), *args, lambda: True) is None


# ------------------------------------------------------------------ journals
def lines(*entries):
    return [(number, to_bytes(entry)) for number, entry in enumerate(entries)]


def test_lives_are_told_apart_and_the_last_of_each_number_counts():
    first, second = (replace(begun(name, {P0: at}).opened) for name, at in (("one", 0), ("two", 7)))
    floor = Floored(P0, 9, 1_000)
    told = [*lines(first, floor, Advanced(5)), (2, to_bytes(Advanced(9))), *lines(first, floor), *lines(second)]
    found = lives(told, "topic j")
    assert list(found) == ["one", "two"]
    assert found["one"].entries == (first, floor, Advanced(9))
    assert (found["one"].copied, found["two"].positions) == (3, {P0: 7})


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (lines(Advanced(5)), "begins with .*not with the opening of a life"),
        ([*lines(begun("one", {}).opened), (2, to_bytes(Advanced(5)))], r"entries \[1\] are missing of 3"),
        ([(0, b"{}")], "unknown kind"),
    ],
)
def test_a_journal_that_cannot_be_used_says_why(records, message):
    with pytest.raises(StateError, match=message):
        lives(records, "topic j")


def test_an_outdated_marker_is_no_reason_to_forget_the_difference(rig):
    """A digest that no replay gives is refused as soon as its sequence is reached."""
    made = rig()
    made.start()
    with pytest.raises(PastDiffers, match="after transition 3 their digest is wrong"):
        rebuilt(made, lose(made), expected=Arrived(3, "wrong"))


# ------------------------------------------------------------------ the end
def test_a_topic_may_end_with_what_is_no_event(rig):
    """The mark of a transaction, records that were aborted: read, and never handed over."""
    made = rig([], rules=rig.rules(until_end=True))
    for item in rig.script():
        made.source._log[item.source].append(item)
    status = made.source.status

    def marked():
        return {
            source: PartitionStatus(at.position + (at.position == at.high_watermark), at.high_watermark + 1)
            for source, at in status().items()
        }

    made.source.status = marked
    turns = itertools.count()
    made.start(lambda: made.clock.advance(0.5) or next(turns) > 200)
    assert next(turns) < 100, "it did not stop by itself"
    assert made.loop.tally.events == sum(len(item.offsets) for item in rig.script())
