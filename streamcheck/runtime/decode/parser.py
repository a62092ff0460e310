"""Which values are events, and why the others are none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from streamcheck.runtime.decode.shape import Shape

TOMBSTONE = "tombstone"
TOO_LARGE = "too large"
NOT_JSON = "not JSON"
NOT_AN_OBJECT = "not an object"

DEPTH_MAX = 500
"""Levels of nesting. The parser itself stops where Python's stack does (1000 levels less the caller's in Python 3.11),
which would make an event's fate depend on who calls; half of that leaves the caller as much again."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STRING_OR_NON_FINITE = re.compile(rb'("(?:[^"\\]|\\.)*+"?)|(?<![\w.+-])(?:NaN|-?Infinity)(?![\w.+-])', re.DOTALL)
_NO_FLOAT = b"1e999"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that is no event, and why."""

    reason: str


class Parser:
    """Bytes in, structs of a Shape out, a Refusal in the place of each value that is no event."""

    def __init__(self, shape: Shape, bytes_max: int) -> None:
        self._shape = shape
        self._bytes_max = bytes_max
        self._decode_typed: Callable[[bytes], Any] = msgspec.json.Decoder(shape.typed_type).decode
        self._decode = msgspec.json.Decoder(shape.document_type).decode

    def parse(self, values: Sequence[bytes | None]) -> list[Any]:
        """One struct or Refusal per value."""
        screened = self._screened(values)
        parsed: list[Any] = []
        append, decode = parsed.append, self._decode_typed
        rest = iter(screened)
        while len(parsed) < len(screened):
            # The parser takes one value per call. What it refuses leaves the inner loop, which goes on behind it.
            try:
                for value in rest:
                    append(decode(value))
            except msgspec.ValidationError:
                append(self._untyped(screened[len(parsed)]))
            except (msgspec.DecodeError, UnicodeDecodeError):
                append(self._with_non_finite(screened[len(parsed)]))
            except TypeError:
                refused = screened[len(parsed)]
                assert isinstance(refused, Refusal), f"a value must be bytes or None, not {type(refused).__name__}"
                append(refused)
        known = self._shape.event_types
        if not set(map(type, parsed)) <= known:
            parsed = [x if type(x) in known or type(x) is Refusal else Refusal(NOT_AN_OBJECT) for x in parsed]
        return parsed

    def _screened(self, values: Sequence[bytes | None]) -> Sequence[Any]:
        """The values, with a Refusal in the place of those that must not reach the parser."""
        try:
            longest = max(map(len, values), default=0)  # type: ignore[arg-type]  # None raises, as is wanted
        except TypeError:
            longest = self._bytes_max + 1
        # n levels of nesting take at least 2n bytes, so that small events need no look.
        if longest <= min(self._bytes_max, 2 * DEPTH_MAX):
            return values
        return [self._screen(value) for value in values]

    def _screen(self, value: bytes | None) -> bytes | Refusal:
        if value is None:
            return Refusal(TOMBSTONE)
        if len(value) > self._bytes_max:
            return Refusal(TOO_LARGE)
        suspect = len(value) > 2 * DEPTH_MAX and value.count(b"[") + value.count(b"{") > DEPTH_MAX
        return Refusal(NOT_JSON) if suspect and _depth(value) > DEPTH_MAX else value

    def _untyped(self, value: bytes) -> Any:
        """The event that holds something else where numbers are wanted."""
        try:
            return self._decode(value)
        except msgspec.ValidationError:
            return self._salvaged(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._with_non_finite(value)

    def _with_non_finite(self, value: bytes) -> Any:
        """The event with NaN and Infinity in it, which JSON does not know and Python's json.dumps writes all the same.

        Each spoils its own field only, as a number that no float can hold does.
        """
        if b"NaN" not in value and b"Infinity" not in value:
            return Refusal(NOT_JSON)
        known = _STRING_OR_NON_FINITE.sub(lambda found: found[1] or _NO_FLOAT, value)
        if known == value:
            return Refusal(NOT_JSON)
        try:
            return self._decode(known)
        except msgspec.ValidationError:
            return self._salvaged(known)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Refusal(NOT_JSON)

    def _salvaged(self, value: bytes) -> Any:
        """The event whose parsing stopped at a number out of range, which may hide that the rest is no JSON."""
        try:
            if value.lstrip()[:1] == b"{":
                return self._shape.root.salvage(value)
            msgspec.json.decode(value, type=msgspec.Raw)
            return Refusal(NOT_AN_OBJECT)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._with_non_finite(value)


def _depth(document: bytes) -> int:
    """The deepest nesting of a JSON document; for what is none, any number."""
    marks = np.frombuffer(_STRING.sub(b"", document), np.uint8)
    opens = (marks == ord("[")) | (marks == ord("{"))
    closes = (marks == ord("]")) | (marks == ord("}"))
    return int(np.cumsum(opens.astype(np.int64) - closes).max(initial=0))
