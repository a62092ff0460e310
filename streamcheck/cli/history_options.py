"""How does a command line name history: files or topics, and which part of it? The same for all that read it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class History:
    """What is named. Without files, the topics of the config; first_ms, end_ms: event times, None for no bound."""

    predictions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kpi: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    first_ms: int | None = None
    end_ms: int | None = None

    @property
    def bounds_ms(self) -> tuple[int | None, int | None]:
        """First event time that counts, first that does not."""
        return self.first_ms, self.end_ms


def instant(_ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An event time on the command line, as ms since 1970 UTC."""
    from streamcheck.config.values import instant_ms  # noqa: PLC0415 (pydantic: only when a command runs)

    try:
        return None if value is None else instant_ms(value)
    except ValueError:
        expected = f"expected a time with an offset such as 2026-03-01T00:00:00Z, got {value!r}"
        raise click.BadParameter(expected, param=param) from None


OPTIONS = (
    click.option("--predictions", multiple=True, metavar="FILE", help="File, folder or pattern; once per partition."),
    click.option("--labels", multiple=True, metavar="FILE", help="The same for labels."),
    click.option("--kpi", multiple=True, metavar="FILE", help="The same for the KPI."),
    click.option("--shadow", multiple=True, metavar="FILE", help="The same for a challenger's predictions."),
    click.option("--from", "first_ms", metavar="TIME", callback=instant, help="First event time that counts."),
    click.option(
        "--to",
        "end_ms",
        metavar="TIME",
        callback=instant,
        help="First that does not; labels are read to --to + horizon.",
    ),
)


def reads_history(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes `history`."""

    @wraps(command)
    def with_history(
        predictions: tuple[str, ...],
        labels: tuple[str, ...],
        kpi: tuple[str, ...],
        shadow: tuple[str, ...],
        first_ms: int | None,
        end_ms: int | None,
        **others: Any,
    ) -> None:
        command(history=History(predictions, labels, kpi, shadow, first_ms, end_ms), **others)

    for option in reversed(OPTIONS):
        with_history = option(with_history)
    return with_history
