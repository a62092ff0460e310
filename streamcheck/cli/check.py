"""`streamcheck check`: is this config right, and if not, where?"""

import dataclasses

import click

from streamcheck.cli.exits import EXIT_MISTAKE
from streamcheck.cli.output import show_json
from streamcheck.config.load import Loaded, load
from streamcheck.errors import ConfigError


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, mistakes, warnings.")
@click.pass_context
def check(ctx: click.Context, config: str, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Find every mistake in CONFIG, each with its line, what was expected and the nearest valid name.

    Exit codes: 0 the config is right (warnings do not count), 2 it has mistakes.
    """
    try:
        loaded = load(config)
    except ConfigError as error:
        if as_json:
            show_json({"ok": False, "mistakes": [dataclasses.asdict(m) for m in error.mistakes], "warnings": []})
        else:
            for mistake in error.mistakes:
                click.echo(f"{config}: {mistake}")
            click.echo(f"{len(error.mistakes)} {'mistake' if len(error.mistakes) == 1 else 'mistakes'}")
        ctx.exit(EXIT_MISTAKE)
    if as_json:
        show_json({"ok": True, "mistakes": [], "warnings": [dataclasses.asdict(w) for w in loaded.warnings]})
        return
    for warning in loaded.warnings:
        click.echo(f"{config}: warning: {warning}")
    click.echo(_summary(config, loaded))


def _summary(config: str, loaded: Loaded) -> str:
    plan = loaded.plan
    topics = len(plan.topics)
    features = sum(column.role == "feature" for column in plan.predictions.columns)
    parts = [_count(topics, "topic"), _count(features, "feature"), _count(len(plan.segmentations), "segmentation")]
    return (
        f"{config}: ok: {', '.join(parts)}, {_count(len(plan.monitors), 'monitor')}; `streamcheck explain` shows them"
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
