"""Normal is what came at this hour during the first weeks."""

from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._calendar import DAY_HOURS, POOLS_MAX, WEEK_HOURS, Calendar
from streamcheck.core.references._pools import DAY_MS, PANES_PROVISIONAL, WEEK_MS, Make, by_panes, by_span
from streamcheck.core.references.base import Progress, Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing
from streamcheck.errors import ParameterError

PERIODS = {"hour_of_day": (DAY_HOURS, DAY_MS, "a day"), "hour_of_week": (WEEK_HOURS, WEEK_MS, "a week")}


@register
class Season(Reference):
    """What did the signal look like at this hour of day or week? Learned over its first `over_ms`, then frozen.

    Provisional from 30 panes on, until it is frozen by the first pane after the span. In the first day (or week) all
    panes together count, and no change can be told from the season; after it a change against what came before at the
    same hours shows, and the reference begins anew at it: so learn two periods at least. An hour without panes falls
    back to its neighbours, then to all panes; means move on a line from hour to hour. How alike neighbouring panes are,
    of any hours, is told by what each deviates from its own hour, from the second day (or week) on.
    """

    slots: str = param("hour_of_week", choices=tuple(PERIODS), doc="What repeats: the hours of a day, or of a week.")
    over_ms: int = param(4 * WEEK_MS, gt=0, doc="How long the season is learned, in ms; one day or week at least.")
    zone: str = param("UTC", doc="The time zone whose hours count, such as Europe/Berlin; daylight saving is heeded.")

    hourly = True
    pools_max = POOLS_MAX + WEEK_HOURS

    def setup(self) -> None:
        """Nothing seen yet."""
        self._hours, self._period_ms, _ = PERIODS[self.slots]
        self._first_ms: int | None = None
        self._newest_ms = 0
        self._frozen = False

    def check(self) -> None:
        """Refuse a span in which some hours never come."""
        _, period_ms, words = PERIODS[self.slots]
        if self.over_ms < period_ms:
            raise ParameterError(
                f"over_ms must be at least {period_ms} ({words}) to see each {self.slots} once, not {self.over_ms}",
                "over_ms",
            )

    def bind(self, make: Make, room: Room, timing: Timing) -> None:
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are."""
        self._calendar = Calendar(make, room, (self._hours,), timing, self.zone)

    @property
    def held_bytes(self) -> int:
        """All hours."""
        return self._calendar.held_bytes

    @property
    def frozen(self) -> bool:
        """Once its span is over."""
        return self._frozen

    @property
    def learning_ms(self) -> int:
        """Its span."""
        return self.over_ms

    def stage(self, start_ms: int) -> Stage:
        """Blind for a day or week, ready once frozen."""
        if self._frozen:
            return Stage.READY
        age_ms = start_ms - (start_ms if self._first_ms is None else self._first_ms)
        return Stage.BLIND if age_ms < self._period_ms else Stage.LEARNING

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:  # noqa: ARG002 - taken at its word
        """Take a pane of the span in; alerts do not matter."""
        if self._frozen:
            return
        spanned = self._first_ms is not None and start_ms - self._first_ms >= self.over_ms
        if spanned and self._calendar.overall.panes >= PANES_PROVISIONAL:
            self._frozen = True
            self._calendar.close()
        elif self._calendar.add(start_ms, summary):
            self._first_ms = start_ms if self._first_ms is None else self._first_ms
            self._newest_ms = start_ms

    def baseline(self, start_ms: int) -> Accumulator | None:
        """The panes of this hour, in the first day or week all panes; None while there are too few."""
        overall = self._calendar.overall
        if overall.panes < PANES_PROVISIONAL:
            return None
        blind = self.stage(start_ms) is Stage.BLIND
        return overall.content if blind else self._calendar.content(start_ms, self._hours)

    def describe(self, start_ms: int) -> str | None:
        """Which hours."""
        blind = self.stage(start_ms) is Stage.BLIND
        return None if blind else self._calendar.describe(start_ms, self._hours)

    def progress(self) -> Progress:
        """Panes first, then the span."""
        have = self._calendar.overall.panes
        if self._frozen:
            return Progress(Readiness.READY, have, have, "panes")
        if have < PANES_PROVISIONAL or self._first_ms is None:
            return by_panes(have, PANES_PROVISIONAL)
        return by_span(Readiness.PROVISIONAL, self._newest_ms - self._first_ms, self.over_ms)

    def export(self) -> State:
        """The state, sharing no memory."""
        times = {"first_ms": self._first_ms, "newest_ms": self._newest_ms, "frozen": self._frozen}
        return times | {"calendar": self._calendar.export()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._first_ms, self._newest_ms, self._frozen = state["first_ms"], state["newest_ms"], state["frozen"]
        self._calendar.restore(state["calendar"])
