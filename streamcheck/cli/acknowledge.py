"""`streamcheck acknowledge`: an alert is known."""

import getpass
import time

import click

from streamcheck.cli.rebaseline import leave
from streamcheck.cli.state_common import place


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("alert", metavar="ALERT_ID")
@click.option("--rebaseline", is_flag=True, help="What it found is the new normal: its reference begins anew.")
@click.option("--by", metavar="NAME", help="Who says so; the user's name where it is left out.")
@click.option("--why", metavar="TEXT", default="", help="For the others; page, log, journal and later records say it.")
@click.option("--for", "span", metavar="DURATION", help="How long, such as 2d; left out: until it is over.")
@click.option("--json", "as_json", is_flag=True, help="Print what was left as JSON.")
def acknowledge(
    config: str, alert: str, *, rebaseline: bool, by: str | None, why: str, span: str | None, as_json: bool
) -> None:
    """Say that an open alert of CONFIG is known: `id` in its record, `streamcheck alerts CONFIG --json` lists them.

    Its later records say by whom and why (`acknowledged_by`, `acknowledged_because`). With --rebaseline its monitor's
    reference begins anew with what came since the change began to show, and the alert is resolved; a limit on a number
    of the stream itself has no reference and stays open. Left and journaled as by `streamcheck rebaseline`; whether
    the alert was open stands in the log of the run.

    Exit codes: 0 left, 1 it could not be left, 2 a mistake in the config or the command line.
    """
    from streamcheck.core.orders import Acknowledge  # noqa: PLC0415 (numpy: only when it runs)

    until_ms = None if span is None else int(time.time() * 1000) + _duration_ms(span)
    leave(place(config), Acknowledge(alert, by or getpass.getuser(), rebaseline, why, until_ms), as_json=as_json)


def _duration_ms(span: str) -> int:
    from streamcheck.config.values import duration_ms  # noqa: PLC0415 (pydantic: only when it runs)

    try:
        return duration_ms(span)
    except ValueError:
        raise click.UsageError(f"--for: expected a duration such as 2h or 3d, got {span!r}") from None
