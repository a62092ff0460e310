"""How good are alerts, where incidents are known? The rules are those of docs/backtest.md ("Truth").

An alert covers an incident if it fires behind its start, at most the tolerance behind its end, and concerns it. One to
one: as many incidents as possible are found, each by one alert, each alert finding one; the earliest where there is a
choice. Other alerts that cover something are repeats; those that cover nothing are false.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamcheck.core.truth import Incident
from streamcheck.report.record.alerts import FiredAlert, Label
from streamcheck.report.record.rows import RowsInTime
from streamcheck.report.result.result import per_10000_rows, per_week

RARE = 10_000
"""Rows between the alarms of the dummy, where the config gave none."""
THIS = "this config"


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert as the rules see it. until_ms: None while it goes on; anything: it says nothing of whom it concerns."""

    fired_ms: int
    group: str
    monitor: str = ""
    column: str = ""
    segment: Label = ()
    until_ms: int | None = None
    anything: bool = False

    def concerns(self, incident: Incident) -> bool:
        """Whether it is of the incident's monitors, columns and segment."""
        return self.anything or incident.concerns(self.monitor, self.column, dict(self.segment))

    def covers(self, incident: Incident) -> bool:
        """Whether it could tell of the incident."""
        return incident.holds(self.fired_ms) and self.concerns(incident)

    def firing_at(self, at_ms: int) -> bool:
        """Whether it had fired by this moment and went on beyond."""
        return self.fired_ms <= at_ms and (self.until_ms is None or self.until_ms > at_ms)


@dataclass(frozen=True, slots=True)
class Score:
    """How good are these alerts? Delays in event time and in prediction rows; groups: incidents of their own."""

    name: str
    alerts: int
    incidents: int
    found: int
    repeats: int
    false: int
    recall: float | None
    precision: float | None
    delay_ms_median: int | None
    delay_ms_max: int | None
    delay_rows_median: int | None
    delay_rows_max: int | None
    false_per_week: float | None
    false_per_10000_rows: float | None
    groups: int
    false_groups: int
    false_groups_per_week: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """One incident, and what became of it. alert: the place of the one that found it; alerts: how many cover it.

    already: the monitor of one that concerns it and was firing when it began, which finds nothing.
    """

    incident: Incident
    alert: int | None
    found_ms: int | None
    found_by: str | None
    delay_rows: int | None
    alerts: int
    already: str | None = None

    @property
    def delay_ms(self) -> int | None:
        """From its start to the moment of firing."""
        return None if self.found_ms is None else self.found_ms - self.incident.start_ms


@dataclass(frozen=True, slots=True)
class Truth:
    """incidents: those within what was replayed; outside: how many others; scores: the config's, then the dummies'.

    verdicts: of each alert, in order: found, repeat or false.
    """

    incidents: tuple[Known, ...]
    outside: int
    scores: tuple[Score, ...]
    verdicts: tuple[str, ...]


def fired(alert: FiredAlert) -> Fired:
    """An alert of a result."""
    return Fired(alert.fired_ms, alert.incident, alert.monitor, alert.column, alert.segment, alert.resolved_ms)


def judge(incidents: Sequence[Incident], alerts: Sequence[Fired], rows: RowsInTime) -> Truth:
    """Everything; incidents outside of what was replayed are left out and counted."""
    inside = [each for each in incidents if rows.overlaps(each.start_ms, each.end_ms)]
    found = match(inside, alerts)
    every = max(1, round(rows.total / len(alerts))) if alerts else RARE
    dummy = [Fired(at, str(number), anything=True) for number, at in enumerate(rows.every(every))]
    scores = (
        score(THIS, inside, alerts, rows),
        score("never", inside, (), rows),
        score(f"every {every:,} rows", inside, dummy, rows),
    )
    known = tuple(_known(each, found[at], alerts, rows) for at, each in enumerate(inside))
    return Truth(known, len(incidents) - len(inside), scores, tuple(verdicts_of(inside, alerts, found)))


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


def score(name: str, incidents: Sequence[Incident], alerts: Sequence[Fired], rows: RowsInTime) -> Score:
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
    return Score(
        name=name,
        alerts=len(alerts),
        incidents=len(incidents),
        found=len(hits),
        repeats=verdicts.count("repeat"),
        false=false,
        recall=_share(len(hits), len(incidents)),
        precision=_share(len(hits), len(hits) + false),
        delay_ms_median=_median(delays),
        delay_ms_max=delays[-1] if delays else None,
        delay_rows_median=_median(behind),
        delay_rows_max=behind[-1] if behind else None,
        false_per_week=per_week(false, rows),
        false_per_10000_rows=per_10000_rows(false, rows),
        groups=len(by_group),
        false_groups=false_groups,
        false_groups_per_week=per_week(false_groups, rows),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(ordered: Sequence[int]) -> int | None:
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def _known(incident: Incident, at: int | None, alerts: Sequence[Fired], rows: RowsInTime) -> Known:
    covering = sum(alert.covers(incident) for alert in alerts)
    on = (alert.monitor for alert in alerts if alert.firing_at(incident.start_ms) and alert.concerns(incident))
    already = next(on, None)
    if at is None:
        return Known(incident, None, None, None, None, covering, already)
    when = alerts[at].fired_ms
    return Known(incident, at, when, alerts[at].monitor, rows.between(incident.start_ms, when), covering, already)
