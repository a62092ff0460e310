"""Where in an event are the values that are wanted? Dotted paths -> msgspec structs -> one list of values per path.

Every field may hold anything, so that no event fails for the type of one field; what no path names is skipped by the
parser and costs nothing more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec

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
    below: dict[str, "_Child"] = field(default_factory=dict)
    node: "Node | None" = None


class Node:
    """An object of the event: the struct it is parsed into, and its children that are wanted."""

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
        self.raw_type: Any = msgspec.defstruct(f"{name}Raw", raws, rename=rename, gc=False)
        self.decode_raw = msgspec.json.Decoder(self.raw_type).decode
        self.absent = self.type()
        self.broken = self.type(*([_NOT_SCALAR] * len(children)))

    def collect(self, events: list[Any], leaves: list[list[Any]]) -> None:
        """Write the values of every wanted path below this node to its slots."""
        for child in self.children:
            values = list(map(attrgetter(child.attribute), events))
            for slot in child.slots:
                leaves[slot] = values
            if child.node is not None:
                child.node.collect(child.node.objects(values), leaves)

    def objects(self, values: list[Any]) -> list[Any]:
        """The values with what is no object of this node replaced by an empty or a broken one."""
        if set(map(type, values)) == {self.type}:
            return values
        known = self.type
        return [v if type(v) is known else self.absent if v is None else self.broken for v in values]

    def salvage(self, document: bytes) -> Any:
        """The object, field by field: numbers that no float can hold become infinite instead of spoiling the event."""
        raw = self.decode_raw(document)
        return self.type(*(_salvaged(getattr(raw, child.attribute), child.node) for child in self.children))


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
    """The paths of a schema as a parser's type. `slots` gives the place of each path in what `leaves` returns."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.slots: dict[Path, int] = {}
        top: dict[str, _Child] = {}
        for path in paths:
            if path not in self.slots:
                self.slots[path] = len(self.slots)
                _enter(top, path, self.slots[path])
        try:
            self.root = Node("Event", tuple(top.values()))
        except ValueError as error:
            names = ", ".join(repr(".".join(path)) for path in self.slots)
            message = f"a field name may hold no quote, backslash or control character ({error}); named are {names}"
            raise ConfigError((Mistake("streams", message),)) from error
        self.event_type: type = self.root.type
        self.document_type: Any = self.root.type | _Anything

    def leaves(self, events: list[Any]) -> list[list[Any]]:
        """One list of n values per path, in the order of `slots`; paths share no list that is written to."""
        found: list[list[Any]] = [[] for _ in self.slots]
        self.root.collect(events, found)
        return found


def _enter(level: dict[str, _Child], path: Path, slot: int) -> None:
    child = level.setdefault(path[0], _Child(path[0], f"f{len(level)}"))
    if len(path) == 1:
        child.slots.append(slot)
    else:
        _enter(child.below, path[1:], slot)
