"""How does a config say in which form events lie in a topic, and where in a record a field stands?"""

from dataclasses import dataclass
from typing import Annotated, Literal

from streamcheck.config.values import Rule, choice_rule, path_parts
from streamcheck.core.plan import HEADERS, KEY, Envelope, Format, Path

EVENT = "$event"
"""First part of a path that begins at the top of the event, whatever stands around its fields."""

_FIELDS_OF: dict[Envelope | None, Path] = {Envelope.CLOUDEVENTS: ("data",), Envelope.DEBEZIUM: ("after",)}
_OWN_ID: dict[Envelope | None, Path] = {
    Envelope.CLOUDEVENTS: ("id",),
    Envelope.CLOUDEVENTS_BINARY: (HEADERS, "ce_id"),
}
_OWN_TIME: dict[Envelope | None, Path] = {
    Envelope.CLOUDEVENTS: ("time",),
    Envelope.CLOUDEVENTS_BINARY: (HEADERS, "ce_time"),
}
_FILES = {Format.AVRO: ("schema",), Format.PROTOBUF: ("descriptor", "message")}
_MEANT = {
    "avro": "Avro, all by one schema and without a registry's prefix.",
    "protobuf": "Protobuf, all of one message and without a registry's prefix.",
    "schema": "A file beside the config with the schema of all records.",
    "descriptor": "A file beside the config, made by protoc --include_imports --descriptor_set_out=FILE.",
    "message": "The full name of the message, such as shop.Prediction.",
}


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """A format as a config names it. file: with the schema of all records; message: which of a Protobuf file's."""

    format: Format
    file: str | None = None
    message: str | None = None


def _format(value: object) -> FormatChoice:
    if isinstance(value, str):
        return FormatChoice(Format(value))
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(value)
    ((name, given),) = value.items()
    keys = _FILES.get(Format(name), ())
    if not keys or not isinstance(given, dict) or set(given) != set(keys):
        raise ValueError(value)
    if not all(isinstance(text, str) and text.strip() and text.isprintable() for text in given.values()):
        raise ValueError(value)
    return FormatChoice(Format(name), given[keys[0]], given.get("message"))


def _parameters(name: str) -> dict[str, object]:
    keys = _FILES[Format(name)]
    given = {
        "type": "object",
        "additionalProperties": False,
        "required": list(keys),
        "properties": {key: {"type": "string", "description": _MEANT[key]} for key in keys},
        "description": _MEANT[name],
    }
    return {"type": "object", "additionalProperties": False, "required": [name], "properties": {name: given}}


FormatName = Annotated[
    FormatChoice,
    Rule(
        _format,
        "expected json, json_schema, avro, protobuf, {avro: {schema: FILE}} or "
        "{protobuf: {descriptor: FILE, message: NAME}}",
        {"anyOf": [{"enum": [*map(str, Format)]}, _parameters("avro"), _parameters("protobuf"), {"pattern": r"\$\{"}]},
        tuple(map(str, Format)),
    ),
]
EnvelopeName = Annotated[Literal["cloudevents", "cloudevents_binary", "debezium"], choice_rule(*map(str, Envelope))]


def located(dotted: str, envelope: str | None) -> Path:
    """Where in a record does a path lead? ValueError for one that leads nowhere.

    >>> located("amount", "debezium"), located("$event.op", "debezium"), located("$headers.ce_id", "cloudevents")
    (('after', 'amount'), ('op',), ('$headers', 'ce_id'))
    """
    parts = path_parts(dotted)
    if parts[0] in (KEY, HEADERS):
        return parts
    if parts[0] == EVENT:
        return parts[1:]
    return (*_FIELDS_OF.get(Envelope(envelope) if envelope else None, ()), *parts)


def own_id(envelope: str | None) -> Path | None:
    """Where an envelope has an id of its own."""
    return _OWN_ID.get(Envelope(envelope)) if envelope else None


def own_time(envelope: str | None) -> Path | None:
    """Where an envelope has a time of its own, in ISO 8601."""
    return _OWN_TIME.get(Envelope(envelope)) if envelope else None
