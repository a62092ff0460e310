"""Panes that came with an alert open: are they the calendar, which a reference of few weeks does not know yet?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import Make, Pool
from streamcheck.core.room import Room

WEEK_HOURS = 168
QUIET_HOURS = 24
"""So many without an alert lie between two weeks that say the same: an alert that merely stays open is no calendar."""
APART_MAX = 3.75
"""Standard errors between the same hour of two weeks that may be chance."""
NEARER = 4.0
"""No two weeks are quite the same: it also does if both are so many times farther from what is normal than from one
another. In standard errors, which are larger between two hours than to a long past: that is a third of the change."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An hour with an alert open. quiet: how many hours without one there had been before."""

    hour: int
    quiet: int
    pool: Pool


def alike(before: Accumulator, now: Accumulator, normal: Accumulator, scatter: Any) -> bool:
    """Whether the same hour of two weeks, neither of them as normal, says the same, as far as can be told."""
    between = before.apart(now, scatter)
    change = min(each.apart(normal, scatter) for each in (before, now))
    return between <= APART_MAX or NEARER * between < change


class Aside:
    """What came with an alert open, by the hour of the week: kept for a week, to be compared with the next one.

    An hour that was judged by other hours may be none of theirs: the first Saturday is, by weekdays. Where the next
    week says the same of it, and it was quiet between, that is how this hour is.
    """

    def __init__(self, make: Make, room: Room) -> None:
        self._make, self._room = make, room
        self._kept: dict[int, Kept] = {}
        self._going: Pool | None = None
        self._quiet = 0

    def __contains__(self, hour: int) -> bool:
        return hour % WEEK_HOURS in self._kept

    @property
    def going(self) -> bool:
        """Whether something was put aside in the hour that goes on."""
        return self._going is not None

    def add(self, summary: Any, like: Accumulator) -> None:
        """One more pane of the hour that goes on, if there is room for it. like: what it will be added to."""
        if self._going is None:
            self._going = Pool.within(self._room, self._make, [like])
        if self._going is not None:
            self._going.add(summary)

    def close(self, hour: int, same: Callable[[Accumulator, Accumulator], bool]) -> list[Pool]:
        """An hour is over: what is to be taken in now. same: whether two weeks say the same of it."""
        slot, going = hour % WEEK_HOURS, self._going
        before, self._going = self._kept.pop(slot, None), None
        if going is None or not going.panes:
            self._quiet += going is None
            self._drop(going, None if before is None else before.pool)
            return []
        if before is not None:
            if self._week_between(before, hour) and same(before.pool.content, going.content):
                return [before.pool, going]
            self._drop(before.pool)
        self._kept[slot] = Kept(hour, self._quiet, going)
        return []

    def _week_between(self, before: Kept, hour: int) -> bool:
        return before.hour == hour - WEEK_HOURS and self._quiet - before.quiet >= QUIET_HOURS

    def _drop(self, *pools: Pool | None) -> None:
        self._room.give(sum(pool.held_bytes for pool in pools if pool is not None))

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""
        kept = sum(each.pool.held_bytes for each in self._kept.values())
        return kept + (self._going.held_bytes if self._going is not None else 0)

    def export(self) -> State:
        """The state, sharing no memory."""
        kept = [[each.hour, each.quiet, each.pool.export()] for each in self._kept.values()]
        return {"kept": kept, "going": self._going and self._going.export(), "quiet": self._quiet}

    def restore(self, state: State) -> None:
        """Continue where `export` stood; what is held is given back by whoever holds it."""
        make, room = self._make, self._room
        self._kept = {
            hour % WEEK_HOURS: Kept(hour, quiet, Pool.restored(make, room, pool)) for hour, quiet, pool in state["kept"]
        }
        self._going = None if state["going"] is None else Pool.restored(make, room, state["going"])
        self._quiet = state["quiet"]
