"""Broken variants of the state and of stopping."""

from collections.abc import Callable
from typing import Any

from tests.faults.moments import die_once, patch

STORE, LOOP = "streamcheck.adapters.sqlite.store", "streamcheck.runtime.loop"


def position_first() -> None:
    """Positions are committed in a transaction of their own, before what the monitors have learnt."""
    from streamcheck.runtime.ports import Commit  # noqa: PLC0415

    commits = 0

    def commit(original: Callable[..., Any], self: Any, step: Any) -> None:
        nonlocal commits
        commits += 1
        if commits > 10 and not step.outbox and len(step.put) > 3:
            original(self, Commit({"engine": step.put["engine"]}))
            die_once()
        original(self, step)

    patch(STORE, "SqliteStore.commit", commit)


def open_panes_forgotten() -> None:
    """Reading goes on where it stood; rows of panes that were open are not read again."""

    def position(original: Callable[..., Any], self: Any) -> Any:
        from streamcheck.core.partitions import Mark  # noqa: PLC0415

        return Mark(self.next_offset, self.newest, self.floor)

    patch("streamcheck.core.partitions", "Partition.position", position)


def closes_at_stop() -> None:
    """SIGTERM closes the open panes, as if the input had ended."""

    def commit(original: Callable[..., Any], self: Any, *, force: bool) -> None:
        if force and self.tally.commits > 1:
            self._take(self.engine.finish())
        original(self, force=force)

    patch(LOOP, "Loop._commit", commit)


def orphan() -> None:
    """A worker whose supervisor is gone goes on."""
    patch("streamcheck.cli.supervise", "Lifeline._watch", lambda _original, *_args: None)


def gives_up() -> None:
    """A supervisor that takes a worker which was killed for one that has done its work."""
    patch("streamcheck.cli.supervise", "Supervisor._one_life", lambda original, self: max(original(self), 0))


def shelf_apart() -> None:
    """What the join puts on disk is written after the state that counts on it, in a transaction of its own."""
    from streamcheck.core.shelf import PREFIX  # noqa: PLC0415
    from streamcheck.runtime.ports import Commit  # noqa: PLC0415

    def commit(original: Callable[..., Any], self: Any, step: Any) -> None:
        chunks = {key: step.put[key] for key in step.put if key.startswith(PREFIX)}
        rest = {key: step.put[key] for key in step.put if key not in chunks}
        original(self, Commit(rest, step.delete, step.outbox))
        if chunks:
            die_once()
            original(self, Commit(chunks))

    patch(STORE, "SqliteStore.commit", commit)


def waiting_forgotten() -> None:
    """The checkpoint in place of older deltas leaves out the labels that wait."""
    from streamcheck.core.ids import NO_KEYS  # noqa: PLC0415

    def checkpoint(original: Callable[..., Any], self: Any, *args: Any) -> Any:
        made = original(self, *args)
        marks = [[end_ms, 0] for end_ms, _ in made["marks"]]
        return {**made, "waiting_keys": NO_KEYS, "waiting_values": made["waiting_values"][:0], "marks": marks}

    patch("streamcheck.core.join", "Join._checkpoint", checkpoint)
