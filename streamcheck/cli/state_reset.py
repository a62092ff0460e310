"""`streamcheck state reset`: how does a config begin anew?"""

import sys

import click

from streamcheck.cli.exits import EXIT_MISTAKE
from streamcheck.cli.output import show_json
from streamcheck.cli.state_common import place


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def reset(config: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Set the saved state of CONFIG aside, so that the next run begins a new life.

    Nothing is deleted: the old state is moved to DIR.old-N. The next run begins at `start`, with a new lineage, fresh
    references and detectors; it takes over the alerts topic, in which the former life's alerts remain. Refused while a
    run uses the state. `run --reset-state` does the same and runs at once.

    Exit codes: 0 done, 1 a run uses the state, 2 a mistake in the config or the command line.
    """
    from streamcheck.adapters.sqlite import aside  # noqa: PLC0415 (only when it is used)

    where = place(config)
    if not yes and not sys.stdin.isatty():
        click.echo("there is no terminal to ask on: confirm with --yes", err=True)
        raise SystemExit(EXIT_MISTAKE)
    if not yes:
        click.confirm(f"Set the state in {where.directory} aside, and lose its references and open alerts?", abort=True)
    moved = aside.reset(where.directory)
    if as_json:
        show_json({"moved_to": None if moved is None else str(moved), "start": where.loaded.settings.start})
        return
    click.echo(f"{where.directory} is empty; the old state is in {moved}" if moved else "there was no state")
    click.echo(
        f"The next run begins at start: {where.start} with a new lineage, and takes over the alerts topic; "
        "the former life's alerts remain in it"
    )
