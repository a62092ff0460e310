"""Do dead letters arrive whatever else happens, and hold nothing but the commit back?"""

import logging
from dataclasses import dataclass
from typing import Any

from streamcheck.adapters.kafka import strays
from streamcheck.adapters.kafka.strays import KafkaStraySink
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.ports import StrayRecord
from streamcheck.testing import raw_batch

P0 = SourcePartition("p", 0)


@dataclass
class SmallTopic:
    """A ports.StraySink that takes no more than three records between flushes, and refuses flushes for a while."""

    refusals: int
    sent: list[Any]
    arrived: list[Any]
    most: int = 0

    def send(self, records: Any) -> None:
        self.sent += records
        self.most = max(self.most, len(self.sent))
        if len(self.sent) > 3:
            self.flush()

    def flush(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("scripted: the dead-letter topic does not answer")
        self.arrived += self.sent
        self.sent = []

    def close(self) -> None:
        pass


def garbage(first: int, n: int) -> Any:
    return raw_batch("p", 0, [b"garbage"] * n, first_offset=first, times_ms=[1_772_359_200_000] * n)


def test_a_stream_of_nothing_but_garbage_is_dead_lettered_too(rig) -> None:
    """No pane ever closes, so that there is nothing to commit."""
    made = rig([garbage(at, 5) for at in range(0, 20, 5)])
    made.start()
    assert [(r.source, r.offset) for r in made.dead.arrived] == [(P0, at) for at in range(20)]
    assert [name for name, _ in made.log].count("store.commit") == 1  # the new life itself


def test_strays_that_nobody_takes_make_reading_wait_and_end_nothing(rig, caplog) -> None:
    caplog.set_level(logging.INFO)
    made = rig([garbage(at, 5) for at in range(0, 100, 5)], rules=LoopRules(commit_every_s=60.0))
    made.dead = SmallTopic(30, [], [])
    made.start()
    assert [r.offset for r in made.dead.arrived] == list(range(100))
    assert made.dead.most == 5, "nothing was read while they waited"
    said = [record.message for record in caplog.records if "dead letters" in record.message]
    assert len(said) == 2, said
    assert said[0].endswith("the dead-letter topic does not answer")
    assert said[1] == "dead letters and late events arrive again"


def test_keys_count_as_memory(monkeypatch) -> None:
    flushed = []
    monkeypatch.setattr(KafkaStraySink, "flush", lambda self: flushed.append(len(self._waiting)))
    sink = KafkaStraySink({"bootstrap_servers": "127.0.0.1:1"}, "rejects")
    sink.send([StrayRecord(P0, 0, "tombstone", bytes(strays.WAITING_BYTES_MAX + 1), None)])
    assert flushed == [1]


def test_a_stray_that_must_be_small_leaves_its_key_behind() -> None:
    def size(bytes_max: int) -> int:
        key, value, headers = strays.encode(StrayRecord(P0, 0, "late", b"k" * 9_000, b"v" * 9_000), bytes_max)
        return len(key) + len(value) + sum(len(name) + len(text) for name, text in headers)

    assert size(0) < 200
    assert size(2_000) < 2_000
    assert size(1 << 20) > 9_000


def test_a_pane_that_closes_is_committed_after_its_strays(rig) -> None:
    """The order holds with a sink that is full as well: no position passes an event that has not arrived."""
    script = rig.script()
    made = rig(script)
    made.dead = SmallTopic(7, [], [])
    covered = []
    made.store.commit, commit = lambda change: (covered.append(len(made.dead.sent)), commit(change)), made.store.commit
    made.start()
    assert all(waiting == 0 for waiting in covered)
    assert len(made.dead.arrived) == 24
