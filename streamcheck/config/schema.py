"""What does an editor need to know about configs? The JSON Schema, components and parameters from the registry."""

from typing import Any

from streamcheck.config.kafka_options import (
    ALLOW_PLAINTEXT_SASL,
    CAREFUL_CLIENT,
    CLIENT,
    CLIENTS,
    COUNT,
    OPTIONS,
    OWNED,
    PROTOCOLS,
    SERVERS,
    SWITCH,
)
from streamcheck.config.models import Config
from streamcheck.config.values import budget_text, duration_text, size_text
from streamcheck.core.components import Param, components
from streamcheck.core.plan import Budget

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE = {"type": "string", "pattern": r"\$\{"}
"""Any value may come from the environment."""
_JSON_TYPES: dict[type, str] = {float: "number", int: "integer", bool: "boolean", str: "string"}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config (draft 2020-12)."""
    schema: dict[str, Any] = _resolve(Config.model_json_schema(by_alias=True))
    schema["$defs"] |= {family: _choice(family) for family in ("detector", "measure")}
    schema["properties"]["kafka"] = {**_kafka(), "description": schema["properties"]["kafka"]["description"]}
    for name, shorthand in (("Reference", {"const": "auto"}), ("Feature", {"enum": ["numeric", "categorical"]})):
        schema["$defs"][name] = {"anyOf": [shorthand, schema["$defs"][name]]}
    return {"$schema": DIALECT, **schema}


def _resolve(part: Any) -> Any:
    """Write defaults as a config would, and point components to their definitions."""
    if isinstance(part, list):
        return [_resolve(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: _resolve(value) for key, value in part.items() if key not in ("x-unit", "x-family", "title")}
    made = _with_default(made, part.get("x-unit"))
    if "x-family" in part:
        made["$ref"] = f"#/$defs/{part['x-family']}"
    return made


def _with_default(made: dict[str, Any], unit: str | None) -> dict[str, Any]:
    default = made.get("default")
    if isinstance(default, int) and unit is not None:
        made["default"] = duration_text(default) if unit == "ms" else size_text(default)
    elif isinstance(default, Budget):
        made["default"] = budget_text(default)
    elif isinstance(default, list | tuple) and len(default) == 2:
        made["default"] = ":".join(map(str, default))
    elif "default" in made and default is None:
        del made["default"]
    return made


def _choice(family: str) -> dict[str, Any]:
    """A component by name, or a mapping of its name to `auto` or its parameters."""
    known = components(family)
    named = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": [name],
            "properties": {
                name: {"anyOf": [{"enum": ["auto", None]}, _params(cls.params)], "description": _summary(cls)}
            },
        }
        for name, cls in known.items()
    ]
    return {"anyOf": [{"enum": list(known)}, *named, VARIABLE]}


def _params(params: tuple[Param, ...]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {p.name: param_schema(p) for p in params}}


def param_schema(param: Param) -> dict[str, Any]:
    """One declared parameter of a component.

    >>> param_schema(Param("delta", float, 0.002, "Confidence.", gt=0, lt=1))["anyOf"][0]["exclusiveMaximum"]
    1
    """
    bounds = {"exclusiveMinimum": param.gt, "minimum": param.ge, "exclusiveMaximum": param.lt, "maximum": param.le}
    texts = {"type": ["string", "integer"]}
    kind: dict[str, Any] = (
        {"anyOf": [texts, {"type": "array", "items": texts, "minItems": 1}]}
        if param.type is tuple
        else {"type": _JSON_TYPES[param.type], **{k: v for k, v in bounds.items() if v is not None}}
    )
    if param.choices:
        kind["enum"] = list(param.choices)
    alternatives = [kind, VARIABLE] + ([{"type": "null"}] if param.nullable else [])
    default = list(param.default) if isinstance(param.default, tuple) else param.default
    return {"anyOf": alternatives, "description": param.doc, "default": default}


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _kafka() -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        COUNT: {"anyOf": [{"type": "integer", "minimum": -1}, VARIABLE]},
        SWITCH: {"anyOf": [{"type": "boolean"}, VARIABLE]},
        SERVERS: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    }
    options = {name: kinds.get(kind, {"type": "string"}) for name, kind in OPTIONS.items()}
    options["security_protocol"] = {"anyOf": [{"enum": list(PROTOCOLS)}, VARIABLE]}
    options[ALLOW_PLAINTEXT_SASL] = {
        "type": "boolean",
        "description": "Allow SASL_PLAINTEXT: passwords travel in the open.",
    }
    options[CLIENT] = {
        "anyOf": [{"enum": list(CLIENTS)}, VARIABLE],
        "default": CAREFUL_CLIENT,
        "description": "Who reads the topics; confluent takes the extra streamcheck[fast] (docs/security.md).",
    }
    assert not OWNED.keys() & options.keys(), "an option is either the user's or streamcheck's own"
    return {"type": "object", "additionalProperties": False, "required": ["bootstrap_servers"], "properties": options}
