"""Event times, against datetime and exact arithmetic."""

import random
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest

from streamcheck.core.plan import TimeUnit
from streamcheck.runtime.decode.times import BAD, MISSING, TIME_MS_MAX, read_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def brief(case: object) -> str:
    """A readable test id for long values."""
    return repr(case)[:40]


def one(value: object, unit: TimeUnit, beside: list[object]) -> int:
    return int(read_times([value, *beside], unit)[0])


# What stands beside a value decides which path is taken: all of one type, or mixed.
@pytest.mark.parametrize("beside", [[], [1], [0.5], [None, "x", 1, 0.5]])
@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1_772_359_200, TimeUnit.S, 1_772_359_200_000),
        (1_772_359_200.123, TimeUnit.S, 1_772_359_200_123),
        (1_772_359_200.1239, TimeUnit.S, 1_772_359_200_123),
        (253_402_300_799, TimeUnit.S, 253_402_300_799_000),
        (253_402_300_800, TimeUnit.S, BAD),
        (253_402_300_800.0, TimeUnit.S, BAD),
        (1_772_359_200_123, TimeUnit.MS, 1_772_359_200_123),
        (1_772_359_200_123.9, TimeUnit.MS, 1_772_359_200_123),
        (TIME_MS_MAX, TimeUnit.MS, TIME_MS_MAX),
        (TIME_MS_MAX + 0.5, TimeUnit.MS, TIME_MS_MAX),
        (TIME_MS_MAX + 1, TimeUnit.MS, BAD),
        (1_772_359_200_123_999, TimeUnit.US, 1_772_359_200_123),
        (1_772_359_200_123_999.0, TimeUnit.US, 1_772_359_200_123),
        (1_772_359_200_123_999_999, TimeUnit.NS, 1_772_359_200_123),
        (TIME_MS_MAX * 10**6 + 999_999, TimeUnit.NS, TIME_MS_MAX),
        ((TIME_MS_MAX + 1) * 10**6, TimeUnit.NS, BAD),
        (1.5e18, TimeUnit.NS, 1_500_000_000_000),
        (2e20, TimeUnit.NS, 200_000_000_000_000),
        (0, TimeUnit.MS, 0),
        (0.0, TimeUnit.MS, 0),
        (-0.0, TimeUnit.MS, 0),
        (-1, TimeUnit.MS, BAD),
        (-1e-9, TimeUnit.S, BAD),
        (10**400, TimeUnit.MS, BAD),
        (float("inf"), TimeUnit.S, BAD),
        (1e308, TimeUnit.NS, BAD),
        (True, TimeUnit.MS, BAD),
        ("0", TimeUnit.MS, BAD),
        ([1], TimeUnit.MS, BAD),
        (None, TimeUnit.MS, MISSING),
        (1_772_359_200_000, TimeUnit.ISO8601, BAD),
        (None, TimeUnit.ISO8601, MISSING),
    ],
    ids=brief,
)
def test_numbers(value: object, unit: TimeUnit, expected: int, beside: list[object]) -> None:
    assert one(value, unit, beside) == expected


@pytest.mark.parametrize("unit", [TimeUnit.S, TimeUnit.MS, TimeUnit.US, TimeUnit.NS])
def test_whole_numbers_are_exact_and_both_paths_agree(unit: TimeUnit) -> None:
    rng = random.Random(5)
    per_ms = {TimeUnit.S: Fraction(1, 1000), TimeUnit.MS: 1, TimeUnit.US: 1_000, TimeUnit.NS: 1_000_000}[unit]
    ints = [int(rng.randrange(10**13) * per_ms) + rng.randrange(3) for _ in range(500)]
    floats = [value + rng.random() for value in ints]
    exact = [int(value / per_ms) for value in map(Fraction, ints)]
    assert read_times(list(ints), unit).tolist() == exact
    assert read_times([*ints, "x"], unit).tolist() == [*exact, BAD]
    assert read_times(list(floats), unit).tolist() == read_times([*floats, "x"], unit).tolist()[:-1]


@pytest.mark.parametrize("beside", [[], ["2026-03-01T10:00:00.123456+05:30"], [None, 5]])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00Z", 1_772_359_200_000),
        ("2026-03-01t10:00:00z", 1_772_359_200_000),
        ("2026-03-01 10:00:00+00:00", 1_772_359_200_000),
        ("2026-03-01T10:00Z", 1_772_359_200_000),
        ("2026-03-01T11:30:00+0130", 1_772_359_200_000),
        ("2026-03-01T05:00:00-05", 1_772_359_200_000),
        ("2026-03-01T10:00:00.1Z", 1_772_359_200_100),
        ("2026-03-01T10:00:00,12Z", 1_772_359_200_120),
        ("2026-03-01T10:00:00.9999999999Z", 1_772_359_200_999),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("1970-01-01T00:30:00+00:30", 0),
        ("9999-12-31T23:59:59.999Z", TIME_MS_MAX),
        ("9999-12-31T23:59:59-00:01", BAD),
        ("1970-01-01T00:00:00+00:01", BAD),
        ("1969-12-31T23:59:59Z", BAD),
        ("0000-01-01T00:00:00Z", BAD),
        ("2026-03-01T10:00:00", BAD),
        ("2026-03-01", BAD),
        ("2026-03-01Z", BAD),
        ("20260301T100000Z", BAD),
        ("2023-02-29T00:00:00Z", BAD),
        ("2026-00-01T00:00:00Z", BAD),
        ("2026-13-01T00:00:00Z", BAD),
        ("2026-04-31T00:00:00Z", BAD),
        ("2026-04-00T00:00:00Z", BAD),
        ("2026-03-01T24:00:00Z", BAD),
        ("2026-03-01T10:60:00Z", BAD),
        ("2026-06-30T23:59:60Z", BAD),
        ("2026-03-01T10:00:00+24:00", BAD),
        ("2026-03-01T10:00:00+10:60", BAD),
        ("2026-03-01T10:00:00.Z", BAD),
        ("2026-03-01T10:00:00.1x3Z", BAD),
        ("2026-03-01T10:00:00ZZ", BAD),
        ("2026-03-01T10:00:00Z\x00", BAD),
        (" 2026-03-01T10:00:00Z", BAD),
        ("2026-03-01T10:00:00 Z", BAD),
        ("２０２６-03-01T10:00:00Z", BAD),
        ("yesterday", BAD),
        ("", BAD),
        ("2026-03-01T10:00:00." + "1" * 50 + "Z", BAD),
    ],
    ids=brief,
)
def test_iso8601(text: str, expected: int, beside: list[object]) -> None:
    assert one(text, TimeUnit.ISO8601, beside) == expected


def test_iso8601_agrees_with_datetime() -> None:
    rng = random.Random(11)
    texts: list[object] = []
    expected = []
    for _ in range(2_000):
        zone = timezone(timedelta(minutes=rng.randrange(-1_439, 1_440)))
        moment = EPOCH + timedelta(days=1, microseconds=rng.randrange(250_000_000_000_000_000))
        precision = rng.choice(["minutes", "seconds", "milliseconds", "microseconds"])
        text = moment.astimezone(zone).isoformat(timespec=precision)
        texts.append(text)
        expected.append((datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1))
    assert read_times(texts, TimeUnit.ISO8601).tolist() == expected
