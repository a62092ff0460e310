"""Which time zones does a config name, and what do their clocks show? Tables of the IANA database, as tzdata ships it.

Never the system's own files: which rules count must not depend on the machine. With another version of tzdata the same
rows may fall into another hour; `explain` says which one it is.
"""

import zoneinfo
from collections.abc import Iterable
from datetime import UTC as UTC_CLOCK
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from importlib.metadata import version

from streamcheck.core.zones import UTC, Zone

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""Before, the first offset holds, after, the last one; 131 years hold 262 changes of the clocks where there are two."""
STRIDE = timedelta(days=7)
"""No zone has changed its clocks twice within a week and back; the day of a change is then found by halves."""


def tzdata_version() -> str:
    """Of the database."""
    return version("tzdata")


@cache
def names() -> frozenset[str]:
    """All zones that the database knows."""
    listed = resources.files("tzdata").joinpath("zones").read_text("utf-8")
    return frozenset(listed.split()) | {UTC.name}


@cache
def zone(name: str) -> Zone:
    """The table of a zone that `names` holds."""
    if name == UTC.name:
        return UTC
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        rules = zoneinfo.ZoneInfo.from_file(file, key=name)

    def offset(at: datetime) -> timedelta:
        found = at.astimezone(rules).utcoffset()
        assert found is not None, name
        return found

    at = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC_CLOCK)
    table = [(at, offset(at))]
    while at.year <= LAST_YEAR:
        after = at + STRIDE
        if offset(after) != offset(at):
            low, high = at, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            change = high.replace(second=0, microsecond=0)
            table.append((change, offset(after)))
        at = after
    starts = tuple(round(when.timestamp() * 1000) for when, _ in table)
    return Zone(name, starts, tuple(round(ahead.total_seconds() * 1000) for _, ahead in table))


def zones(wanted: Iterable[str]) -> dict[str, Zone]:
    """The tables of these zones, and UTC's."""
    return {name: zone(name) for name in sorted({UTC.name, *wanted})}
