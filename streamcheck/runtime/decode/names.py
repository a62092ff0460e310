"""Which fields does an event hold that the config does not declare? Of one event in 128, for `schema_changes`.

Which one is decided by its id (without ids, by its time): so the same events are looked at whatever the batching, who
decodes, and where a part of a file begins.
"""

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.columns import Fields
from streamcheck.core.ids import mixed
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import HEADERS, KEY, Format, Path, Schema
from streamcheck.core.types import CodeArray, Dictionary, FieldStatus, IntArray, KeyArray, StatusArray
from streamcheck.core.undeclared import NAME_CHARS_MAX, NAMES_MAX, joined
from streamcheck.core.wording import printable
from streamcheck.runtime.decode.found import Rows
from streamcheck.runtime.decode.framing import PREFIX_BYTES

LOOKED_BITS = 7
"""One event in 128: a look takes 2 to 4 µs, so that an event costs 20 to 30 ns."""
KNOWN_MAX, KNOWN_CHARS_MAX = 32, 4_096
"""Sets of names that are remembered, and how long they may be: 80 KB each at worst, 2.5 MiB."""
DICTIONARY_MAX = 256
"""Different sets after which their dictionary begins anew: at 16 KiB each 4 MiB at most, with the other less than what
a column's dictionary may take."""

Whole = Callable[[bytes], Any]
"""All of the event that a value holds, as JSON would have it; None where it holds none."""

_Tree = dict[str, "_Tree"]
"""Objects that lie on the way to declared fields."""
_Found = tuple[tuple[str, ...], tuple[tuple[str, "_Found"], ...]]
"""The names in an object, and what was found in those of its objects that lie on the way to declared fields."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class FieldNames:
    r"""The undeclared names of a stream's events, beside declared ones: at the top, and wherever a field is.

    Events with the same names in the same order are the rule: what has been met before is looked up.

    >>> FieldNames([("id",), ("model", "score")]).of(b'{"id": 1, "fee": 2, "model": {"score": 1, "name": "a"}}')
    'fee\nmodel.name'
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        inside = [path for path in paths if path[0] not in (KEY, HEADERS)]
        self._declared = frozenset(inside) | {(KEY,), (HEADERS,)}
        self._objects: _Tree = {}
        for path in inside:
            level = self._objects
            for name in path[:-1]:
                level = level.setdefault(name, {})
        self._known: dict[_Found, str] = {}

    def of(self, document: bytes) -> str | None:
        """Those of an event in JSON, as one text; None where it is no object that can be looked into."""
        try:
            return self._text(_found(_fields(document), self._objects, _inner))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def of_event(self, event: Any) -> str | None:
        """The same of an event that has been read."""
        return self._text(_found(event, self._objects, _itself)) if isinstance(event, dict) else None

    def _text(self, found: _Found) -> str:
        text = self._known.get(found)
        if text is None:
            names, length = self._undeclared(found, ())
            text = joined(nsmallest(NAMES_MAX, names))
            if length <= KNOWN_CHARS_MAX:
                if len(self._known) >= KNOWN_MAX:
                    self._known.clear()
                self._known[found] = text
        return text

    def _undeclared(self, found: _Found, at: Path) -> tuple[list[str], int]:
        """Of an object at this path, and how long all of its names are together."""
        names, below = found
        objects = dict(below)
        undeclared, length = list[str](), sum(map(len, names)) + len(names)
        for name in names:
            path = (*at, name)
            if name in objects:
                inner, more = self._undeclared(objects[name], path)
                undeclared += inner
                length += more
            elif path not in self._declared and not any(known[: len(path)] == path for known in self._declared):
                undeclared.append(printable(".".join(path)[:NAME_CHARS_MAX], "?"))
        return undeclared, length


def _found(fields: dict[str, Any], objects: _Tree, inner: Callable[[Any], Any]) -> _Found:
    if not objects:
        return tuple(fields), ()
    below = [(name, tree, inner(fields[name])) for name, tree in objects.items() if name in fields]
    return tuple(fields), tuple((name, _found(it, tree, inner)) for name, tree, it in below if isinstance(it, dict))


def _inner(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return _fields(raw)
    except msgspec.ValidationError:
        return None  # no object


def _itself(value: Any) -> Any:
    return value


class Looks:
    """Looks into some events of a stream, and writes what they hold as one more coded column.

    No text stands for events that were not looked at: their status is MISSING. whole: reads values as a topic holds
    them, where that is not JSON.
    """

    def __init__(self, schema: Schema, whole: Whole | None) -> None:
        self._names, self._whole = FieldNames(schema.paths), whole
        self._prefix = PREFIX_BYTES if schema.encoding.format is Format.JSON_SCHEMA else 0
        self.dictionary = Dictionary()

    def replace_full(self) -> None:
        """A new dictionary in the place of one that has grown too large."""
        if len(self.dictionary) > DICTIONARY_MAX:
            self.dictionary = Dictionary()

    def write(self, values: Pieces, rows: Rows, *, encoded: bool) -> None:
        """Look into the values of those that are due. encoded: as a topic holds them."""
        rows.codes[-1] = -1
        rows.status[-1] = FieldStatus.MISSING
        due = _due(rows.keys, rows.times)
        for at, value in zip(due.tolist(), values.at(due), strict=True):  # one in 128
            text = None if value is None or at in rows.refused else self._look(value, encoded=encoded)
            if text is not None:
                rows.codes[-1, at] = self.dictionary.encode(text)
                rows.status[-1, at] = FieldStatus.OK

    def write_alike(
        self, fields: Fields, keys: KeyArray, times: IntArray, codes: CodeArray, status: StatusArray
    ) -> None:
        """The same of records that all have the same fields, into their codes (n,) and status (n,)."""
        due = _due(keys, times)
        text = self._names.of_event(fields) if len(due) else None
        if text is not None:
            codes[due], status[due] = self.dictionary.encode(text), FieldStatus.OK

    def _look(self, value: bytes, *, encoded: bool) -> str | None:
        if not encoded:
            return self._names.of(value)
        if self._whole is not None:
            return self._names.of_event(self._whole(value))
        return self._names.of(value[self._prefix :])


def _due(keys: KeyArray, times: IntArray) -> IntArray:
    if not len(keys):
        keys = np.stack([times.astype(np.uint64), np.zeros(len(times), np.uint64)], axis=1)
    return np.flatnonzero(mixed(keys) >> np.uint64(64 - LOOKED_BITS) == 0)
