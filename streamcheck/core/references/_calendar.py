"""Panes by the hour of the day or week, as clocks on a wall show it: what did this hour look like before?"""

from dataclasses import dataclass
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import HOUR_MS, Make, Pool, exported_pools, restored_pools, united
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

DAY_HOURS = 24
WEEK_HOURS = 168
THURSDAY_HOURS = 72
"""1970-01-01 was a Thursday: hours from its start are this many hours after the start of a Monday."""
STEPS = 12
"""Parts of an hour (5 minutes) in which what is normal moves on from one hour's mean to the next. Within a part the
steepest daily cycle of 1 sd moves by 0.02 sd, less than the standard error of half an hour of panes of 50 rows."""
MIDDLE = -1
"""Stands for the middle of the hour, where nothing of its neighbours counts: of panes of an hour or more."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Calendar:
    """Panes by the hour in which they begin: of the day (hours = 24) or of the week (168), and all together.

    An hour that is going on counts among all panes at once, and in its slot when it is over.
    """

    def __init__(self, make: Make, room: Room, hours: int, timing: Timing, zone: str) -> None:
        self._make = make
        self._room = room
        self._hours = hours
        self._zone = timing.zones[zone]
        self._half_ms = timing.pane_ms // 2 if timing.pane_ms < HOUR_MS else None
        self.overall = Pool.first(make, room)
        self._slots: dict[int, Pool] = {}
        self._open: Pool | None = None
        self._open_hour = 0
        self._last: tuple[tuple[int, int, int], Accumulator] | None = None
        self._seasons: dict[int, Season] = {}
        """What has been worked out from the slots as they are; never part of the state."""

    def add(self, start_ms: int, summary: Any) -> bool:
        """Take one more pane in; False when it holds nothing for the measure."""
        if not self.overall.add(summary):
            return False
        hour = self._hour(start_ms)
        if hour != self._open_hour or self._open is None:
            self.close()
            self._open, self._open_hour = Pool.within(self._room, self._make), hour
        if self._open is not None:  # an hour without room is an hour without panes: `content` falls back
            self._open.add(summary)
        return True

    def close(self) -> None:
        """What came in the hour that is over goes into its slot."""
        if self._open is None:
            return
        slot = self._open_hour % self._hours
        if slot in self._slots:
            self._slots[slot].take(self._open)
            self._room.give(self._open.held_bytes)
        else:
            self._slots[slot] = self._open
        self._open = None
        self._last, self._seasons = None, {}

    def content(self, start_ms: int, hours: int) -> Accumulator:
        """What came in the same hour of the day (24) or week (168); else in the hours beside it; else at any time.

        An hour of the week that is missing with both its neighbours falls back to the hour of the day first. Means move
        from the middle of one hour to that of the next on a line.
        """
        hour, step = self._moment(start_ms)
        key = (hours, hour, step)
        if self._last is None or self._last[0] != key:
            self._last = key, self._worked_out(hours, hour, step)
        return self._last[1]

    def steady(self, start_ms: int, hours: int) -> bool:
        """Whether `content` stays as it is while more of this pane is added: for an hour, unless all panes count."""
        going = self._open is not None and self._open_hour == self._hour(start_ms)
        return going and self.content(start_ms, hours) is not self.overall.content

    def _moment(self, start_ms: int) -> tuple[int, int]:
        """The hour in which a pane lies, counted from a Monday, and which of STEPS parts of it its middle is in."""
        if self._half_ms is None:
            return self._hour(start_ms), MIDDLE
        local_ms = self._zone.local_ms(start_ms + self._half_ms) + THURSDAY_HOURS * HOUR_MS
        return local_ms // HOUR_MS, local_ms % HOUR_MS * STEPS // HOUR_MS

    def _hour(self, start_ms: int) -> int:
        return self._zone.local_ms(start_ms) // HOUR_MS + THURSDAY_HOURS

    def _worked_out(self, hours: int, hour: int, step: int) -> Accumulator:
        season, own = self._season(hours), self._own(hours, hour)
        if own is None and hours != DAY_HOURS:
            return self._worked_out(DAY_HOURS, hour, step)
        if own is None:
            return self.overall.content
        place = 0.5 if step == MIDDLE else (step + 0.5) / STEPS
        known = hour % hours in season.slots
        beside = season.slots.get((hour + (1 if place > 0.5 else -1)) % hours) if known else None
        made: Accumulator = own.seasoned(beside, abs(place - 0.5), season.scatter)
        return made

    def _own(self, hours: int, hour: int) -> Accumulator | None:
        """The hour's slot; where it was never seen, those beside it."""
        slots = self._season(hours).slots
        if hour % hours in slots:
            return slots[hour % hours]
        near = [slots[at % hours] for at in (hour - 1, hour + 1) if at % hours in slots]
        return united(self._make, near) if near else None

    def _season(self, hours: int) -> "Season":
        """The slots of a period, ascending, and how far panes scatter within them."""
        if hours not in self._seasons:
            members: dict[int, list[Accumulator]] = {}
            for slot in sorted(self._slots):
                members.setdefault(slot % hours, []).append(self._slots[slot].content)
            slots = {slot: united(self._make, members[slot]) for slot in sorted(members)}
            self._seasons[hours] = Season(slots, self.overall.content.scatter_within(list(slots.values())))
        return self._seasons[hours]

    def describe(self, start_ms: int, hours: int) -> str:
        """Which panes `content` stands for, for people."""
        hour = self._moment(start_ms)[0]
        of_day = f"{hour % DAY_HOURS:02d}:00 {self._zone.name}"
        name = of_day if hours == DAY_HOURS else f"{DAYS[hour % WEEK_HOURS // DAY_HOURS]} {of_day}"
        if hour % hours in self._season(hours).slots:
            return f"the hour from {name}"
        if self._own(hours, hour) is not None:
            return f"the hours beside that from {name}, which was never seen"
        if hours != DAY_HOURS:
            return self.describe(start_ms, DAY_HOURS)
        return f"all hours: that from {name} was never seen"

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""
        pools = (self.overall, *self._slots.values(), *((self._open,) if self._open else ()))
        return sum(pool.held_bytes for pool in pools)

    def export(self) -> State:
        """The state, sharing no memory."""
        going = None if self._open is None else [self._open_hour, self._open.export()]
        return {"overall": self.overall.export(), "slots": exported_pools(self._slots), "open": going}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._room.give(self.held_bytes)
        self.overall = Pool.restored(self._make, self._room, state["overall"])
        self._slots = restored_pools(self._make, self._room, state["slots"])
        self._last, self._seasons, self._open = None, {}, None
        if state["open"] is not None:
            self._open_hour = state["open"][0]
            self._open = Pool.restored(self._make, self._room, state["open"][1])


@dataclass(frozen=True, slots=True)
class Season:
    """The slots of a period by number, and how far panes scatter within them (as their accumulators want it said)."""

    slots: dict[int, Accumulator]
    scatter: Any
