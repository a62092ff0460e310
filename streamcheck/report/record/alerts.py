"""The alerts of a replay, each with its life: opened, fired, resolved."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from streamcheck.core.alerts import Alert, iso
from streamcheck.core.causes import CAUSE, FAULT, reading
from streamcheck.core.wording import instant

FIRED_KEPT = 10_000
"""Alerts that are kept by name; beyond, they are counted. At 2 kB each, 20 MB."""
_NOT_KEPT = ("schema", "lineage", "state", "config")

Label = tuple[tuple[str, str], ...]
"""A segment as field and value pairs; empty for all rows."""


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """One alert, as it was when it fired. resolved_ms: None while it goes on.

    incident: shared with alerts that opened shortly before or after; change_ms: since when, as estimated; record: as
    published.
    """

    id: str
    incident: str
    monitor: str
    column: str
    segment: Label
    severity: str
    summary: str
    change_ms: int
    fired_ms: int
    resolved_ms: int | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def evidence(self) -> Mapping[str, Any]:
        """Of its record."""
        found: Mapping[str, Any] = self.record.get("evidence", {})
        return found

    def told(self) -> dict[str, Any]:
        """For JSON: the record, with the moments between which it fired."""
        resolved = None if self.resolved_ms is None else iso(self.resolved_ms)
        return {**self.record, "fired_at": iso(self.fired_ms), "resolved_at": resolved}


class AlertHistory:
    """Hears every transition. fired: the alerts that fired, in that order."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.by_monitor: Counter[str] = Counter()
        self.fired: list[FiredAlert] = []
        self._open: dict[str, int] = {}
        self._firing: set[str] = set()

    def add(self, alert: Alert) -> None:
        """One more transition. What has become more urgent is the same alert."""
        if alert.state == "firing" and alert.id in self._firing:
            if alert.id in self._open:
                place = self._open[alert.id]
                self.fired[place] = replace(self.fired[place], severity=alert.severity)
            return
        self.states[alert.state] += 1
        (self._firing.add if alert.state == "firing" else self._firing.discard)(alert.id)
        if alert.state == "firing":
            self.by_monitor[alert.monitor] += 1
            if len(self.fired) < FIRED_KEPT:
                self._open[alert.id] = len(self.fired)
                self.fired.append(_fired(orjson.loads(alert.record)))
        elif alert.state == "resolved" and alert.id in self._open:
            place, record = self._open.pop(alert.id), orjson.loads(alert.record)
            self.fired[place] = replace(self.fired[place], resolved_ms=_ms(record["pane_end"]))


def groups(fired: Sequence[FiredAlert]) -> list[dict[str, Any]]:
    """What people would have been called for, for JSON: alerts of one incident as one, in order of firing.

    columns: those that moved, in the order of their first alert; segments: those concerned, likewise; cause: the fault
    from which most of them follow, in a line, None where none is known.
    """
    members: dict[str, list[FiredAlert]] = {}
    for alert in fired:
        members.setdefault(alert.incident, []).append(alert)
    return [
        {
            "incident": incident,
            "fired_at": iso(alerts[0].fired_ms),
            "change_at": iso(min(alert.change_ms for alert in alerts)),
            "alerts": len(alerts),
            "cause": _cause(alerts),
            "columns": list(dict.fromkeys(alert.column for alert in alerts)),
            "segments": [dict(segment) for segment in dict.fromkeys(a.segment for a in alerts if a.segment)],
        }
        for incident, alerts in members.items()
    ]


def _cause(held: Sequence[FiredAlert]) -> str | None:
    fault, follow = cause(held)
    if fault is None:
        return None
    said = f"{fault.column}: {fault.evidence[FAULT]} since {instant(iso(fault.change_ms))}"
    return reading(said, len(follow))


def cause(held: Sequence[FiredAlert]) -> tuple[FiredAlert | None, list[FiredAlert]]:
    """The fault from which most alerts of one incident follow, and those; None where none is known."""
    faults = [alert for alert in held if alert.evidence.get(FAULT)]
    plain = [alert for alert in held if not alert.evidence.get(FAULT)]
    of = Counter(alert.evidence.get(CAUSE, {}).get("monitor") for alert in plain)
    if not faults:
        return None, []
    fault = max(faults, key=lambda alert: of[alert.monitor])
    own = [a for a in plain if a.evidence.get(CAUSE, {}).get("monitor", fault.monitor) == fault.monitor]
    follow = [a for a in own if CAUSE in a.evidence or a.column == fault.column]
    return fault, follow


def _fired(record: dict[str, Any]) -> FiredAlert:
    return FiredAlert(
        id=record["id"],
        incident=record["incident"],
        monitor=record["monitor"],
        column=record["column"],
        segment=tuple(record["segment"].items()),
        severity=record["severity"],
        summary=record["summary"],
        change_ms=_ms(record["change_at"]),
        fired_ms=_ms(record["pane_end"]),
        record={name: value for name, value in record.items() if name not in _NOT_KEPT},
    )


def _ms(text: str) -> int:
    """The moment that a record writes as text.

    >>> _ms("1970-01-01T00:00:01.500Z")
    1500
    """
    return round(datetime.fromisoformat(text).timestamp() * 1000)
