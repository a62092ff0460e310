"""`streamcheck run`: read the topics of a config, judge, publish alerts, until told to stop."""

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from streamcheck.cli.exits import EXIT_CRASHED
from streamcheck.cli.installation import incomplete
from streamcheck.cli.output import show_json
from streamcheck.cli.state_common import refuse_files
from streamcheck.cli.supervise import Lifeline, Supervisor
from streamcheck.core.wording import counted
from streamcheck.errors import StateLocked, StreamcheckError

if TYPE_CHECKING:
    from streamcheck.cli.service import Stop
    from streamcheck.config.load import Loaded

log = logging.getLogger(__name__)

T = TypeVar("T")

UNLOCK_S = 15.0
"""How long to wait for a state directory in use: longer than a predecessor that has been told to stop needs."""


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--until-end", is_flag=True, help="Stop when the topics, as they were at the start, have been read.")
@click.option("--new-lineage", is_flag=True, help="Take over an alerts topic that another state wrote to.")
@click.option("--reset-state", is_flag=True, help="Set the saved state aside and begin anew; implies --new-lineage.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one line of JSON at the end.")
@click.option("--no-supervise", is_flag=True, help="Do not start again after a crash: something else does that.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def run(
    config: str,
    until_end: bool,  # noqa: FBT001
    new_lineage: bool,  # noqa: FBT001
    reset_state: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    no_supervise: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
) -> None:
    """Watch the topics of CONFIG and publish alerts, gauges and a status page.

    A worker process does the work; it is started again, with back-off, when it crashes, when a call to the broker hangs
    or when the disk is full. SIGINT or SIGTERM stops it after a last commit; the next run goes on exactly there.

    Exit codes: 0 stopped or done, 1 refused or failed, 2 the config has mistakes; with --no-supervise also 70 a call
    hung or a crash, 75 a failure that passes (both: start it again).
    """
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    given = {
        "--until-end": until_end,
        "--new-lineage": new_lineage,
        "--reset-state": reset_state,
        "--json": as_json,
        "--verbose": verbose,
    }
    if not no_supervise:
        raise SystemExit(Supervisor(["run", config, *(option for option, is_set in given.items() if is_set)]).run())
    began = time.perf_counter()
    try:
        tally = _work(config, until_end=until_end, new_lineage=new_lineage or reset_state, reset_state=reset_state)
    except (StreamcheckError, click.ClickException):
        raise
    except Exception as error:
        if incomplete(error):
            raise  # told as such, and not started again: see cli/__init__.py
        log.critical("a fault in streamcheck (%s): please report it, with what follows", error, exc_info=True)
        raise SystemExit(EXIT_CRASHED) from error
    seconds = time.perf_counter() - began
    if as_json:
        show_json({**tally, "seconds": round(seconds, 3)}, compact=True)
    else:
        done = f"{counted(tally['events'], 'event')}, {counted(tally['alerts'], 'alert transition')}"
        click.echo(f"{done}, {seconds:.1f} s")


def _work(config: str, *, until_end: bool, new_lineage: bool, reset_state: bool) -> dict[str, int]:
    """Everything from the config to the last commit, in this process."""
    from streamcheck.config.load import load  # noqa: PLC0415 (numpy, pydantic: the supervisor stays small)

    # the client tells of each connection and each attempt; what matters of it our own messages say
    verbose = logging.getLogger().level < logging.INFO
    logging.getLogger("kafka").setLevel(logging.INFO if verbose else logging.CRITICAL)
    loaded = load(config)
    for warning in loaded.warnings:
        log.warning("%s: %s", config, warning)
    refuse_files(config, loaded.settings)
    return _run(loaded, config, until_end=until_end, new_lineage=new_lineage, reset_state=reset_state)


def _run(loaded: "Loaded", config: str, *, until_end: bool, new_lineage: bool, reset_state: bool) -> dict[str, int]:
    from streamcheck.adapters.sqlite.aside import allow_takeover, reset  # noqa: PLC0415
    from streamcheck.cli.kafka_wiring import wire  # noqa: PLC0415 (numpy, kafka: only when something runs)
    from streamcheck.cli.notify_wiring import notifying  # noqa: PLC0415
    from streamcheck.cli.operations_wiring import watched  # noqa: PLC0415
    from streamcheck.cli.page_wiring import desk  # noqa: PLC0415
    from streamcheck.cli.service import Stop, first_snapshot, pages, run_service  # noqa: PLC0415
    from streamcheck.runtime.allocator import one_arena  # noqa: PLC0415
    from streamcheck.runtime.clock import WallClock  # noqa: PLC0415
    from streamcheck.runtime.loop import LoopRules  # noqa: PLC0415
    from streamcheck.runtime.telemetry import Telemetry  # noqa: PLC0415

    one_arena()
    settings, clock, stop = loaded.settings, WallClock(), Stop()
    directory = Path(settings.state_dir)
    if reset_state:
        _unlocked(lambda: reset(directory), stop)
    elif new_lineage:
        allow_takeover(directory)
    telemetry = Telemetry(first_snapshot(loaded.plan, clock))
    rules = LoopRules(
        commit_every_s=settings.commit_every_ms / 1000,
        idle_after_s=settings.idle_after_ms / 1000,
        open_bytes_max=settings.open_bytes,
        until_end=until_end,
        skip_gaps=settings.on_gap == "skip",
        pages=settings.listen is not None,
        samples=settings.page.samples,
    )
    with (
        stop.on_signals(),
        pages(settings, telemetry, clock, desk=desk(settings, config)) as address,
        notifying(settings, Path(config), telemetry, clock) as told,
    ):
        if address is not None:
            log.info("status page and gauges at %s", address)
        lifeline = Lifeline(lost=lambda: os.kill(os.getpid(), signal.SIGTERM))
        wiring = _unlocked(lambda: wire(loaded.plan, settings), stop)
        wiring = replace(wiring, opened=lifeline.opened)
        with watched(settings, telemetry, clock, told.troubles):
            tally = run_service(loaded.plan, wiring, rules, clock, telemetry, stop)
    return {"events": tally.events, "alerts": tally.alerts, "panes": tally.panes, "commits": tally.commits}


def _unlocked(action: Callable[[], T], stop: "Stop") -> T:
    """Wait for a predecessor that is still stopping. Raises StateLocked where it does not come to an end."""
    deadline = time.monotonic() + UNLOCK_S
    waiting = False
    while True:
        try:
            return action()
        except StateLocked as error:
            if stop() or time.monotonic() > deadline:
                raise
            if not waiting:
                log.warning("%s (waiting for it for %g s)", error, UNLOCK_S)
            waiting = True
            stop.wait(0.2)
