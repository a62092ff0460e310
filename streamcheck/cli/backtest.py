"""`streamcheck backtest`: which alerts would have fired over rows in files?"""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamcheck.cli.exits import EXIT_FAILURE, EXIT_MISTAKE

if TYPE_CHECKING:
    from streamcheck.adapters.files.source import FileLog
    from streamcheck.cli.backtest_show import Story
    from streamcheck.config.load import Loaded
    from streamcheck.core.plan import Schema
    from streamcheck.runtime.backtest import Window
    from streamcheck.runtime.past import Life

log = logging.getLogger(__name__)

OPEN_BYTES_MAX = 128 << 20
"""Rows of open panes at which a file that runs ahead waits; a service may take four times as many by default."""
COMMIT_EVERY_S = 5.0


def _instant(_ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An event time on the command line, as ms since 1970 UTC."""
    from streamcheck.config.values import instant_ms  # noqa: PLC0415 (pydantic: only when a command runs)

    try:
        return None if value is None else instant_ms(value)
    except ValueError:
        expected = f"expected a time with an offset such as 2026-03-01T00:00:00Z, got {value!r}"
        raise click.BadParameter(expected, param=param) from None


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option(
    "--predictions", multiple=True, required=True, metavar="FILE", help="File, folder or pattern; once per partition."
)
@click.option("--labels", multiple=True, metavar="FILE", help="The same for labels.")
@click.option("--from", "first_ms", metavar="TIME", callback=_instant, help="First event time that counts.")
@click.option(
    "--to", "end_ms", metavar="TIME", callback=_instant, help="First that does not; labels are read to --to + horizon."
)
@click.option("--alerts", type=click.Path(dir_okay=False, path_type=Path), help="Write alerts here, as `run` does.")
@click.option(
    "--json", "result", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here, as JSON."
)
@click.option("--journal", type=click.Path(exists=True, dir_okay=False), help="Journal of the run to live again.")
def backtest(
    config: str,
    predictions: tuple[str, ...],
    labels: tuple[str, ...],
    first_ms: int | None,
    end_ms: int | None,
    alerts: Path | None,
    result: Path | None,
    journal: str | None,
) -> None:
    """Replay files (JSON Lines, CSV, Parquet) through CONFIG: the alerts that would have fired.

    The very engine of `run`, and its bytes. Several files of one --predictions are read one after the other; several
    --predictions are partitions side by side. Nothing live is touched. Ctrl-C stops; what was found until then is told.

    Exit codes: 0 done, 1 failed or stopped before the end, 2 a mistake in the config or the command line.
    """
    from streamcheck.cli.backtest_show import Progress, Story  # noqa: PLC0415 (numpy: only when it runs)
    from streamcheck.config.load import load  # noqa: PLC0415
    from streamcheck.runtime.backtest import Window  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    loaded = load(config)
    for warning in loaded.warnings:
        log.warning("%s: %s", config, warning)
    life = _life(journal)
    logs = _logs(config, loaded, predictions, labels, life)
    if first_ms is not None and end_ms is not None and first_ms >= end_ms:
        raise click.UsageError("--from must lie before --to")
    story = Story(loaded.plan, Progress())
    window = Window(first_ms, end_ms)
    with closing(story):
        seconds = _replay(loaded, logs, life, window, alerts, story, end_ms, first_ms)
    told = story.result(window.seen_ms, seconds)
    if result is not None:
        story.write(result, told)
    story.tell(told)
    if not story.complete:
        raise SystemExit(EXIT_FAILURE)


def _logs(
    config: str, loaded: "Loaded", predictions: Sequence[str], labels: Sequence[str], life: "Life | None"
) -> list["FileLog"]:
    """The source partitions that the command line names."""
    plan, settings = loaded.plan, loaded.settings
    if labels and plan.labels is None:
        raise click.UsageError(f"--labels: {config} has no labels stream (streams.labels)")
    logs = _of_stream(config, plan.predictions, predictions, settings.predictions_step_ms, life)
    if plan.labels is not None and not labels:
        log.warning("no --labels: monitors of labelled rows have nothing to look at")
    if plan.labels is not None:
        logs += _of_stream(config, plan.labels, labels, settings.labels_step_ms, life)
    return logs


def _of_stream(
    config: str, schema: "Schema", files: Sequence[str], step_ms: int | None, life: "Life | None"
) -> list["FileLog"]:
    from streamcheck.adapters.files.paths import expand  # noqa: PLC0415
    from streamcheck.adapters.files.source import FileLog  # noqa: PLC0415
    from streamcheck.core.types import SourcePartition  # noqa: PLC0415

    if files and schema.time is None and step_ms is None:
        click.echo(
            f"{config}: streams.{schema.role}.time: files have no record timestamps; expected "
            "{field: …, unit: …}, or {step: 1s} for one row a second",
            err=True,
        )
        raise SystemExit(EXIT_MISTAKE)
    found = []
    for number, named in enumerate(files):
        source = SourcePartition(schema.topics[0], number)
        first = life.positions.get(source, 0) if life is not None else 0
        found.append(FileLog(source, expand(named), schema, step_ms, first))
    return found


def _life(journal: str | None) -> "Life | None":
    """The last life in a journal's file."""
    from streamcheck.runtime.past import from_file  # noqa: PLC0415

    if journal is None:
        return None
    lives = from_file(Path(journal).read_bytes(), journal)
    if not lives:
        raise click.BadParameter(f"{journal} is empty", param_hint="--journal")
    lineage, life = list(lives.items())[-1]
    if len(lives) > 1:
        log.warning("%s tells of %d lives; the last, lineage %s, is lived again", journal, len(lives), lineage)
    return life


def _replay(
    loaded: "Loaded",
    logs: list["FileLog"],
    life: "Life | None",
    window: "Window",
    alerts: Path | None,
    story: "Story",
    end_ms: int | None,
    first_ms: int | None,
) -> float:
    """Everything up to the end of the files, or until told to stop; the seconds that took."""
    from streamcheck.adapters.files.alerts import AlertLines  # noqa: PLC0415
    from streamcheck.adapters.files.source import FilesSource  # noqa: PLC0415
    from streamcheck.cli.service import Stop, decoding, first_snapshot  # noqa: PLC0415
    from streamcheck.runtime.backtest import Backtest, Window, Within, open_backtest  # noqa: PLC0415
    from streamcheck.runtime.clock import WallClock  # noqa: PLC0415
    from streamcheck.runtime.delivery import Outbox  # noqa: PLC0415
    from streamcheck.runtime.loop import LoopRules  # noqa: PLC0415
    from streamcheck.runtime.memory import ForgetfulStore  # noqa: PLC0415
    from streamcheck.runtime.telemetry import Telemetry  # noqa: PLC0415

    plan, settings, clock, stop = loaded.plan, loaded.settings, WallClock(), Stop()
    horizon_ms = plan.join.horizon_ms if plan.join is not None else 0
    windows = dict.fromkeys(plan.predictions.topics, window)
    for topic in plan.labels.topics if plan.labels is not None else ():
        windows[topic] = Window(first_ms, None if end_ms is None else end_ms + horizon_ms)
    decoder = Within(decoding(plan, settings.workers), windows)
    with closing(FilesSource(logs)) as source, closing(decoder):
        opened = open_backtest(plan, source.first_offsets, life)
        sink = AlertLines(alerts) if alerts is not None else None
        outbox = Outbox(sink, ForgetfulStore())
        outbox.open(opened)
        loop = Backtest(
            life,
            opened,
            source,
            outbox,
            decoder,
            clock,
            Telemetry(first_snapshot(settings, clock)),
            LoopRules(commit_every_s=COMMIT_EVERY_S, open_bytes_max=min(settings.open_bytes, OPEN_BYTES_MAX)),
            story.listener(source),
        )
        began = time.perf_counter()
        try:
            with stop.on_signals():
                loop.run(stop)
        finally:
            if sink is not None:
                sink.close()
        story.ended(loop.engine, complete=loop.complete, tally=loop.tally)
        return time.perf_counter() - began
