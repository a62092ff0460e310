"""Does the service say what is wrong with itself: in time, once, and that it is over; and nothing while all is well?"""

from dataclasses import dataclass, field, replace

import orjson
import pytest

from streamcheck.adapters.notify.files import NotebookFile
from streamcheck.adapters.prometheus.exposition import Exposition
from streamcheck.adapters.web.view import page
from streamcheck.config.settings import Operations as Rules
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.notices import Heard, Silences, Status
from streamcheck.runtime.notifying import Notifying
from streamcheck.runtime.operations import Operations
from streamcheck.runtime.telemetry import AlertBook, BrokerReading, Health, Phase, Snapshot, Telemetry
from streamcheck.runtime.troubles import NAMES
from streamcheck.testing import ManualClock

P0, P1 = SourcePartition("p", 0), SourcePartition("p", 1)
WELL = Snapshot(
    "payments", "1", 0, 0.0, Phase.LIVE, broker=BrokerReading(connected=True),
    lag=((P0, 0), (P1, 0)), positions=((P0, 10), (P1, 20)),
)  # fmt: skip
RULES = Rules(owner="platform", runbook="https://wiki.example/ops", severity="page")


@dataclass
class Sink:
    """An operations topic that refuses when told to."""

    records: list[dict] = field(default_factory=list)
    refuses: int = 0
    closed: bool = False

    def send(self, records):
        if self.refuses:
            self.refuses -= 1
            raise DeliveryError("nobody takes it")
        for key, value in records:
            self.records.append(orjson.loads(value))
            assert key.decode() == self.records[-1]["id"]

    def close(self):
        self.closed = True


class Rig:
    """A watch over a telemetry that the test writes, second by second."""

    def __init__(self, folder, rules=RULES, others=tuple):
        self.folder, self.rules, self.others = folder, rules, others
        self.clock, self.sink = ManualClock(), Sink()
        self.telemetry = Telemetry(WELL)
        self.begin()

    def begin(self):
        notebook = NotebookFile(self.folder, "operations", kind="open")
        self.watch = Operations(self.rules, self.telemetry, self.clock, notebook, self.sink, self.others)

    def lasts(self, seconds, change=lambda _second: {}):
        """So many seconds in which the service shows WELL with these changes."""
        for second in range(seconds):
            self.clock.advance(1.0)
            shown = {"positions": (*WELL.positions,)} | change(second)  # looked at anew
            self.telemetry.publish(replace(WELL, **shown))
            self.watch.turn()

    @property
    def said(self):
        return [(record["name"], record["state"]) for record in self.sink.records]


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def busy(second):
    """Events come and are read: a lag now and then, and progress."""
    return {
        "lag": ((P0, 400_000 if second % 50 == 0 else 3), (P1, 0)),
        "positions": ((P0, 10 + 100 * second), (P1, 20)),
        "commit_waiting_since_s": None if second % 5 else float(second),
    }


def test_a_healthy_service_says_nothing(rig):
    rig.lasts(3_600, busy)
    assert rig.said == []
    assert rig.telemetry.read().operations.names == NAMES
    assert not (rig.folder / "open-operations.bin").exists()


def test_catching_up_is_no_lag(rig):
    rig.lasts(3_000, lambda s: {"phase": Phase.CATCHING_UP, "lag": ((P0, 9_000_000 - 1_000 * s),),
                                "positions": ((P0, s),)})  # fmt: skip
    assert rig.said == []


def stalled(second):
    return {"lag": ((P0, 70), (P1, 5)), "positions": ((P0, 10), (P1, 20 + second))}


TROUBLES = {
    "lag": (lambda s: {"lag": ((P0, 1_000_001),), "positions": ((P0, s),)}, 300),
    "lag_growing": (lambda s: {"lag": ((P0, 100 * s),), "positions": ((P0, s),)}, 900),
    "commit": (lambda _s: {"commit_waiting_since_s": 0.0}, 60),
    "stalled": (stalled, 120),
    "delivery": (lambda _s: {"undelivered": (("alerts", "no route"),)}, 60),
    "broker": (lambda _s: {"broker": BrokerReading(connected=False, message="no route")}, 30),
}


def test_there_is_a_trouble_for_each_check():
    assert set(TROUBLES) == set(NAMES)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_told_when_it_has_lasted_and_resolved_when_all_has_been_well(rig, name):
    change, seconds = TROUBLES[name]
    rig.lasts(seconds - 2, change)
    assert rig.said == [], "not before its time"
    more = 200 if name == "lag_growing" else 5  # growth is told in parts of the span
    rig.lasts(more, lambda s: change(seconds - 2 + s))
    assert rig.said == [(name, "firing")]
    rig.lasts(55)
    assert rig.said == [(name, "firing")], "well, but not for long"
    rig.lasts(200 if name == "lag_growing" else 10)
    assert rig.said == [(name, "firing"), (name, "resolved")]
    fired, over = rig.sink.records
    assert fired["kind"] == over["kind"] == "operational"
    assert fired["id"] == over["id"]
    assert fired["since"] == over["since"] <= fired["at"] < over["at"]
    assert (fired["severity"], fired["owner"], fired["runbook"]) == ("page", "platform", "https://wiki.example/ops")
    assert fired["what"] in fired["summary"]
    assert fired["value"] > fired["limit"] or name in ("delivery", "broker")


def test_what_comes_and_goes_is_told_once(rig):
    """Between the limit and half of it nothing changes; nor does a moment below it end the alert."""
    rig.lasts(301, lambda s: {"lag": ((P0, 1_200_000),), "positions": ((P0, s),)})
    rig.lasts(600, lambda s: {"lag": ((P0, 1_200_000 if s % 20 else 100),), "positions": ((P0, s),)})
    rig.lasts(600, lambda s: {"lag": ((P0, 900_000),), "positions": ((P0, s),)})
    assert rig.said == [("lag", "firing")]


def test_a_lag_that_is_worked_off_and_comes_again_is_no_growth(rig):
    rig.lasts(4_000, lambda s: {"lag": ((P0, 300 * (s % 700)),), "positions": ((P0, s),)})
    assert rig.said == []


def test_the_stalled_partition_is_named_and_those_held_back_are_not(rig):
    rig.lasts(130, lambda s: {**stalled(s), "held_back": frozenset({P0})})
    assert rig.said == []
    rig.lasts(130, stalled)
    assert rig.said == [("stalled", "firing")]
    assert "p[0] 70" in rig.sink.records[0]["what"]
    assert "p[1]" not in rig.sink.records[0]["what"]


def test_a_loop_that_closes_panes_for_minutes_has_no_stalled_partition(rig):
    """Nobody looks at positions meanwhile: what is shown of them is old."""
    rig.lasts(60, stalled)
    old = stalled(60)
    rig.lasts(600, lambda _s: old)
    rig.lasts(30, stalled)
    assert rig.said == [], "stood for 90 s of those in which somebody looked"
    rig.lasts(40, stalled)
    assert rig.said == [("stalled", "firing")]


def test_while_the_broker_is_away_nothing_else_is_blamed(rig):
    rig.lasts(300, lambda s: {**stalled(s), **TROUBLES["broker"][0](s), "commit_waiting_since_s": 0.0})
    assert rig.said == [("broker", "firing")]


def test_records_that_find_nobody_are_sent_later_and_by_the_next_process_too(rig):
    rig.sink.refuses = 100
    rig.lasts(40, TROUBLES["broker"][0])
    assert rig.said == []
    rig.begin()
    assert [alert.state for alert in rig.telemetry.read().operations.book.firing] == ["firing"], "it still fires"
    rig.sink.refuses = 0
    rig.lasts(5, TROUBLES["broker"][0])
    assert rig.said == [("broker", "firing")]
    rig.lasts(65)
    assert rig.said == [("broker", "firing"), ("broker", "resolved")]
    assert [record["sequence"] for record in rig.sink.records] == [1, 2]


def test_a_notebook_that_cannot_be_read_stops_nothing(rig, caplog):
    (rig.folder / "open-operations.bin").write_bytes(b"\xc1")
    rig.begin()
    assert "begin anew" in caplog.text
    rig.lasts(40, TROUBLES["broker"][0])
    assert rig.said == [("broker", "firing")]


def test_messages_that_do_not_arrive_are_a_trouble_too(tmp_path):
    rig = Rig(tmp_path, others=lambda: [("notify: slack", "403 Forbidden"), ("notify: mail", "")])
    rig.lasts(70)
    assert rig.said == [("delivery", "firing")]
    assert rig.sink.records[0]["what"] == "not delivered: notify: slack: 403 Forbidden"


def test_gauge_page_and_messages_show_what_fires(rig):
    rig.lasts(40, TROUBLES["broker"][0])
    snapshot = rig.telemetry.read()
    _, body = Exposition(rig.telemetry).render("text/plain")
    assert 'streamcheck_operational_alert{name="broker"} 1.0' in body.decode()
    assert 'streamcheck_operational_alert{name="lag"} 0.0' in body.decode()
    made = page(snapshot, Health(ok=True, reason=""), rig.clock.now_ms())
    [told] = [notice for notice in made.notices if notice.startswith("page: streamcheck itself, broker")]
    assert "(platform), see https://wiki.example/ops" in told
    assert made.searched[0].title == "The service itself"

    heard: list[Heard] = []

    class Teller:
        name, status = "t", Status()

        def turn(self, heard_now, _now_s):
            heard.append(heard_now)

    notifying = Notifying([Teller()], Silences(), rig.telemetry, rig.clock)
    notifying.turn()
    rig.telemetry.publish(replace(snapshot, phase=Phase.RESTORING))
    notifying.turn()
    for each in heard:
        [notice] = each.notices
        assert (notice.state, notice.severities, notice.owners) == ("firing", ("page",), ("platform",))


def test_a_book_reads_operational_records_like_others(rig):
    rig.lasts(40, TROUBLES["broker"][0])
    [alert] = AlertBook.restore(rig.telemetry.read().operations.book.export()).firing
    assert alert.pane_end == alert.change_at == rig.sink.records[0]["since"]


def test_the_thread_ends_with_the_service(rig):
    with rig.watch:
        pass
    assert rig.sink.closed
