"""Scalars of a config: what they mean, what is refused, and that text and number are the same thing twice."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.config import values
from streamcheck.config.environment import substitute
from streamcheck.core.plan import Budget


def refused(parse: Callable[[object], object], value: object) -> bool:
    try:
        parse(value)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10_000),
        ("500ms", 500),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("0.5s", 500),
        ("0s", 0),
        ("0.29s", 290),
    ],
)
def test_durations(text: str, expected: int) -> None:
    assert values.duration_ms(text) == expected


@pytest.mark.parametrize(
    "text", ["ten", "10", 10, 10.0, None, "", "10 seconds", "-1s", "0.5ms", "1s2m", "10S", "٣s", "1e3s", ["1s"], True]
)
def test_what_is_no_duration(text: object) -> None:
    assert refused(values.duration_ms, text)


@settings(derandomize=True)
@given(st.integers(0, 10**12))
def test_a_duration_reads_back(milliseconds: int) -> None:
    assert values.duration_ms(values.duration_text(milliseconds)) == milliseconds


@settings(derandomize=True)
@given(st.integers(0, 10**12))
def test_a_size_reads_back(size: int) -> None:
    assert values.size_bytes(values.size_text(size)) == size


@pytest.mark.parametrize("text", ["512", "512MB", "512 mib", 512, None, "-1MiB", "1.5GiB"])
def test_what_is_no_size(text: object) -> None:
    assert refused(values.size_bytes, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 per week", Budget(1.0, 604_800_000)),
        ("2 per day", Budget(2.0, 86_400_000)),
        ("0.5/hour", Budget(0.5, 3_600_000)),
        ("0.001 per pane", Budget(0.001, None)),
    ],
)
def test_rates(text: str, expected: Budget) -> None:
    assert values.budget(text) == expected
    assert values.budget(values.budget_text(expected)) == expected


@pytest.mark.parametrize("text", ["0 per week", "1 per year", "one per week", "1", 1, None, "9999999 per hour"])
def test_what_is_no_rate(text: object) -> None:
    assert refused(values.budget, text)


def test_a_moment_has_an_offset() -> None:
    assert values.instant_ms("1970-01-01T00:00:01.5Z") == 1500
    assert refused(values.instant_ms, "2026-03-01T10:00:00")


def test_dots_reach_into_objects_unless_escaped() -> None:
    assert values.path_parts(r"a.b\.c.d") == ("a", "b.c", "d")
    for bad in ("", ".a", "a..b", "a."):
        assert refused(values.path_parts, bad)


@pytest.mark.parametrize(
    ("text", "filled", "unset"),
    [
        ("${A}", "1", ()),
        ("x${A}y${A}", "x1y1", ()),
        ("${B:-2}", "2", ()),
        ("${EMPTY:-2}", "2", ()),
        ("${EMPTY}", "", ()),
        ("${B:-}", "", ()),
        ("${B}", "", ("B",)),
        ("$${A}", "${A}", ()),
        ("$A", "$A", ()),
        ("${not a name}", "not a name}", ("",)),
        ("${NESTED}", "${A}", ()),
    ],
)
def test_variables(text: str, filled: str, unset: tuple[str, ...]) -> None:
    assert substitute(text, {"A": "1", "EMPTY": "", "NESTED": "${A}"}) == (filled, unset)
