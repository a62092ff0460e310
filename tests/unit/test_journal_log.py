"""The journal in the store and in its topic."""

from streamcheck.core.journal import Advanced, Floored, from_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.journal_log import JournalLog

FLOOR = Floored(SourcePartition("p", 0), 7, 20_000)


class Topic:
    """A journal topic by number; may be away."""

    def __init__(self):
        self.lines = {}
        self.away = False

    def send(self, first, lines):
        if self.away:
            raise DeliveryError("away")
        self.lines |= dict(enumerate(lines, first))

    def close(self):
        pass

    def read(self):
        return [from_bytes(self.lines[number]) for number in sorted(self.lines)]


def stored(saved):
    return [from_bytes(saved[key]) for key in sorted(saved) if key.startswith("journal/")]


def test_silence_takes_one_line_however_long_it_lasts():
    topic = Topic()
    journal = JournalLog(topic, {})
    saved = journal.commit([FLOOR, Advanced(30_000)])
    journal.deliver(0.0)
    for until_ms in range(40_000, 400_000, 10_000):
        saved |= journal.commit([Advanced(until_ms)])
        journal.deliver(0.0)
    saved |= journal.commit([FLOOR, Advanced(500_000)])
    journal.deliver(0.0)
    assert stored(saved) == [FLOOR, Advanced(390_000), FLOOR, Advanced(500_000)]
    assert topic.read() == stored(saved)


def test_what_a_crash_left_uncopied_is_copied_by_the_next_run():
    topic = Topic()
    first = JournalLog(topic, {})
    saved = first.commit([FLOOR])
    first.deliver(0.0)
    topic.away = True
    saved |= first.commit([Advanced(30_000)])
    first.deliver(1.0)
    saved |= first.commit([Advanced(40_000), FLOOR])
    topic.away = False
    second = JournalLog(topic, saved)
    second.deliver(0.0)
    assert topic.read() == stored(saved) == [FLOOR, Advanced(40_000), FLOOR]


def test_a_failure_is_tried_again_later_not_at_once():
    topic = Topic()
    topic.away = True
    journal = JournalLog(topic, {})
    journal.commit([FLOOR])
    journal.deliver(0.0)
    topic.away = False
    journal.deliver(1.0)
    assert topic.read() == []
    journal.deliver(31.0)
    assert topic.read() == [FLOOR]
