"""`streamcheck top`: a running service at a glance, again and again."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from streamcheck.cli.alerts import UNPRINTABLE
from streamcheck.cli.live import NotServing, Service
from streamcheck.cli.output import show_json
from streamcheck.core.wording import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

STATES = {"firing": (0, "bold red"), "pending": (1, "yellow"), "quiet": (2, "")}
WIDE = 110
"""Columns of a screen that has room for everything."""
NUMBER_WIDTH = 10
"""Of four digits with sign and exponent."""
HEAD_LINES = 9
"""Of the screen, for everything but monitors."""


@click.command()
@click.argument("service", metavar="CONFIG|URL")
@click.option("--every", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once and end: what it is without a terminal.")
@click.option(
    "--sort",
    type=click.Choice(["score", "name"]),
    default="score",
    show_default=True,
    help="Monitors: those nearest to their threshold first, or by name.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the status once, as JSON.")
def top(service: str, *, every: float, once: bool, sort: str, as_json: bool) -> None:
    """Show a running service: what fires, monitors nearest to their threshold, partitions, lag, the label join.

    CONFIG names the service by its config; URL by the address of its pages. Ctrl-C ends it.

    Exit codes: 0 shown, 1 no service answers, 2 a mistake in the config or the command line.
    """
    from rich.console import Console  # noqa: PLC0415 (only when it is used)
    from rich.live import Live  # noqa: PLC0415

    where = Service.of(service)
    if as_json:
        show_json(where.status())
        return
    console = Console()
    if once or not console.is_terminal:
        console.print(view(where.status(), None, sort, lines=1_000))
        return
    before: dict[str, Any] | None = None
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                status = {**where.status(), "at_s": time.monotonic()}
                live.update(view(status, before, sort, lines=console.height), refresh=True)
                before = status
            except NotServing as error:
                live.update(str(error), refresh=True)
                before = None
            except KeyboardInterrupt:
                break
            try:
                time.sleep(every)
            except KeyboardInterrupt:
                break


def view(status: dict[str, Any], before: dict[str, Any] | None, sort: str, lines: int) -> "RenderableType":
    """One screen. before: the status of the last look, for rates; lines: of the screen."""
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    room = max(1, lines - HEAD_LINES)
    rows = sorted(status["monitors"], key=_by_score if sort == "score" else _by_name)
    more = f"… {len(rows) - room} more" if len(rows) > room else ""
    table = Adapting(rows[:room])
    return Group(_head(status, before), Text(_labels(status), "dim"), Text(""), table, Text(more, "dim"))


def _head(status: dict[str, Any], before: dict[str, Any] | None) -> "Text":
    from rich.text import Text  # noqa: PLC0415

    broker = status["broker"]
    firing = sum(each["alert"] == "firing" for each in status["monitors"])
    lag = sum(partition["lag"] or 0 for partition in status["partitions"])
    return Text.assemble(
        (printable(status["config"], UNPRINTABLE), "bold"),
        f"  streamcheck {status['version']}  {status['phase']}  ",
        "broker connected"
        if broker["connected"]
        else (f"broker away: {printable(broker['message'], UNPRINTABLE)}", "bold red"),
        f"  {_rate(status, before)}lag {lag:,}  open rows {status['open_rows']:,}  ",
        (f"{firing} firing", "bold red" if firing else "green"),
    )


def _labels(status: dict[str, Any]) -> str:
    join = status["join"]
    return (
        f"labels: {join['labels_matched']:,} of {join['labels']:,} joined, {join['predictions_pending']:,} predictions "
        f"wait, {join['predictions_expired']:,} expired   event time {_moment(status['watermark_ms'])}   "
        f"judged until {_moment(status['closed_until_ms'])}"
    )


class Adapting:
    """The monitors, with as many columns as there is room for: names give way, numbers and states never."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __rich_console__(self, _console: Any, options: Any) -> "Iterator[RenderableType]":
        """Called by rich, which knows the width."""
        yield _table(self._rows, wide=options.max_width >= WIDE)


def _table(rows: list[dict[str, Any]], *, wide: bool) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    table.add_column("monitor", overflow="ellipsis", no_wrap=True, ratio=3)
    table.add_column("segment", overflow="ellipsis", no_wrap=True, ratio=2)
    table.add_column("state", overflow="ellipsis", no_wrap=True, width=26 if wide else 11)
    numbers = ("value", "reference", "score", "threshold", "rows") if wide else ("value", "reference", "score")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, width=NUMBER_WIDTH)
    for each in rows:
        judged, (state, style) = bool(each["detector"]), _state(each)
        shown = [_number(each[name]) for name in ("value", "reference")]
        if wide:
            shown += [_number(each["score"]), _number(each["threshold"]), f"{each['rows']:,}"]
        else:
            shown.append(_share(each))
        names = (printable(each["monitor"], UNPRINTABLE), printable(each["segment_text"], UNPRINTABLE))
        table.add_row(*names, printable(state, UNPRINTABLE), *shown, style=style if judged else "dim")
    return table


def _state(each: dict[str, Any]) -> tuple[str, str]:
    """In a word, and its style: the alert, or how far the warm-up has come where there is none."""
    _, style = STATES.get(each["alert"], (2, ""))
    if not each["detector"]:
        return ("" if each["status"] == "ready" else each["status"]), style
    known = "known, " if each.get("acknowledged_by") else ""
    if each["alert"] != "quiet":
        return known + each["alert"], style
    return ("quiet" if each["status"] == "ready" else each["status"]), style


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"


def _share(each: dict[str, Any]) -> str:
    """Where there is no room for both: the score in per cent of its threshold; a limit has none."""
    if each["score"] is None or not each["threshold"] or each["detector"] == "threshold":
        return ""
    return f"{100 * each['score'] / each['threshold']:.0f} %"


def _by_score(each: dict[str, Any]) -> tuple[Any, ...]:
    state = STATES.get(each["alert"], (2, ""))[0]
    ratio = each["score"] / each["threshold"] if each["score"] is not None and each["threshold"] else -1.0
    return (state, -ratio, each["monitor"], each["segment_text"])


def _by_name(each: dict[str, Any]) -> tuple[str, str]:
    return each["monitor"], each["segment_text"]


def _rate(status: dict[str, Any], before: dict[str, Any] | None) -> str:
    if before is None:
        return ""
    read = [sum(p["accepted"] + p["late"] for p in each["partitions"]) for each in (before, status)]
    seconds = status["at_s"] - before["at_s"]
    return f"{max(0, read[1] - read[0]) / seconds:,.0f} events/s  " if seconds > 0 else ""


def _moment(ms: int | None) -> str:
    from streamcheck.core.wording import moment  # noqa: PLC0415

    return "unknown" if ms is None else moment(ms)
