"""`streamcheck profile`: what is normal, as a file: made, shown, compared, put together."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamcheck.cli.history_options import History, reads_history
from streamcheck.cli.output import show_json
from streamcheck.errors import ProfileError, StreamcheckError

if TYPE_CHECKING:
    from streamcheck.core.profiles import Profile

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Write the profile here."
)
JSON_OBJECT = click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")


class ConfigFirst(click.Group):
    """`profile CONFIG` is `profile make CONFIG`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb, or `make` where the first word is none."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["make", *args])


@click.group(cls=ConfigFirst)
def profile() -> None:
    """Make a reference profile of history (`streamcheck profile CONFIG --out FILE`); show, diff and merge profiles.

    A profile holds sums, counts by bin and counts by category for the monitors of a config, never a row. A config
    names it: `reference: {profile: FILE}`.

    Exit codes: 0 done, 1 failed or stopped before the end, 2 a mistake in the config or the command line.
    """


@profile.command()
@click.argument("config", type=click.Path(dir_okay=False))
@reads_history
@click.option("--like", type=FILE, help="A profile whose bins are taken, so that both can be merged.")
@click.option("--training", is_flag=True, help="The rows are those that the model was trained on: alerts say skew.")
@OUT
@JSON_OBJECT
def make(
    config: str, history: History, like: Path | None, out: Path, *, training: bool, as_json: bool
) -> None:
    """Replay files or topics as `backtest` does, and write what the references of CONFIG's monitors come to."""
    from streamcheck.cli.profile_make import made  # noqa: PLC0415 (numpy: only when it runs)

    found, complete = made(config, history, None if like is None else _read(like), training=training)
    _write(out, found, as_json=as_json)
    if not complete:
        raise StreamcheckError("stopped before the end: the profile holds what was read until then")


@profile.command()
@click.argument("file", type=FILE)
@JSON
def show(file: Path, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Say what the profile FILE holds."""
    from streamcheck.cli.profile_show import show_profile  # noqa: PLC0415

    show_profile(_read(file), as_json=as_json)


@profile.command()
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@JSON
def diff(first: Path, second: Path, as_json: bool) -> None:  # noqa: FBT001
    """Say how the profile SECOND differs from FIRST: a line for each column, measure and segment."""
    from streamcheck.cli.profile_show import show_drift  # noqa: PLC0415
    from streamcheck.core.profile_drift import drift  # noqa: PLC0415

    show_drift(drift(_read(first), _read(second)), as_json=as_json)


@profile.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@OUT
@JSON_OBJECT
def merge(files: tuple[Path, ...], out: Path, *, as_json: bool) -> None:
    """Put profiles together; all but the first were made with `--like` it."""
    from streamcheck.core.profile_sum import merged  # noqa: PLC0415

    together = _read(files[0])
    for path in files[1:]:
        try:
            together = merged(together, _read(path))
        except ProfileError as error:
            raise StreamcheckError(f"{path}: {error}") from error
    _write(out, together, as_json=as_json)


def _read(path: Path) -> "Profile":
    from streamcheck.config.profiles import read_profile  # noqa: PLC0415

    try:
        return read_profile(path)
    except ProfileError as error:
        raise StreamcheckError(f"{path}: {error}") from error


def _write(path: Path, content: "Profile", *, as_json: bool) -> None:
    from streamcheck.cli.profile_show import told  # noqa: PLC0415
    from streamcheck.core.profile_text import to_text  # noqa: PLC0415

    try:
        path.write_bytes(to_text(content))
    except OSError as error:
        raise StreamcheckError(f"{path}: cannot be written: {error.strerror or error}") from error
    if as_json:
        show_json({"file": str(path), "name": content.name, "rows": content.rows, "digest": content.digest})
    else:
        click.echo(f"{path}: {told(content)}")
