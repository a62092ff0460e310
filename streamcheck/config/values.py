"""How does a config write durations, sizes, rates, times, names? A rule for each: parse, words, JSON Schema.

A rule never puts the offending value into its message: the loader adds it as written in the file, so that what an
environment variable holds cannot leak.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from streamcheck.core.plan import Budget

DURATION_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
SIZE_UNITS_BYTES = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "B": 1}
PERIODS_MS = {"pane": None, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000, "month": 2_592_000_000}
"""A month is 30 days: a rate is of a span that is always the same."""
BUDGET_ALARMS_MAX = 1_000_000
"""More alarms than this per hour is not a budget; it also keeps products of floats far from overflow."""
TEXT_CHARACTERS_MAX = 1_000
PATH_PARTS_MAX = 16
"""As deep as any event that people read; the decoder walks one step per part."""
COUNT_MAX = 2**53
"""Whole numbers beyond this are not exact as floats, and no limit needs them."""

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d|w)")
_SIZE = re.compile(r"([0-9]{1,12}) ?(B|KiB|MiB|GiB|TiB)")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(?:per|/) ?(pane|hour|day|week|month)")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def duration_ms(value: object) -> int:
    """How many milliseconds is a duration such as 10s, 5m, 1h, 7d, 2w or 500ms? ValueError for anything else.

    >>> duration_ms("1.5h"), duration_ms("500ms")
    (5400000, 500)
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    milliseconds = Fraction(match[1]) * DURATION_UNITS_MS[match[2]]
    if milliseconds.denominator != 1:
        raise ValueError(value)
    return int(milliseconds)


def duration_text(duration: int) -> str:
    """How would a config write this many milliseconds? In the largest unit that makes it whole.

    >>> duration_text(604_800_000), duration_text(90_000), duration_text(0)
    ('7d', '90s', '0s')
    """
    if duration == 0:
        return "0s"
    unit = next(u for u in ("d", "h", "m", "s", "ms") if duration % DURATION_UNITS_MS[u] == 0)
    return f"{duration // DURATION_UNITS_MS[unit]}{unit}"


def size_bytes(value: object) -> int:
    """How many bytes is a size such as 512MiB? ValueError for anything else.

    >>> size_bytes("1KiB")
    1024
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    return int(match[1]) * SIZE_UNITS_BYTES[match[2]]


def size_text(size: int) -> str:
    """How would a config write this many bytes?

    >>> size_text(512 * 2**20)
    '512MiB'
    """
    unit = next(u for u, n in SIZE_UNITS_BYTES.items() if (size % n == 0 and size >= n) or u == "B")
    return f"{size // SIZE_UNITS_BYTES[unit]}{unit}"


def budget(value: object) -> Budget:
    """Which budget is a rate such as `1 per week`? ValueError for anything else.

    >>> budget("2 per day"), budget("1 per month"), budget("0.001 per pane").period_ms
    (Budget(alarms=2.0, period_ms=86400000), Budget(alarms=1.0, period_ms=2592000000), None)
    """
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < float(match[1]) <= BUDGET_ALARMS_MAX:
        raise ValueError(value)
    return Budget(float(match[1]), PERIODS_MS[match[2]])


def budget_text(rate: Budget) -> str:
    """How would a config write this budget?

    >>> budget_text(Budget())
    '1 per week'
    """
    return f"{rate.alarms:g} per {next(name for name, ms in PERIODS_MS.items() if ms == rate.period_ms)}"


def instant_ms(value: object) -> int:
    """Which moment (ms since 1970 UTC) is an ISO 8601 time with an offset? ValueError for anything else.

    >>> instant_ms("2026-03-01T10:00:00+01:00")
    1772355600000
    """
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(value)
    return round(moment.timestamp() * 1000)


def path_parts(dotted: str) -> tuple[str, ...]:
    r"""Which nested fields does a dotted path name? `\.` is a dot inside a name. ValueError for an empty part.

    `$headers` and `$event` are followed by a name.

    >>> path_parts("model.version"), path_parts(r"a\.b")
    (('model', 'version'), ('a.b',))
    """
    parts = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", dotted))
    if not all(parts) or len(parts) > PATH_PARTS_MAX or parts in (("$headers",), ("$event",)):
        raise ValueError(dotted)
    return parts


class OutOfBoundsError(ValueError):
    """A value of the right form, but too small or too large; its text says what was expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One kind of scalar, as pydantic metadata: `parse` raises ValueError, `expected` says in words what is valid.

    unit: set for durations ("ms") and sizes ("bytes"), so that defaults can be shown as a config writes them.
    choices: the valid texts, where they are few; the nearest becomes the suggestion.
    """

    parse: Callable[[object], Any]
    expected: str
    schema: dict[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    unit: str | None = None

    def validate(self, value: object) -> Any:
        """The parsed value, or an error that the loader puts into words."""
        try:
            return self.parse(value)
        except (ValueError, OverflowError) as error:
            expected = str(error) if isinstance(error, OutOfBoundsError) else self.expected
            words = {"expected": expected, "choices": list(self.choices)}
            raise PydanticCustomError("expected", "{expected}", words) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema, **({"x-unit": self.unit} if self.unit else {}))


def duration_rule(least: str = "0s", most: str = "366d") -> Rule:
    """A duration within bounds (both valid themselves)."""
    low, high = duration_ms(least), duration_ms(most)

    def parse(value: object) -> int:
        milliseconds = duration_ms(value)
        if not low <= milliseconds <= high:
            raise OutOfBoundsError(f"expected a duration between {least} and {most}")
        return milliseconds

    return Rule(
        parse,
        "expected a duration such as 10s",
        {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["10s", "5m", "1h", "7d"]},
        unit="ms",
    )


def size_rule(least: str, most: str) -> Rule:
    """A size in bytes within bounds."""
    low, high = size_bytes(least), size_bytes(most)

    def parse(value: object) -> int:
        size = size_bytes(value)
        if not low <= size <= high:
            raise OutOfBoundsError(f"expected a size between {least} and {most}")
        return size

    return Rule(
        parse,
        "expected a size such as 512MiB",
        {"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["512MiB"]},
        unit="bytes",
    )


def count_rule(least: int, most: int = COUNT_MAX) -> Rule:
    """A whole number within bounds; text that is one counts too, since environment variables are text."""

    def parse(value: object) -> int:
        whole = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
        if type(whole) is not int or not least <= whole <= most:
            raise ValueError(value)
        return whole

    schema = {"type": "integer", "minimum": least} | ({"maximum": most} if most < COUNT_MAX else {})
    return Rule(
        parse,
        f"expected a whole number of at least {least}" + (f" and at most {most}" if most < COUNT_MAX else ""),
        schema,
    )


def choice_rule(*choices: str) -> Rule:
    """One of a few words."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(value)
        return value

    return Rule(
        parse,
        "expected " + " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices),
        {"enum": list(choices)},
        choices,
    )


def pattern_rule(pattern: re.Pattern[str], expected: str) -> Rule:
    """A text of a certain form."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(value)
        return value

    return Rule(parse, expected, {"type": "string", "pattern": f"^{pattern.pattern}$"})


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_CHARACTERS_MAX or not value.isprintable():
        raise ValueError(value)
    return value


def _path(value: object) -> str:
    path_parts(_text(value))
    return _text(value)


def _topics(value: object) -> tuple[str, ...]:
    topics = value if isinstance(value, list) else [value]
    if not topics or not all(
        isinstance(topic, str) and _TOPIC.fullmatch(topic) and topic.strip(".") for topic in topics
    ):
        raise ValueError(value)
    return tuple(dict.fromkeys(topics))


def _switch(value: object) -> bool:
    if value not in (True, False, "true", "false") or (isinstance(value, int | float) and not isinstance(value, bool)):
        raise ValueError(value)
    return value in (True, "true")


def _scalar_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else _text(value)


def _start(value: object) -> str | int:
    return value if isinstance(value, str) and value in ("earliest", "latest") else instant_ms(value)


def listen_address(value: object) -> tuple[str, int] | None:
    """Host and port to serve at, None for `off`. Raises ValueError.

    >>> listen_address("127.0.0.1:9108")
    ('127.0.0.1', 9108)
    """
    if value == "off":
        return None
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 <= int(match[2]) <= 65_535:
        raise ValueError(value)
    return match[1].strip("[]"), int(match[2])


def loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    >>> loopback("127.0.0.1"), loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise ValueError(value)
    return value


def _range(value: object) -> tuple[float, float]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value)
    ):
        raise ValueError(value)
    low, high = float(value[0]), float(value[1])
    if not low < high or not abs(low) < float("inf") or not abs(high) < float("inf"):
        raise ValueError(value)
    return low, high


_TEXT = {"type": "string", "minLength": 1}
_TOPIC_SCHEMA = {"type": "string", "pattern": f"^{_TOPIC.pattern}$"}
Duration = Annotated[int, duration_rule()]
PositiveDuration = Annotated[int, duration_rule("1ms")]
Text = Annotated[str, Rule(_text, f"expected a text of at most {TEXT_CHARACTERS_MAX} characters", _TEXT)]
ScalarText = Annotated[
    str, Rule(_scalar_text, "expected a value such as 1, true or fraud", {"type": ["string", "integer", "boolean"]})
]
FieldPath = Annotated[
    str,
    Rule(
        _path,
        "expected the name of a field, with dots for nested ones, such as model.version; or $key, $headers.NAME, "
        "$event.FIELD",
        _TEXT,
    ),
]
Name = Annotated[str, pattern_rule(_NAME, "expected a name of letters, digits, '.', '_' and '-' (at most 100)")]
Word = Annotated[str, pattern_rule(_WORD, "expected a lower-case word such as warning or page")]
Topic = Annotated[
    str, Rule(lambda v: _topics([v])[0], "expected a topic name (letters, digits, '.', '_', '-')", _TOPIC_SCHEMA)
]
Topics = Annotated[
    tuple[str, ...],
    Rule(
        _topics,
        "expected a topic name or a list of them (letters, digits, '.', '_', '-')",
        {"oneOf": [_TOPIC_SCHEMA, {"type": "array", "items": _TOPIC_SCHEMA, "minItems": 1}]},
    ),
]
Switch = Annotated[bool, Rule(_switch, "expected true or false", {"type": "boolean"})]
Version = Annotated[int, Rule(_version, "expected 1, the only version of the config format", {"const": 1})]
Rate = Annotated[
    Budget,
    Rule(
        budget,
        "expected a rate such as 1 per week, 2 per day, 1 per hour or 0.001 per pane",
        {"type": "string", "pattern": f"^{_RATE.pattern}$", "examples": ["1 per week"]},
    ),
]
Start = Annotated[
    Literal["earliest", "latest"] | int,
    Rule(
        _start,
        "expected earliest, latest or a time with an offset such as 2026-03-01T00:00:00Z",
        {"type": "string", "examples": ["earliest", "latest", "2026-03-01T00:00:00Z"]},
        ("earliest", "latest"),
    ),
]
Listen = Annotated[
    tuple[str, int] | None,
    Rule(
        listen_address,
        "expected HOST:PORT such as 127.0.0.1:9108, or off",
        {"type": "string", "examples": ["127.0.0.1:9108", "off"]},
        ("off",),
    ),
]
Range = Annotated[
    tuple[float, float],
    Rule(
        _range,
        "expected two numbers, the smaller first, such as [0, 100]",
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    ),
]
