"""What is wrong with a config's structure, in plain words, and what is left of it once the wrong parts are set aside?

A model is built of what is right, so that names and combinations can be checked in the same run.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from streamcheck.config.document import Document, Findings, Path
from streamcheck.config.models import Config
from streamcheck.core.components import nearest

ROUNDS_MAX = 12
"""Setting aside one layer of mistakes may bring up the next; the config's models are five layers deep."""

PLACEHOLDERS: dict[str, Any] = {
    "version": 1,
    "name": "unnamed",
    "streams": {"predictions": {"topic": "unnamed"}},
    "predictions": {"topic": "unnamed"},
    "topic": "unnamed",
    "id": "id",
    "label": "label",
    "value": "value",
    "prediction": "prediction",
    "kind": "numeric",
    "on": ["volume"],
    "url": "http://unnamed",
    "smtp": "unnamed:25",
    "sender": "unnamed@unnamed",
    "to": "unnamed@unnamed",
    "after": "30m",
}
"""What stands in for required settings that are missing or wrong, so that the rest can be checked."""

REFERENCES = "auto, {first: 1h}, {rolling: 7d}, {season: hour_of_week, over: 4w} or {profile: FILE}"


@dataclass(frozen=True, slots=True)
class Usable:
    """A config made of the right parts of a file. unsure: paths missing or wrong, of which nothing may be said."""

    config: Config
    unsure: tuple[Path, ...]

    def sure(self, *path: str | int) -> bool:
        """Whether nothing at, above or below the path was wrong."""
        return self.sound(*path) and not any(bad[: len(path)] == path for bad in self.unsure)

    def sound(self, *path: str | int) -> bool:
        """Whether nothing at or above the path was wrong; single parts of it may have been."""
        return not any(path[: len(bad)] == bad for bad in self.unsure)


def build_config(document: Document, findings: Findings) -> Usable | None:
    """The config, every structural mistake in `findings`; None where nothing can be made of the file."""
    if not isinstance(document.data, dict):
        findings.mistake((), f"expected settings such as version: 1, got {document.shown(())}")
        return None
    data = copy.deepcopy(document.data)
    unsure: list[Path] = list(document.unset)
    for _ in range(ROUNDS_MAX):
        try:
            return Usable(Config.model_validate(data), tuple(unsure))
        except ValidationError as error:
            broken = error.errors(include_url=False, include_input=False)
        _report(document, findings, broken, unsure)
        for part in broken:
            path = _set_aside(data, part["loc"], missing=part["type"] == "missing")
            unsure.append(path)
    return None


_TOPIC = ", such as topic: NAME"
SUCH_AS = dict.fromkeys(("alerts", "journal", "dead_letter", "late"), _TOPIC) | {
    "features": ", such as amount: numeric",
    "kafka": ", such as bootstrap_servers: localhost:9092",
}
"""What may be meant where a section is written as one value."""


def _report(document: Document, findings: Findings, broken: list[Any], unsure: list[Path]) -> None:
    """Put pydantic's errors into words, but for what follows from parts set aside earlier."""
    likely = {
        (*p["loc"][:-1], nearest(str(p["loc"][-1]), keys_at(p["loc"][:-1])))
        for p in broken
        if p["type"] == "extra_forbidden"
    }
    for part in broken:
        path: Path = part["loc"]
        if any(path[: len(bad)] == bad for bad in unsure):
            continue
        if part["type"] == "missing":
            if path not in likely:
                findings.mistake(path, f"{path[-1]} is missing" + _purpose(path))
        elif part["type"] == "extra_forbidden":
            known = keys_at(path[:-1])
            findings.mistake(path, f"unknown key; known here: {', '.join(known)}", nearest(str(path[-1]), known))
        else:
            place = document.known_part(path)
            example = SUCH_AS.get(str(path[-1]), "") if path else ""
            expected = part.get("ctx", {}).get("expected") or f"expected a mapping of settings (key: value{example})"
            if part["type"] in ("tuple_type", "list_type"):
                expected = "expected a list"
            shown = document.shown(place)
            choices = () if document.varies(place) else part.get("ctx", {}).get("choices", ())
            if part["type"] == "model_type" and path and path[-1] == "reference":
                expected, choices = f"expected {REFERENCES}", choices or ("auto",)
            findings.mistake(place, f"{expected}, got {shown}", nearest(shown.strip("'"), choices))


def _purpose(path: Path) -> str:
    section = section_at(path[:-1])
    field = {f.alias or name: f for name, f in section.model_fields.items()}.get(str(path[-1])) if section else None
    return f": {field.description}" if field and field.description else ""


def _set_aside(data: Any, path: Path, *, missing: bool) -> Path:
    """Take the wrong part out of the data, or put a placeholder in for what is missing; gives the path concerned."""
    holder: Any = data
    at = 0
    while at < len(path) - 1:
        part: Any = path[at]
        inner = holder.get(part) if isinstance(holder, dict) else holder[part]
        if not isinstance(inner, dict | list):
            break
        holder, at = inner, at + 1
    here: Path = path[: at + 1]
    key: Any = path[at]
    if missing and at == len(path) - 1:
        holder[key] = copy.deepcopy(PLACEHOLDERS[str(key)])
    elif isinstance(holder, list):
        holder[key] = {"on": ["volume"]}
    else:
        del holder[key]
    return here


def section_at(path: Path) -> type[BaseModel] | None:
    """Which model describes the mapping at this path; None where it is a free one (features, kafka, parameters)."""
    section: type[BaseModel] | None = Config
    inside: list[type[BaseModel]] = []
    for part in path:
        if section is None:
            # An item of a list, or a key of a free mapping: its model is the one the annotation names.
            section, inside = (inside[0] if inside else None), []
            continue
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        field = fields.get(str(part))
        if field is None:
            return None
        models = list(_models(field.annotation))
        repeated = any(origin in str(field.annotation) for origin in ("tuple[", "dict["))
        section, inside = (None, models) if repeated or not models else (models[0], [])
    return section


def keys_at(path: Path) -> tuple[str, ...]:
    """The keys that a config may use at this path.

    >>> keys_at(("journal",))
    ('topic',)
    """
    section = section_at(path)
    return tuple(field.alias or name for name, field in section.model_fields.items()) if section else ()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
