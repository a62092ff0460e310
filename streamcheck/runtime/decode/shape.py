"""Where in an event are the values that are wanted? Dotted paths -> msgspec structs -> one list of values per path.

Every field may hold anything, so that no event fails for the type of one field; what no path names is skipped by the
parser and costs nothing more. Most events hold what they should, though: parsed into `typed` structs, whose numbers are
floats, their numbers become columns at a third of the price. The others are parsed a second time, into `type`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from streamcheck.core.types import FloatArray
from streamcheck.errors import ConfigError, Mistake

Path = tuple[str, ...]
_Anything = list[Any] | int | float | str | bool | None
_NOT_SCALAR: list[object] = []
"""Stands for a value below something that is no object: a list, which no column, id or time takes."""
_decode_any = msgspec.json.Decoder(Any).decode


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
        typed = [(c.attribute, _typed(c), None) for c in children]
        self.typed: Any = msgspec.defstruct(f"{name}Typed", typed, rename=rename, gc=False)
        numbers = [child for child in children if child.row is not None]
        self._rows = [child.row for child in numbers if child.row is not None]
        self._get = [attrgetter(child.attribute) for child in numbers]
        self._get_all = attrgetter(*(child.attribute for child in numbers)) if numbers else None
        self.raw_type: Any = msgspec.defstruct(f"{name}Raw", raws, rename=rename, gc=False)
        self.decode_raw = msgspec.json.Decoder(self.raw_type).decode
        self.absent = self.type()
        self.broken = self.type(*([_NOT_SCALAR] * len(children)))

    def collect(self, events: list[Any], leaves: list[list[Any]]) -> None:
        """Write the values of every wanted path below this node to its slots."""
        for child in self.children:
            values = list(map(attrgetter(child.attribute), events))
            if child.row is not None:  # of typed events and others: whole numbers came as such or as floats
                leaves[child.slots[0]] = values
                continue
            for slot in child.slots:
                leaves[slot] = values
            if child.node is not None:
                child.node.collect(child.node.objects(values), leaves)

    def collect_typed(self, events: list[Any], leaves: list[list[Any]], numbers: FloatArray) -> bool:
        """The same of `typed` events: numbers go to their rows, NaN where there is none.

        Returns False where an event lacks an object on the way; then nothing written is of use.
        """
        for child in self.children:
            if child.row is not None:
                continue
            values = list(map(attrgetter(child.attribute), events))
            for slot in child.slots:
                leaves[slot] = values
            if child.node is not None and (
                set(map(type, values)) != {child.node.typed} or not child.node.collect_typed(values, leaves, numbers)
            ):
                return False
        if self._get_all is None:
            return True
        wide = len(self._get)
        try:
            rows = map(self._get_all, events)
            flat = np.fromiter(chain.from_iterable(rows) if wide > 1 else rows, np.float64, len(events) * wide)
            numbers[self._rows] = flat.reshape(-1, wide).T
        except TypeError:  # one is None
            for row, get in zip(self._rows, self._get, strict=True):
                numbers[row] = np.array(list(map(get, events)), np.float64)  # None becomes NaN, which JSON cannot say
        return True

    def objects(self, values: list[Any]) -> list[Any]:
        """The values with what is no object of this node replaced by an empty or a broken one."""
        known = {self.type, self.typed}
        if set(map(type, values)) <= known:
            return values
        return [v if type(v) in known else self.absent if v is None else self.broken for v in values]

    def salvage(self, document: bytes) -> Any:
        """The object, field by field: numbers that no float can hold become infinite instead of spoiling the event."""
        raw = self.decode_raw(document)
        return self.type(*(_salvaged(getattr(raw, child.attribute), child.node) for child in self.children))


def _typed(child: _Child) -> Any:
    if child.node is not None:
        return child.node.typed | None
    return float | None if child.row is not None else Any


def _salvaged(raw: Any, node: Node | None) -> Any:
    if raw is None:
        return None
    document = bytes(raw).lstrip()
    if node is not None and document[:1] == b"{":
        return node.salvage(document)
    try:
        return _decode_any(document)
    except msgspec.ValidationError:
        return _NOT_SCALAR if document[:1] in (b"[", b"{") else math.inf


class Shape:
    """The paths of a schema as parsers' types. `slots` gives the place of each path in the leaves that `read` returns.

    numbers: paths that nothing but numeric columns use; `rows` gives the place of each in the numbers.
    """

    def __init__(self, paths: Sequence[Path], numbers: Sequence[Path] = ()) -> None:
        self.slots: dict[Path, int] = {}
        parents = {path[:length] for path in paths for length in range(1, len(path))}
        self.rows = {path: row for row, path in enumerate(dict.fromkeys(numbers)) if path not in parents}
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

    def read(self, events: list[Any]) -> tuple[list[list[Any]], FloatArray | None]:
        """One list of n values per path, in the order of `slots`; paths share no list that is written to.

        And (R, n) numbers in the order of `rows`, NaN where there is none, whose leaves are empty then; None where an
        event holds something else in the place of one, so that they are leaves.
        """
        found: list[list[Any]] = [[] for _ in self.slots]
        if self.rows and events and set(map(type, events)) == {self.root.typed}:
            numbers = np.empty((max(self.rows.values()) + 1, len(events)))
            if self.root.collect_typed(events, found, numbers):
                return found, numbers
        self.root.collect(events, found)
        return found, None


def _enter(level: dict[str, _Child], path: Path, slot: int, row: int | None) -> None:
    child = level.setdefault(path[0], _Child(path[0], f"f{len(level)}"))
    if len(path) == 1:
        child.slots.append(slot)
        child.row = row
    else:
        _enter(child.below, path[1:], slot, row)
