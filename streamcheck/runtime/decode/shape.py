"""Where in an event are the values that are wanted? Dotted paths -> msgspec structs -> one list of values per path.

Every field may hold anything, so that no event fails for the type of one field; what no path names is skipped by the
parser and costs nothing more. Most events hold what they should, though: parsed into `typed` structs, whose numbers are
floats, their numbers become columns at a quarter of the price. The others are parsed a second time, into `type`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.types import FloatArray
from streamcheck.errors import ConfigError, Mistake
from streamcheck.runtime.decode.packing import Packing, floats

Path = tuple[str, ...]
_Anything = list[Any] | int | float | str | bool | None
NOT_SCALAR: list[object] = []
"""Stands for a value below something that is no object: a list, which no column, id or time takes."""
_decode_any = msgspec.json.Decoder(Any).decode
_values_of = msgspec.structs.astuple
FEW = 4
"""Fields that are read one after the other; more are read as tuples, which cost as much as these."""


@dataclass(slots=True)
class _Child:
    key: str
    attribute: str
    slots: list[int] = field(default_factory=list)
    row: int | None = None
    below: dict[str, "_Child"] = field(default_factory=dict)
    node: "Node | None" = None


class Node:
    """An object of the event: the structs it is parsed into, and its children that are wanted."""

    def __init__(self, name: str, children: Sequence[_Child]) -> None:
        self.children = children
        for child in children:
            if child.below:
                child.node = Node(f"{name}_{child.attribute}", tuple(child.below.values()))
        rename = {child.attribute: child.key for child in children}
        fields = [(c.attribute, Any if c.node is None else c.node.type | _Anything, None) for c in children]
        raws = [(c.attribute, msgspec.Raw, None) for c in children]
        # gc=False: an event holds no cycles, and half a million tracked objects would wake the collector.
        self.type: Any = msgspec.defstruct(name, fields, rename=rename, gc=False)
        numbers = [child for child in children if child.row is not None]
        self._others = [child for child in children if child.row is None]
        # NaN, which JSON cannot say, is an absent number.
        typed: list[tuple[str, Any, Any]] = [(c.attribute, float | None, math.nan) for c in numbers]
        typed += [(c.attribute, Any if c.node is None else c.node.typed | None, None) for c in self._others]
        self.typed: Any = msgspec.defstruct(f"{name}Typed", typed, rename=rename, gc=False)
        self.rows = [child.row for child in numbers if child.row is not None]
        self.packing = Packing(self.typed, len(numbers)) if numbers and not self._others else None
        self.raw_type: Any = msgspec.defstruct(f"{name}Raw", raws, rename=rename, gc=False)
        self.decode_raw = msgspec.json.Decoder(self.raw_type).decode
        self.absent = self.type()
        self.broken = self.type(*([NOT_SCALAR] * len(children)))

    def collect(self, events: Sequence[Any], leaves: list[Sequence[Any]]) -> None:
        """Write the values of every wanted path below this node to its slots."""
        for child in self.children:
            values = list(map(attrgetter(child.attribute), events))
            if child.row is not None:  # of typed events and others: whole numbers came as such or as floats
                leaves[child.slots[0]] = [None if value != value else value for value in values]  # noqa: PLR0124 - NaN
                continue
            for slot in child.slots:
                leaves[slot] = values
            if child.node is not None:
                child.node.collect(child.node.objects(values), leaves)

    def collect_typed(self, events: Sequence[Any], leaves: list[Sequence[Any]], numbers: FloatArray) -> bool:
        """The same of events that are `typed`: numbers go to their rows, NaN where there is none.

        Returns False where an event lacks an object on the way; then nothing written is of use.
        """
        columns = self._columns(events)
        for row, values in zip(self.rows, columns, strict=False):
            numbers[row] = _floats(values)
        for child, values in zip(self._others, columns, strict=True):
            for slot in child.slots:
                leaves[slot] = values
            node = child.node
            if node is None or (node.packing is not None and node.packing.take(values, numbers, node.rows)):
                continue  # where an object is lacking, it is null, too
            if set(map(type, values)) != {node.typed} or not node.collect_typed(values, leaves, numbers):
                return False
        return True

    def _columns(self, events: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """The values of each field of `typed` events, in the struct's order: numbers first."""
        if len(self.children) <= FEW:
            return (list(map(attrgetter(name), events)) for name in self.typed.__struct_fields__)
        return zip(*map(_values_of, events), strict=True)

    def objects(self, values: Sequence[Any]) -> Sequence[Any]:
        """The values with what is no object of this node replaced by an empty or a broken one."""
        known = {self.type, self.typed}
        if set(map(type, values)) <= known:
            return values
        return [v if type(v) in known else self.absent if v is None else self.broken for v in values]

    def salvage(self, document: bytes) -> Any:
        """The object, field by field: numbers that no float can hold become infinite instead of spoiling the event."""
        raw = self.decode_raw(document)
        return self.type(*(_salvaged(getattr(raw, child.attribute), child.node) for child in self.children))


def _floats(values: Sequence[float | None]) -> FloatArray:
    """Numbers, NaN in the place of null."""
    found = floats(values)
    if found is not None:
        return found
    try:
        return np.fromiter(values, np.float64, len(values))  # null raises
    except TypeError:
        return np.array(values, np.float64)


def _salvaged(raw: Any, node: Node | None) -> Any:
    if raw is None:
        return None
    document = bytes(raw).lstrip()
    if node is not None and document[:1] == b"{":
        return node.salvage(document)
    try:
        return _decode_any(document)
    except msgspec.ValidationError:
        return NOT_SCALAR if document[:1] in (b"[", b"{") else math.inf


class Shape:
    """The paths of a schema as parsers' types. `slots` gives the place of each path in the leaves that `read` returns.

    rows: paths that nothing but numeric columns use, and the row of each among the numbers that `read` writes; those
    below which others lie are left out.
    """

    def __init__(self, paths: Sequence[Path], rows: Mapping[Path, int] | None = None) -> None:
        self.slots: dict[Path, int] = {}
        parents = {path[:length] for path in paths for length in range(1, len(path))}
        self.rows = {path: row for path, row in (rows or {}).items() if path not in parents}
        top: dict[str, _Child] = {}
        for path in paths:
            if path not in self.slots:
                self.slots[path] = len(self.slots)
                _enter(top, path, self.slots[path], self.rows.get(path))
        try:
            self.root = Node("Event", tuple(top.values()))
        except ValueError as error:
            names = ", ".join(repr(".".join(path)) for path in self.slots)
            message = f"a field name may hold no quote, backslash or control character ({error}); named are {names}"
            raise ConfigError((Mistake("streams", message),)) from error
        self.event_types: frozenset[type] = frozenset((self.root.type, self.root.typed))
        self.typed_type: type = self.root.typed
        self.document_type: Any = self.root.type | _Anything

    def read(self, events: Sequence[Any]) -> list[Sequence[Any]]:
        """What each path holds, in the order of `slots`: one value for each event."""
        found: list[Sequence[Any]] = [[] for _ in self.slots]
        self.root.collect(events, found)
        return found

    def read_typed(self, events: Sequence[Any], numbers: FloatArray) -> list[Sequence[Any]] | None:
        """The same of events that are all `typed`, but for paths that have rows: their numbers are written to these.

        numbers (R, n): NaN where there is none. Returns None where an event holds something else in the place of an
        object; then nothing written is of use.
        """
        found: list[Sequence[Any]] = [[] for _ in self.slots]
        return found if self.root.collect_typed(events, found, numbers) else None


def _enter(level: dict[str, _Child], path: Path, slot: int, row: int | None) -> None:
    child = level.setdefault(path[0], _Child(path[0], f"f{len(level)}"))
    if len(path) == 1:
        child.slots.append(slot)
        child.row = row
    else:
        _enter(child.below, path[1:], slot, row)
