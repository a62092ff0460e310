"""When an event happened, in ms since 1970-01-01 UTC.

Numbers are floored to ms. ISO 8601 text is `YYYY-MM-DDTHH:MM[:SS[.fraction]]` and an offset: `Z`, `±HH:MM`, `±HHMM` or
`±HH`; `t`, a space, `z` and a comma before the fraction are taken too; digits beyond the third of a fraction are cut
off. Without an offset the text names no instant and is bad, and so are leap seconds (:60) and 24:00.
"""

import math
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt

from streamcheck.core.plan import TimeUnit
from streamcheck.core.types import BoolArray, IntArray
from streamcheck.runtime.decode.packing import wholes

TIME_MS_MAX = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""
BAD = -1
MISSING = -2
ISO_LENGTH_MAX = 64
"""An ISO text has at most 26 + 9 characters in practice; what is longer than this is bad without a look at it."""

_INT64_MAX = 2**63 - 1
_PER_MS = {TimeUnit.MS: 1, TimeUnit.US: 1_000, TimeUnit.NS: 1_000_000}
_CharArray = npt.NDArray[np.uint32]


def read_times(values: Sequence[object], unit: TimeUnit) -> IntArray:
    """Event times in ms of n field values; BAD or MISSING where there is none.

    >>> read_times([1772359200, 1772359200.123, None, "soon"], TimeUnit.S).tolist()
    [1772359200000, 1772359200123, -2, -1]
    >>> read_times(["2026-03-01T11:00:00.5+01:00"], TimeUnit.ISO8601).tolist()
    [1772359200500]
    """
    numbers = None if unit is TimeUnit.ISO8601 else wholes(values)
    if numbers is not None:
        return from_ints(numbers, unit)
    kinds = set(map(type, values))
    if unit is TimeUnit.ISO8601:
        times = _iso(values if kinds == {str} else [value if type(value) is str else "" for value in values])
    else:
        times = _numbers(values, kinds, unit)
    if type(None) in kinds:
        times[np.fromiter((value is None for value in values), np.bool_, len(values))] = MISSING
    return times


def within_range(times: IntArray) -> BoolArray:
    """Which times lie in 1970 to 9999."""
    return (times >= 0) & (times <= TIME_MS_MAX)


def _numbers(values: Sequence[object], kinds: set[type], unit: TimeUnit) -> IntArray:
    if kinds == {int}:
        try:
            return from_ints(np.fromiter(values, np.int64, len(values)), unit)
        except OverflowError:
            pass  # some are beyond 64 bits: one by one below
    if kinds == {float}:
        return from_floats(np.array(values, np.float64), unit)
    # Mixed types: Python decides value by value, as whole numbers must not pass through a float.
    return np.fromiter(map(_from_number, values, repeat(unit)), np.int64, len(values))


def from_ints(numbers: IntArray, unit: TimeUnit) -> IntArray:
    """Event times in ms of whole numbers in a unit (not ISO 8601); BAD where out of range."""
    if unit is TimeUnit.S:
        fits = (numbers >= 0) & (numbers <= TIME_MS_MAX // 1_000)
        return np.where(fits, np.where(fits, numbers, 0) * 1_000, BAD)
    per_ms = _PER_MS[unit]
    latest = min(TIME_MS_MAX * per_ms + per_ms - 1, _INT64_MAX)
    return np.where((numbers >= 0) & (numbers <= latest), numbers // per_ms, BAD)


def from_floats(numbers: npt.NDArray[np.float64], unit: TimeUnit) -> IntArray:
    """The same of floats."""
    per_ms = _PER_MS.get(unit, 0)
    end = (TIME_MS_MAX + 1) * per_ms if per_ms else (TIME_MS_MAX + 1) / 1_000
    fits = (numbers >= 0.0) & (numbers < end)
    safe = np.where(fits, numbers, 0.0)
    if unit is TimeUnit.S:
        times = np.rint(safe * 1e6).astype(np.int64) // 1_000
        return np.where(fits & (times <= TIME_MS_MAX), times, BAD)
    if unit is TimeUnit.NS:  # nanoseconds of the year 9999 do not fit into int64, and this far a float is whole anyway
        exact = np.fromiter((int(number) // per_ms for number in safe.tolist()), np.int64, len(safe))
        return np.where(fits, exact, BAD)
    return np.where(fits, np.floor(safe).astype(np.int64) // per_ms, BAD)


def _from_number(value: object, unit: TimeUnit) -> int:
    if type(value) is int:
        time = value * 1_000 if unit is TimeUnit.S else value // _PER_MS[unit]
    elif type(value) is float and math.isfinite(value) and abs(value) < 1e24:
        time = round(value * 1e6) // 1_000 if unit is TimeUnit.S else math.floor(value) // _PER_MS[unit]
    else:
        return BAD
    return time if value >= 0 and time <= TIME_MS_MAX else BAD


def _iso(values: Sequence[object]) -> IntArray:
    texts = [text if len(text) <= ISO_LENGTH_MAX else "" for text in values if isinstance(text, str)]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    times = np.full(len(texts), BAD, np.int64)
    width = max(int(lengths.max(initial=0)), 1)
    chars = np.array(texts, f"<U{width}").view("<u4").reshape(len(texts), width)
    for length in np.unique(lengths).tolist():
        if length >= len("2026-03-01T10:00Z"):
            rows = np.flatnonzero(lengths == length)
            times[rows] = _same_length(chars[rows, :length])
    return times


def _same_length(chars: _CharArray) -> IntArray:
    """Times of texts that are equally long; chars: (n, length) code points."""
    times = np.full(len(chars), BAD, np.int64)
    utc = _is_any(chars[:, -1], "Zz")
    _fill(times, utc, chars[:, :-1], None)
    for width, colon in ((6, True), (5, False), (3, False)):
        shifted = ~utc & _is_any(chars[:, -width], "+-") & ((chars[:, -3] == ord(":")) == colon)
        _fill(times, shifted, chars[:, :-width], chars[:, -width:])
    return times


def _fill(times: IntArray, rows: BoolArray, local: _CharArray, offset: _CharArray | None) -> None:
    if not rows.any():
        return
    found, good = _local_ms(local[rows])
    if offset is not None:
        zone = offset[rows]
        digits = [at for at in range(1, zone.shape[1]) if not (zone.shape[1] == 6 and at == 3)]
        hours = _number(zone, digits[:2])
        minutes = _number(zone, digits[2:])
        good &= _all_digits(zone, digits) & (hours < 24) & (minutes < 60)
        found = found - np.where(zone[:, 0] == ord("-"), -1, 1) * (hours * 3_600_000 + minutes * 60_000)
    times[rows] = np.where(good & within_range(found), found, BAD)


def _local_ms(chars: _CharArray) -> tuple[IntArray, BoolArray]:
    """Ms since 1970-01-01 on the text's own clock, and whether the text is well formed; chars: (n, length)."""
    rows, length = chars.shape
    if length not in (16, 19) and length < 21:
        return np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    digits = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, *([17, 18] if length > 16 else []), *range(20, length)]
    good = _all_digits(chars, digits) & _is_any(chars[:, 4], "-") & _is_any(chars[:, 7], "-")
    good &= _is_any(chars[:, 10], "Tt ") & _is_any(chars[:, 13], ":")
    second, fraction = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    if length > 16:
        good &= _is_any(chars[:, 16], ":")
        second = _number(chars, [17, 18])
    if length > 19:
        good &= _is_any(chars[:, 19], ".,")
        kept = list(range(20, min(length, 23)))
        fraction = _number(chars, kept) * 10 ** (3 - len(kept))
    hour, minute = _number(chars, [11, 12]), _number(chars, [14, 15])
    month, day = _number(chars, [5, 6]), _number(chars, [8, 9])
    good &= (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(good, (_number(chars, [0, 1, 2, 3]) - 1970) * 12 + month - 1, 0)
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    following = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    good &= (day >= 1) & (day <= following - first)
    of_day = hour * 3_600_000 + minute * 60_000 + second * 1_000 + fraction
    return np.where(good, (first + day - 1) * 86_400_000 + of_day, 0), good


def _is_any(column: _CharArray, accepted: str) -> BoolArray:
    return np.isin(column, [ord(char) for char in accepted])


def _all_digits(chars: _CharArray, at: list[int]) -> BoolArray:
    picked = chars[:, at]
    return np.asarray(((picked >= ord("0")) & (picked <= ord("9"))).all(axis=1))


def _number(chars: _CharArray, at: list[int]) -> IntArray:
    number = np.zeros(len(chars), np.int64)
    for column in at:
        number = number * 10 + (chars[:, column].astype(np.int64) - ord("0"))
    return number
