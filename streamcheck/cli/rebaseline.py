"""`streamcheck rebaseline`: what comes now is normal."""

import click

from streamcheck.cli.exits import EXIT_MISTAKE
from streamcheck.cli.output import show_json
from streamcheck.cli.state_common import Place, place


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--monitor", "monitors", multiple=True, metavar="ID", help="Only of this monitor; may be repeated.")
@click.option("--segment", "pairs", multiple=True, metavar="FIELD=VALUE", help="Only of this segment.")
@click.option("--since", metavar="TIME", help="Nothing before this event time may be in the new reference.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the log, the journal and later alerts.")
@click.option("--json", "as_json", is_flag=True, help="Print what was left as JSON.")
def rebaseline(
    config: str, monitors: tuple[str, ...], pairs: tuple[str, ...], since: str | None, reason: str, *, as_json: bool
) -> None:
    """Let references of CONFIG's monitors begin anew, for a change that is meant to last: new prices, a new model.

    The order is left in the state directory; the run that uses it obeys within seconds, between two panes, or the next
    run does. It stands in the journal with its place, so that a backtest with the journal gives the same alerts. Where
    an alert is open, the new reference holds what came since its change began to show, and the alert is resolved.
    References that are profiles stay: make a new one. Limits on numbers of the stream itself have none and stay open.

    Exit codes: 0 left, 1 it could not be left, 2 a mistake in the config or the command line.
    """
    from streamcheck.config.values import instant_ms  # noqa: PLC0415 (numpy, pydantic: only when it runs)
    from streamcheck.core.orders import Rebaseline  # noqa: PLC0415

    where = place(config)
    _check_monitors(where, monitors)
    if not all("=" in pair for pair in pairs):
        _refuse("--segment: expected FIELD=VALUE, such as tier=premium")
    segment = tuple((field, value) for field, _, value in (pair.partition("=") for pair in pairs)) or None
    try:
        since_ms = None if since is None else instant_ms(since)
    except ValueError:
        _refuse(f"--since: expected a time with an offset such as 2026-03-01T00:00:00Z, got {since!r}")
    leave(where, Rebaseline(monitors, segment, since_ms, reason), as_json=as_json)


def leave(where: Place, order: object, *, as_json: bool) -> None:
    """Put an order where the run finds it, and say what will become of it."""
    import orjson  # noqa: PLC0415 (only when it runs)

    from streamcheck.adapters.sqlite.lock import SharedLock  # noqa: PLC0415
    from streamcheck.adapters.sqlite.orders import OrderFolder  # noqa: PLC0415
    from streamcheck.core.orders import Acknowledge, Rebaseline, told  # noqa: PLC0415

    assert isinstance(order, Acknowledge | Rebaseline)
    if not where.directory.is_dir():
        _refuse(f"{where.directory} does not exist: nothing has ever run with this state.dir")
    name = OrderFolder(where.directory).put(orjson.dumps(told(order)))
    lock = SharedLock(where.directory)
    lock.release()
    if as_json:
        show_json({"order": name, "said": told(order), "obeyed_by": lock.holder})
        return
    who = f"{lock.holder} obeys within seconds" if lock.holder else "nothing runs with this state: the next run obeys"
    click.echo(f"order {name} is left; {who}, and says so in its log")


def _check_monitors(where: Place, monitors: tuple[str, ...]) -> None:
    from streamcheck.core.components import nearest  # noqa: PLC0415 (only when it runs)

    known = [spec.id for spec in where.loaded.plan.monitors]
    for name in monitors:
        if name not in known:
            close = nearest(name, known)
            _refuse(f"--monitor: {name!r} is none of the config" + (f" (did you mean {close!r}?)" if close else ""))


def _refuse(message: str) -> None:
    click.echo(message, err=True)
    raise SystemExit(EXIT_MISTAKE)
