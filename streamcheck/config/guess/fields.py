"""Which fields do sampled events have: of what kind, how many values, in what range?"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DEPTH_MAX = 8
FIELDS_MAX = 2_000
DISTINCT_MAX = 20_000
TEXT_CHARS_MAX = 200
MOSTLY = 0.95

YEAR_2000_S, YEAR_2100_S = 946_684_800, 4_102_444_800
UNITS_PER_S = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class Sample:
    """Events of one stream. arrivals: record timestamps in ms, -1 where there are none; partitions: as they came.

    The three are of one length, in the order of reading within each partition. unreadable: records that were no JSON
    objects. format, envelope, key_format: as a config names them, None where there is nothing to say.
    """

    name: str
    events: Sequence[Mapping[str, Any]]
    arrivals: Sequence[int]
    partitions: Sequence[int]
    unreadable: int = 0
    format: str | None = None
    envelope: str | None = None
    key_format: str | None = None


@dataclass(slots=True)
class Field:
    """One field of the events, by its dotted path, and what was seen of it in `events` events."""

    path: str
    events: int
    present: int = 0
    nulls: int = 0
    numbers: int = 0
    flags: int = 0
    texts: int = 0
    others: int = 0
    whole: bool = True
    low: float = math.inf
    high: float = -math.inf
    values: Counter[str] = field(default_factory=Counter)
    """How often each value came, as text; the first DISTINCT_MAX of them."""
    moments: list[datetime] = field(default_factory=list)
    """Of texts: those that are ISO 8601 with an offset."""

    @property
    def filled(self) -> int:
        """Events in which it has a value."""
        return self.numbers + self.flags + self.texts

    @property
    def missing_share(self) -> float:
        """Share of events without a value."""
        return 1 - self.filled / self.events if self.events else 0.0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit(".", 1)[-1]

    @property
    def is_number(self) -> bool:
        """Whether nearly all values are numbers."""
        return self.filled > 0 and self.numbers >= MOSTLY * self.filled

    @property
    def is_text(self) -> bool:
        """Whether nearly all values are texts."""
        return self.filled > 0 and self.texts >= MOSTLY * self.filled

    @property
    def is_flag(self) -> bool:
        """Whether nearly all values are true or false, or 0 or 1."""
        return self.filled > 0 and (
            self.flags >= MOSTLY * self.filled or (self.is_number and set(self.values) <= {"0", "1"})
        )

    @property
    def beside(self) -> bool:
        """Whether it stands beside the event: the record's key, a header."""
        return self.path.partition(".")[0] in {"$key", "$headers"}

    @property
    def is_id(self) -> bool:
        """Whether each event has a value of its own."""
        return (
            self.filled >= MOSTLY * self.events
            and (self.is_text or (self.is_number and self.whole))
            and len(self.values) >= MOSTLY * self.filled
        )

    @property
    def unit(self) -> str | None:
        """How it writes time, where its values can be times of this century: s, ms, us, ns or iso8601."""
        if self.is_text and len(self.moments) >= MOSTLY * self.texts:
            return "iso8601"
        if not self.is_number:
            return None
        for unit, per_s in UNITS_PER_S.items():
            if YEAR_2000_S * per_s <= self.low and self.high <= YEAR_2100_S * per_s:
                return unit
        return None

    @property
    def mixed(self) -> bool:
        """Whether its values are of several kinds."""
        return self.filled > 0 and max(self.numbers, self.texts, self.flags) < MOSTLY * self.filled

    def seen(self) -> str:
        """What was seen of it, in a few words."""
        if self.is_number and not self.is_flag:
            said = f"{_number(self.low)} to {_number(self.high)}"
        else:
            shown = ", ".join(text for text, _ in self.values.most_common(4))
            more = len(self.values) - 4
            said = shown + (f" and {more} more" if more > 0 else "")
        missing = self.missing_share
        return said + (f"; missing in {missing:.0%}" if missing >= 0.005 else "; sometimes missing" if missing else "")

    def add(self, value: object) -> None:
        """Take one event's value in."""
        self.present += 1
        if value is None:
            self.nulls += 1
            return
        if isinstance(value, bool):
            self.flags += 1
            self._count("true" if value else "false")
        elif isinstance(value, int | float):
            if not math.isfinite(value):
                self.nulls += 1
                return
            self.numbers += 1
            self.whole &= float(value).is_integer()
            self.low, self.high = min(self.low, value), max(self.high, value)
            self._count(_number(value))
        elif isinstance(value, str):
            self.texts += 1
            self._count(value[:TEXT_CHARS_MAX])
            moment = _moment(value)
            if moment is not None:
                self.moments.append(moment)
        else:
            self.others += 1

    def _count(self, text: str) -> None:
        if text in self.values or len(self.values) < DISTINCT_MAX:
            self.values[text] += 1

    def times_ms(self, sample: Sample) -> Iterator[float | None]:
        """What it says as a time, event by event, in ms since 1970; None where it says none."""
        per_s = UNITS_PER_S.get(self.unit or "")
        for event in sample.events:
            value = value_at(event, self.path)
            if per_s and isinstance(value, int | float) and not isinstance(value, bool):
                yield value * 1000 / per_s
            elif isinstance(value, str) and (moment := _moment(value)) is not None:
                yield moment.timestamp() * 1000
            else:
                yield None


def survey(events: Iterable[Mapping[str, Any]]) -> dict[str, Field]:
    """Every field with a value of its own, by dotted path, in the order in which they appear."""
    listed = list(events)
    found: dict[str, Field] = {}
    for event in listed:
        for path, value in _leaves(event, "", 0):
            if path not in found:
                if len(found) >= FIELDS_MAX:
                    continue
                found[path] = Field(path, len(listed))
            found[path].add(value)
    return found


def value_at(event: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    at: Any = event
    for part in path.split("."):
        if not isinstance(at, Mapping) or part not in at:
            return None
        at = at[part]
    return at


def _leaves(value: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if "." in key or not key:
            continue  # no path can name it
        path = f"{prefix}{key}"
        if isinstance(inner, Mapping) and depth < DEPTH_MAX:
            yield from _leaves(inner, f"{path}.", depth + 1)
        else:
            yield path, inner


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else f"{value:.6g}"


def _moment(text: str) -> datetime | None:
    if len(text) < 10 or not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
