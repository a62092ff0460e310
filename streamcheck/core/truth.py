"""What is known to have happened: incidents that alerts are measured against."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Incident:
    """Something went wrong from start_ms on and before end_ms.

    monitors, columns: whose alerts tell of it, `*` standing for any characters; either counts, none named: all do.
    segment: field and value pairs, empty for all rows. tolerance_ms: how long after its end an alert still counts.
    """

    start_ms: int
    end_ms: int
    monitors: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    segment: tuple[tuple[str, str], ...] = ()
    note: str = ""
    tolerance_ms: int = 0

    def concerns(self, monitor: str, column: str, segment: Mapping[str, str]) -> bool:
        """Whether an alert of this monitor could tell of it.

        One for all rows could, and so could one for a segment that says nothing else of the incident's fields.

        >>> incident = Incident(0, 1, columns=("amount",), segment=(("tier", "premium"),))
        >>> incident.concerns("m", "amount", {}), incident.concerns("m", "amount", {"tier": "general"})
        (True, False)
        """
        if any(segment.get(field, value) != value for field, value in self.segment):
            return False
        named = [fnmatchcase(monitor, each) for each in self.monitors]
        named += [fnmatchcase(column, each) for each in self.columns]
        return not named or any(named)

    def holds(self, fired_ms: int) -> bool:
        """Whether an alert that fires at this moment is in time."""
        return self.start_ms < fired_ms <= self.end_ms + self.tolerance_ms
