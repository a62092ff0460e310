"""Protobuf: messages by the descriptor that they were written by.

Paths name fields as the .proto file does. A field that can be absent and is has no value; one that cannot (proto3
without `optional`) has its default, as Protobuf means it. Enums are the names of their values, 64-bit integers exact,
wrappers (DoubleValue …) what they wrap, Struct and maps objects. Bytes, repeated fields and messages are no scalars.
A google.protobuf.Timestamp is an event time, whatever unit the config says.
"""

import math
from base64 import b64decode
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.message import Message

from streamcheck.core.plan import Path, TimeUnit
from streamcheck.runtime.decode.schema_reader import Unusable
from streamcheck.runtime.decode.shape import NOT_SCALAR
from streamcheck.runtime.schemas import WriterSchema

INDEXES_MAX = 32
"""Messages inside messages, to name one; as deep as any that people write."""
FILES_MAX = 1_000

_WELL_KNOWN = (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
_TIMESTAMP, _STRUCT, _VALUE = "google.protobuf.Timestamp", "google.protobuf.Struct", "google.protobuf.Value"
_WRAPPERS = frozenset(f"google.protobuf.{name}" for name in wrappers_pb2.DESCRIPTOR.message_types_by_name)
_SPECIAL = _WRAPPERS | {_STRUCT, _VALUE}
_PLAIN = frozenset((int, str, bool, type(None)))
_PLAIN_OR_FLOAT = _PLAIN | {float}

Values = Sequence[Any]
Step = Callable[[Values], Values]
"""Of n values, n others."""


class ProtobufSchema:
    """The messages of a file, and the paths that are wanted of them. message: the only one that comes, by its name."""

    def __init__(self, pool: Any, file: Any, paths: Sequence[Path], time: Path | None, message: str | None) -> None:
        self._file, self._paths, self._time = file, paths, time
        self._readers: dict[Any, list[tuple[Path, Step]]] = {}
        self._classes: dict[tuple[int, ...], Any] = {}
        self._only = None if message is None else _class(pool.FindMessageTypeByName(message))
        tops = [self._only.DESCRIPTOR] if self._only is not None else list(file.message_types_by_name.values())
        self.unit = TimeUnit.NS if time and any(_ends_in_timestamp(top, time) for top in tops) else None

    def decode(self, payload: bytes) -> Any:
        """One message. Raises whatever its bytes lead to."""
        if self._only is not None:
            return self._only.FromString(payload)
        indexes, at = _indexes(payload)
        if indexes not in self._classes:
            self._classes[indexes] = _class(_message_at(self._file, indexes))
        return self._classes[indexes].FromString(payload[at:])

    def leaves(self, events: Values) -> list[Values]:
        """What each path holds."""
        kinds = list(dict.fromkeys(event.DESCRIPTOR for event in events))
        if len(kinds) < 2:
            return self._alike(kinds[0], events) if kinds else [[] for _ in self._paths]
        found: list[list[Any]] = [[None] * len(events) for _ in self._paths]
        for kind in kinds:
            at = [place for place, event in enumerate(events) if event.DESCRIPTOR is kind]
            for into, values in zip(found, self._alike(kind, [events[each] for each in at]), strict=True):
                for place, value in zip(at, values, strict=True):
                    into[place] = value
        return list(found)

    def _alike(self, kind: Any, events: Values) -> list[Values]:
        """The same of messages of one kind."""
        if kind not in self._readers:
            self._readers[kind] = [self._split(kind, path) for path in self._paths]
        known: dict[Path, Values] = {(): events}
        return [step(_inside(kind, known, outer)) for outer, step in self._readers[kind]]

    def _split(self, kind: Any, path: Path) -> tuple[Path, Step]:
        """The messages that a path leads through, and what reads the rest of it in the last of them."""
        at = 0
        while at < len(path) - 1 and _leads_on(kind, path[at]):
            kind = kind.fields_by_name[path[at]].message_type
            at += 1
        return path[:at], _reader(kind, path[at:], as_time=path == self._time)

    def whole(self, event: Any) -> Any:
        """All of a message."""
        return _whole(event)


def compiled(
    written: WriterSchema, name: str, paths: Sequence[Path], time: Path | None, message: str | None = None
) -> ProtobufSchema:
    """The schema, ready to read by. Raises Unusable."""
    try:
        pool = descriptor_pool.DescriptorPool()
        files = _files(written, message)
        known = {}
        for module in _WELL_KNOWN:
            proto = descriptor_pb2.FileDescriptorProto()
            module.DESCRIPTOR.CopyToProto(proto)
            known[proto.name] = proto
            if proto.name not in {each.name for each in files}:
                pool.Add(proto)
        there = known.keys() | {each.name for each in files}
        for each in files:
            _forget_imports(each, there)
            pool.Add(each)
        file = pool.FindFileByName(files[-1].name)
        return ProtobufSchema(pool, file, paths, time, message)
    except Unusable:
        raise
    except Exception as error:  # whatever a broken descriptor leads to
        hint = f", or has no message {message}" if message is not None else ""
        raise Unusable(f"{name} is no Protobuf descriptor{hint}") from error


def _files(written: WriterSchema, message: str | None) -> list[Any]:
    """The files of a schema, the one with the messages last. A registry's are base64; a file holds a set of them."""
    if message is not None:
        found = list(descriptor_pb2.FileDescriptorSet.FromString(written.content).file)
    else:
        found = []
        for name, content in (*written.references, ("", written.content)):
            proto = descriptor_pb2.FileDescriptorProto.FromString(b64decode(content, validate=True))
            proto.name = name or "the schema itself"
            found.append(proto)
    if not 0 < len(found) <= FILES_MAX:
        raise Unusable("a descriptor without files")
    return found


def _forget_imports(proto: Any, there: set[str]) -> None:
    """Files that nobody has, such as those of options only: where a type is in one, building fails and says so."""
    kept = [name for name in proto.dependency if name in there]
    del proto.dependency[:], proto.public_dependency[:], proto.weak_dependency[:]
    proto.dependency.extend(kept)


def _class(kind: Any) -> Any:
    return message_factory.GetMessageClass(kind)


def _indexes(payload: bytes) -> tuple[tuple[int, ...], int]:
    """Which message of the file it is: its place, and the places of those that it lies in; and where it begins."""
    if payload[:1] == b"\0":
        return (0,), 1
    count, at = _varint(payload, 0)
    if not 0 < count <= INDEXES_MAX:
        raise ValueError("no message is so deep")
    found = []
    for _ in range(count):
        index, at = _varint(payload, at)
        found.append(index)
    return tuple(found), at


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 35:
        byte = payload[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise ValueError("a number that is too long")


def _message_at(file: Any, indexes: tuple[int, ...]) -> Any:
    if min(indexes) < 0:
        raise ValueError("no message before the first")
    kinds = list(file.message_types_by_name.values())
    kind = kinds[indexes[0]]
    for index in indexes[1:]:
        kind = kind.nested_types[index]
    return kind


# ---------------------------------------------------------------------- values
def _ends_in_timestamp(kind: Any, path: Path) -> bool:
    field = kind.fields_by_name.get(path[0])
    if field is None or field.message_type is None or field.is_repeated:
        return False
    if len(path) > 1:
        return _ends_in_timestamp(field.message_type, path[1:])
    return bool(field.message_type.full_name == _TIMESTAMP)


def _leads_on(kind: Any, name: str) -> bool:
    """Whether a field is a message whose fields paths name."""
    field = kind.fields_by_name.get(name)
    if field is None or field.is_repeated or field.message_type is None:
        return False
    return field.message_type.full_name not in _SPECIAL


def _inside(kind: Any, known: dict[Path, Values], path: Path) -> Values:
    """The messages at a path; those on the way there are kept for others."""
    if path not in known:
        known[path] = _present(_field(kind, path))(_inside(kind, known, path[:-1]))
    return known[path]


def _field(kind: Any, path: Path) -> Any:
    for name in path[:-1]:
        kind = kind.fields_by_name[name].message_type
    return kind.fields_by_name[path[-1]]


def _reader(kind: Any, path: Path, *, as_time: bool) -> Step:  # noqa: PLR0911 - a case each
    """What gives the values at a path of messages of this kind (None among them: where there is none)."""
    field = kind.fields_by_name.get(path[0])
    if field is None:
        return _nothing
    step = _present(field)
    inner = field.message_type
    if _is_map(field):
        return _then(step, _below_map(field, path[1:]))
    if field.is_repeated:
        return _then(step, _no_scalar)
    if inner is None:
        return _then(step, _scalars(field) if len(path) == 1 else _no_scalar)
    if inner.full_name in (_STRUCT, _VALUE):
        return _then(step, lambda values: [_walked(value, path[1:]) for value in values])
    if inner.full_name in _WRAPPERS:
        unwrapped = _then(step, lambda values: [None if value is None else _scalar(value.value) for value in values])
        return unwrapped if len(path) == 1 else _then(unwrapped, _no_scalar)
    if len(path) == 1:
        return _then(step, _nanoseconds if as_time and inner.full_name == _TIMESTAMP else _no_scalar)
    return _then(step, _reader(inner, path[1:], as_time=as_time))


def _then(first: Step, second: Step) -> Step:
    return lambda values: second(first(values))


def _nothing(values: Values) -> Values:
    return [None] * len(values)


def _no_scalar(values: Values) -> Values:
    return [None if value is None else NOT_SCALAR for value in values]


def _present(field: Any) -> Step:
    """The values of a field."""
    name = field.name
    get = attrgetter(name)
    if not field.has_presence:
        return lambda values: [None if value is None else get(value) for value in values]
    return lambda values: [get(value) if value is not None and value.HasField(name) else None for value in values]


def _scalars(field: Any) -> Step:
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda values: [names.get(value, value) for value in values]
    return _plain


def _plain(values: Values) -> Values:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return values
    if kinds <= _PLAIN_OR_FLOAT:
        return [value if value == value else math.inf for value in values]  # noqa: PLR0124 - NaN
    return [_scalar(value) for value in values]


def _scalar(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return math.inf if value != value else value  # noqa: PLR0124 - NaN, which is no absent number here
    return NOT_SCALAR


def _nanoseconds(values: Values) -> Values:
    return [None if value is None else value.seconds * 10**9 + value.nanos for value in values]


def _is_map(field: Any) -> bool:
    return bool(field.is_repeated and field.message_type is not None and field.message_type.GetOptions().map_entry)


def _below_map(field: Any, path: Path) -> Step:
    """What stands below one key of a map of texts."""
    entry = field.message_type.fields_by_name
    if not path or entry["key"].type != entry["key"].TYPE_STRING:
        return _no_scalar
    value_field = entry["value"]

    def values_of(maps: Values) -> Values:
        return [None if each is None or path[0] not in each else each[path[0]] for each in maps]

    if value_field.message_type is not None:
        below = path[1:]
        return _then(values_of, _reader(value_field.message_type, below, as_time=False) if below else _no_scalar)
    return _then(values_of, _scalars(value_field) if len(path) == 1 else _no_scalar)


def _walked(value: Any, path: Path) -> Any:
    """What stands at a path of a Struct or a Value."""
    for name in path:
        value = _opened(value)
        if value is None:
            return None
        if not isinstance(value, Message) or value.DESCRIPTOR.full_name != _STRUCT:
            return NOT_SCALAR
        value = value.fields.get(name)  # type: ignore[attr-defined]  # a Struct has them
    found = _opened(value)
    return NOT_SCALAR if isinstance(found, Message) else _scalar(found)


def _opened(value: Any) -> Any:
    """What a Value holds; anything else as it is."""
    if not isinstance(value, Message) or value.DESCRIPTOR.full_name != _VALUE:
        return value
    kind = value.WhichOneof("kind")
    return None if kind in (None, "null_value") else getattr(value, kind)


def _whole(message: Any) -> Any:
    """A message as JSON would have it, 64-bit integers as numbers, times in ns."""
    message = _opened(message)
    name = message.DESCRIPTOR.full_name if isinstance(message, Message) else None
    if name is None:
        return _scalar(message)
    if name == _STRUCT:
        return {key: _whole(message.fields[key]) for key in message.fields}
    if name == _TIMESTAMP:
        return _nanoseconds([message])[0]
    if name in _WRAPPERS:
        return _scalar(message.value)
    return {field.name: _whole_of(field, value) for field, value in message.ListFields()}


def _whole_of(field: Any, value: Any) -> Any:
    if _is_map(field):
        inner = field.message_type.fields_by_name["value"].message_type
        return {str(key): _whole(value[key]) if inner is not None else _scalar(value[key]) for key in value}
    if field.is_repeated:
        return list(NOT_SCALAR)
    if field.message_type is not None:
        return _whole(value)
    return _scalars(field)([value])[0]
