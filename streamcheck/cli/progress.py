"""How far has a replay come? A bar on a terminal, else a line now and then; on the channel of messages."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from streamcheck.core.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY_S = 10.0
"""Where nobody watches, a log takes a few lines a minute."""


class Shown:
    """Told of progress as often as one likes: offsets read, offsets to be read, transitions made."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said_s = now()
        self._bar: Progress | None = None

    def __call__(self, read: int, due: int, transitions: int) -> None:
        """So far it has come."""
        if sys.stderr.isatty():
            self._draw(read, due, transitions)
        elif self._now() - self._said_s >= LINE_EVERY_S:
            self._said_s = self._now()
            share = 100 * read // due if due else 100
            made = counted(transitions, "transition")
            click.echo(f"{read:,} of {counted(due, 'offset')} ({share} %), {made}", err=True)

    def _draw(self, read: int, due: int, transitions: int) -> None:
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
            from rich.progress import Progress  # noqa: PLC0415

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("")
        text = f"replaying, {counted(transitions, 'transition')}"
        self._bar.update(self._bar.task_ids[0], description=text, completed=read, total=max(due, 1))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
