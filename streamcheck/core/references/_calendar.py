"""Panes by the hour of the day or week, as clocks on a wall show it: what did this hour look like before?"""

from dataclasses import dataclass
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.measures._following import Followed
from streamcheck.core.measures._neighbours import Dependence
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._aside import Aside, alike
from streamcheck.core.references._pools import HOUR_MS, Make, Pool, exported_pools, restored_pools, united
from streamcheck.core.references._trails import Trails
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing

DAY_HOURS = 24
WEEK_HOURS = 168
THURSDAY_HOURS = 72
"""1970-01-01 was a Thursday: hours from its start are this many hours after the start of a Monday."""
STEPS = 12
"""Parts of an hour (5 minutes) in which what is normal moves on from one hour's mean to the next. Within a part the
steepest daily cycle of 1 sd moves by 0.02 sd, less than the standard error of half an hour of panes of 50 rows."""
STEP_MS = HOUR_MS // STEPS
"""Of panes up to this length nearly all neighbours lie in one slot, which tells how alike they are."""
MIDDLE = -1
"""Stands for the middle of the hour, where nothing of its neighbours counts: of panes of an hour or more."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


POOLS_MAX = 8
"""Beside the slots: all panes, the hour that goes on, and as much again as any number of trails takes."""


class Calendar:
    """Panes by the hour in which they begin, and all together. periods: of the day (24), of the week (168), or of both,
    the longest first.

    An hour that is going on counts among all panes at once, and in its slot when it is over; what was put aside, once
    it is confirmed. Panes of more than five minutes have most neighbours in other slots: how alike they are is told by
    their deviations from what was normal for each, in a trail for each period.
    """

    def __init__(self, make: Make, room: Room, periods: tuple[int, ...], timing: Timing, zone: str) -> None:
        self._make = make
        self._room = room
        self._hours = periods[0]
        long = timing.pane_ms > STEP_MS
        self._trails = {hours: Trails(room) for hours in periods} if long else {}
        self._zone = timing.zones[zone]
        self._half_ms = timing.pane_ms // 2 if timing.pane_ms < HOUR_MS else None
        self.overall = Pool.first(make, room)
        self._slots: dict[int, Pool] = {}
        self._open: Pool | None = None
        self._open_hour = 0
        self._aside = Aside(make, room)
        self._last: dict[int, tuple[int, int, Accumulator]] = {}
        self._seasons: dict[int, Season] = {}
        self._united: dict[tuple[int, int], Accumulator | None] = {}
        """What has been worked out from the slots as they are; never part of the state."""

    def add(self, start_ms: int, summary: Any) -> bool:
        """Take one more pane in; False when it holds nothing for the measure."""
        if not self.overall.add(summary):
            return False
        self._follow(start_ms, summary)
        self._enter(start_ms)
        if self._open is None:
            self._open = Pool.within(self._room, self._make, [self.overall.content])
        if self._open is not None:  # an hour without room is an hour without panes: `content` falls back
            self._open.add(summary)
        return True

    def put_aside(self, start_ms: int, summary: Any) -> None:
        """A pane that came with an alert open: it counts once the next week says the same."""
        self._enter(start_ms)
        self._aside.add(summary, self.overall.content)

    def foreign(self, start_ms: int) -> bool:
        """Whether a pane is compared with other hours of the week than its own, of which nothing is known yet."""
        return self._moment(start_ms)[0] % WEEK_HOURS not in self._season(WEEK_HOURS).slots

    def _enter(self, start_ms: int) -> None:
        hour = self._hour(start_ms)
        if hour != self._open_hour:
            self.close()
            self._open_hour = hour

    def _follow(self, start_ms: int, summary: Any) -> None:
        """How far does the pane deviate from its slot as it was before the pane?"""
        hour = self._moment(start_ms)[0]
        for hours, trails in self._trails.items():
            known = hour % hours in self._season(hours).slots
            normal = self.content(start_ms, hours) if known else None
            trails.add(normal.deviations(summary) if isinstance(normal, Followed) else {})

    def close(self) -> None:
        """What came in the hour that is over goes into its slot."""
        if self._open is None and not self._aside.going:
            return
        hour, slot = self._open_hour, self._open_hour % self._hours
        confirmed = self._aside.close(hour, lambda before, now: self._alike(hour, before, now))
        for pool in confirmed:
            self.overall.take(pool)
        for pool in [*confirmed, *([self._open] if self._open else [])]:
            if slot in self._slots:
                self._slots[slot].take(pool)
                self._room.give(pool.held_bytes)
            else:
                self._slots[slot] = pool
        self._open = None
        for trails in self._trails.values():
            trails.tell()
        self._last, self._seasons = {}, {}
        for hours in (DAY_HOURS, WEEK_HOURS):
            self._united.pop((hours, slot % hours), None)

    def _alike(self, hour: int, before: Accumulator, now: Accumulator) -> bool:
        """Whether an hour, which was not as normal, is as it was a week before, as far as can be told."""
        season, normal = self._season(DAY_HOURS), self._own(DAY_HOURS, hour)
        if not season.slots:
            return False
        return alike(before, now, self.overall.content if normal is None else normal, season.scatter)

    def content(self, start_ms: int, hours: int) -> Accumulator:
        """What came in the same hour of the day (24) or week (168); else in the hours beside it; else at any time.

        An hour of the week that is missing with both its neighbours falls back to the hour of the day first. Means move
        from the middle of one hour to that of the next on a line.
        """
        hour, step = self._moment(start_ms)
        last = self._last.get(hours)
        if last is None or last[:2] != (hour, step):
            last = self._last[hours] = (hour, step, self._worked_out(hours, hour, step))
        return last[2]

    def steady(self, start_ms: int, hours: int) -> bool:
        """Whether `content` stays as it is while more of this pane is added: for an hour, unless all panes count."""
        going = self._open is not None and self.entered(start_ms)
        return going and self.content(start_ms, hours) is not self.overall.content

    def entered(self, start_ms: int) -> bool:
        """Whether a pane that is added ends no hour."""
        return self._open_hour == self._hour(start_ms)

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
        if isinstance(made, Followed):
            made.follow(self._tied(hours))
        return made

    def _tied(self, hours: int) -> dict[str, Dependence]:
        """How alike neighbours are, seen from this period's slots, or else from those of a shorter one."""
        told: dict[str, Dependence] = {}
        for period in sorted(self._trails):
            told |= self._trails[period].told() if period <= hours else {}
        return told

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
            slots = {slot: made for slot in range(hours) if (made := self._slot(hours, slot)) is not None}
            scatter = self.overall.content.scatter_within(list(slots.values())) if slots else None
            self._seasons[hours] = Season(slots, scatter)
        return self._seasons[hours]

    def _slot(self, hours: int, slot: int) -> Accumulator | None:
        """What came in this slot of a period; None for nothing."""
        if (hours, slot) not in self._united:
            at = range(slot, self._hours, hours)
            members = [self._slots[each].content for each in at if each in self._slots]
            self._united[hours, slot] = united(self._make, members) if members else None
        return self._united[hours, slot]

    def describe(self, start_ms: int, hours: int) -> str:
        """Which panes `content` stands for, for people."""
        hour = self._moment(start_ms)[0]
        of_day = f"{hour % DAY_HOURS:02d}:00 {self._zone.name}"
        name = of_day if hours == DAY_HOURS else f"{DAYS[hour % WEEK_HOURS // DAY_HOURS]} {of_day}"
        if hour % hours in self._season(hours).slots:
            return f"the hour from {name}"
        if self._own(hours, hour) is not None:
            return f"the hours beside that from {name}, which was never seen{self._unless(hour)}"
        if hours != DAY_HOURS:
            return self.describe(start_ms, DAY_HOURS)
        return f"all hours: that from {name} was never seen{self._unless(hour)}"

    def _unless(self, hour: int) -> str:
        return " without an alert" if hour in self._aside else ""

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""
        pools = (self.overall, *self._slots.values(), *((self._open,) if self._open else ()))
        return sum(part.held_bytes for part in (*pools, self._aside, *self._trails.values()))

    def export(self) -> State:
        """The state, sharing no memory."""
        going = None if self._open is None else [self._open_hour, self._open.export()]
        trails = {str(hours): trails.export() for hours, trails in self._trails.items()}
        held = {"overall": self.overall.export(), "slots": exported_pools(self._slots)}
        return {**held, "open": going, "aside": {"hour": self._open_hour, **self._aside.export()}, "trails": trails}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._room.give(self.held_bytes)
        self.overall = Pool.restored(self._make, self._room, state["overall"])
        self._slots = restored_pools(self._make, self._room, state["slots"])
        for hours, trails in self._trails.items():
            trails.restore(state["trails"].get(str(hours), {}))
        self._last, self._seasons, self._united, self._open = {}, {}, {}, None
        self._open_hour = state["aside"]["hour"]
        self._aside.restore(state["aside"])
        if state["open"] is not None:
            self._open_hour = state["open"][0]  # an older state says it here alone
            self._open = Pool.restored(self._make, self._room, state["open"][1])


@dataclass(frozen=True, slots=True)
class Season:
    """The slots of a period by number, and how far panes scatter within them (as their accumulators want it said)."""

    slots: dict[int, Accumulator]
    scatter: Any
