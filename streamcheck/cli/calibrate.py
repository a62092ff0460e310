"""`streamcheck calibrate`: which parameters keep a config's own detectors within a budget of false alarms?"""

import difflib
import logging
from contextlib import closing
from pathlib import Path

import click

from streamcheck.cli.history_options import History, reads_history
from streamcheck.cli.progress import ReplayProgress


def _budget(_ctx: click.Context, param: click.Parameter, value: str | None) -> object:
    from streamcheck.config.values import budget  # noqa: PLC0415 (pydantic: only when a command runs)

    try:
        return None if value is None else budget(value)
    except ValueError:
        raise click.BadParameter(f"expected a rate such as 1 per week, got {value!r}", param=param) from None


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@reads_history
@click.option(
    "--budget",
    "rate",
    metavar="RATE",
    callback=_budget,
    help="False alarms of all these detectors together; left out: alarm_budget.",
)
@click.option(
    "--incidents", type=click.Path(dir_okay=False), help="Known incidents (YAML): their alerts are not false."
)
@click.option("--diff", type=click.Path(dir_okay=False, path_type=Path), help="Write the changes here, as a patch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def calibrate(
    config: str,
    history: History,
    rate: object,
    incidents: str | None,
    diff: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Propose parameters for CONFIG's own detectors, from history, as a patch to the config.

    History comes as for `backtest`: files, or the topics of CONFIG. It is taken as quiet, but for --incidents: every
    other alarm in it is a false one. Limits of `threshold` and the main parameters of river's detectors (and of scan
    and cusum with h) are turned until their alarms keep to the budget, which is split equally over them; then the
    changed config is replayed, to count. What is calibrated already, or `auto`, is left alone.

    Exit codes: 0 done, 1 failed, stopped, or no value keeps to the budget, 2 a mistake in a file or the command line.
    """
    from streamcheck.cli.backtest_input import open_input  # noqa: PLC0415 (numpy: only when it runs)
    from streamcheck.cli.calibration import Calibration, show  # noqa: PLC0415
    from streamcheck.cli.exits import EXIT_FAILURE  # noqa: PLC0415
    from streamcheck.cli.output import show_json  # noqa: PLC0415
    from streamcheck.cli.replay import load_candidate  # noqa: PLC0415
    from streamcheck.config.incidents import load_incidents  # noqa: PLC0415
    from streamcheck.core.plan import Budget  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    candidate = load_candidate(config)
    known = load_incidents(incidents, candidate.plan) if incidents is not None else ()
    wanted = rate if isinstance(rate, Budget) else candidate.plan.budget
    with closing(ReplayProgress()) as progress:
        work = Calibration(
            candidate, config, known, wanted, lambda: open_input(config, candidate.loaded, history), progress
        )
        found = work.run(history.bounds_ms)
    name = Path(config).name
    patch = "".join(
        difflib.unified_diff(candidate.text.splitlines(keepends=True), found.text.splitlines(keepends=True), name, name)
    )
    if diff is not None:
        diff.write_text(patch)
    if as_json:
        show_json({**found.told(), "diff": patch})
    else:
        show(found)
        if diff is None and patch:
            click.echo(patch, nl=False)
    if not found.complete or any(each.proposed is None for each in found.proposals):
        raise SystemExit(EXIT_FAILURE)
