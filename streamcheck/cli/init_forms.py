"""In which form do sampled records hold events: plain, by a schema, in an envelope, with keys and headers?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from streamcheck.adapters.kafka.sample import Taken
from streamcheck.config.guess import Sample
from streamcheck.core.plan import Envelope, Format, Path
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.decode.framing import PREFIX_BYTES
from streamcheck.runtime.decode.json_reader import WRAPPER
from streamcheck.runtime.decode.parser import Refusal
from streamcheck.runtime.decode.schema_reader import Compiled, Unusable, decoded, module
from streamcheck.runtime.schemas import Registry

Event = Mapping[str, Any]
Headings = Sequence[tuple[str, bytes | None]]
_JSON = msgspec.json.Decoder()
_ROWS, _DELETE = ("c", "u", "r"), "d"
_NOT_FIELDS = ("ce_", "__", "traceparent", "tracestate", "b3")
"""How headers begin that say nothing about the event: attributes of an envelope, traces, what serializers leave."""


class RegistryNeeded(StreamcheckError):  # noqa: N818 - a fact about an input
    """The records can be read with their schemas only."""


def sample(name: str, taken: Taken, registry: Registry | None) -> Sample:
    """What of the records are events, in whatever form. Raises RegistryNeeded, SourceError."""
    form, read = _reading(name, taken.values, registry)
    found = [read(value) if value is not None else None for value in taken.values]
    key_format, keys = _keys(taken.keys, registry)
    envelope = _envelope([each for each in found if each is not None], taken.headers)
    events: list[Event] = []
    arrivals, partitions, gone = [], [], 0
    for at, (event, stamp, partition) in enumerate(zip(found, taken.timestamps, taken.partitions, strict=True)):
        opened = None if event is None else _opened(event, envelope)
        if opened is None:
            gone += taken.values[at] is None or event is not None
            continue
        events.append(_with_metadata(opened, keys[at] if keys else None, taken.headers[at : at + 1], envelope))
        arrivals.append(stamp)
        partitions.append(partition)
    unreadable = taken.unreadable + len(taken.values) - len(events) - gone
    return Sample(name, _without_copies(events), arrivals, partitions, unreadable, form, envelope, key_format)


# ---------------------------------------------------------------------- formats
def _reading(
    name: str, values: Sequence[bytes | None], registry: Registry | None
) -> tuple[Format | None, Callable[[bytes], Event | None]]:
    there = [value for value in values if value is not None]
    prefixed = [value for value in there if value[:1] == b"\0" and len(value) > PREFIX_BYTES]
    if not there or 2 * len(prefixed) < len(there):
        return None, _object
    if 2 * sum(value[PREFIX_BYTES : PREFIX_BYTES + 1] == b"{" for value in prefixed) > len(prefixed):
        return Format.JSON_SCHEMA, lambda value: _object(value[PREFIX_BYTES:])
    if registry is None:
        raise RegistryNeeded(
            f"{name}: the records are written by schemas (Avro or Protobuf); say where these are: "
            "--registry http://HOST:8081"
        )
    schemas = _Schemas(registry)
    kinds = [kind for value in prefixed if (kind := schemas.of(value)[0]) is not None]
    if not kinds:
        raise RegistryNeeded(f"{name}: the registry knows none of the schemas that the records are written by")
    return max(kinds, key=kinds.count), schemas.read


class _Schemas:
    """Schemas by number, as far as they are of use. paths: (()) where they may be of one value, as keys' may."""

    def __init__(self, registry: Registry, paths: Sequence[Path] = ()) -> None:
        self._registry, self._paths = registry, paths
        self._known: dict[int, tuple[Format | None, Compiled | None]] = {}

    def of(self, value: bytes) -> tuple[Format | None, Compiled | None]:
        """Format and schema of a record."""
        number = int.from_bytes(value[1:PREFIX_BYTES], "big")
        if number not in self._known:
            self._known[number] = self._asked(number)
        return self._known[number]

    def _asked(self, number: int) -> tuple[Format | None, Compiled | None]:
        written = self._registry.schema(number)
        if written is None or written.kind.lower() not in (Format.AVRO, Format.PROTOBUF):
            return None, None
        format_ = Format(written.kind.lower())
        try:
            return format_, module(format_).compiled(written, f"schema {number}", self._paths, None, None)
        except Unusable:
            return format_, None

    def read(self, value: bytes) -> Event | None:
        """The event of a record, None where it holds none."""
        found = self.value(value)
        return found if isinstance(found, dict) else None

    def value(self, value: bytes) -> Any:
        """Whatever it is that was written, None where that cannot be read."""
        compiled = self.of(value)[1] if value[:1] == b"\0" and len(value) >= PREFIX_BYTES else None
        event = decoded(compiled, value[PREFIX_BYTES:]) if compiled is not None else Refusal("")
        if compiled is None or type(event) is Refusal:
            return None
        return compiled.whole(event)


def _object(value: bytes) -> Event | None:
    try:
        found = _JSON.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # counted as unreadable
    return found if isinstance(found, dict) else None


# ---------------------------------------------------------------------- envelopes
def _envelope(events: Sequence[Event], headers: Sequence[Sequence[tuple[str, bytes | None]]]) -> Envelope | None:
    """The one that most events are in."""
    if 2 * sum(any(name == "ce_specversion" for name, _ in each) for each in headers) > len(headers):
        return Envelope.CLOUDEVENTS_BINARY
    if 2 * sum(_change(event) is not None for event in events) > len(events):
        return Envelope.DEBEZIUM
    structured = (isinstance(e.get("specversion"), str) and "type" in e and "id" in e and "source" in e for e in events)
    return Envelope.CLOUDEVENTS if 2 * sum(structured) > len(events) else None


def _change(event: Event) -> Event | None:
    """The change of a row that Debezium tells."""
    for inner in (event, event.get(WRAPPER)):
        if isinstance(inner, dict) and inner.get("op") in (*_ROWS, _DELETE) and ("after" in inner or "before" in inner):
            return inner
    return None


def _opened(event: Event, envelope: Envelope | None) -> Event | None:
    """The fields of an event, and `$event` with what stands around them; None where there are none."""
    outer, inner = event, None
    if envelope is Envelope.DEBEZIUM:
        outer = _change(event) or {}
        inner = outer.get("after")
    elif envelope is Envelope.CLOUDEVENTS:
        inner = event.get("data")
    else:
        return event
    if not isinstance(inner, dict):
        return None
    around = {name: value for name, value in outer.items() if not isinstance(value, dict | list)}
    return {**inner, "$event": around}


# ---------------------------------------------------------------------- keys and headers
def _keys(keys: Sequence[bytes | None], registry: Registry | None) -> tuple[Format | None, list[Any]]:
    """How keys are written, None for as text or JSON, and what they are; None for those that cannot be read."""
    there = [key for key in keys if key is not None]
    prefixed = [key for key in there if key[:1] == b"\0" and len(key) > PREFIX_BYTES]
    if not there or 2 * len(prefixed) < len(there):
        return None, [_plain_key(key) for key in keys]
    if 2 * sum(key[PREFIX_BYTES : PREFIX_BYTES + 1] in (b"{", b'"') for key in prefixed) > len(prefixed):
        return Format.JSON_SCHEMA, [None if key is None else _document(key[PREFIX_BYTES:]) for key in keys]
    if registry is None:
        return None, []
    schemas = _Schemas(registry, ((),))
    kinds = [kind for key in prefixed if (kind := schemas.of(key)[0]) is not None]
    if not kinds:
        return None, []
    found = [None if key is None else schemas.value(key) for key in keys]
    return max(kinds, key=kinds.count), [None if isinstance(value, list) else value for value in found]


def _plain_key(key: bytes | None) -> Any:
    text = _text(key)
    fields = _object(text.encode()) if text else None
    return text if fields is None else fields


def _document(key: bytes) -> Any:
    try:
        found = _JSON.decode(key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if isinstance(found, list) else found


def _with_metadata(event: Event, key: Any, headings: Sequence[Headings], envelope: Envelope | None) -> Event:
    more: dict[str, Any] = {}
    if key is not None and key != "":
        more["$key"] = key
    own = ("ce_id", "ce_time", "ce_type", "ce_source") if envelope is Envelope.CLOUDEVENTS_BINARY else ()
    headers = {
        name: _text(value)
        for name, value in (headings[0] if headings else ())
        if name and (name in own or not name.startswith(_NOT_FIELDS))
    }
    if headers:
        more["$headers"] = headers
    return {**event, **more}


def _without_copies(events: list[Event]) -> list[Event]:
    """A key that says what a field of the event says is left out, and so is one that only few have."""
    keys = [event.get("$key") for event in events]
    names = {name for event in events for name in event if not name.startswith("$")}
    copied = any(all(str(event.get(name)) == key for event, key in zip(events, keys, strict=True)) for name in names)
    if not copied and sum(key is not None for key in keys) == len(events):
        return events
    return [{name: value for name, value in event.items() if name != "$key"} for event in events]


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
