"""Broken variants of how disk, clock and other processes are treated."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.moments import patch

STORE, POOL = "streamcheck.adapters.sqlite.store", "streamcheck.runtime.workers.pool"
REPLACED = "decoders replaced, and what they had forgotten:"


def commits_lost_in_silence() -> None:
    """A commit that the disk does not take is logged at most, and the run goes on."""
    from streamcheck.errors import StateUnavailable  # noqa: PLC0415

    def commit(original: Callable[..., Any], self: Any, step: Any) -> None:
        try:
            original(self, step)
        except StateUnavailable:
            self._sequence += len(step.outbox)

    def delivered(original: Callable[..., Any], self: Any, sequence: int) -> None:
        try:
            original(self, sequence)
        except StateUnavailable:
            self._delivered = sequence

    patch(STORE, "SqliteStore.commit", commit)
    patch(STORE, "SqliteStore.delivered", delivered)


def silence_by_wall_clock() -> None:
    """How long nobody has spoken is a difference of two readings of the wall clock."""
    patch("streamcheck.runtime.clock", "WallClock.monotonic", lambda _original, _self: time.time())


def decoder_forgotten() -> None:
    """Processes that decode are replaced when one dies, and what they had is not read again."""
    from streamcheck.errors import WorkerLost  # noqa: PLC0415

    made: list[Any] = []

    def make(original: Callable[..., Any], self: Any, *args: Any) -> None:
        made[:] = args
        original(self, *args)

    def go_on(original: Callable[..., Any], self: Any, *args: Any) -> Iterator[Any]:
        try:
            yield from original(self, *args)
        except WorkerLost as error:
            logging.getLogger("streamcheck").warning("%s %s", REPLACED, error)
            self.close()
            self.__init__(*made)

    patch(POOL, "Pool.__init__", make)
    patch(POOL, "Pool.through", go_on)
    patch(POOL, "Pool.drain", go_on)
