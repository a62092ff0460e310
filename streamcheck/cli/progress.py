"""How far has it come? A bar on a terminal, else a line now and then; on the channel of messages."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from streamcheck.core.wording import counted, span

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0
"""Where nobody watches, a log takes a few lines a minute."""
DRAW_EVERY_S = 0.2


class _Told:
    """Told of progress as often as one likes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began_s = self._shown_s = now()
        self._bar: Bar | None = None

    def _due(self) -> bool:
        now_s, every_s = self._now(), DRAW_EVERY_S if sys.stderr.isatty() else LINE_EVERY_S
        if now_s - self._shown_s < every_s:
            return False
        self._shown_s = now_s
        return True

    def _show(self, done: int, total: int, text: str, line: str) -> None:
        """text: beside a bar; line: where there is none."""
        if not sys.stderr.isatty():
            click.echo(line, err=True)
            return
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

            columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(text)
        self._bar.update(self._bar.task_ids[0], description=text, completed=min(done, total), total=max(total, 1))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class ReplayProgress(_Told):
    """Of a backtest: rows a second and the time that remains."""

    def __call__(self, done: int, total: int, rows: int) -> None:
        """So far it has come, in whatever unit the input counts; rows: how many that were."""
        if not self._due():
            return
        seconds = self._shown_s - self._began_s
        left = f", {span(max(0.0, seconds * (total - done) / done))} remain" if done else ""
        text = f"{counted(rows, 'row')}, {rows / seconds:,.0f} a second{left}"
        self._show(done, total, text, f"{100 * done // max(total, 1)} %: {text}")


class SampleProgress(_Told):
    """Of `init`, which looks at records."""

    def __call__(self, read: int, due: int) -> None:
        """So many records have been read, of so many."""
        if self._due():
            text = f"looking at {counted(due, 'record')}"
            self._show(read, due, text, f"{read:,} of {counted(due, 'record')}")


class RebuildProgress(_Told):
    """Of a state that is rebuilt: offsets read, offsets to be read, transitions made."""

    def __call__(self, read: int, due: int, transitions: int) -> None:
        """So far it has come."""
        if not self._due():
            return
        made = counted(transitions, "transition")
        share = 100 * read // due if due else 100
        self._show(read, due, f"replaying, {made}", f"{read:,} of {counted(due, 'offset')} ({share} %), {made}")
