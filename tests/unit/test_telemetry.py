"""Does the book of alerts stay right and bounded, and do probes say no when they should?"""

from dataclasses import replace

import orjson
import pytest

from streamcheck.errors import StateError
from streamcheck.runtime.telemetry import (
    RECENT_MAX,
    AlertBook,
    AlertReading,
    HealthRules,
    Phase,
    Snapshot,
    Telemetry,
    alive,
    ready,
)

LIVE = Snapshot("payments", "0.1.0", 0, beat_s=100.0, phase=Phase.LIVE)


def record(sequence: int, alert: str, state: str, **more: object) -> bytes:
    known = {"schema": 1, "id": alert, "sequence": sequence, "state": state, "monitor": "m", "severity": "page"}
    return orjson.dumps({**known, "segment": {"tier": "premium"}, "owner": None, "evidence": {"a": [1]}, **more})


def test_record_is_kept_byte_for_byte() -> None:
    raw = record(7, "9f", "firing", value=212.4, summary="amount rose", rows=812)
    alert = AlertReading.parse(raw)
    assert alert.record == raw
    assert (alert.sequence, alert.segment, alert.value, alert.rows) == (7, (("tier", "premium"),), 212.4, 812)
    assert (alert.owner, alert.summary) == (None, "amount rose")


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"id": 3}', b"\xff"])
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(StateError, match="expected a published alert record"):
        AlertReading.parse(raw)


def test_firing_follows_the_life_of_an_alert() -> None:
    book = AlertBook().after([record(1, "a", "pending"), record(2, "b", "firing"), record(3, "a", "firing")])
    assert [alert.id for alert in book.firing] == ["a", "b"]
    assert [alert.sequence for alert in book.recent] == [3, 2, 1]
    book = book.after([record(4, "b", "resolved"), record(5, "c", "pending")])
    assert [alert.id for alert in book.firing] == ["a"]
    assert [alert.sequence for alert in book.recent] == [5, 4, 3, 2, 1]
    assert book.total == ((("firing", "page"), 2), (("pending", "page"), 2), (("resolved", "page"), 1))


def test_recent_is_bounded_and_firing_is_not_forgotten() -> None:
    book = AlertBook().after([record(1, "old", "firing")])
    book = book.after(record(n, f"id{n}", "resolved") for n in range(2, RECENT_MAX + 50))
    assert len(book.recent) == RECENT_MAX
    assert book.recent[0].sequence == RECENT_MAX + 49
    assert [alert.id for alert in book.firing] == ["old"]


def test_book_survives_a_restart() -> None:
    book = AlertBook().after([record(1, "a", "firing"), record(2, "b", "firing"), record(3, "a", "resolved")])
    assert AlertBook.restore(book.export()) == book
    assert AlertBook.restore(AlertBook().export()) == AlertBook()
    with pytest.raises(StateError, match="cannot be read"):
        AlertBook.restore(book.export()[:-1])


def test_readers_keep_what_they_have_read() -> None:
    telemetry = Telemetry(LIVE)
    before = telemetry.read()
    telemetry.beat(105.0)
    telemetry.publish(replace(telemetry.read(), outbox=3))
    assert before == LIVE
    assert (telemetry.read().beat_s, telemetry.read().outbox) == (105.0, 3)


@pytest.mark.parametrize(
    ("snapshot", "now_s", "reason"),
    [
        (LIVE, 160.0, None),
        (LIVE, 160.5, "has not turned for 60 s"),
        (replace(LIVE, phase=Phase.RESTORING), 900.0, None),
        (replace(LIVE, phase=Phase.STARTING), 1001.0, "has not turned for 901 s (at most 900 s)"),
        (replace(LIVE, phase=Phase.STOPPING), 161.0, "has not turned for 61 s"),
        (replace(LIVE, commit_waiting_since_s=100.0), 160.0, None),
        (replace(LIVE, beat_s=170.0, commit_waiting_since_s=100.0), 171.0, "has waited 71 s for its commit"),
    ],
)
def test_alive(snapshot: Snapshot, now_s: float, reason: str | None) -> None:
    health = alive(snapshot, now_s, HealthRules())
    assert health.ok is (reason is None)
    assert (reason or "") in health.reason


@pytest.mark.parametrize("phase", list(Phase))
def test_ready(phase: Phase) -> None:
    assert ready(replace(LIVE, phase=phase)).ok is (phase in (Phase.LIVE, Phase.CATCHING_UP))
