"""The demo at work: what was injected, what was found, how late, and what was found for no reason."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamcheck.adapters.simulate.incidents import DEMO, QUIET, Incident
from streamcheck.adapters.simulate.payments import PaymentsStream
from streamcheck.adapters.simulate.source import SimulatedSource
from streamcheck.adapters.simulate.traffic import HOUR_MS
from streamcheck.cli.service import Stop, Wiring, first_snapshot, pages, run_service
from streamcheck.config.settings import Settings
from streamcheck.core.engine import Outcome
from streamcheck.core.plan import Plan
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.telemetry import Telemetry

COMMIT_EVERY_S = 900.0
"""Simulated seconds: the demo's state is never resumed."""
IDLE_AFTER_S = 300.0
RATE = 6.0
"""Payments a second."""
PLAIN_WIDTH = 140
_STYLES = {"pending": "yellow", "firing": "bold red", "resolved": "green"}


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that fired, as its record tells."""

    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    at_ms: int
    detector: str


class Show:
    """Runs the service over a simulated stream and tells what happens."""

    def __init__(self, plan: Plan, *, seed: int, hours: float, quiet: bool, silent: bool) -> None:
        scenario = QUIET if quiet else DEMO
        self.stream = PaymentsStream(seed, scenario, rate=RATE, duration_ms=int(hours * HOUR_MS))
        self.source = SimulatedSource(self.stream)
        self.plan = plan
        self.console = Console(quiet=silent, width=None if Console().is_terminal else PLAIN_WIDTH, highlight=False)
        self.fired: list[Fired] = []
        self._stop = Stop()
        self._announced: set[str] = set()
        self._over: set[str] = set()
        self._hour = -1
        self._telemetry: Telemetry | None = None

    @contextmanager
    def pages(self, settings: Settings) -> Iterator[str | None]:
        """Serve page and gauges; yields their address."""
        self._telemetry = Telemetry(first_snapshot(settings, self.source.clock))
        with pages(settings, self._telemetry, self.source.clock) as address:
            yield address

    def say(self, text: str | Text) -> None:
        """One line."""
        self.console.print(text)

    def run(self) -> dict[str, Any]:
        """All of the stream; returns what was injected, found and not."""
        assert self._telemetry is not None, "pages() comes first"
        rules = LoopRules(commit_every_s=COMMIT_EVERY_S, idle_after_s=IDLE_AFTER_S)
        wiring = Wiring(self.source, MemoryStore(), lambda: dict.fromkeys(self.source.partitions(), 0))
        with self._stop.on_signals():
            ended = _Ended(self.source, self._stop)
            tally = run_service(self.plan, wiring, rules, self.source.clock, self._telemetry, ended, self._listen)
        found, false = self._match()
        return {"events": tally.events, "alerts": tally.alerts, "incidents": found, "false_alarms": false}

    def _listen(self, outcome: Outcome) -> None:
        self._tell_incidents()
        for alert in outcome.alerts:
            seen = orjson.loads(alert.record)
            if seen["state"] == "firing":
                at_ms = _ms(seen["pane_end"])
                self.fired.append(
                    Fired(seen["monitor"], seen["column"], tuple(seen["segment"].items()), at_ms, seen["detector"])
                )
            line = Text(f"{seen['pane_end'][11:16]}  ")
            line.append(f"{seen['state']:<9}", _STYLES[seen["state"]])
            line.append(f"{seen['monitor']}: {seen['summary']}")
            self.say(line)

    def _tell_incidents(self) -> None:
        """Say what is injected as its time comes, and how far event time is, once an hour."""
        after_ms = self.source.clock.now_ms() - self.stream.start_ms
        for incident in self.stream.scenario.incidents:
            if incident.start_ms <= after_ms and incident.name not in self._announced:
                self._announced.add(incident.name)
                self.say(Text(f"{_clock(incident.start_ms)}  injected {incident.name}: {incident.expected}", "bold cyan"))
            if incident.end_ms <= after_ms and incident.name not in self._over:
                self._over.add(incident.name)
                self.say(Text(f"{_clock(incident.end_ms)}  over     {incident.name}", "cyan"))
        if after_ms // HOUR_MS > self._hour:
            self._hour = after_ms // HOUR_MS
            self.say(Text(f"{_clock(self._hour * HOUR_MS)}  … hour {self._hour} of {self._hours()}", "dim"))

    def _hours(self) -> int:
        return (self.stream.end_ms - self.stream.start_ms) // HOUR_MS

    def _match(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        found, explained = [], set()
        for incident in self.stream.scenario.incidents:
            if incident.start_ms >= self.stream.end_ms - self.stream.start_ms:
                continue
            mine = [f for f in self.fired if incident.explains(f.column, f.at_ms - self.stream.start_ms)]
            explained.update(id(f) for f in mine)
            found.append(self._row(incident, [f for f in mine if _fits(incident, f)]))
        false = [f for f in self.fired if id(f) not in explained]
        return found, [{"monitor": f.monitor, "segment": dict(f.segment), "at": _clock(f.at_ms - self.stream.start_ms)} for f in false]

    def _row(self, incident: Incident, alerts: list[Fired]) -> dict[str, Any]:
        first = min(alerts, key=lambda f: f.at_ms, default=None)
        return {
            "incident": incident.name,
            "from": _clock(incident.start_ms),
            "to": _clock(incident.end_ms),
            "first_alert": None if first is None else first.monitor,
            "segment": {} if first is None else dict(first.segment),
            "delay_minutes": None if first is None else (first.at_ms - self.stream.start_ms - incident.start_ms) / 60_000,
            "alerts": len(alerts),
        }

    def table(self, result: dict[str, Any]) -> None:
        """The result for people."""
        table = Table(title="What was injected, and what found it", title_justify="left", header_style="bold")
        for name, justify in (("incident", "left"), ("from", "left"), ("to", "left"), ("first alert", "left"), ("delay", "right"), ("alerts", "right")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for row in result["incidents"]:
            where = "".join(f" [{k}={v}]" for k, v in row["segment"].items())
            alert = Text("not found", "bold red") if row["first_alert"] is None else Text(row["first_alert"] + where)
            delay = "" if row["delay_minutes"] is None else f"{row['delay_minutes']:.0f} min"
            table.add_row(row["incident"], row["from"], row["to"], alert, delay, str(row["alerts"]))
        self.console.print(table)
        for false in result["false_alarms"]:
            self.say(f"False alarm: {false['monitor']} at {false['at']}")
        found = sum(row["first_alert"] is not None for row in result["incidents"])
        self.say(
            f"{found} of {len(result['incidents'])} incidents found, {len(result['false_alarms'])} false alarms; "
            f"{result['events']:,} events in {result['seconds']} s ({result['events'] / result['seconds']:,.0f}/s)"
        )

    def serve(self, address: str | None) -> None:
        """Stay up until Ctrl-C."""
        self.say(f"Still at {address}; Ctrl-C ends it")
        stop = Stop()
        with stop.on_signals():
            while not stop():
                threading.Event().wait(0.2)


class _Ended(Stop):
    """Stops when the stream has been read, too."""

    def __init__(self, source: SimulatedSource, stop: Stop) -> None:
        super().__init__()
        self._source = source
        self._stop = stop

    def __call__(self) -> bool:
        return self._source.exhausted or self._stop()


def _fits(incident: Incident, fired: Fired) -> bool:
    """Whether the alert is about the incident's segment (or about all rows) and came before its end and aftermath."""
    return incident.segment is None or not fired.segment or incident.segment in fired.segment


def _clock(after_ms: int) -> str:
    return f"{after_ms // HOUR_MS:02d}:{after_ms % HOUR_MS // 60_000:02d}"


def _ms(text: str) -> int:
    from datetime import datetime  # noqa: PLC0415

    return round(datetime.fromisoformat(text).timestamp() * 1000)
