"""Normal is what came at this hour so far, as long as nothing was wrong: the default."""

from typing import Any

from streamcheck.core.components import State, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import (
    DAY_HOURS,
    DAY_MS,
    PANES_PROVISIONAL,
    WEEK_HOURS,
    WEEK_MS,
    Calendar,
    Make,
    by_panes,
    by_span,
)
from streamcheck.core.references.base import Progress, Readiness, Reference
from streamcheck.core.room import Room

READY_MS = 2 * DAY_MS
"""Every hour of the day has been seen twice: a season of a day can be told from a change."""
WEEKLY_MS = 2 * WEEK_MS


@register
class Auto(Reference):
    """What did the signal look like at this hour? By hour of day after two days, by hour of week after two weeks.

    Provisional from 30 panes until two full days have passed since the first one: until then all panes together count.
    Takes in panes only while no alert is open. Hours are UTC. An hour without panes falls back to its neighbours, then
    to all panes.
    """

    pools_max = 1 + WEEK_HOURS

    def setup(self) -> None:
        """Nothing seen yet."""
        self._first_ms: int | None = None
        self._newest_ms = 0

    def bind(self, make: Make, room: Room) -> None:
        """Say which accumulator the measure wants, and where the room comes from."""
        self._calendar = Calendar(make, room, WEEK_HOURS)

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:
        """Take a pane in while no alert is open."""
        if quiet and self._calendar.add(start_ms, summary):
            self._first_ms = start_ms if self._first_ms is None else self._first_ms
            self._newest_ms = start_ms

    def baseline(self, start_ms: int) -> Accumulator | None:
        """The panes of this hour, as finely as the time seen so far allows; None while there are too few."""
        if self._first_ms is None or self._calendar.overall.panes < PANES_PROVISIONAL:
            return None
        age_ms = start_ms - self._first_ms
        if age_ms < READY_MS:
            return self._calendar.overall.content
        return self._calendar.content(start_ms, DAY_HOURS if age_ms < WEEKLY_MS else WEEK_HOURS)

    def progress(self) -> Progress:
        """Panes first, then the two days."""
        have = self._calendar.overall.panes
        if self._first_ms is None or have < PANES_PROVISIONAL:
            return by_panes(have, PANES_PROVISIONAL)
        age_ms = self._newest_ms - self._first_ms
        return by_span(Readiness.PROVISIONAL if age_ms < READY_MS else Readiness.READY, age_ms, READY_MS)

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"first_ms": self._first_ms, "newest_ms": self._newest_ms, "calendar": self._calendar.export()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._first_ms, self._newest_ms = state["first_ms"], state["newest_ms"]
        self._calendar.restore(state["calendar"])
