"""`streamcheck alerts`: what fires, and what has happened."""

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
    elif shown:
        show_table("Alerts", COLUMNS, [_row(alert) for alert in shown])
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
            _lines([alert]) if as_json else click.echo("  ".join(filter(None, _row(alert))))
        time.sleep(POLL_S)


def _newest(recent: Sequence[dict[str, Any]]) -> int:
    return max((alert["sequence"] for alert in recent), default=0)


def _lines(found: Iterable[dict[str, Any]]) -> None:
    for alert in found:
        show_json(alert, compact=True)


def _row(alert: dict[str, Any]) -> list[str]:
    segment = ", ".join(f"{field}={value}" for field, value in alert["segment"].items())
    since = (alert["change_at"] or alert["pane_start"])[:19].replace("T", " ")
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
