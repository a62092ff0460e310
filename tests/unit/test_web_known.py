"""Does the page say who has seen to an alert already, why and until when?"""

from dataclasses import replace

from streamcheck.adapters.web.desk import Desk
from streamcheck.adapters.web.routes import Routes
from streamcheck.core.readings import AlertState
from streamcheck.runtime.notices import Silence
from streamcheck.runtime.telemetry import AlertBook, Telemetry
from streamcheck.testing import ManualClock
from tests.unit.test_web_page import NOW_MS, QUIET, Document, firing, record, show, with_readings


def test_a_card_says_who_knows_and_why_and_until_when() -> None:
    known = replace(
        QUIET, segment=(("tier", "premium"),), alert=AlertState.FIRING, acknowledged_by="kim", acknowledged_why="prices"
    )
    snapshot = replace(with_readings(known), alerts=AlertBook().after([record(1, monitor="amount-shift")]))
    assert "Acknowledged by kim, until it is over: prices." in show(snapshot).text
    told = replace(snapshot, engine=replace(snapshot.engine, monitors=(replace(known, acknowledged_until_ms=NOW_MS),)))
    assert "Acknowledged by kim, until 2026-03-01 10:01:40: prices." in show(told).text
    address = "/monitor?id=amount-shift&segment=tier%3Dpremium"
    body = Routes(Telemetry(told), lambda _: ("", b""), ManualClock(NOW_MS)).answer(address, "").body.decode()
    assert "acknowledged by kim, until 2026-03-01 10:01:40: prices" in Document(body).text


def test_a_card_says_that_its_messages_are_silenced() -> None:
    silences = (
        Silence("a", NOW_MS + 1_000, "ann", "sale", monitor="m", segment="tier=premium"),
        Silence("b", NOW_MS + 1_000, "bob", "other", monitor="other"),
        Silence("c", NOW_MS, "eve", "over"),
    )
    snapshot = firing(record(1, monitor="m"))
    routes = Routes(
        Telemetry(snapshot), lambda _: ("", b""), ManualClock(NOW_MS), desk=Desk(silences=lambda: silences)
    )
    text = Document(routes.answer("/", "").body.decode()).text
    assert text.count("Messages are silenced") == 1
    assert "Messages are silenced until 2026-03-01 10:01:41 by ann: sale." in text
