"""How does one state make room for another? It is moved beside itself, never deleted; the lock stays where it is."""

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from streamcheck.adapters.sqlite.lock import LOCK_FILE, DirectoryLock

log = logging.getLogger(__name__)

TAKEOVER_FILE = "takes-over"
"""Its presence says: the next life may take over the alerts topic from another one (`reset`, `--new-lineage`)."""

OLD_MAX = 10_000


def set_aside(directory: Path) -> Path | None:
    """Move all in a state directory whose lock is held to the first free `directory.old-N`; None where it is empty."""
    parts = [part for part in sorted(directory.iterdir()) if part.name not in (LOCK_FILE, TAKEOVER_FILE)]
    if not parts:
        return None
    names = (directory.with_name(f"{directory.name}.old-{number}") for number in range(1, OLD_MAX))
    aside = next(name for name in names if not name.exists())
    aside.mkdir(mode=0o700)
    for part in parts:
        part.rename(aside / part.name)
    log.warning("the saved state was moved to %s", aside)
    return aside


def move_in(workshop: Path, directory: Path) -> None:
    """Put a state that was made elsewhere in its place; the lock of both is held by nobody else."""
    for part in sorted(workshop.iterdir()):
        if part.name != LOCK_FILE:
            part.rename(directory / part.name)
    clear(workshop)


def clear(workshop: Path) -> None:
    """Remove a state that was never finished."""
    with suppress(FileNotFoundError):
        shutil.rmtree(workshop)


def reset(directory: Path) -> Path | None:
    """Begin anew: the old state is set aside, and the next life may take over its alerts topic.

    Where it went; None where there was none. Raises StateLocked where a run holds it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DirectoryLock(directory)
    try:
        aside = set_aside(directory)
        allow_takeover(directory)
    finally:
        lock.release()
    return aside


def allow_takeover(directory: Path) -> None:
    """Let the next life of this state take over an alerts topic that another one wrote to."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / TAKEOVER_FILE).touch(mode=0o600)


def takeover_allowed(directory: Path) -> bool:
    """Whether that was allowed, and has not happened yet."""
    return (directory / TAKEOVER_FILE).exists()


def taken_over(directory: Path) -> None:
    """The alerts topic is ours now: the permission has been used."""
    (directory / TAKEOVER_FILE).unlink(missing_ok=True)
