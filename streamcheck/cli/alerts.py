"""`streamcheck alerts`: what fires, and what has happened."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from streamcheck.cli.live import NotServing, Service
from streamcheck.cli.output import show_json, show_table
from streamcheck.core.wording import printable

POLL_S = 1.0
UNPRINTABLE = "�"
COLUMNS = ("state", "since", "severity", "owner", "monitor", "segment", "summary")
CHANGED = ("state", "at", *COLUMNS[2:])
STYLES = {"firing": "bold red", "pending": "yellow", "resolved": "green"}


@click.command()
@click.argument("service", metavar="CONFIG|URL")
@click.option("--history", is_flag=True, help="What has changed lately, oldest first, instead of what fires.")
@click.option("--follow", is_flag=True, help="Go on: print each transition as it comes, until Ctrl-C.")
@click.option("--monitor", metavar="TEXT", help="Only of monitors whose name holds this text.")
@click.option("--severity", metavar="WORD", help="Only of this severity.")
@click.option("--json", "as_json", is_flag=True, help="Print each alert record on a line of its own, as published.")
def alerts(
    service: str, *, history: bool, follow: bool, monitor: str | None, severity: str | None, as_json: bool
) -> None:
    """Show what is firing in the running service of CONFIG, or of the service whose pages are at URL.

    --history and --follow show transitions: pending, firing, resolved; the service keeps the last 200. All there
    have ever been are in the alerts topic.

    Exit codes: 0 nothing fires (or transitions were shown), 1 no service answers, 2 a mistake in the config or the
    command line, 3 something fires.
    """
    where = Service.of(service)

    def wanted(alert: dict[str, Any]) -> bool:
        return (not monitor or monitor in alert["monitor"]) and (not severity or severity == alert["severity"])

    if follow:
        _follow(where, wanted, as_json=as_json, past=history)
        return
    found = where.alerts()
    shown = [alert for alert in (reversed(found["recent"]) if history else found["firing"]) if wanted(alert)]
    if as_json:
        _lines(shown)
    elif shown and sys.stdout.isatty():
        for alert in shown:
            _tell(alert, changed=history)
    elif shown:
        show_table("Alerts", CHANGED if history else COLUMNS, [_row(alert, changed=history) for alert in shown])
    else:
        click.echo("nothing has changed" if history else "nothing fires")
    if shown and not history:
        raise SystemExit(EXIT_FIRING)


EXIT_FIRING = 3


def _follow(where: Service, wanted: Any, *, as_json: bool, past: bool) -> None:
    """Each new transition; where the service restarts meanwhile, it is waited for."""
    last = 0 if past else _newest(where.alerts()["recent"])
    away = False
    while True:
        try:
            found = where.alerts()
            if away:
                click.echo(f"{where.url} answers again", err=True)
            away = False
        except NotServing as error:
            if not away:
                click.echo(f"{error}; waiting", err=True)
            away, found = True, {"recent": []}
        new = [alert for alert in reversed(found["recent"]) if alert["sequence"] > last]
        if new and last and new[0]["sequence"] > last + 1:
            click.echo(f"{new[0]['sequence'] - last - 1} transitions came faster than they could be shown", err=True)
        last = max(last, _newest(found["recent"]))
        for alert in filter(wanted, new):
            if as_json:
                _lines([alert])
            elif sys.stdout.isatty():
                _tell(alert, changed=True)
            else:
                click.echo("  ".join(filter(None, _row(alert, changed=True))))
        time.sleep(POLL_S)


def _newest(recent: Sequence[dict[str, Any]]) -> int:
    return max((alert["sequence"] for alert in recent), default=0)


def _lines(found: Iterable[dict[str, Any]]) -> None:
    for alert in found:
        show_json(alert, compact=True)


def _tell(alert: dict[str, Any], *, changed: bool) -> None:
    """A few lines for people: what, of whom, the summary by its parts, and by which id it is acknowledged."""
    from rich.console import Console  # noqa: PLC0415 (only a terminal needs it)
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    state, at, severity, owner, monitor, segment, summary = _row(alert, changed=changed)
    console = Console(highlight=False)
    more = "".join(f"  {word}" for word in (segment, owner) if word)
    console.print(Text.assemble((state, STYLES.get(state, "")), f"  {at}  {severity}  ", (monitor, "bold"), more))
    headline, *details = summary.split("; ")
    console.print(Padding(Text(headline), (0, 0, 0, 2)))
    if state == "firing":
        incident = alert.get("incident")
        details.append(f"id {alert['id']}" + (f", incident {incident}" if incident else ""))
    for each in details:
        console.print(Padding(Text(each, "dim"), (0, 0, 0, 4)))


def _row(alert: dict[str, Any], *, changed: bool) -> list[str]:
    """changed: a transition, with its own time; else what fires, with the time since when."""
    segment = ", ".join(f"{field}={value}" for field, value in alert["segment"].items())
    since = (alert["pane_end"] if changed else alert["change_at"] or alert["pane_start"])[:19].replace("T", " ")
    cells = [
        alert["state"],
        since,
        alert["severity"],
        alert["owner"] or "",
        alert["monitor"],
        segment,
        alert["summary"],
    ]
    return [printable(cell, UNPRINTABLE) for cell in cells]
