"""Broken variants of event time and of what the journal says."""

from collections.abc import Callable
from typing import Any

from tests.faults.moments import patch

ENGINE = "streamcheck.core.engine"


def global_watermark() -> None:
    """A row is late by the newest time of all partitions, not by that of its own."""

    def feed(original: Callable[..., Any], self: Any, batch: Any, *more: Any) -> Any:
        partition = self.partitions[batch.source]
        partition.newest = max(p.newest for p in self.partitions.values())
        return original(self, batch, *more)

    patch(ENGINE, "Engine.feed", feed)


def floor_unjournaled() -> None:
    """A partition that wakes or is added has its floor, but the journal does not say so."""

    def floor(original: Callable[..., Any], *args: Any) -> Any:
        from streamcheck.core.engine import Outcome  # noqa: PLC0415

        original(*args)
        return Outcome()

    patch(ENGINE, "Engine._floor", floor)


def gap_unjournaled() -> None:
    """A gap is skipped without a word."""

    def skip(original: Callable[..., Any], *args: Any) -> Any:
        from streamcheck.core.engine import Outcome  # noqa: PLC0415

        original(*args)
        return Outcome()

    patch(ENGINE, "Engine.skip_gap", skip)


def new_partition_at_its_end() -> None:
    """An added partition is read from where it ends when it is noticed."""

    def add(original: Callable[..., Any], self: Any, source: Any, offset: int = 0) -> Any:
        return original(self, source, 40)

    patch(ENGINE, "Engine.add_partition", add)
