"""Normal is what came at this hour so far, as long as nothing was wrong: the default."""

from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._calendar import DAY_HOURS, POOLS_MAX, WEEK_HOURS, Calendar
from streamcheck.core.references._pools import DAY_MS, PANES_PROVISIONAL, WEEK_MS, Make, by_panes, by_span
from streamcheck.core.references.base import Progress, Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

READY_MS = 2 * DAY_MS
"""Every hour of the day has been seen twice: a season of a day can be told from a change."""
WEEKLY_MS = 2 * WEEK_MS


@register
class Auto(Reference):
    """What did the signal look like at this hour? By hour of day after two days, by hour of week after two weeks.

    Provisional from 30 panes until two full days have passed since the first one. In the first day all panes together
    count, and no change can be told from the hour of the day; in the second a change against the day before it shows,
    and the reference begins anew at it. Takes in panes only while no alert is open, with one exception: an hour that is
    judged by other hours of the week, its own being unknown, as the first Saturdays are by working days, is taken in
    once the week after says the same of it, as far as can be told, and 24 hours between had no alert. An hour without
    panes falls back to its neighbours, then to all panes; means move on a line from hour to hour. How alike
    neighbouring panes are, of any hours, is told by what each deviates from its own hour.
    """

    zone: str = param("UTC", doc="The time zone whose hours count, such as Europe/Berlin; daylight saving is heeded.")

    hourly = True
    pools_max = POOLS_MAX + 2 * WEEK_HOURS

    def setup(self) -> None:
        """Nothing seen yet."""
        self._first_ms: int | None = None
        self._newest_ms = 0

    def bind(self, make: Make, room: Room, timing: Timing) -> None:
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are."""
        self._calendar = Calendar(make, room, (WEEK_HOURS, DAY_HOURS), timing, self.zone)

    @property
    def held_bytes(self) -> int:
        """All hours."""
        return self._calendar.held_bytes

    @property
    def learning_ms(self) -> int:
        """Two days."""
        return READY_MS

    def stage(self, start_ms: int) -> Stage:
        """Blind for a day, ready after two, finer after two weeks."""
        age_ms = start_ms - (start_ms if self._first_ms is None else self._first_ms)
        if age_ms < DAY_MS:
            return Stage.BLIND
        if age_ms < READY_MS:
            return Stage.LEARNING
        return Stage.READY if age_ms < WEEKLY_MS else Stage.FINER

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:
        """Take a pane in while no alert is open; else put it aside, if it may be that its hour is always so."""
        if quiet and self._calendar.add(start_ms, summary):
            self._first_ms = start_ms if self._first_ms is None else self._first_ms
            self._newest_ms = start_ms
        elif not quiet and self._foreign(start_ms):
            self._calendar.put_aside(start_ms, summary)

    def _foreign(self, start_ms: int) -> bool:
        """Whether a pane is judged by other hours of the week than its own."""
        return self.stage(start_ms) is not Stage.FINER or self._calendar.foreign(start_ms)

    def baseline(self, start_ms: int) -> Accumulator | None:
        """The panes of this hour, as finely as the time seen so far allows; None while there are too few."""
        if self._first_ms is None or self._calendar.overall.panes < PANES_PROVISIONAL:
            return None
        stage = self.stage(start_ms)
        if stage is Stage.BLIND:
            return self._calendar.overall.content
        return self._calendar.content(start_ms, _hours(stage))

    def steady(self, start_ms: int, *, quiet: bool) -> bool:
        """While an alert is open, unless an hour ends that is put aside; else within an hour, once it compares."""
        stage = self.stage(start_ms)
        if not quiet:
            return self._calendar.entered(start_ms) or not self._foreign(start_ms)
        return stage is not Stage.BLIND and self._calendar.steady(start_ms, _hours(stage))

    def describe(self, start_ms: int) -> str | None:
        """Which hours."""
        stage = self.stage(start_ms)
        return None if stage is Stage.BLIND else self._calendar.describe(start_ms, _hours(stage))

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


def _hours(stage: Stage) -> int:
    return WEEK_HOURS if stage is Stage.FINER else DAY_HOURS
