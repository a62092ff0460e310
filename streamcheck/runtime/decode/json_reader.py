"""Events in JSON: plain, behind a schema registry's prefix, or in one of two places in the document."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Path, Schema
from streamcheck.core.types import IntArray
from streamcheck.runtime.decode.found import Found, Reader, Rows
from streamcheck.runtime.decode.framing import NO_SCHEMA_ID, PREFIX_BYTES, framed
from streamcheck.runtime.decode.parser import Parser, Refusal
from streamcheck.runtime.decode.shape import Shape

WRAPPER = "payload"
"""Where Kafka Connect's JSON converter puts the record, when it writes the schema beside it."""


class JsonReader:
    """Values by `paths`: as they are named -> where in the document they stand."""

    def __init__(self, schema: Schema, paths: Mapping[Path, Path]) -> None:
        columns = [(at, paths[c.path]) for at, c in enumerate(schema.numeric) if c.path in paths]
        numbers = {column.path for column in schema.numeric}
        others = {place for named, place in paths.items() if named not in numbers}
        others |= {paths[named] for named in _not_numeric(schema) if named in paths}
        rows: dict[Path, int] = {}
        for at, place in columns:
            if place not in others:
                rows.setdefault(place, at)
        self._shape = Shape(list(paths.values()), rows)
        self.slots = {named: self._shape.slots[place] for named, place in paths.items()}
        # Numeric columns that are not written by the shape itself, and where their numbers come from.
        found = [(at, place, self._shape.rows.get(place)) for at, place in columns]
        self._left = [(at, self._shape.slots[place]) for at, place, row in found if row is None]
        self._all = [(at, self._shape.slots[place]) for at, place, _ in found]
        self._copied = [(at, row) for at, _, row in found if row is not None and row != at]
        self._parser = Parser(self._shape, schema.message_bytes_max)

    def read(self, values: Pieces, where: slice, rows: Rows) -> Iterator[Found]:
        """What these values hold."""
        parsed, typed = self._parser.parse(values)
        leaves = self._shape.read_typed(parsed, rows.numeric[:, where]) if typed else None
        if leaves is None:
            yield self._untyped(parsed, np.arange(where.start, where.stop), rows)
            return
        for at, row in self._copied:
            rows.numeric[at, where] = rows.numeric[row, where]
        yield Found(where, leaves, self.slots, self._left, json=True)

    def read_some(self, values: Pieces, places: IntArray, rows: Rows) -> Found:
        """The same of values that stand anywhere."""
        return self._untyped(self._parser.parse(values)[0], places, rows)

    def _untyped(self, parsed: list[Any], places: IntArray, rows: Rows) -> Found:
        if Refusal in set(map(type, parsed)):
            good = [type(x) is not Refusal for x in parsed]
            rows.refused.update((int(places[at]), x.reason) for at, x in enumerate(parsed) if type(x) is Refusal)
            places, parsed = places[good], list(compress(parsed, good))
        return Found(places, self._shape.read(parsed), self.slots, self._all)


def _not_numeric(schema: Schema) -> list[Path]:
    """Paths that something else than a numeric column reads."""
    found = [column.path for column in schema.coded]
    found += [schema.id_path] if schema.id_path else []
    return found + ([schema.time.path] if schema.time else [])


class EitherReader:
    """Events that stand at the top of the document, or in its `payload`: wherever the mark is; at the top, if in both.

    Whole blocks are alike as a rule: what the last one was, the next is taken for.
    """

    _TOP: Path = ("", "top")

    def __init__(self, schema: Schema, paths: Sequence[Path], mark: Path) -> None:
        self._mark = mark
        inside = {path: (WRAPPER, *path) for path in paths}
        self._bare = JsonReader(schema, {path: path for path in paths})
        self._wrapped = JsonReader(schema, {**inside, self._TOP: mark})
        self._first = self._bare

    def read(self, values: Pieces, where: slice, rows: Rows) -> Iterator[Found]:
        """What these values hold."""
        first = self._first
        (found,) = first.read(values, where, rows)
        own = self._own(found)
        if all(own):
            yield found
            return
        other = self._wrapped if first is self._bare else self._bare
        if not any(own):
            rows.status[:, where] = 0
            self._first = other
            yield from other.read(values, where, rows)
            return
        places = np.arange(where.start, where.stop)[found.places] if isinstance(found.places, slice) else found.places
        mine, strange = places[own], places[[not each for each in own]]
        yield Found(mine, [list(compress(each, own)) for each in found.values], found.slots, found.numeric)
        yield other.read_some(values.at(strange - where.start), strange, rows)

    def _own(self, found: Found) -> list[bool]:
        marked = [value is not None for value in found.values[found.slots[self._mark]]]
        if self._TOP not in found.slots:
            return marked
        at_top = found.values[found.slots[self._TOP]]
        return [inside and top is None for inside, top in zip(marked, at_top, strict=True)]


class PrefixedReader:
    """Events in JSON behind the five bytes that a schema registry's serializers write.

    Which schema it is decides nothing.
    """

    def __init__(self, inner: Reader) -> None:
        self._inner = inner

    def read(self, values: Pieces, where: slice, rows: Rows) -> Iterator[Found]:
        """What these values hold."""
        good, present = framed(values), values.lengths >= 0
        begins = np.where(good, values.begins + PREFIX_BYTES, 0)
        ends = np.where(good, values.ends, -1)  # what has no prefix is no value, until its own reason is noted
        yield from self._inner.read(Pieces(values.data, begins, ends), where, rows)
        rows.refused.update(dict.fromkeys((where.start + np.flatnonzero(present & ~good)).tolist(), NO_SCHEMA_ID))
