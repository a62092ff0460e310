"""A backtest as it goes, and what it came to."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from streamcheck.cli.backtest_tables import segment_text, tell_comparison, tell_truth
from streamcheck.cli.output import show_table
from streamcheck.cli.replay import Replayed
from streamcheck.core.truth import Incident
from streamcheck.core.wording import counted
from streamcheck.errors import StreamcheckError
from streamcheck.report.compare import compare
from streamcheck.report.truth import fired, judge

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0
"""Where nobody watches, a log takes a few lines a minute."""
DRAW_EVERY_S = 0.2
FIRED_SHOWN = 50


class Progress:
    """Rows a second and the time that remains: a bar on a terminal, else a line now and then; among the messages."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began_s = self._shown_s = now()
        self._bar: Bar | None = None

    def __call__(self, done: int, total: int, rows: int) -> None:
        """So far it has come."""
        on_terminal, now_s = sys.stderr.isatty(), self._now()
        if now_s - self._shown_s < (DRAW_EVERY_S if on_terminal else LINE_EVERY_S):
            return
        self._shown_s = now_s
        seconds = now_s - self._began_s
        left_s = max(0.0, seconds * (total - done) / done) if done else 0.0
        text = f"{counted(rows, 'row')}, {rows / seconds:,.0f} a second, {left_s:.0f} s remain"
        if not on_terminal:
            click.echo(f"{100 * done // max(total, 1)} %: {text}", err=True)
            return
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
            from rich.progress import Progress as RichProgress  # noqa: PLC0415

            columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("")
        self._bar.update(self._bar.task_ids[0], description=text, completed=done, total=max(total, 1))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def whole(done: Replayed, told: dict[str, Any], incidents: Sequence[Incident] | None = None) -> dict[str, Any]:
    """Everything, for JSON. Only `timing` differs from one time to the next."""
    results = [course.result(complete=done.complete) for course in done.courses]
    if incidents is not None:
        for course, result in zip(done.courses, results, strict=True):
            judged = judge(incidents, [fired(alert) for alert in result["alerts"]], course.rows)
            for alert, verdict in zip(result["alerts"], judged.pop("verdicts"), strict=True):
                alert["verdict"] = verdict
            result["truth"] = judged
    found = results[0]
    found["events"] = done.events
    found["input"] = {**told, "positions": done.positions, "gaps": [list(gap) for gap in done.gaps]}
    if len(results) > 1:
        found["compare"] = compare(results)
        found["others"] = results[1:]
    found["timing"] = timing(done)
    return found


def timing(done: Replayed) -> dict[str, Any]:
    """What differs from one time to the next."""
    return {"seconds": round(done.seconds, 3), "events_per_second": round(done.events / done.seconds)}


def write(path: Path, found: dict[str, Any]) -> None:
    """The result as a file."""
    try:
        path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error


def tell(found: dict[str, Any]) -> None:
    """The result for people."""
    rows = [
        (alert["fired_at"], alert["monitor"], segment_text(alert["segment"]), alert["severity"], alert["summary"])
        for alert in found["alerts"][:FIRED_SHOWN]
    ]
    if rows:
        show_table("Alerts that would have fired", ("at", "monitor", "segment", "severity", "what"), rows)
    if found["fired"] > len(rows):
        click.echo(f"and {found['fired'] - len(rows)} more (--alerts, --json)")
    rate = "" if found["fired_per_week"] is None else f", {found['fired_per_week']:g} a week"
    took = found["timing"]
    click.echo(
        f"{counted(found['events'], 'event')} from {found['from'] or '-'} to {found['to'] or '-'}: "
        f"{counted(found['fired'], 'alert')} fired{rate} (budget for false ones: {found['budget']}); "
        f"{took['seconds']:.1f} s, {counted(took['events_per_second'], 'event')} a second"
    )
    tell_books(found)
    if "truth" in found:
        tell_truth(found["truth"])
    if "compare" in found:
        tell_comparison(found["compare"])


def tell_books(found: dict[str, Any]) -> None:
    """What did not count, and why; what is missing."""
    for source, books in found["partitions"].items():
        if books["late"] or books["rejected"]:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in books["rejected"].items())
            click.echo(
                f"{source}: {books['accepted']:,} accepted, {books['late']:,} late, "
                f"{sum(books['rejected'].values()):,} rejected" + (f" ({reasons})" if reasons else "")
            )
    if not found["complete"]:
        click.echo("Stopped before the end: this is what was found until then, and panes that were open stay so.")
