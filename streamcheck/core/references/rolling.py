"""Normal is what came lately."""

from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import (
    PANES_PROVISIONAL,
    Make,
    Pool,
    by_panes,
    by_span,
    exported_pools,
    restored_pools,
    united,
)
from streamcheck.core.references.base import Progress, Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

PARTS = 24
"""A span is kept in so many parts, each dropped as a whole once all of it is older: 26 accumulators at most."""


@register
class Rolling(Reference):
    """What did the signal look like in the newest `span_ms`? Forgets older panes, a 24th of the span at a time.

    Provisional from 30 panes, ready once a full span has passed since its first pane. It excludes nothing else: a
    change that lasts becomes normal. After a silence longer than the span it starts afresh.
    """

    span_ms: int = param(604_800_000, ge=PARTS, doc="How far back normal reaches, in ms of event time.")

    pools_max = PARTS + 2

    def setup(self) -> None:
        """Nothing seen yet."""
        self._part_ms = self.span_ms // PARTS
        self._first_ms: int | None = None
        self._newest_ms = 0
        self._parts: dict[int, Pool] = {}

    def bind(self, make: Make, room: Room, timing: Timing) -> None:  # noqa: ARG002 - spans of event time do for it
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are."""
        self._make, self._room = make, room

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:  # noqa: ARG002 - taken at its word
        """Take the pane in and drop what has become too old."""
        live = self._live(start_ms)
        self._room.give(sum(pool.held_bytes for part, pool in self._parts.items() if part not in live))
        self._parts = {part: self._parts[part] for part in live}
        part = start_ms // self._part_ms
        pool = self._parts.get(part)
        if pool is None:
            pool = Pool.within(self._room, self._make, [older.content for older in self._parts.values()])
        if pool is None:
            return
        if not pool.add(summary):
            self._room.give(0 if part in self._parts else pool.held_bytes)
            return
        if not self._parts:
            self._first_ms = start_ms
        self._parts[part] = pool
        self._newest_ms = start_ms

    def _live(self, start_ms: int) -> list[int]:
        """The parts that reach into the span before `start_ms`, oldest first."""
        return sorted(part for part in self._parts if (part + 1) * self._part_ms > start_ms - self.span_ms)

    def baseline(self, start_ms: int) -> Accumulator | None:
        """The panes of the span before this one; None while there are too few."""
        pools = [self._parts[part] for part in self._live(start_ms)]
        if sum(pool.panes for pool in pools) < PANES_PROVISIONAL:
            return None
        return united(self._make, [pool.content for pool in pools])

    @property
    def held_bytes(self) -> int:
        """All of its parts."""
        return sum(pool.held_bytes for pool in self._parts.values())

    @property
    def learning_ms(self) -> int:
        """Its span."""
        return self.span_ms

    def stage(self, start_ms: int) -> Stage:  # noqa: ARG002 - it goes by what it holds
        """Ready with the first full span, until silence empties it."""
        ready = self._first_ms is not None and self._newest_ms - self._first_ms >= self.span_ms
        return Stage.READY if ready else Stage.LEARNING

    def progress(self) -> Progress:
        """Panes first, then the span."""
        have = sum(pool.panes for pool in self._parts.values())
        if self._first_ms is None or have < PANES_PROVISIONAL:
            return by_panes(have, PANES_PROVISIONAL)
        age_ms = self._newest_ms - self._first_ms
        return by_span(Readiness.PROVISIONAL if age_ms < self.span_ms else Readiness.READY, age_ms, self.span_ms)

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"first_ms": self._first_ms, "newest_ms": self._newest_ms, "parts": exported_pools(self._parts)}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._first_ms, self._newest_ms = state["first_ms"], state["newest_ms"]
        self._room.give(sum(pool.held_bytes for pool in self._parts.values()))
        self._parts = restored_pools(self._make, self._room, state["parts"])
