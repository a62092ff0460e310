"""Does a replay's result say which alerts belong together, and what they concern?"""

from streamcheck.report.record.alerts import FiredAlert, groups

PREMIUM = (("tier", "premium"),)


def fired(second: int, incident: str, column: str, segment: tuple[tuple[str, str], ...] = ()) -> FiredAlert:
    return FiredAlert(f"a{second}", incident, column, column, segment, "page", "", second * 900, second * 1_000)


def test_alerts_are_grouped_by_incident_with_what_they_concern() -> None:
    alerts = [
        fired(1, "i1", "amount"),
        fired(2, "i1", "amount", PREMIUM),
        fired(3, "i2", "country"),
        fired(4, "i1", "accuracy", PREMIUM),
    ]
    first, second = groups(alerts)
    assert first == {
        "incident": "i1",
        "fired_at": "1970-01-01T00:00:01.000Z",
        "change_at": "1970-01-01T00:00:00.900Z",
        "alerts": 3,
        "cause": None,
        "columns": ["amount", "accuracy"],
        "segments": [{"tier": "premium"}],
    }
    assert (second["incident"], second["alerts"], second["segments"]) == ("i2", 1, [])
