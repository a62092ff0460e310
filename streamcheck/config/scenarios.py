"""What does a file of scenario tests say? Rows in, alerts out; all mistakes at once, with their lines."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streamcheck.config.document import Findings
from streamcheck.config.document import Path as Place
from streamcheck.config.draws import ROWS, Draw, NotationError, draw, fields
from streamcheck.config.forms import (
    Filled,
    Form,
    Key,
    fill,
    listed,
    mapped,
    read_form,
    texts,
    value_at,
)
from streamcheck.config.load import Loaded, load
from streamcheck.config.values import Rule, count_rule, duration_ms, duration_rule, instant_ms
from streamcheck.core.components import nearest
from streamcheck.core.plan import Plan, Role, Schema

ROWS_MAX = 2_000_000
LABEL = "label"
FieldPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows, one every step_ms: drawn, or given. fields: what of the block before does not go on; silence: rows 0."""

    count: int = 0
    step_ms: int = 0
    fields: Mapping[FieldPath, Draw] | None = None
    rows: tuple[Mapping[str, Any], ...] = ()
    file: Path | None = None
    silence_ms: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that is to fire at a moment and to be resolved at another (None: it goes on); more: other fields."""

    monitor: str
    segment: Mapping[str, str]
    at_ms: int
    resolved_ms: int | None
    more: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test. monitors: of which alerts are compared; empty for all."""

    name: str
    line: int
    start_ms: int
    seed: int
    predictions: tuple[Block, ...]
    labels: tuple[Block, ...]
    label_after_ms: int
    monitors: tuple[str, ...]
    alerts: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """A file of tests, and the config that they test."""

    loaded: Loaded
    scenarios: tuple[Scenario, ...]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise ValueError(value)
    return value


def _segment(value: object) -> dict[str, str]:
    return {name: str(each).lower() if isinstance(each, bool) else str(each) for name, each in mapped(value).items()}


def _labels(value: object) -> Any:
    if not isinstance(value, dict | list):
        raise ValueError(value)
    return value


_TIME = Rule(instant_ms, "expected a time with an offset such as 2026-03-01T00:00:00Z")
_NAME = Rule(_text, "expected a text")
_BLOCKS = Rule(listed, "expected a list of blocks such as `120x every 1s: amount normal(100, 15)`")
_WHOLE: Form = {
    "version": Key(Rule(_version, "expected 1, the only version of this format"), required=True),
    "config": Key(Rule(_text, "expected the path of a config, from this file's folder"), required=True),
    "tests": Key(Rule(listed, "expected a list of tests"), required=True, default=[]),
}
_TEST: Form = {
    "name": Key(_NAME, required=True, default=""),
    "start": Key(_TIME, default=1_767_225_600_000),
    "seed": Key(count_rule(0), default=0),
    "predictions": Key(_BLOCKS, required=True, default=[]),
    "labels": Key(Rule(_labels, "expected {after: 1m}, or a list of blocks"), default={}),
    "monitors": Key(Rule(texts, "expected a monitor's id or a list of ids"), default=()),
    "alerts": Key(Rule(listed, "expected a list of alerts, empty where none may fire"), required=True, default=[]),
}
_AFTER: Form = {"after": Key(duration_rule(), default=0)}
_GIVEN: Form = {
    "rows": Key(Rule(listed, "expected a list of rows, each a mapping of fields"), required=True, default=[]),
    "every": Key(duration_rule("1ms"), default=1_000),
}
_FILE: Form = {"file": Key(Rule(_text, "expected a file of JSON Lines, from this file's folder"), required=True)}
_SILENCE: Form = {"silence": Key(duration_rule("1ms"), required=True, default=0)}
RECORD = ("severity", "owner", "runbook", "column", "detector", "value", "reference", "rows", "summary")
"""Fields of an alert that a test may name besides; numbers are compared to four significant digits."""


def load_suite(path: str | Path) -> Suite:
    """A file of tests with its config. Raises ConfigError with every mistake, first those of the config."""
    found: Suite = read_form(path, partial(_suite, Path(path)))
    return found


def _suite(file: Path, findings: Findings) -> Suite | None:
    whole = fill(findings, (), _WHOLE)
    if whole["config"] is None:
        return None
    config = file.parent / whole["config"]
    if not config.exists():
        findings.mistake(("config",), f"there is no file {config}")
        return None
    loaded = load(config, os.environ)
    reader = _Reader(findings, loaded.plan, file.parent)
    made = tuple(reader.scenario(("tests", at)) for at in range(len(whole["tests"])))
    names = [each.name for each in made]
    for at, name in enumerate(names):
        if name and name in names[:at]:
            findings.mistake(("tests", at, "name"), f"a test before this one has the name {name!r}")
    return Suite(loaded, made)


class _Reader:
    """Reads tests, one by one."""

    def __init__(self, findings: Findings, plan: Plan, folder: Path) -> None:
        self._findings, self._plan, self._folder = findings, plan, folder

    def scenario(self, here: Place) -> Scenario:
        """One test; what is wrong with it is in the findings."""
        one, findings = fill(self._findings, here, _TEST), self._findings
        plan, after_ms = self._plan, 0
        labels: tuple[Block, ...] = ()
        if "labels" in one.given and plan.labels is None:
            findings.mistake((*here, "labels"), "the config has no labels stream")
        elif isinstance(one["labels"], dict):
            after_ms = fill(findings, (*here, "labels"), _AFTER)["after"] if "labels" in one.given else 0
        elif plan.labels is not None:
            labels = self._blocks((*here, "labels"), len(one["labels"]), plan.labels)
        known = {spec.id for spec in plan.monitors}
        for name in one["monitors"]:
            if name not in known:
                findings.unknown((*here, "monitors"), "monitor", tuple(sorted(known)), name=name)
        return Scenario(
            one["name"],
            findings.document.place(here)[0],
            one["start"],
            one["seed"],
            self._blocks((*here, "predictions"), len(one["predictions"]), plan.predictions),
            labels,
            after_ms,
            one["monitors"],
            tuple(self._expected((*here, "alerts", at), one["start"]) for at in range(len(one["alerts"]))),
        )

    # ------------------------------------------------------------------ rows
    def _blocks(self, here: Place, count: int, schema: Schema) -> tuple[Block, ...]:
        blocks = tuple(self._block((*here, at), schema) for at in range(count))
        if sum(block.count for block in blocks) > ROWS_MAX:
            self._findings.mistake(here, f"more than {ROWS_MAX:,} rows")
        return blocks

    def _block(self, here: Place, schema: Schema) -> Block:
        findings = self._findings
        data = value_at(findings.document, here)
        if isinstance(data, str):
            head, _, rest = data.partition(":")
            if (match := ROWS.fullmatch(head.strip())) is not None:
                return self._drawn(here, match, rest.strip() or None, schema)
        if isinstance(data, dict):
            key = next(iter(data), "")
            if key == "silence":
                return Block(silence_ms=fill(findings, here, _SILENCE)["silence"])
            if key in ("rows", "every"):
                given = fill(findings, here, _GIVEN)
                return self._given(here, given, schema)
            if key == "file":
                return self._file(here, fill(findings, here, _FILE), schema)
            if len(data) == 1 and (match := ROWS.fullmatch(key.strip())) is not None:
                return self._drawn((*here, key), match, data[key], schema)
        findings.mistake(
            here,
            "expected a block: `120x every 1s: amount normal(100, 15)`, {rows: […]}, {file: …} or {silence: 10m}, "
            f"got {findings.document.shown(here)}",
        )
        return Block()

    def _drawn(self, here: Place, match: Any, said: object, schema: Schema) -> Block:
        count, step_ms = int(match[1]), duration_ms(match[2])
        try:
            named = {} if said is None else fields(said) if isinstance(said, str) else dict(mapped(said))
        except NotationError as error:
            self._findings.mistake(here, str(error), error.suggestion)
            named = {}
        except ValueError:
            self._findings.mistake(here, f"expected fields, got {self._findings.document.shown(here)}")
            named = {}
        draws: dict[FieldPath, Draw] = {}
        for name, what in named.items():
            place = (*here, name) if isinstance(said, dict) else here
            path = self._path(place, name, schema)
            try:
                made = draw(what)
            except NotationError as error:
                self._findings.mistake(place, f"{name}: {error}", error.suggestion)
                continue
            if path is not None:
                draws[path] = made
        if not step_ms:
            self._findings.mistake(here, "rows that come one every 0s have no order; expected a longer step")
        return Block(count, step_ms, draws)

    def _path(self, here: Place, name: str, schema: Schema) -> FieldPath | None:
        """Where the event carries a field: one of a feature's name, else of a path that the config reads."""
        known = {column.name: column.path for column in schema.columns}
        known |= {".".join(column.path): column.path for column in schema.columns}
        for path in (schema.id_path, schema.time.path if schema.time else None):
            if path is not None:
                known[".".join(path)] = path
        if schema is self._plan.predictions and self._labelled:
            known[LABEL] = (LABEL,)
        if name not in known:
            message = f"the config reads no field {name!r}; it reads {', '.join(known)}"
            self._findings.mistake(here, message, nearest(name, tuple(known)))
            return None
        return known[name]

    @property
    def _labelled(self) -> bool:
        return self._plan.labels is not None or any(c.role is Role.LABEL for c in self._plan.predictions.columns)

    def _given(self, here: Place, given: Filled, schema: Schema) -> Block:
        rows = given["rows"]
        for at, row in enumerate(rows):
            place = (*here, "rows", at)
            if not isinstance(row, dict):
                self._findings.mistake(place, "expected a mapping of fields")
                continue
            for name in row:
                self._path((*place, name), name, schema)
        return Block(len(rows), given["every"], rows=tuple(row for row in rows if isinstance(row, dict)))

    def _file(self, here: Place, given: Filled, schema: Schema) -> Block:
        if given["file"] is None:
            return Block()
        path = self._folder / given["file"]
        if not path.exists():
            self._findings.mistake((*here, "file"), f"there is no file {path}")
        elif schema.time is None:
            message = f"rows in files need a time of their own: streams.{schema.role}.time in the config"
            self._findings.mistake((*here, "file"), message)
        return Block(file=path)

    # ------------------------------------------------------------------ alerts
    def _expected(self, here: Place, start_ms: int) -> Expected:
        moment = Rule(partial(_moment, start_ms), "expected a time, or a duration since start such as 90m")
        form: Form = {
            "monitor": Key(_NAME, required=True, default=""),
            "at": Key(moment, required=True, default=0),
            "resolved": Key(moment),
            "segment": Key(Rule(_segment, "expected a mapping such as {tier: premium}"), default={}),
            **{name: Key(Rule(_plain, "expected a single value")) for name in RECORD},
        }
        one = fill(self._findings, here, form)
        known = tuple(spec.id for spec in self._plan.monitors)
        if one["monitor"] and one["monitor"] not in known:
            self._findings.unknown((*here, "monitor"), "monitor", known, name=one["monitor"])
        more = {name: one[name] for name in RECORD if name in one.given}
        line = self._findings.document.place(here)[0]
        return Expected(one["monitor"], one["segment"], one["at"], one["resolved"], more, line)


def _moment(start_ms: int, value: object) -> int:
    try:
        return start_ms + duration_ms(value)
    except ValueError:
        return instant_ms(value)


def _plain(value: object) -> Any:
    if isinstance(value, dict | list):
        raise ValueError(value)
    return value
