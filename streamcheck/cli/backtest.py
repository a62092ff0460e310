"""`streamcheck backtest`: which alerts would have fired, over rows in files or over topics?"""

import logging
from contextlib import closing
from pathlib import Path

import click

from streamcheck.cli.history_options import History, reads_history
from streamcheck.cli.progress import ReplayProgress


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@reads_history
@click.option("--alerts", type=click.Path(dir_okay=False, path_type=Path), help="Write alerts here, as `run` does.")
@click.option(
    "--json", "as_json", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here, as JSON."
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a report with charts here, as one file."
)
@click.option("--journal", metavar="FILE|topic", help="Journal of the run to live again: a file, or its topic.")
@click.option(
    "--state", metavar="DIR|FILE", type=click.Path(exists=True), help="State of a run to go on from; only read."
)
@click.option(
    "--incidents",
    type=click.Path(dir_okay=False),
    help="Known incidents (YAML): recall, delay, precision, false alarms.",
)
@click.option("--against", multiple=True, metavar="CONFIG", help="Another config, tried in the same pass; repeatable.")
@click.option(
    "--sweep",
    multiple=True,
    metavar="SETTING=VALUE,…",
    help="The config with each value, such as NAME.detector.above=2,3,4; several give all combinations.",
)
def backtest(
    config: str,
    history: History,
    alerts: Path | None,
    as_json: Path | None,
    html: Path | None,
    journal: str | None,
    state: str | None,
    incidents: str | None,
    against: tuple[str, ...],
    sweep: tuple[str, ...],
) -> None:
    """Replay files (JSON Lines, CSV, Parquet) or topics through CONFIG: the alerts that would have fired.

    The very engine of `run`, and its bytes. Several files of one --predictions are read one after the other; several
    --predictions are partitions side by side. Without files, the topics of CONFIG are read, up to where they end now.
    Nothing live is touched. Ctrl-C stops; what was found until then is told. With several configs, --alerts and the
    charts of --json are of the first.

    Exit codes: 0 done, 1 failed or stopped before the end, 2 a mistake in the config or the command line.
    """
    from streamcheck.adapters.files.alerts import AlertLines  # noqa: PLC0415 (numpy: only when it runs)
    from streamcheck.cli import backtest_result  # noqa: PLC0415
    from streamcheck.cli.backtest_configs import candidates  # noqa: PLC0415
    from streamcheck.cli.backtest_input import open_input  # noqa: PLC0415
    from streamcheck.cli.exits import EXIT_FAILURE  # noqa: PLC0415
    from streamcheck.cli.replay import replay  # noqa: PLC0415
    from streamcheck.config.incidents import load_incidents  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    tried = candidates(config, against, sweep)
    known = load_incidents(incidents, tried[0].plan) if incidents is not None else None
    backtest_result.prepare(as_json, html)
    given = open_input(config, tried[0].loaded, history, journal, state)
    sink = AlertLines(alerts) if alerts is not None else None
    try:
        with closing(ReplayProgress()) as progress:
            recorded = as_json is not None or html is not None
            done = replay(tried, given, history.bounds_ms, sink, progress, recorded=recorded)
    finally:
        if sink is not None:
            sink.close()
    result = backtest_result.result_of(done, given.told, known)
    backtest_result.write(result, as_json, html)
    backtest_result.show(result)
    if not result.complete:
        raise SystemExit(EXIT_FAILURE)
