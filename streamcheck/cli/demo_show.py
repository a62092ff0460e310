"""The demo at work: what was injected, what was found, how late, and what was found for no reason."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamcheck.adapters.simulate.incidents import DEMO, Incident, Scenario
from streamcheck.adapters.simulate.payments import PaymentsStream
from streamcheck.adapters.simulate.source import SimulatedSource
from streamcheck.adapters.simulate.traffic import HOUR_MS
from streamcheck.cli.service import Stop, Wiring, first_snapshot, pages, run_service
from streamcheck.config.settings import Settings
from streamcheck.core.engine import Outcome
from streamcheck.core.kpi import said
from streamcheck.core.plan import Plan
from streamcheck.core.wording import number
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.telemetry import HealthRules, Phase, Telemetry

COMMIT_EVERY_S = 300.0
"""Simulated seconds: the demo's state is never resumed."""
HEALTH = HealthRules(beat_s_max=COMMIT_EVERY_S, commit_s_max=2 * COMMIT_EVERY_S)
"""In simulated seconds too: of those a poll takes sixty."""
IDLE_AFTER_S = 300.0
RATE = 6.0
"""Payments a second."""
TEXT_WIDTH = 82
MONITOR_WIDTH = 132
"""Columns from which lines name the monitor as well; as wide is what is not a terminal."""
_STYLES = {
    "compared": "bold red",
    "pending": "yellow",
    "firing": "bold red",
    "resolved": "green",
    "injected": "bold cyan",
    "over": "cyan",
}
_ROWS = re.compile(r" of \d+ rows\)")
_CHANGED_AT = re.compile(r"(?:,? after a change at|( since)) about \d{4}-\d\d-\d\d (\d\d:\d\d):\d\d$")


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that fired, as its record tells. at_ms: after the stream's start."""

    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    at_ms: int


class Show:
    """Runs the service over a simulated stream and tells what happens."""

    def __init__(self, plan: Plan, *, seed: int, hours: float, scenario: Scenario = DEMO, silent: bool) -> None:
        span_ms, told = int(hours * HOUR_MS), plan.kpi is not None
        self.stream = PaymentsStream(seed, scenario, rate=RATE, duration_ms=span_ms, kpi=told)
        self.source = SimulatedSource(self.stream)
        self.plan = plan
        self.console = Console(quiet=silent, width=None if sys.stdout.isatty() else MONITOR_WIDTH, highlight=False)
        self.fired: list[Fired] = []
        self.lost: dict[str, int] = {}
        """Model versions that were called the loser, for all rows, and when."""
        self._stop = Stop()
        self._told_ms = -1
        self._telemetry: Telemetry | None = None

    @contextmanager
    def pages(self, settings: Settings) -> Iterator[str | None]:
        """Serve page and gauges; yields their address."""
        self._telemetry = Telemetry(first_snapshot(self.plan, self.source.clock))
        with pages(settings, self._telemetry, self.source.clock, HEALTH) as address:
            yield address

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(Text(text))

    def run(self) -> dict[str, Any]:
        """All of the stream; returns what was injected, found and not."""
        assert self._telemetry is not None, "pages() comes first"
        rules = LoopRules(COMMIT_EVERY_S, IDLE_AFTER_S, pages=True, samples="full")
        wiring = Wiring(self.source, MemoryStore(), lambda: dict.fromkeys(self.source.partitions(), 0))
        with self._stop.on_signals():
            ended = _Ended(self.source, self._stop)
            tally = run_service(self.plan, wiring, rules, self.source.clock, self._telemetry, ended, self._listen)
        # What the loop leaves behind is "stopping"; a page that stays up shows the end of a stream, not of a service.
        self._telemetry.publish(replace(self._telemetry.read(), phase=Phase.LIVE))
        reached_ms = min(self.source.clock.now_ms(), self.stream.end_ms) - self.stream.start_ms
        self._tell(reached_ms)
        found, false = self._match(reached_ms)
        return {
            "events": tally.events,
            "alerts": tally.alerts,
            "hours": round(reached_ms / HOUR_MS, 2),
            "incidents": found,
            "false_alarms": false,
            "kpi": [said(each) for each in self._telemetry.read().engine.kpi if each.shown],
        }

    # ------------------------------------------------------------------ as it happens
    def _listen(self, outcome: Outcome) -> None:
        assert self._telemetry is not None
        closed_ms = self._telemetry.read().engine.closed_until_ms
        if closed_ms is not None:
            self._tell(closed_ms - self.stream.start_ms)
            self._compare(closed_ms - self.stream.start_ms)
        for alert in outcome.alerts:
            seen = orjson.loads(alert.record)
            at_ms = _ms(seen["pane_end"]) - self.stream.start_ms
            self._tell(at_ms)
            if seen["state"] == "firing" and "escalated" not in seen["evidence"]:
                self.fired.append(Fired(seen["monitor"], seen["column"], tuple(seen["segment"].items()), at_ms))
            self._line(at_ms, seen["state"], brief(seen["summary"]), seen["monitor"])

    def _compare(self, at_ms: int) -> None:
        """Say once which version has lost."""
        assert self._telemetry is not None
        for each in self._telemetry.read().engine.versions:
            if not each.segment and each.verdict == "loses" and each.challenger not in self.lost:
                self.lost[each.challenger] = at_ms
                values = f"{number(each.challenger_value)} against {number(each.champion_value)}"
                text = f"{each.challenger} loses to {each.champion}: {values} of {each.challenger_rows:,} labelled rows"
                self._line(at_ms, "compared", text)

    def _tell(self, until_ms: int) -> None:
        """Say what happened up to this event time and has not been said: full hours, incidents that began or ended."""
        happened: list[tuple[int, str, str]] = []
        for incident in self.stream.scenario.incidents:
            happened.append((incident.start_ms, "injected", f"{incident.name}: {incident.expected}"))
            happened.append((incident.end_ms, "over", incident.name))
        hours = (self.stream.end_ms - self.stream.start_ms) / HOUR_MS
        happened += [(h * HOUR_MS, "", f"hour {h} of {hours:g}") for h in range(int(hours) + 1)]
        for at_ms, word, text in sorted(happened):
            if self._told_ms < at_ms <= until_ms:
                self._line(at_ms, word, text)
        self._told_ms = max(self._told_ms, until_ms)

    def _line(self, at_ms: int, word: str, text: str, monitor: str = "") -> None:
        """Event time, what it is, text that wraps under itself, and the monitor where there is room."""
        wide = bool(monitor) and self.console.width >= MONITOR_WIDTH
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=5)
        grid.add_column(width=8)
        grid.add_column(overflow="fold", min_width=TEXT_WIDTH if wide else None)
        whole = "cyan" if word in ("injected", "over") else "" if word else "dim"
        cells = [Text(clock(at_ms), whole), Text(word, _STYLES.get(word, "")), Text(text, whole)]
        if wide:
            cells.append(Text(monitor, "dim"))
        grid.add_row(*cells)
        self.console.print(grid)

    # ------------------------------------------------------------------ in the end
    def _match(self, reached_ms: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Of every incident that has begun what found it; and what fired without one."""
        found, explained = [], set()
        for incident in self.stream.scenario.incidents:
            if incident.start_ms < reached_ms:
                mine = [f for f in self.fired if explains(incident, f)]
                explained.update(mine)
                found.append(_row(incident, mine, self.lost.get(incident.challenger or "")))
        false = [f for f in self.fired if f not in explained]
        return found, [{"monitor": f.monitor, "segment": dict(f.segment), "at": clock(f.at_ms)} for f in false]

    def table(self, result: dict[str, Any]) -> None:
        """The result for people."""
        rows, false = result["incidents"], result["false_alarms"]
        self.say("")
        if rows:
            table = Table(title="What was injected, and what found it", title_justify="left", header_style="bold")
            for name in ("incident", "from", "to", "first alert"):
                table.add_column(name)
            table.add_column("delay", justify="right")
            table.add_column("alerts", justify="right")
            for row in rows:
                delay = "" if row["delay_minutes"] is None else f"{row['delay_minutes']:.0f} min"
                table.add_row(row["incident"], row["from"], row["to"], _first(row), delay, str(row["alerts"]))
            self.console.print(table)
            found = sum(row["first_alert"] is not None for row in rows)
            self.say(f"Incidents found: {found} of {len(rows)}")
        else:
            self.say("Nothing was injected.")
        self.say(f"False alarms: {len(false) or 'none'}")
        for alarm in false:
            self.say(f"  {alarm['at']}  {alarm['monitor']}{_where(alarm['segment'])}")
        for line in result["kpi"]:
            self.say(line[0].upper() + line[1:])
        rate = result["events"] / max(result["seconds"], 0.1)
        self.say(f"{result['events']:,} events, {result['hours']:g} h, in {result['seconds']} s: {rate:,.0f} events/s")

    def serve(self, address: str) -> None:
        """Stay up until Ctrl-C (also where it came before the end)."""
        self.say(f"Still at {address}; Ctrl-C ends it")
        with self._stop.on_signals():
            while not self._stop():
                self._stop.wait(0.5)


class _Ended(Stop):
    """Stops when the stream has been read, too."""

    def __init__(self, source: SimulatedSource, stop: Stop) -> None:
        super().__init__()
        self._source = source
        self._stop = stop

    def __call__(self) -> bool:
        return self._source.exhausted or self._stop()


def explains(incident: Incident, fired: Fired) -> bool:
    """Whether the alert comes from the incident: its column, its time, and its segment or all rows."""
    there = incident.segment is None or not fired.segment or incident.segment in fired.segment
    return there and incident.explains(fired.column, fired.at_ms)


def brief(summary: str) -> str:
    """An alert's summary for a line of the demo, all of which is one or two days.

    >>> brief("amount rose from 50.03 to 2006 (mean of 146 rows) since about 2026-03-01 03:30:00")
    'amount rose from 50.03 to 2006 (mean) since 03:30'
    >>> brief("amount is back within its reference (mean), after a change at about 2026-03-01 03:30:00")
    'amount is back within its reference (mean)'
    """
    return _CHANGED_AT.sub(lambda found: f" since {found[2]}" if found[1] else "", _ROWS.sub(")", summary))


def clock(after_ms: int) -> str:
    """Event time since the stream's start.

    >>> clock(14 * HOUR_MS + 90_000)
    '14:01'
    """
    return f"{after_ms // HOUR_MS:02d}:{after_ms % HOUR_MS // 60_000:02d}"


def _row(incident: Incident, alerts: list[Fired], lost_ms: int | None = None) -> dict[str, Any]:
    """lost_ms: when the comparison of versions had found it, where it is for that to find."""
    first = min(alerts, key=lambda fired: fired.at_ms, default=None)
    if incident.challenger is not None:
        verdict = Fired(f"versions: {incident.challenger} loses", "model_version", (), lost_ms or 0)
        first = None if lost_ms is None else verdict
    return {
        "incident": incident.name,
        "from": clock(incident.start_ms),
        "to": clock(incident.end_ms),
        "first_alert": None if first is None else first.monitor,
        "segment": {} if first is None else dict(first.segment),
        "delay_minutes": None if first is None else (first.at_ms - incident.start_ms) / 60_000,
        "alerts": len(alerts),
    }


def _first(row: dict[str, Any]) -> Text:
    if row["first_alert"] is None:
        return Text("not found", "bold red")
    return Text(row["first_alert"] + _where(row["segment"]))


def _where(segment: dict[str, str]) -> str:
    return "".join(f" [{field}={value}]" for field, value in segment.items())


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
