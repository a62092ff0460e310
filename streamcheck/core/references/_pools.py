"""What references are made of: accumulators with their number of panes, and how far they have come, in words."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from streamcheck.core.components import State
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._running import Running, add_many
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references.base import Progress, Readiness
from streamcheck.core.room import Room

PANES_PROVISIONAL = 30
"""Panes from which a reference is shown; below, its own error drowns everything."""
SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
POOL_BYTES = 200

Make = Callable[[], Accumulator]


@runtime_checkable
class Named(Protocol):
    """An accumulator that has places for some names only."""

    def expect(self, other: Any) -> None:
        """Keep places for what another one counts by name, so that both can be compared name by name."""


class Pool:
    """An accumulator and how many panes it took in."""

    __slots__ = ("content", "panes")

    def __init__(self, make: Make, room: Room) -> None:
        self.content = make()
        self.content.attach(room)
        self.panes = 0

    @staticmethod
    def first(make: Make, room: Room) -> "Pool":
        """An empty pool that must be there; whoever makes the reference has looked for room."""
        pool = Pool(make, room)
        room.force(pool.held_bytes)
        return pool

    @staticmethod
    def within(room: Room, make: Make, like: Sequence[Accumulator] = ()) -> "Pool | None":
        """An empty pool, None where there is no room for it. like: what it will be compared with or added to."""
        pool = Pool(make, room)
        if not room.take(pool.held_bytes):
            return None
        if isinstance(pool.content, Named):
            for each in like:
                pool.content.expect(each)
        return pool

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""
        return POOL_BYTES + self.content.held_bytes

    def add(self, summary: Any) -> bool:
        """Take one more pane in; False when it holds nothing for the measure."""
        if not self.content.add(summary):
            return False
        self.panes += 1
        return True

    def add_many(self, summaries: Sequence[Any]) -> Running | None:
        """Take all of them in; None, and none is taken in, where each must be looked at."""
        running = add_many(self.content, summaries) if isinstance(self.content, MomentAccumulator) else None
        self.panes += 0 if running is None else len(running.places)
        return running

    def take(self, other: "Pool") -> None:
        """Take all panes of another pool in."""
        self.content.merge(other.content)
        self.panes += other.panes

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"panes": self.panes, "content": self.content.export()}

    @staticmethod
    def restored(make: Make, room: Room, state: State) -> "Pool":
        """The pool that was exported."""
        pool = Pool(make, room)
        pool.panes = int(state["panes"])
        pool.content.restore(state["content"])
        room.force(pool.held_bytes)
        return pool


def united(make: Make, contents: Sequence[Accumulator]) -> Accumulator:
    """All contents as one, merged in their order; a single one itself."""
    if len(contents) == 1:
        return contents[0]
    total = make()
    for content in contents:
        total.merge(content)
    return total


def exported_pools(pools: dict[int, Pool]) -> State:
    """Numbered pools as state."""
    return {str(number): pools[number].export() for number in sorted(pools)}


def restored_pools(make: Make, room: Room, state: State) -> dict[int, Pool]:
    """The numbered pools that were exported."""
    return {int(number): Pool.restored(make, room, pool) for number, pool in state.items()}


def by_panes(have: int, want: int) -> Progress:
    """Progress counted in panes: warming up below PANES_PROVISIONAL."""
    return Progress(Readiness.WARMING_UP if have < PANES_PROVISIONAL else Readiness.PROVISIONAL, have, want, "panes")


def by_span(readiness: Readiness, have_ms: int, want_ms: int) -> Progress:
    """Progress counted in event time, in a unit that suits its goal.

    >>> by_span(Readiness.PROVISIONAL, 5_400_000, 172_800_000)
    Progress(readiness=<Readiness.PROVISIONAL: 'provisional'>, have=1, want=48, unit='hours')
    """
    units = ((HOUR_MS, "hours"), (MINUTE_MS, "minutes"), (SECOND_MS, "seconds"))
    size, unit = next((u for u in units if want_ms >= 2 * u[0]), (1, "ms"))
    want = -(-want_ms // size)
    return Progress(readiness, min(have_ms // size, want), want, unit)
