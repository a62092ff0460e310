"""Which values are events, and why the others are none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.pieces import LINE_END, Pieces
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

BLOCKS_AGAIN_MAX = 63
"""Blocks parsed value by value where one after the other has held something odd, before another is tried as a whole."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that is no event, and why."""

    reason: str


class Parser:
    """Bytes in, structs of a Shape out, a Refusal in the place of each value that is no event."""

    def __init__(self, shape: Shape, bytes_max: int) -> None:
        self._shape = shape
        self._bytes_max = bytes_max
        typed: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape.typed_type)
        self._decode_typed: Callable[[bytes], Any] = typed.decode
        self._decode_lines: Callable[[bytes | memoryview], list[Any]] = typed.decode_lines
        self._one_by_one = self._hold = 0  # blocks to go, and how many it was the last time
        self._decode = msgspec.json.Decoder(shape.document_type).decode

    def parse(self, block: Pieces) -> tuple[list[Any], bool]:
        """One struct or Refusal per value; and whether there are some and all are `typed` structs."""
        events = self._together(block) if len(block) else None
        if events is not None:
            return events, True
        events = self._apart(list(block))
        return events, set(map(type, events)) == {self._shape.typed_type}

    def _together(self, block: Pieces) -> list[Any] | None:
        """All values in one call, as lines: a call costs 0.2 µs. None where they are not all typed structs.

        No value can borrow a part of its neighbour. All begin with a brace and end with one, and hold no line's end,
        which separates them: within an object or a list "}" and "{" never meet without a comma, and within a text no
        line ends. So each line is one struct or several, and one where there are as many structs as lines.
        """
        if self._one_by_one:
            self._one_by_one -= 1
            return None
        try:
            lines = self._lines(block)
            events = self._decode_lines(lines) if lines is not None else []
            if len(events) == len(block):
                self._hold = 0
                return events
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        self._hold = self._one_by_one = min(2 * self._hold + 1, BLOCKS_AGAIN_MAX)
        return None

    def _lines(self, block: Pieces) -> bytes | memoryview | None:
        """The block as lines; None where these may not be parsed together, or one of them is refused before that."""
        lengths, count = block.lengths, len(block)
        longest = int(lengths.max())
        if int(lengths.min()) < len(b"{}") or longest > self._bytes_max:
            return None
        first, last = block.edges()
        if not ((first == ord("{")).all() and (last == ord("}")).all()):
            return None
        lines = block.lines()
        octets = np.frombuffer(lines, np.uint8)
        if np.count_nonzero(octets == LINE_END) != count - 1:
            return None
        if longest <= 2 * DEPTH_MAX:
            return lines
        # Each has one brace at least, so that none of them can be deep where all together have few more than that.
        opens = np.count_nonzero((octets == ord("[")) | (octets == ord("{")))
        return lines if opens < DEPTH_MAX + count else None

    def _apart(self, values: Sequence[bytes | None]) -> list[Any]:
        """One struct or Refusal per value."""
        screened = self._screened(values)
        parsed: list[Any] = []
        append, decode = parsed.append, self._decode_typed
        rest = iter(screened)
        while len(parsed) < len(screened):
            # What the parser refuses leaves the inner loop, which goes on behind it.
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
