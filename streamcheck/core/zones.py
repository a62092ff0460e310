"""What do clocks on the wall show, somewhere, at a moment of event time? A zone is a table, so that nothing is read.

The table is made at the edge (config/zones.py), of the IANA database's rules: whoever replays with the same table gets
the same hours.
"""

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone. offsets_ms[i]: what its clocks are ahead of UTC from starts_ms[i] on; the first holds before, too.

    >>> berlin = Zone("Europe/Berlin", (0, 1_774_746_000_000), (3_600_000, 7_200_000))  # summer from 2026-03-29 on
    >>> [berlin.local_ms(utc) - utc for utc in (1_774_745_999_999, 1_774_746_000_000)]
    [3600000, 7200000]
    """

    name: str
    starts_ms: tuple[int, ...]
    offsets_ms: tuple[int, ...]

    def local_ms(self, utc_ms: int) -> int:
        """Milliseconds that its clocks show since 1970-01-01 00:00 of their own."""
        at = bisect.bisect_right(self.starts_ms, utc_ms) - 1
        return utc_ms + self.offsets_ms[max(at, 0)]


UTC = Zone("UTC", (0,), (0,))


@dataclass(frozen=True, slots=True)
class Timing:
    """What references must know of time: the length of a pane, and the zones that their calendars name."""

    pane_ms: int = 10_000
    zones: Mapping[str, Zone] = field(default_factory=lambda: {UTC.name: UTC})
