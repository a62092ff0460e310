"""`streamcheck backtest`: which alerts would have fired, over rows in files or over topics?"""

import logging
from contextlib import closing
from pathlib import Path

import click


def instant(_ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An event time on the command line, as ms since 1970 UTC."""
    from streamcheck.config.values import instant_ms  # noqa: PLC0415 (pydantic: only when a command runs)

    try:
        return None if value is None else instant_ms(value)
    except ValueError:
        expected = f"expected a time with an offset such as 2026-03-01T00:00:00Z, got {value!r}"
        raise click.BadParameter(expected, param=param) from None


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--predictions", multiple=True, metavar="FILE", help="File, folder or pattern; once per partition.")
@click.option("--labels", multiple=True, metavar="FILE", help="The same for labels.")
@click.option("--from", "first_ms", metavar="TIME", callback=instant, help="First event time that counts.")
@click.option(
    "--to", "end_ms", metavar="TIME", callback=instant, help="First that does not; labels are read to --to + horizon."
)
@click.option("--alerts", type=click.Path(dir_okay=False, path_type=Path), help="Write alerts here, as `run` does.")
@click.option(
    "--json", "result", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here, as JSON."
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
    predictions: tuple[str, ...],
    labels: tuple[str, ...],
    first_ms: int | None,
    end_ms: int | None,
    alerts: Path | None,
    result: Path | None,
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
    from streamcheck.cli import backtest_report  # noqa: PLC0415
    from streamcheck.cli.backtest_configs import candidates  # noqa: PLC0415
    from streamcheck.cli.backtest_input import Asked, open_input  # noqa: PLC0415
    from streamcheck.cli.backtest_show import Progress, tell, whole, write  # noqa: PLC0415
    from streamcheck.cli.exits import EXIT_FAILURE  # noqa: PLC0415
    from streamcheck.cli.replay import replay  # noqa: PLC0415
    from streamcheck.config.incidents import load_incidents  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    tried = candidates(config, against, sweep)
    known = load_incidents(incidents, tried[0].plan) if incidents is not None else None
    if html is not None:
        backtest_report.prepare(html)
    asked = Asked(predictions, labels, first_ms, end_ms, journal, state)
    given = open_input(config, tried[0].loaded, asked)
    sink = AlertLines(alerts) if alerts is not None else None
    try:
        with closing(Progress()) as progress:
            traced, recorded = result is not None, html is not None
            done = replay(tried, given, (first_ms, end_ms), sink, progress, traced=traced, recorded=recorded)
    finally:
        if sink is not None:
            sink.close()
    found = whole(done, given.told, known)
    if result is not None:
        write(result, found)
    if html is not None:
        backtest_report.write_report(html, done)
    tell(found)
    if not done.complete:
        raise SystemExit(EXIT_FAILURE)
