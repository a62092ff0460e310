"""How good are alerts, where incidents are known? The rules are those of docs/backtest.md ("Truth").

An alert covers an incident if it fires behind its start, at most the tolerance behind its end, and concerns it. One to
one: as many incidents as possible are found, each by one alert, each alert finding one; the earliest where there is a
choice. Other alerts that cover something are repeats; those that cover nothing are false.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamcheck.core.alerts import iso
from streamcheck.core.truth import Incident
from streamcheck.report.rows import RowsInTime

WEEK_MS = 604_800_000
RARE = 10_000
"""Rows between the alarms of the dummy, where the config gave none."""


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert as the rules see it. anything: it says nothing of whom it concerns (a dummy's)."""

    fired_ms: int
    group: str
    monitor: str = ""
    column: str = ""
    segment: tuple[tuple[str, str], ...] = ()
    anything: bool = False

    def covers(self, incident: Incident) -> bool:
        """Whether it could tell of the incident."""
        named = self.anything or incident.concerns(self.monitor, self.column, dict(self.segment))
        return named and incident.holds(self.fired_ms)


def fired(alert: dict[str, Any]) -> Fired:
    """An alert of a result."""
    segment = tuple(alert["segment"].items())
    return Fired(ms(alert["fired_at"]), alert["incident"], alert["monitor"], alert["column"], segment)


def ms(text: str) -> int:
    """The moment that a result writes as text.

    >>> ms("1970-01-01T00:00:01.500Z")
    1500
    """
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def judge(incidents: Sequence[Incident], alerts: Sequence[Fired], rows: RowsInTime) -> dict[str, Any]:
    """The truth part of a result; incidents outside of what was replayed are left out and counted."""
    inside = [each for each in incidents if rows.overlaps(each.start_ms, each.end_ms)]
    found = match(inside, alerts)
    every = max(1, round(rows.total / len(alerts))) if alerts else RARE
    dummy = [Fired(at, str(number), anything=True) for number, at in enumerate(rows.every(every))]
    said = [_told(each, found[at], alerts, rows) for at, each in enumerate(inside)]
    scores = [
        {"name": "this config", **score(inside, alerts, rows)},
        {"name": "never", **score(inside, (), rows)},
        {"name": f"every {every:,} rows", **score(inside, dummy, rows)},
    ]
    verdicts = verdicts_of(inside, alerts, found)
    return {"incidents": said, "outside": len(incidents) - len(inside), "scores": scores, "verdicts": verdicts}


def match(incidents: Sequence[Incident], alerts: Sequence[Fired]) -> list[int | None]:
    """For each incident the alert that finds it: a largest one-to-one matching, the earliest alerts first.

    Kuhn (1955): each incident in turn asks for an alert, and one that has another choice gives way.
    """
    order = sorted(range(len(alerts)), key=lambda at: (alerts[at].fired_ms, at))
    choices = [[at for at in order if alerts[at].covers(incident)] for incident in incidents]
    holder: dict[int, int] = {}
    for incident in range(len(incidents)):
        _ask(incident, choices, holder)
    found: list[int | None] = [None] * len(incidents)
    for alert, incident in holder.items():
        found[incident] = alert
    return found


def _ask(first: int, choices: Sequence[Sequence[int]], holder: dict[int, int]) -> None:
    """Give this incident an alert, along a path of others that change theirs; without recursion."""
    asked: dict[int, int] = {}
    waiting = [first]
    while waiting:
        incident = waiting.pop(0)
        for alert in choices[incident]:
            if alert in asked:
                continue
            asked[alert] = incident
            if alert not in holder:
                _hand_over(alert, asked, holder)
                return
            waiting.append(holder[alert])


def _hand_over(alert: int, asked: dict[int, int], holder: dict[int, int]) -> None:
    while True:
        incident = asked[alert]
        before = next((held for held, its in holder.items() if its == incident), None)
        holder[alert] = incident
        if before is None:
            return
        del holder[before]
        alert = before


def verdicts_of(incidents: Sequence[Incident], alerts: Sequence[Fired], found: Sequence[int | None]) -> list[str]:
    """Of each alert: found, repeat or false."""
    finders = {at for at in found if at is not None}
    return [
        "found" if at in finders else "repeat" if any(alert.covers(each) for each in incidents) else "false"
        for at, alert in enumerate(alerts)
    ]


def score(incidents: Sequence[Incident], alerts: Sequence[Fired], rows: RowsInTime) -> dict[str, Any]:
    """Recall, precision, delay and false alarms of alerts; and of their groups, which people get as one."""
    found = match(incidents, alerts)
    verdicts = verdicts_of(incidents, alerts, found)
    hits = [(incident, alerts[at].fired_ms) for incident, at in zip(incidents, found, strict=True) if at is not None]
    delays = sorted(at - incident.start_ms for incident, at in hits)
    behind = sorted(rows.between(incident.start_ms, at) for incident, at in hits)
    false = verdicts.count("false")
    by_group: dict[str, set[str]] = {}
    for alert, verdict in zip(alerts, verdicts, strict=True):
        by_group.setdefault(alert.group, set()).add(verdict)
    false_groups = sum(verdicts == {"false"} for verdicts in by_group.values())
    return {
        "alerts": len(alerts),
        "incidents": len(incidents),
        "found": len(hits),
        "repeats": verdicts.count("repeat"),
        "false": false,
        "recall": _share(len(hits), len(incidents)),
        "precision": _share(len(hits), len(hits) + false),
        "delay_ms_median": _median(delays),
        "delay_ms_max": delays[-1] if delays else None,
        "delay_rows_median": _median(behind),
        "delay_rows_max": behind[-1] if behind else None,
        "false_per_week": round(false * WEEK_MS / rows.span_ms, 3) if rows.span_ms else None,
        "false_per_10000_rows": round(10_000 * false / rows.total, 3) if rows.total else None,
        "groups": len(by_group),
        "false_groups": false_groups,
        "false_groups_per_week": round(false_groups * WEEK_MS / rows.span_ms, 3) if rows.span_ms else None,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(ordered: Sequence[int]) -> int | None:
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def _told(incident: Incident, at: int | None, alerts: Sequence[Fired], rows: RowsInTime) -> dict[str, Any]:
    covering = [alert for alert in alerts if alert.covers(incident)]
    when = None if at is None else alerts[at].fired_ms
    return {
        "start": iso(incident.start_ms),
        "end": iso(incident.end_ms),
        "monitors": list(incident.monitors),
        "columns": list(incident.columns),
        "segment": dict(incident.segment),
        "note": incident.note,
        "tolerance_ms": incident.tolerance_ms,
        "alert": at,
        "found_at": None if when is None else iso(when),
        "found_by": None if at is None else alerts[at].monitor,
        "delay_ms": None if when is None else when - incident.start_ms,
        "delay_rows": None if when is None else rows.between(incident.start_ms, when),
        "alerts": len(covering),
    }
