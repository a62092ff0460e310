"""What do small YAML files beside a config say (incidents, scenarios)? All mistakes at once, with their lines.

A form is a table of keys, each with the rule for its value. Environment variables are not filled in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from streamcheck.config.document import TEXT_BYTES_MAX, Document, Findings, Path, Unreadable, path_text, read
from streamcheck.config.values import OutOfBoundsError, Rule
from streamcheck.core.components import nearest
from streamcheck.errors import ConfigError, Mistake


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a form. rule: of its value; default: where it is left out and not required."""

    rule: Rule
    required: bool = False
    default: Any = None


Form = Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form holds. given: the keys that the file has; wrong: those whose value cannot be used."""

    values: Mapping[str, Any]
    given: frozenset[str]
    wrong: frozenset[str]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def read_form(path: str | FilePath, whole: Callable[[Findings], Any]) -> Any:
    """What `whole` makes of a file. Raises ConfigError with every mistake that it found."""
    source = str(path)
    try:
        with FilePath(path).open("rb") as file:
            text = file.read(TEXT_BYTES_MAX + 1).decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror or type(error).__name__}", source) from None
    except UnicodeDecodeError:
        raise _unreadable("is not UTF-8 text", source) from None
    return parse_form(text, whole, source)


def parse_form(text: str, whole: Callable[[Findings], Any], source: str = "text") -> Any:
    """The same of a text."""
    try:
        document = read(text, lambda scalar: (scalar, ()))
    except Unreadable as error:
        raise ConfigError((Mistake(path_text(error.path), error.message, error.line),), source) from None
    findings = Findings(document)
    findings.add(document.mistakes)
    made = whole(findings)
    if findings.mistakes:
        raise ConfigError(findings.mistakes, source)
    return made


def _unreadable(message: str, source: str) -> ConfigError:
    return ConfigError((Mistake("(the file)", message),), source)


def fill(findings: Findings, path: Path, form: Form) -> Filled:
    """The values at a path, by the form; what is wrong is in the findings, and stands as its default."""
    document = findings.document
    data = value_at(document, path)
    if not isinstance(data, dict):
        findings.mistake(path, f"expected a mapping with {', '.join(form)}, got {document.shown(path)}")
        return Filled({name: key.default for name, key in form.items()}, frozenset(), frozenset(form))
    values: dict[str, Any] = {}
    wrong: set[str] = set()
    unknown = [name for name in data if name not in form]
    likely = {nearest(name, tuple(form)) for name in unknown}
    for name in unknown:
        findings.mistake((*path, name), f"unknown key; known here: {', '.join(form)}", nearest(name, tuple(form)))
    for name, key in form.items():
        values[name] = key.default
        if name in data:
            here = (*path, name)
            found = checked(findings, here, data[name], key.rule)
            if found is WRONG:
                wrong.add(name)
            else:
                values[name] = found
        elif key.required:
            wrong.add(name)
            if name not in likely:
                findings.mistake((*path, name), f"{name} is missing: {key.rule.expected}")
    return Filled(values, frozenset(data) & frozenset(form), frozenset(wrong))


WRONG = object()
"""Stands for a value that cannot be used; why is in the findings."""


def checked(findings: Findings, path: Path, value: object, rule: Rule) -> Any:
    """The value by its rule; WRONG, and a mistake, where it breaks it."""
    try:
        return rule.parse(value)
    except (ValueError, OverflowError, TypeError) as error:
        document = findings.document
        expected = str(error) if isinstance(error, OutOfBoundsError) else rule.expected
        shown = document.shown(path)
        findings.mistake(path, f"{expected}, got {shown}", nearest(shown.strip("'"), rule.choices))
        return WRONG


def value_at(document: Document, path: Path) -> Any:
    """What the file holds at a path that it has."""
    value = document.data
    for part in path:
        value = value[part]
    return value


def listed(value: object) -> list[Any]:
    """A rule's parser for lists that are looked into later."""
    if not isinstance(value, list):
        raise ValueError(value)
    return value


def mapped(value: object) -> dict[str, Any]:
    """The same for mappings."""
    if not isinstance(value, dict):
        raise ValueError(value)
    return value


def texts(value: object) -> tuple[str, ...]:
    """One text or several."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(text, str) and text.strip() for text in found):
        raise ValueError(value)
    return tuple(found)
