"""What does a run do about what it finds in the alerts topic: of this state, of another, less, more, something else?"""

import itertools
from dataclasses import replace

import pytest

from streamcheck.errors import StateError
from streamcheck.runtime.delivery import Outbox
from streamcheck.runtime.journal_log import JournalLog
from streamcheck.runtime.opening import BASE, digest_at, open_engine
from streamcheck.runtime.ports import Arrived, Commit
from streamcheck.testing import SILENCE, MemoryStore


def again(made):
    """Start once more with nothing new to read."""
    made.source._script, made.source._next = [], 0
    made.start(iter([False, True]).__next__)


def test_a_new_life_claims_its_topic_before_there_is_an_alert(rig):
    made = rig([SILENCE])
    made.start()
    assert made.alerts.marker == Arrived(0, made.loop.engine.digest)
    again(made)
    assert made.alerts.marker == Arrived(0, made.loop.engine.digest)


def test_nothing_is_claimed_before_the_state_is_committed(rig):
    made = rig([SILENCE])
    calls = []
    claim, commit = made.alerts.claim, made.store.commit
    made.alerts.claim = lambda arrived: (calls.append("claim"), claim(arrived))
    made.store.commit = lambda change: (calls.append("commit"), commit(change))
    made.start()
    assert calls == ["commit", "claim"]


def test_a_claim_that_fails_is_tried_again(rig):
    idle = rig([lambda: idle.clock.advance(1.0) for _ in range(60)])
    idle.alerts.claim_faults = 3
    idle.start()
    assert idle.alerts.marker == Arrived(0, idle.loop.engine.digest)


def test_the_callback_of_a_claim(rig):
    made, heard = rig(), []
    made.start()
    plan = made.loop.engine.plan
    opened = open_engine(plan, made.store, made.source, dict, b"")
    Outbox(made.alerts, made.store, lambda: heard.append("ours")).open(opened)
    assert heard == ["ours"]


@pytest.mark.parametrize("undelivered", [False, True])
def test_another_digest_at_the_same_sequence_is_refused(rig, undelivered):
    """Two runs with copies of one state, or a state that was damaged."""
    made = rig()
    if undelivered:
        made.alerts.faults = dict.fromkeys(range(3, 1_000), "refuse")
    made.start()
    made.alerts.marker = replace(made.alerts.marker, digest="another")
    with pytest.raises(StateError, match=r"differ in transitions 1 to \d+ .*copies of one state.*state rebuild"):
        again(made)


def test_the_digest_within_the_outbox_is_known_from_its_beginning_on(rig, undisturbed):
    made = rig()
    made.alerts.faults = dict.fromkeys(range(3, 1_000), "refuse")
    made.start()
    pending = made.store.load().outbox
    assert len(pending) >= 3
    opened = open_engine(made.loop.engine.plan, made.store, made.source, dict, b"")
    delivered = pending[0].sequence - 1
    told = {at: digest_at(opened, at) for at in range(delivered, made.loop.engine.sequence + 1)}
    assert None not in told.values()
    assert len(set(told.values())) == len(told)
    assert told[made.loop.engine.sequence] == undisturbed.alerts.digests[-1] == made.loop.engine.digest
    assert told[delivered] == made.alerts.digests[-1]
    assert digest_at(opened, delivered - 1) is None
    made.alerts.marker = Arrived(delivered + 2, told[delivered + 2])  # sent by a run that died before it could say so
    made.alerts.records += pending[:2]
    made.alerts.faults = {}
    again(made)
    assert made.records == undisturbed.records


def test_a_topic_that_knows_less_than_was_delivered_is_refused(rig, undisturbed):
    made = rig()
    made.start()
    made.alerts.marker = Arrived(2, "whatever")
    with pytest.raises(StateError, match=r"holds transitions up to 2 .* but \d+ were delivered.*lost records.*rebuild"):
        again(made)


def test_a_new_topic_is_filled_from_now_on_and_the_log_says_so(rig, caplog):
    made = rig()
    made.start()
    made.alerts.marker, made.alerts.records = None, []
    again(made)
    assert "will not hold transitions 1 to" in caplog.text
    assert made.alerts.marker == Arrived(made.loop.engine.sequence, made.loop.engine.digest)


def test_an_older_copy_is_refused_with_the_way_out(rig):
    made = rig()
    turns = itertools.count()
    made.start(lambda: next(turns) > 55)
    copy = made.store.load()
    assert made.loop.engine.sequence > 0
    made.start()
    assert len(made.records) > len(copy.outbox)
    made.store = MemoryStore()
    made.store.commit(Commit(copy.state, outbox=()))
    with pytest.raises(StateError, match=r"older copy.*streamcheck state rebuild CONFIG"):
        again(made)


def test_a_damaged_base_is_refused(rig):
    made = rig()
    made.start()
    made.store.commit(Commit({BASE: b"{"}))
    with pytest.raises(StateError, match="outbox-base is damaged"):
        again(made)


def test_what_an_alert_depended_on_is_in_its_topic_before_the_alert(rig, monkeypatch):
    made, order = rig(), []
    deliver, send = JournalLog.deliver, made.alerts.send

    def copied(log, now_s):
        order.extend(["journal"] * bool(log._uncopied))
        deliver(log, now_s)

    monkeypatch.setattr(JournalLog, "deliver", copied)
    made.alerts.claim = lambda arrived: (order.append("claim"), setattr(made.alerts, "marker", arrived))
    made.alerts.send = lambda *args: (order.append("alerts"), send(*args))
    made.start()
    assert order[:2] == ["journal", "claim"]
