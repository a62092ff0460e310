"""What does a YAML text say, and on which line? Read from the parser's events: no objects, no guesses, many limits.

Scalars follow YAML 1.2: only true and false are booleans (`on` and `NO` are texts), times stay texts.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from streamcheck.core.components import nearest
from streamcheck.errors import Mistake

Path = tuple[str | int, ...]
Substitute = Callable[[str], tuple[str, tuple[str, ...]]]
"""Replaces `${NAME}` in a text; gives the new text and the names of variables that are not set."""

TEXT_BYTES_MAX = 1_048_576
"""A config is written by hand; the largest sensible one (1,000 features) has about 100 KiB."""
DEPTH_MAX = 32
NODES_MAX = 100_000
"""Counted after aliases are followed: a "billion laughs" ends early. TEXT_BYTES_MAX holds about as many scalars."""
ALIASES_MAX = 200
SHOWN_CHARACTERS_MAX = 80
KNOWN_MAX = 60
"""Names that a message lists; the nearest one is suggested whatever their number."""

_TOO_DEEP = f"nested more than {DEPTH_MAX} deep"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_CONSTANTS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}


class Unreadable(Exception):  # noqa: N818 -- a signal to the loader, which makes it a ConfigError
    """The text is no YAML that a config can be; carries the one mistake."""

    def __init__(self, message: str, line: int | None = None, path: Path = ()) -> None:
        self.message, self.line, self.path = message, line, path
        super().__init__(message)


def path_text(path: Path) -> str:
    """How do people write this path?

    >>> path_text(("monitors", 2, "alert", "for"))
    'monitors[2].alert.for'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "(the file)"


@dataclass(slots=True)
class Document:
    """A config file's content and where each part of it stands.

    data: with environment variables substituted; written: as in the file; places: (line, column) of each key or item;
    substituted, unset: paths of scalars that hold variables, and of those whose variables are not all set.
    """

    data: Any
    written: Any
    places: dict[Path, tuple[int, int]]
    substituted: list[Path] = field(default_factory=list)
    unset: list[Path] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def has(self, path: Path) -> bool:
        """Whether the file says anything at this path, be it wrong."""
        return path in self.places

    def known_part(self, path: Path) -> Path:
        """The longest beginning of the path that the file has."""
        while path and path not in self.places:
            path = path[:-1]
        return path

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of the path, or of the nearest thing around it."""
        return self.places.get(self.known_part(path), (1, 0))

    def mistake(self, path: Path, message: str, suggestion: str | None = None) -> Mistake:
        """A mistake at a path, with its line."""
        return Mistake(path_text(path), message, self.place(path)[0], suggestion)

    def at(self, path: Path) -> Any:
        """The value at a path as the file writes it; the path must be there."""
        value = self.written
        for part in path:
            value = value[part]
        return value

    def shown(self, path: Path) -> str:
        """The value at the path as the file writes it (never what a variable holds), short enough for a message."""
        value = self.at(path)
        if value is None:
            return "nothing"
        if isinstance(value, dict):
            return (
                f"a mapping with {', '.join(list(value)[:3])}" + (" …" if len(value) > 3 else "")
                if value
                else "an empty mapping"
            )
        if isinstance(value, list):
            return f"a list of {len(value)}"
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"

    def unfilled(self, text: str) -> str:
        """The text with what variables filled in put back to `${NAME}`; for lists of names that a config made up."""
        for path in self.substituted:
            filled = self.data
            for part in path:
                filled = filled[part]
            text = text.replace(filled, self.at(path)) if filled else text
        return text

    def varies(self, path: Path) -> bool:
        """Whether anything at or below the path came from an environment variable."""
        return any(place[: len(path)] == path for place in self.substituted)


def read(text: str, substitute: Substitute) -> Document:
    """The document, or Unreadable where the text is no YAML, has several documents, or breaks a limit."""
    if len(text.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
        raise Unreadable(f"the file is larger than {TEXT_BYTES_MAX // 1024} KiB")
    reader = _Reader(substitute)
    try:
        events = _content(yaml.parse(text, Loader=_LOADER))
        first = next(events, None)
        if first is None:
            raise Unreadable("the file is empty; a config begins with version: 1")
        data, written = reader.node(first, events, ())
        if next(events, None) is not None:
            raise Unreadable("the file holds several YAML documents; a config is one")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "maximum nesting depth" in (error.problem or ""):  # libyaml's own limit: its scanner runs ahead of ours
            raise Unreadable(_TOO_DEEP, mark.line + 1 if mark else None) from None
        if "expected ':'" in (error.problem or ""):
            mark = error.context_mark or mark  # where the key stands that lacks it
        hint = _hint(text, mark.line, error.problem or "") if mark else ""
        problem = f"not valid YAML: {error.problem or error.context}{hint}"
        raise Unreadable(problem, mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise Unreadable("not valid YAML: it contains a character that YAML does not allow") from None
    kept = [path for path in reader.substituted if _reaches(data, path)]
    return Document(data, written, reader.places, kept, reader.unset, reader.mistakes())


def _hint(text: str, number: int, problem: str) -> str:
    """What may be meant in a line (from 0) that cannot be read."""
    if _has_variable(text, number):
        return "; inside { } and [ ] a ${NAME} needs quotes"
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "; indent with spaces, not with tabs"
    return "; a key takes a colon and a blank, as in name: payments" if "expected ':'" in problem else ""


def _reaches(data: Any, path: Path) -> bool:
    """Whether the path is part of the data (keys written twice and merge keys are not)."""
    for part in path:
        if isinstance(data, dict) and part not in data:
            return False
        data = data[part]
    return True


def _has_variable(text: str, line: int) -> bool:
    return "${" in "".join(text.splitlines()[line : line + 1])


def _content(events: Iterator[Any]) -> Iterator[Any]:
    return (
        e
        for e in events
        if not isinstance(
            e, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent
        )
    )


@dataclass(slots=True)
class _Reader:
    """Makes values of parser events; recursion is bounded by DEPTH_MAX."""

    substitute: Substitute
    places: dict[Path, tuple[int, int]] = field(default_factory=lambda: {(): (1, 0)})
    substituted: list[Path] = field(default_factory=list)
    unset: list[Path] = field(default_factory=list)
    found: list[tuple[Path, tuple[int, int], str]] = field(default_factory=list)
    anchors: dict[str, list[Any]] = field(default_factory=dict)
    recording: list[list[Any]] = field(default_factory=list)
    nodes: int = 0
    aliases: int = 0

    def mistakes(self) -> list[Mistake]:
        return [Mistake(path_text(path), message, place[0]) for path, place, message in self.found]

    def next(self, events: Iterator[Any]) -> Any:
        """The next event; every anchor that is being read keeps a copy of it for its aliases."""
        event = next(events)
        for record in self.recording:
            record.append(event)
        return event

    def node(self, event: Any, events: Iterator[Any], path: Path) -> tuple[Any, Any]:
        """One value: as substituted, as written."""
        line = event.start_mark.line + 1
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise Unreadable(f"more than {NODES_MAX:,} values (aliases counted where they are used)", line)
        if len(path) > DEPTH_MAX:
            raise Unreadable(_TOO_DEEP, line)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        if event.tag is not None and event.tag != "!":
            self.found.append((path, (line, 0), "tags such as !!str are not used here; write the plain value"))
        if event.anchor is None:
            return self.content(event, events, path)
        record = [event]
        self.recording.append(record)
        made = self.content(event, events, path)
        self.recording.pop()
        self.anchors[event.anchor] = record
        return made

    def content(self, event: Any, events: Iterator[Any], path: Path) -> tuple[Any, Any]:
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path)
        return self.mapping(events, path)

    def alias(self, event: Any, path: Path) -> tuple[Any, Any]:
        """The anchored events once more, under the alias's own path."""
        self.aliases += 1
        if self.aliases > ALIASES_MAX:
            raise Unreadable(f"more than {ALIASES_MAX} aliases", event.start_mark.line + 1)
        if event.anchor not in self.anchors:
            raise Unreadable(
                f"the alias *{event.anchor} refers to nothing complete before it", event.start_mark.line + 1
            )
        recorded = self.anchors[event.anchor]
        outer, self.recording = self.recording, []
        copy = iter(recorded)
        first = next(copy)
        made = self.content(first, copy, path)
        self.recording = outer
        return made

    def scalar(self, event: Any, path: Path) -> tuple[Any, Any]:
        text = event.value
        if "${" not in text:
            value = resolve(text) if event.style is None or event.style == "" else text
            return value, value
        replaced, unset = self.substitute(text)
        place = (event.start_mark.line + 1, event.start_mark.column)
        for name in unset:
            self.found.append(
                (
                    path,
                    place,
                    f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
                    if name
                    else "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${",
                )
            )
        if unset:
            self.unset.append(path)
        self.substituted.append(path)
        return replaced, text

    def sequence(self, events: Iterator[Any], path: Path) -> tuple[list[Any], list[Any]]:
        data: list[Any] = []
        written: list[Any] = []
        while not isinstance(event := self.next(events), yaml.SequenceEndEvent):
            here = (*path, len(data))
            self.places[here] = (event.start_mark.line + 1, event.start_mark.column)
            value, raw = self.node(event, events, here)
            data.append(value)
            written.append(raw)
        return data, written

    def mapping(self, events: Iterator[Any], path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {}
        written: dict[str, Any] = {}
        while not isinstance(event := self.next(events), yaml.MappingEndEvent):
            place = (event.start_mark.line + 1, event.start_mark.column)
            if not isinstance(event, yaml.ScalarEvent):
                raise Unreadable("a key must be a plain text", place[0], path)
            key, here = event.value, (*path, event.value)
            if key in data:
                self.found.append(
                    (here, place, f"{key!r} is written twice; the first stands on line {self.places[here][0]}")
                )
                self.node(self.next(events), events, (*path, f"{key} (again)"))
                continue
            self.places[here] = place
            value, raw = self.node(self.next(events), events, here)
            if key == "<<":
                self.found.append((here, place, "merge keys (<<) are not supported; write the settings out"))
                continue
            data[key], written[key] = value, raw
        return data, written


def resolve(text: str) -> Any:
    """Which value does a plain scalar stand for (YAML 1.2 core, decimal numbers only)?

    >>> resolve("on"), resolve("true"), resolve("1e-3"), resolve("2026-03-01")
    ('on', True, 0.001, '2026-03-01')
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


class Findings:
    """Collects what is wrong (mistakes) and what is merely doubtful (warnings), each with its place in the file."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._mistakes: list[tuple[tuple[int, int], Mistake]] = []
        self._warnings: list[tuple[tuple[int, int], Mistake]] = []

    def mistake(self, path: Path, message: str, suggestion: str | None = None) -> None:
        """Say what is wrong at a path."""
        self._mistakes.append((self.document.place(path), self.document.mistake(path, message, suggestion)))

    def warning(self, path: Path, message: str) -> None:
        """Say what is doubtful at a path."""
        self._warnings.append((self.document.place(path), self.document.mistake(path, message)))

    def unknown(self, path: Path, what: str, known: Mapping[str, object] | tuple[str, ...], *, name: str) -> None:
        """An unknown name at a path, with the nearest of the known ones; a name out of a variable is not shown."""
        suggestion = None if self.document.varies(path) else nearest(name, known)
        listed = self.document.unfilled(", ".join(list(known)[:KNOWN_MAX]) + (" …" if len(known) > KNOWN_MAX else ""))
        shown = self.document.shown(self.document.known_part(path)) if self.document.varies(path) else repr(name)
        self.mistake(path, f"unknown {what} {shown}; known: {listed or 'none'}", suggestion)

    def add(self, mistakes: list[Mistake]) -> None:
        """Take over mistakes that know their line already."""
        self._mistakes += [((mistake.line or 1, 0), mistake) for mistake in mistakes]

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """All mistakes in file order, none twice."""
        return tuple(dict.fromkeys(mistake for _, mistake in sorted(self._mistakes, key=lambda found: found[0])))

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        """All warnings in file order, none twice."""
        return tuple(dict.fromkeys(warning for _, warning in sorted(self._warnings, key=lambda found: found[0])))
