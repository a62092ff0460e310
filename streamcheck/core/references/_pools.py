"""What references are made of: accumulators with their number of panes, by slot of the calendar or all in one."""

from collections.abc import Callable, Iterable
from typing import Any

from streamcheck.core.components import State
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
DAY_HOURS = 24
WEEK_HOURS = 168
POOL_BYTES = 200
THURSDAY_HOURS = 72
"""1970-01-01 was a Thursday: hours from its start are this many hours after the start of a Monday."""

Make = Callable[[], Accumulator]


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
    def within(room: Room, make: Make) -> "Pool | None":
        """An empty pool, None where there is no room for it."""
        pool = Pool(make, room)
        return pool if room.take(pool.held_bytes) else None

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


def merged(make: Make, pools: Iterable[Pool]) -> Accumulator:
    """The content of all pools, in their order; a single one's own."""
    held = list(pools)
    if len(held) == 1:
        return held[0].content
    total = make()
    for pool in held:
        total.merge(pool.content)
    return total


def exported_pools(pools: dict[int, Pool]) -> State:
    """Numbered pools as state."""
    return {str(number): pools[number].export() for number in sorted(pools)}


def restored_pools(make: Make, room: Room, state: State) -> dict[int, Pool]:
    """The numbered pools that were exported."""
    return {int(number): Pool.restored(make, room, pool) for number, pool in state.items()}


class Calendar:
    """Panes by the UTC hour in which they begin: of the day (hours = 24) or of the week (168), and all together."""

    def __init__(self, make: Make, room: Room, hours: int) -> None:
        self._make = make
        self._room = room
        self._hours = hours
        self.overall = Pool.first(make, room)
        self._slots: dict[int, Pool] = {}

    def add(self, start_ms: int, summary: Any) -> bool:
        """Take one more pane in; False when it holds nothing for the measure."""
        if not self.overall.add(summary):
            return False
        slot = hour_of_week(start_ms) % self._hours
        pool = self._slots.get(slot) or Pool.within(self._room, self._make)
        if pool is not None:  # an hour without room is an hour without panes: `content` falls back
            pool.add(summary)
            self._slots[slot] = pool
        return True

    def content(self, start_ms: int, hours: int) -> Accumulator:
        """What came in the same hour of the day (24) or week (168); else in the hours beside it; else at any time.

        An hour of the week that is missing with both its neighbours falls back to the hour of the day first.
        """
        hour = hour_of_week(start_ms)
        for period in (hours, DAY_HOURS):
            for near in ((hour,), (hour - 1, hour + 1)):
                wanted = [h % period for h in near]
                held = [self._slots[slot] for slot in sorted(self._slots) if slot % period in wanted]
                if held:
                    return merged(self._make, held)
        return self.overall.content

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"overall": self.overall.export(), "slots": exported_pools(self._slots)}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._room.give(sum(pool.held_bytes for pool in (self.overall, *self._slots.values())))
        self.overall = Pool.restored(self._make, self._room, state["overall"])
        self._slots = restored_pools(self._make, self._room, state["slots"])


def hour_of_week(start_ms: int) -> int:
    """Hours since the last Monday began, UTC: 0 to 167.

    >>> hour_of_week(0)  # 1970-01-01, a Thursday
    72
    """
    return (start_ms // HOUR_MS + THURSDAY_HOURS) % WEEK_HOURS


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
