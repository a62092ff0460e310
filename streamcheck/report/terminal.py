"""A backtest for people at a terminal: tables and sentences, in the order in which they are told."""

from collections.abc import Iterator
from dataclasses import dataclass

from streamcheck.core.alerts import iso
from streamcheck.core.kpi import said
from streamcheck.core.searched import found_tables
from streamcheck.core.wording import counted, number
from streamcheck.report import tables
from streamcheck.report.result.compare import Compared
from streamcheck.report.result.doubts import doubts
from streamcheck.report.result.promise import promise
from streamcheck.report.result.result import ConfigResult, Result
from streamcheck.report.tables import Table

FIRED_SHOWN = 50
CHANGED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Titled:
    """A table with its title."""

    title: str
    table: Table


def tell(result: Result) -> Iterator[Titled | str]:
    """Everything."""
    first = result.first
    yield from _alerts(first)
    yield _summary(result)
    yield f"False alarms {tables.promised(promise(first))}"
    yield from _books(first)
    if (broken := tables.broken(first.alerts)).rows:
        yield Titled("What was broken", broken)
    for found in found_tables(first.reading):
        yield Titled(found.title, Table(found.heads, found.rows))
        if found.name == "shadow":
            yield found.about
    yield from map(said, first.reading.kpi)
    if result.complete:
        yield from doubts(first)
    else:
        yield "Stopped before the end: this is what was found until then, and panes that were open stay so."
    if first.truth is not None:
        if first.truth.incidents:
            yield Titled("Incidents", tables.incidents(first.truth))
        if first.truth.outside:
            yield f"{counted(first.truth.outside, 'incident')} outside of what was replayed"
        yield Titled("Truth", tables.scores(first.truth))
    if result.compared:
        yield Titled("Configs", tables.configs(result.compared))
        for row in result.compared:
            yield from _changes(row)


def _alerts(first: ConfigResult) -> Iterator[Titled | str]:
    shown = first.alerts[:FIRED_SHOWN]
    if shown:
        rows = ((iso(a.fired_ms), a.monitor, tables.name_of(a.segment), a.severity, a.summary) for a in shown)
        heads = ("at", "monitor", "segment", "severity", "what")
        yield Titled("Alerts that would have fired", Table(heads, tuple(rows)))
    if first.fired > len(shown):
        yield f"and {first.fired - len(shown):,} more (--alerts, --json)"


def _summary(result: Result) -> str:
    first = result.first
    seen = ("-", "-") if first.rows.seen_ms is None else tuple(map(iso, first.rows.seen_ms))
    rate = "" if first.fired_per_week is None else f", {number(first.fired_per_week)} a week"
    return (
        f"{counted(result.events, 'event')} from {seen[0]} to {seen[1]}: {counted(first.fired, 'alert')} fired{rate} "
        f"(budget for false ones: {first.written.budget}); {result.seconds:.1f} s, "
        f"{counted(result.events_per_second, 'event')} a second"
    )


def _books(first: ConfigResult) -> Iterator[str]:
    """What did not count, and why."""
    for books in first.reading.partitions:
        if books.late or books.rejected:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in books.rejected)
            rejected = sum(number for _, number in books.rejected)
            told = f"{books.source}: {books.accepted:,} accepted, {books.late:,} late, {rejected:,} rejected"
            yield told + (f" ({reasons})" if reasons else "")


def _changes(row: Compared) -> Iterator[str]:
    for word, alerts in (("vanishes", row.vanished), ("appears", row.appeared)):
        for alert in alerts[:CHANGED_SHOWN]:
            yield f"{row.config.written.name}: {word}: {iso(alert.fired_ms)} {alert.monitor}: {alert.summary}"
        if len(alerts) > CHANGED_SHOWN:
            yield f"{row.config.written.name}: {word}: {len(alerts) - CHANGED_SHOWN:,} more (--json)"
