"""A backtest as it goes, and what it came to."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from streamcheck.adapters.files.source import FilesSource
from streamcheck.cli.output import show_table
from streamcheck.cli.state_common import when
from streamcheck.config.values import budget_text
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.plan import Plan
from streamcheck.core.wording import counted
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.loop import Listener, Tally

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

WEEK_MS = 604_800_000
LINE_EVERY_S = 10.0
"""Where nobody watches, a log takes a few lines a minute."""
DRAW_EVERY_S = 0.2
FIRED_SHOWN = 50
FIRED_KEPT = 10_000
"""Alerts in the result by name; beyond, they are counted."""


class Progress:
    """Rows a second and the time that remains: a bar on a terminal, else a line now and then; among the messages."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began_s = self._shown_s = now()
        self._bar: Bar | None = None

    def __call__(self, done_bytes: int, total_bytes: int, rows: int) -> None:
        """So far it has come."""
        on_terminal, now_s = sys.stderr.isatty(), self._now()
        if now_s - self._shown_s < (DRAW_EVERY_S if on_terminal else LINE_EVERY_S):
            return
        self._shown_s = now_s
        seconds = now_s - self._began_s
        left_s = seconds * (total_bytes - done_bytes) / done_bytes if done_bytes else 0.0
        text = f"{counted(rows, 'row')}, {rows / seconds:,.0f} a second, {left_s:.0f} s remain"
        if not on_terminal:
            click.echo(f"{100 * done_bytes // max(total_bytes, 1)} %: {text}", err=True)
            return
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
            from rich.progress import Progress as RichProgress  # noqa: PLC0415

            columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("")
        self._bar.update(self._bar.task_ids[0], description=text, completed=done_bytes, total=max(total_bytes, 1))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Story:
    """Hears every outcome; in the end it knows what to tell."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._states: Counter[str] = Counter()
        self._by_monitor: Counter[str] = Counter()
        self._fired: list[dict[str, Any]] = []
        self._engine: Engine | None = None
        self._tally = Tally()
        self.complete = False

    def listener(self, source: FilesSource) -> Listener:
        """What the loop is to tell of each outcome."""

        def listen(outcome: Outcome) -> None:
            for alert in outcome.alerts:
                self._states[alert.state] += 1
                if alert.state == "firing":
                    self._by_monitor[alert.monitor] += 1
                    if len(self._fired) < FIRED_KEPT:
                        self._fired.append(orjson.loads(alert.record))
            self._progress(source.done_bytes, source.total_bytes, source.rows)

        return listen

    def ended(self, engine: Engine, *, complete: bool, tally: Tally) -> None:
        """The loop has come to its end, or was stopped."""
        self._engine, self.complete, self._tally = engine, complete, tally

    def close(self) -> None:
        """Take the progress away."""
        self._progress.close()

    def result(self, seen_ms: tuple[int, int] | None, seconds: float) -> dict[str, Any]:
        """Everything, for JSON. Only `timing` differs from one time to the next."""
        assert self._engine is not None, "the loop comes first"
        weeks = (seen_ms[1] - seen_ms[0]) / WEEK_MS if seen_ms is not None else 0.0
        fired = self._states["firing"]
        partitions = {
            str(reading.source): {
                "accepted": reading.accepted,
                "late": reading.late,
                "rejected": dict(reading.rejected),
            }
            for reading in self._engine.reading().partitions
        }
        names = ("monitor", "column", "segment", "severity", "pane_end", "change_at", "summary")
        return {
            "config": self._plan.name,
            "lineage": self._engine.lineage,
            "complete": self.complete,
            "from": when(seen_ms[0]) if seen_ms else None,
            "to": when(seen_ms[1]) if seen_ms else None,
            "events": self._tally.events,
            "partitions": partitions,
            "transitions": sum(self._states.values()),
            "fired": fired,
            "fired_per_week": round(fired / weeks, 3) if weeks else None,
            "budget": budget_text(self._plan.budget),
            "by_monitor": dict(sorted(self._by_monitor.items())),
            "alerts": [{name: record[name] for name in names} for record in self._fired],
            "timing": {"seconds": round(seconds, 3), "events_per_second": round(self._tally.events / seconds)},
        }

    def write(self, path: Path, result: dict[str, Any]) -> None:
        """The result as a file."""
        try:
            path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error

    def tell(self, result: dict[str, Any]) -> None:
        """The result for people."""
        rows = [
            (alert["pane_end"], alert["monitor"], _segment(alert["segment"]), alert["severity"], alert["summary"])
            for alert in result["alerts"][:FIRED_SHOWN]
        ]
        if rows:
            show_table("Alerts that would have fired", ("at", "monitor", "segment", "severity", "what"), rows)
        if result["fired"] > len(rows):
            click.echo(f"and {result['fired'] - len(rows)} more (--alerts, --json)")
        rate = "" if result["fired_per_week"] is None else f", {result['fired_per_week']:g} a week"
        timing = result["timing"]
        click.echo(
            f"{counted(result['events'], 'event')} from {result['from'] or '-'} to {result['to'] or '-'}: "
            f"{counted(result['fired'], 'alert')} fired{rate} (budget for false ones: {result['budget']}); "
            f"{timing['seconds']:.1f} s, {counted(timing['events_per_second'], 'event')} a second"
        )
        for source, books in result["partitions"].items():
            if books["late"] or books["rejected"]:
                reasons = ", ".join(f"{reason} {number:,}" for reason, number in books["rejected"].items())
                click.echo(
                    f"{source}: {books['accepted']:,} accepted, {books['late']:,} late, "
                    f"{sum(books['rejected'].values()):,} rejected" + (f" ({reasons})" if reasons else "")
                )
        if not self.complete:
            click.echo("Stopped before the end: this is what was found until then, and panes that were open stay so.")


def _segment(segment: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in segment.items()) or "all"
