"""What do the keys and the headers of records say? Texts; of a key that is a JSON object, its fields."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import HEADERS, KEY, Path, Schema, TimeUnit
from streamcheck.core.types import BoolArray, IntArray
from streamcheck.runtime.decode.found import Found, Rows, positions
from streamcheck.runtime.decode.keys import WrittenKeys
from streamcheck.runtime.decode.parser import Parser, Refusal
from streamcheck.runtime.decode.shape import NOT_SCALAR, Shape
from streamcheck.runtime.schemas import Registry

BAD_HEADERS = "bad headers"
HEADERS_MAX = 256
"""Of one record, beyond which it is refused: each is a step over all records of a block."""

_VARINT_BYTES_MAX = 5
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(rb"[+-]?\d{1,18}")
_INFINITE = frozenset((b"NaN", b"Infinity", b"-Infinity"))
_AS_NUMBER = "\0"
"""Before a path: the same value, read as a number."""


class Metadata:
    """The paths of a schema that lead into keys and headers.

    Both are bytes, so that a number is a text there: numeric columns, and times in a unit, read it as the number that
    it says.
    """

    def __init__(self, schema: Schema, marks: Sequence[Path], registry: Registry | None = None) -> None:
        paths = [path for path in dict.fromkeys((*schema.paths, *marks)) if path[0] in (KEY, HEADERS)]
        keys = [path[1:] for path in paths if path[0] == KEY]
        encoding = schema.encoding.key
        self._written = WrittenKeys(schema, encoding, keys, registry) if encoding is not None and keys else None
        self._whole = KEY if () in keys and self._written is None else None
        self._names = {path: ".".join(path[1:]).encode() for path in paths if path[0] == HEADERS}
        below = [path for path in keys if path and self._written is None]
        self._shape = Shape(below) if below else None
        self._parser = Parser(self._shape, schema.message_bytes_max) if self._shape else None
        numeric = [column.path for column in schema.numeric]
        numeric += [schema.time.path] if schema.time and schema.time.unit is not TimeUnit.ISO8601 else []
        texts = {*self._names, *([(KEY,)] if self._whole else [])}
        self._numbers = [path for path in dict.fromkeys(numeric) if path in texts]
        self._columns = [(at, c.path) for at, c in enumerate(schema.numeric) if c.path in paths]

    @property
    def any(self) -> bool:
        """Whether there are some."""
        return bool(self._whole or self._names or self._shape or self._written)

    @property
    def headers(self) -> bool:
        """Whether one leads into headers."""
        return bool(self._names)

    def added(self, found: Found, keys: Pieces, headers: Pieces | None, rows: Rows) -> Found:
        """What was found in values, and beside it what stands in these records' keys and headers."""
        places = positions(found.places)
        values = self._headers(None if headers is None else headers.at(places), places, rows)
        own = keys.at(places)
        if self._whole:
            values[KEY,] = list(own)
        numbers = {(_AS_NUMBER, *path): [_number(value) for value in values[path]] for path in self._numbers}
        lists: dict[Path, list[Any]] = {path: [_text(value) for value in its] for path, its in values.items()}
        lists |= numbers | (self._fields(own) if self._written is None else self._written.read(own))
        slots = dict(found.slots) | {path: at for at, path in enumerate(lists, len(found.values))}
        numeric = [(at, number_slot(slots, path)) for at, path in self._columns]
        return Found(found.places, [*found.values, *lists.values()], slots, [*found.numeric, *numeric], found.unit)

    def _fields(self, keys: Pieces) -> dict[Path, list[Any]]:
        """Fields of keys that are objects."""
        if self._shape is None or self._parser is None:
            return {}
        root = self._shape.root
        absent = keys.lengths < 0
        parsed = [
            event if type(event) is not Refusal else root.absent if none else root.broken
            for event, none in zip(self._parser.parse(keys)[0], absent.tolist(), strict=True)
        ]
        leaves = self._shape.read(parsed)
        return {(KEY, *path): list(leaves[slot]) for path, slot in self._shape.slots.items()}

    def _headers(self, headers: Pieces | None, places: IntArray, rows: Rows) -> dict[Path, list[bytes | None]]:
        if not self._names:
            return {}
        if headers is None:
            return {path: [None] * len(places) for path in self._names}
        found, bad = find(headers, list(self._names.values()))
        rows.refused.update(dict.fromkeys(places[bad].tolist(), BAD_HEADERS))
        return dict(zip(self._names, map(list, found), strict=True))


def number_slot(slots: Mapping[Path, int], path: Path) -> int:
    """Where a path's values stand as numbers."""
    return slots.get((_AS_NUMBER, *path), slots.get(path, -1))


def find(headers: Pieces, names: Sequence[bytes]) -> tuple[list[Pieces], BoolArray]:
    """The values of headers: of each name, one for each record (the last of several); and who has malformed ones.

    headers: of each record their number, then each with its name and its value, all with varints (zigzag) before them.
    """
    octets = np.frombuffer(headers.data or b"\0", np.uint8)
    ends = headers.ends
    begins = {name: np.zeros(len(ends), np.int64) for name in names}
    until = {name: np.full(len(ends), -1, np.int64) for name in names}
    count, at, bad = _varints(octets, headers.begins, ends)
    bad |= (count < 0) | (count > HEADERS_MAX)
    for step in range(int(np.where(bad, 0, count).max(initial=0))):
        live = np.flatnonzero(~bad & (count > step))
        length, name_at, wrong = _varints(octets, at[live], ends[live])
        name_end = name_at + np.maximum(length, 0)
        size, value_at, wrong_too = _varints(octets, name_end, ends[live])
        value_end = value_at + np.maximum(size, 0)
        wrong |= wrong_too | (length < 0) | (size < -1) | (value_end > ends[live])
        bad[live] = wrong
        for name in names:
            same = _equal(octets, name_at, np.where(wrong, -1, length), name)
            begins[name][live[same]] = value_at[same]
            until[name][live[same]] = np.where(size < 0, value_at - 1, value_end)[same]
        at[live] = value_end
    bad |= at != ends
    return [Pieces(headers.data, begins[name], until[name]) for name in names], bad


def _equal(octets: npt.NDArray[np.uint8], at: IntArray, lengths: IntArray, name: bytes) -> IntArray:
    """Which texts of these lengths are the name."""
    rows = np.flatnonzero(lengths == len(name))
    wanted = np.frombuffer(name, np.uint8)
    same: IntArray = rows[(octets[at[rows][:, None] + np.arange(len(name))] == wanted).all(axis=1)]
    return same


def _varints(octets: npt.NDArray[np.uint8], at: IntArray, ends: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """The zigzag varints that begin at each position, where each ends, and which of them do not end in time."""
    value, at, done = np.zeros(len(at), np.int64), at.copy(), np.zeros(len(at), np.bool_)
    more = np.arange(len(at))
    for step in range(_VARINT_BYTES_MAX):
        more = more[at[more] < ends[more]]
        octet = octets[at[more]].astype(np.int64)
        value[more] |= (octet & 0x7F) << (7 * step)
        at[more] += 1
        done[more[octet <= 0x7F]] = True
        more = more[octet > 0x7F]
    return (value >> 1) ^ -(value & 1), at, ~done


def _text(value: bytes | None) -> Any:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return NOT_SCALAR


def _number(value: bytes | None) -> Any:
    """The number that a text says; the text itself where it says none."""
    if value is None or not value:
        return None
    if _WHOLE.fullmatch(value):
        return int(value)
    if _NUMBER.fullmatch(value) and len(value) <= 400:
        return float(value)
    return math.inf if value in _INFINITE else _text(value)
