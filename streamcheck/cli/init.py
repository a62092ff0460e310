"""`streamcheck init`: look at events, ask a few questions, write a config with comments."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamcheck.cli.output import show_json
from streamcheck.errors import StreamcheckError

if TYPE_CHECKING:
    from streamcheck.config.guess import Picks

NONE = "-"
FC = TypeVar("FC", bound=Callable[..., Any])


def _field_option(name: str, what: str) -> Callable[[FC], FC]:
    return click.option(f"--{name}", metavar="FIELD", help=f"{what}; {NONE} for none.")


@click.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path), default="streamcheck.yaml")
@click.option("--kafka", "bootstrap", metavar="HOST:PORT", help="The broker whose topics are looked at.")
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the client, such as security_protocol=SASL_SSL; VALUE ${NAME}: of the environment.",
)
@click.option("--registry", metavar="URL", help="The schema registry, where events are Avro or Protobuf.")
@click.option(
    "--registry-user",
    metavar="NAME",
    help="To log in there as; the password: SCHEMA_REGISTRY_PASSWORD of the environment.",
)
@click.option("--topic", metavar="TOPIC", help="The topic with the predictions.")
@click.option("--labels", metavar="TOPIC|FILE", help=f"The topic (or file) with the labels; {NONE} for none.")
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(exists=True, path_type=Path),
    help="Look at a file (JSON Lines, CSV, Parquet) instead of a topic.",
)
@_field_option("id", "Field that identifies a prediction")
@_field_option("time", "Field with the event time")
@_field_option("prediction", "Field with what the model said")
@_field_option("score", "Field with the model's score")
@_field_option("label", "Field with the truth")
@_field_option("model-version", "Field with the model's version")
@_field_option("label-id", "Field of the labels with the prediction's id")
@_field_option("label-time", "Field of the labels that says when the label became known")
@click.option("--task", type=click.Choice(["binary", "multiclass", "regression"]), help="What the model predicts.")
@click.option("--segments", metavar="FIELD,FIELD", help=f"Fields that cut the traffic; {NONE} for none.")
@click.option(
    "--records", type=click.IntRange(10, 100_000), default=2_000, show_default=True, help="Records looked at."
)
@click.option("--yes", is_flag=True, help="Ask nothing: take every suggestion. So it is without a terminal.")
@click.option("--force", is_flag=True, help="Write over a config that exists.")
@click.option("--stdout", is_flag=True, help="Print the config instead of writing it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found (and --stdout) as JSON; ask nothing.")
def init(
    config: Path,
    bootstrap: str | None,
    options: tuple[str, ...],
    registry: str | None,
    registry_user: str | None,
    topic: str | None,
    labels: str | None,
    file: Path | None,
    records: int,
    *,
    yes: bool,
    force: bool,
    stdout: bool,
    as_json: bool,
    **said: str | None,
) -> None:
    """Write CONFIG (streamcheck.yaml) for the events of a topic, or of a file.

    It samples the newest records, says what it takes each field for, asks where it is not sure, and writes a commented
    config that passes `check`. Without --topic it asks which topic, or takes the only one there is.

    Exit codes: 0 written, 1 the events cannot be had or nothing can be made of them, 2 a mistake in the command line.
    """
    from streamcheck.cli.init_talk import Request, make  # noqa: PLC0415 (kafka, config: only when it runs)

    if (bootstrap is None) == (file is None):
        raise click.UsageError("say what to look at: --kafka HOST:PORT (and --topic), or --file FILE")
    if config.exists() and not (force or stdout):
        raise click.UsageError(f"{config} exists; --force writes over it, or name another file")
    asks = not yes and sys.stdin.isatty() and not stdout and not as_json
    picks = _picks(**said)
    known = (registry, registry_user) if registry is not None else None
    request = Request(bootstrap, _options(options), topic, labels, file, records, picks, config, asks, known)
    made = make(request)
    if as_json and stdout:
        show_json({"config": None, **made.told(), "text": made.text})
        return
    if stdout:
        click.echo(made.text, nl=False)
        return
    try:
        config.write_text(made.text)
    except OSError as error:
        raise StreamcheckError(f"{config} cannot be written: {error.strerror or error}") from error
    if as_json:
        show_json({"config": str(config), **made.told()})
        return
    click.echo(f"\nWritten to {config}. Next:")
    for command, what in (
        (f"check {config}", "every mistake, once you have changed it"),
        (f"explain {config}", "the monitors that result"),
        *(((f"run {config}", "watch the topic; status page at http://127.0.0.1:9108"),) if bootstrap else ()),
        (f"backtest {config}{_files(file, labels)}", "which alerts would have fired?"),
    ):
        click.echo(f"  streamcheck {command}".ljust(46) + f"  {what}")


def _files(predictions: Path | None, labels: str | None) -> str:
    if predictions is None:
        return ""
    return f" --predictions {predictions}" + (f" --labels {labels}" if labels not in (None, NONE) else "")


def _picks(*, task: str | None, segments: str | None, **fields: str | None) -> "Picks":
    from streamcheck.config.guess import Picks  # noqa: PLC0415

    said = {name: "" if value == NONE else value for name, value in fields.items()}
    cut = None if segments is None else listed(segments)
    return Picks(task=task, segments=cut, **said)


def listed(text: str) -> tuple[str, ...]:
    """Names with commas between them; none for a dash."""
    return () if text == NONE else tuple(part.strip() for part in text.split(",") if part.strip())


def _options(options: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected NAME=VALUE, got {option!r}", param_hint="--option")
        found[name] = value
    return found
