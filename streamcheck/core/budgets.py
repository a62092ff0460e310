"""Which part of the config's false-alarm budget is granted to one monitor for one segment?

Nothing that appears later moves a threshold: who was there when the reference was ready shares KNOWN_SHARE of the
monitor's part; the others get shares of the rest that sum up to it however many follow.
"""

import math
from dataclasses import dataclass

from streamcheck.core.components import State
from streamcheck.core.plan import Budget, MonitorSpec

KNOWN_SHARE = 0.9
LATER_SHARE = 0.1
STEPS_MIN = 2.0
"""A detector cannot be asked to alarm more often than every other step."""
SHARE_MIN = 1e-9
"""Stands for no share at all, where a detector wants to be calibrated all the same; nothing it says counts then."""


@dataclass(frozen=True, slots=True)
class Roll:
    """Who was there when the first segment's reference was ready: segments 1 to `known`, and `__other__` or not."""

    known: int
    other: bool = False

    def share(self, number: int, segments_max: int) -> float:
        """The part of the monitor's share that is segment `number`'s (0: `__other__`).

        The i-th later one gets LATER_SHARE x 6 / (pi^2 i^2), by first canonical appearance. `__other__` is there once
        `segments_max` are, and comes behind them.

        >>> roll = Roll(4)
        >>> [round(roll.share(number, 10), 4) for number in (1, 4, 5, 6, 0)]
        [0.225, 0.225, 0.0608, 0.0152, 0.0012]
        """
        if 1 <= number <= self.known or (number == 0 and self.other):
            return KNOWN_SHARE / (self.known + self.other)
        place = number - self.known if number else segments_max - self.known + 1
        return LATER_SHARE * 6 / (math.pi * max(place, 1)) ** 2

    def export(self) -> State:
        """The state."""
        return {"known": self.known, "other": self.other}

    @staticmethod
    def restored(state: State) -> "Roll":
        """The one that was exported."""
        return Roll(state["known"], state["other"])


@dataclass(frozen=True, slots=True)
class Grant:
    """What one monitor may do for one segment: a false alarm in `steps` steps of its detector, `alarms_per_week`.

    final: the roll has been called, so that this will never change; before, nothing alarms.
    """

    steps: float
    alarms_per_week: float
    final: bool = True


def granted(spec: MonitorSpec, budget: Budget, pane_ms: int, part: float = 1.0, *, final: bool = True) -> Grant:
    """The grant of a segment that has this part of the monitor's share: all of it where there are no segments."""
    return Grant(
        max(STEPS_MIN, budget.panes(pane_ms) / max(spec.share * part, SHARE_MIN)),
        budget.alarms_per_week(pane_ms) * spec.share * part,
        final,
    )
