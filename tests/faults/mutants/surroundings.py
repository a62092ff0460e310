"""Broken variants of how disk, clock and network are treated."""

import time
from collections.abc import Callable
from typing import Any

from tests.faults.moments import patch

STORE = "streamcheck.adapters.sqlite.store"


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
