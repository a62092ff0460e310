"""`streamcheck silence`: nobody is told of some alerts for a while; the alert log is the same."""

import getpass
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.errors import StreamcheckError

if TYPE_CHECKING:
    from streamcheck.adapters.notify.files import SilenceFile


@click.group()
def silence() -> None:
    """Keep messages about some alerts back for a while: who, until when, and why is kept with the state.

    Silences concern the ways to tell people under `notify`; alerts, gauges and the topic are as they are.

    Exit codes: 0 done, 1 it cannot be done, 2 a mistake in the config or the command line.
    """


@silence.command("add")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--for", "span", metavar="DURATION", required=True, help="How long, such as 2h or 3d.")
@click.option("--why", metavar="TEXT", required=True, help="For the others.")
@click.option("--who", metavar="NAME", help="Left out: the name you are logged in by.")
@click.option("--monitor", metavar="NAME", default="", help="Only alerts of this monitor.")
@click.option("--segment", metavar="FIELD=VALUE", default="", help="Only of this segment; all: of all rows together.")
@click.option("--severity", metavar="WORD", default="", help="Only of this severity.")
@click.option("--incident", metavar="ID", default="", help="Only of this incident: it is seen to.")
@click.option("--everything", is_flag=True, help="All alerts there are.")
@click.option("--json", "as_json", is_flag=True, help="Print the silence as JSON.")
def add(
    config: str, span: str, why: str, who: str | None, monitor: str, segment: str, severity: str, incident: str,
    *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Begin a silence; prints its id.

    Exit codes: 0 it holds, 1 it cannot be kept, 2 a mistake in the config or the command line.
    """
    import msgspec  # noqa: PLC0415 (only when it runs)

    from streamcheck.config.load import load  # noqa: PLC0415 (pydantic: only when it runs)
    from streamcheck.config.values import duration_ms  # noqa: PLC0415
    from streamcheck.runtime.notices import Silence  # noqa: PLC0415

    if not everything and not any((monitor, segment, severity, incident)):
        raise click.UsageError("say what: --monitor, --segment, --severity, --incident, or --everything")
    loaded = load(config)
    if monitor and monitor not in {spec.id for spec in loaded.plan.monitors}:
        from streamcheck.core.components import nearest  # noqa: PLC0415

        close = nearest(monitor, [spec.id for spec in loaded.plan.monitors])
        raise click.UsageError(f"--monitor: there is no {monitor!r}" + (f"; did you mean {close!r}?" if close else ""))
    try:
        span_ms = duration_ms(span)
    except ValueError:
        raise click.UsageError(f"--for: expected a duration such as 2h or 3d, got {span!r}") from None
    now_ms = int(time.time() * 1000)
    made = Silence(
        secrets.token_hex(4),
        now_ms + span_ms,
        who or getpass.getuser(),
        why,
        monitor,
        segment,
        severity,
        incident,
        now_ms,
    )
    file = _file(config)
    file.change(lambda known: [*(each for each in known if each.until_ms > now_ms), made])
    if as_json:
        show_json(msgspec.to_builtins(made))
    else:
        click.echo(made.id)


@silence.command("list")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(config: str, *, as_json: bool) -> None:
    """Show the silences that hold.

    Exit codes: 0 shown, 1 they cannot be read, 2 a mistake in the config.
    """
    import msgspec  # noqa: PLC0415 (only when it runs)

    from streamcheck.core.wording import moment  # noqa: PLC0415

    now_ms = time.time() * 1000
    found = [each for each in _file(config).read() if each.until_ms > now_ms]
    if as_json:
        show_json([msgspec.to_builtins(each) for each in found])
    elif not found:
        click.echo("nothing is silenced")
    else:
        rows = [[s.id, moment(s.until_ms), s.who, s.what, s.why] for s in found]
        show_table("Silences", ("id", "until", "who", "what", "why"), rows)


@silence.command("end")
@click.argument("config", type=click.Path(dir_okay=False))
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--json", "as_json", is_flag=True, help="Print what was ended as JSON.")
def end(config: str, ids: tuple[str, ...], *, as_json: bool) -> None:
    """End silences before their time.

    Exit codes: 0 ended, 1 there is none of that id, 2 a mistake in the config or the command line.
    """
    file = _file(config)
    known = file.read()
    missing = [each for each in ids if each not in {silence.id for silence in known}]
    if missing:
        raise StreamcheckError(f"there is no silence {', '.join(missing)}; `streamcheck silence list` shows them")
    file.change(lambda known: [each for each in known if each.id not in ids])
    if as_json:
        show_json({"ended": list(ids)})


def _file(config: str) -> "SilenceFile":
    from streamcheck.adapters.notify.files import SilenceFile  # noqa: PLC0415 (only when it runs)
    from streamcheck.config.load import load  # noqa: PLC0415

    return SilenceFile(Path(load(config).settings.state_dir))
