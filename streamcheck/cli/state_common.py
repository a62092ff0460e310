"""What all `streamcheck state` commands begin with: the config, and its state directory."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamcheck.cli.exits import EXIT_MISTAKE

if TYPE_CHECKING:
    from streamcheck.cli.service import Stop
    from streamcheck.config.load import Loaded
    from streamcheck.config.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_S = 60.0
"""How long a command that asks a broker much waits for it: longer than a cluster takes to elect what it lacks."""
RETRY_S = 1.0


@dataclass(frozen=True)
class Place:
    """A config, and where its state is."""

    loaded: "Loaded"
    directory: Path

    @property
    def client(self) -> dict[str, Any]:
        """Settings for Kafka clients."""
        return {key: value for key, value in (self.loaded.settings.kafka or {}).items() if key != "group_id"}

    @property
    def start(self) -> str:
        """Where a new life begins, for people."""
        start = self.loaded.settings.start
        return start if isinstance(start, str) else when(start)


def place(config: str, *, verbose: bool = False) -> Place:
    """Load the config; warnings and the client's chatter are kept out of what is printed."""
    from streamcheck.config.load import load  # noqa: PLC0415 - numpy and pydantic: only when a command runs

    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    loaded = load(config)
    refuse_files(config, loaded.settings)
    return Place(loaded, Path(loaded.settings.state_dir))


def refuse_files(config: str, settings: "Settings") -> None:
    """Exit where the config is not for Kafka."""
    if settings.kafka is None:
        click.echo(
            f"{config}: kafka: missing; `run` reads from Kafka and needs `kafka.bootstrap_servers` (for rows in files "
            "there is `streamcheck backtest`)",
            err=True,
        )
        raise SystemExit(EXIT_MISTAKE)
    if settings.steps_ms:
        click.echo(
            f"{config}: time: {{step: …}} is for files (`streamcheck backtest`); events from Kafka have times of their "
            "own",
            err=True,
        )
        raise SystemExit(EXIT_MISTAKE)


def when(ms: int | None) -> str:
    """Event time for people.

    >>> when(1_767_225_600_250)
    '2026-01-01T00:00:00.250Z'
    """
    if ms is None:
        return "-"
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answered(action: Callable[[], T], stop: "Stop") -> T | None:
    """Try until a broker answers; None when told to stop meanwhile. Raises what it said last after ANSWER_S."""
    from streamcheck.runtime.ports import SinkUnavailable, SourceUnavailable  # noqa: PLC0415 (only when it is used)

    deadline, waiting = time.monotonic() + ANSWER_S, False
    while not stop():
        try:
            return action()
        except (SourceUnavailable, SinkUnavailable) as error:
            if time.monotonic() + RETRY_S > deadline:
                raise
            if not waiting:
                log.warning("%s (waiting for it for %g s)", error, ANSWER_S)
            waiting = True
            stop.wait(RETRY_S)
    return None
