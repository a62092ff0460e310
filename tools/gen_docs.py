"""Write the reference pages of docs/ from what the code declares: commands, components, config keys, gauges."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script

import click  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

import streamcheck.core.detectors  # noqa: E402
import streamcheck.core.measures  # noqa: E402
import streamcheck.core.references  # noqa: E402, F401 (importing registers)
from streamcheck.adapters.prometheus.gauges import GAUGES  # noqa: E402
from streamcheck.cli import main as command_line  # noqa: E402
from streamcheck.config.models import Config  # noqa: E402
from streamcheck.config.values import Rule, budget_text, duration_text, size_text  # noqa: E402
from streamcheck.core.components import Component, Param, components  # noqa: E402
from streamcheck.core.detectors.base import PaneDetector, RowDetector  # noqa: E402
from streamcheck.core.plan import Budget  # noqa: E402
from tools import grafana  # noqa: E402

NOTE = "<!-- Made by tools/gen_docs.py (`make docs`) from what the code declares; edits are lost. -->"


def pages() -> dict[str, str]:
    """The text of each generated page, by its path in the project."""
    made = {
        "docs/cli.md": cli_page,
        "docs/components.md": components_page,
        "docs/config-reference.md": config_page,
        "docs/gauges.md": gauges_page,
    }
    written = {path: "\n".join([NOTE, "", *page()]).rstrip() + "\n" for path, page in made.items()}
    return written | {grafana.PATH: grafana.dashboard()}


# ---------------------------------------------------------------------- commands
def cli_page() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield "# Commands"
    context = click.Context(command_line, info_name="streamcheck", **command_line.context_settings)
    yield from command(command_line, context)
    for name in command_line.list_commands(context):
        found = command_line.get_command(context, name)
        assert found is not None, name
        inner = click.Context(found, info_name=name, parent=context)
        yield from ["", f"## {name}"]
        yield from command(found, inner)
        for verb, sub in sorted(found.commands.items()) if isinstance(found, click.Group) else ():
            yield from ["", f"### {name} {verb}"]
            yield from command(sub, click.Context(sub, info_name=verb, parent=inner))


def command(found: click.Command, context: click.Context) -> Iterator[str]:
    """Usage, help text, options."""
    yield from ["", "```text", found.get_usage(context).removeprefix("Usage: "), "```", ""]
    yield inspect.cleandoc(found.help or "").replace("\b\n", "")
    options = [p for p in found.get_params(context) if isinstance(p, click.Option) and not p.hidden]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield from ["", "| option | |", "|---|---|"]
        yield from (f"| `{cell(names)}` | {cell(text)} |" for names, text in records)


# ---------------------------------------------------------------------- components
def components_page() -> Iterator[str]:
    """Every registered component with its parameters."""
    yield "# Components"
    yield ""
    yield "What a config may name under `detector:`, `measure:` and `reference:`. `streamcheck list` prints the same."
    detectors = components("detector")
    rows = {name: cls for name, cls in detectors.items() if issubclass(cls, RowDetector)}
    panes = {name: cls for name, cls in detectors.items() if issubclass(cls, PaneDetector)}
    assert len(rows) + len(panes) == len(detectors)
    yield from family("Row detectors", "One step per row, river's semantics.", rows)
    yield from family("Pane detectors", "One step per pane, on a measure; calibrated to the budget.", panes)
    yield from family("Measures", "One number per pane, from its summary and the reference.", components("measure"))
    written = "A config writes `{first: 1h}`, `{rolling: 7d}`, `{season: hour_of_week, over: 4w}` or `auto`."
    yield from family("References", f"Which past is normal. {written}", components("reference"))


def family(title: str, what: str, members: Any) -> Iterator[str]:
    """A section per component."""
    yield from ["", f"## {title}", "", what]
    for name, cls in members.items():
        yield from ["", f"### {name}", "", description(cls)]
        if cls.params:
            yield from ["", "| parameter | expected | default | |", "|---|---|---|---|"]
            yield from (parameter(declared) for declared in cls.params)


def description(cls: type[Component]) -> str:
    """The class docstring without its examples."""
    return inspect.cleandoc(cls.__doc__ or "").split(">>>")[0].strip()


def parameter(declared: Param) -> str:
    """One row of a table."""
    default = "chosen by the component" if declared.default is None else f"`{plain(declared.default)}`"
    if isinstance(declared.default, tuple):
        default = f"`[{', '.join(declared.default)}]`"
    return f"| `{declared.name}` | {cell(declared.expected())} | {default} | {cell(declared.doc)} |"


# ---------------------------------------------------------------------- config
def config_page() -> Iterator[str]:
    """Every key of the config, section by section."""
    yield "# Config reference"
    yield ""
    yield "Every key of a config file; [configuration.md](configuration.md) shows how they work together."
    yield from section("", Config)


def section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """A table of the section's keys, then the sections inside it."""
    yield from ["", f"## {path or 'The file'}", "", inspect.cleandoc(model.__doc__ or "")]
    yield from ["", "| key | expected | default | |", "|---|---|---|---|"]
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        found = next((a for a in parts(field.annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if found:
            many = {"tuple": "[]", "dict": ".NAME"}.get(str(field.annotation).split("[", maxsplit=1)[0], "")
            inner.append((f"{path}.{key}{many}".lstrip("."), found))
        valid = expected(field, nested=found is not None)
        yield f"| `{key}` | {valid} | {default(field)} | {cell(field.description or '')} |"
    for inner_path, inner_model in inner:
        yield from section(inner_path, inner_model)


def parts(annotation: object) -> Iterator[object]:
    """The annotation and everything inside it."""
    yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


def rule(field: FieldInfo) -> Rule | None:
    """The rule for a field's value, if it is a scalar."""
    found = [*field.metadata, *(m for a in parts(field.annotation) for m in getattr(a, "__metadata__", ()))]
    return next((m for m in found if isinstance(m, Rule)), None)


def expected(field: FieldInfo, *, nested: bool) -> str:
    """What a valid value looks like."""
    scalar = rule(field)
    if scalar:
        return cell(scalar.expected.removeprefix("expected "))
    return "see below" if nested else "a mapping"


def default(field: FieldInfo) -> str:
    """The default as a config would write it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    scalar = rule(field)
    if value in (None, (), {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, Budget):
        return f"`{budget_text(value)}`"
    if scalar and scalar.unit == "ms":
        return f"`{duration_text(value)}`"
    if scalar and scalar.unit == "bytes":
        return f"`{size_text(value)}`"
    return f"`{plain(value)}`"


def plain(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ":".join(map(str, value)) if isinstance(value, tuple) else str(value)


def cell(text: str) -> str:
    """Text within a table."""
    return " ".join(text.split()).replace("|", "\\|")


# ---------------------------------------------------------------------- gauges
def gauges_page() -> Iterator[str]:
    """Every gauge and counter that /metrics shows."""
    yield "# Gauges and counters"
    yield ""
    yield "What `/metrics` shows. A number that is not there (warming up, not enough data) has no sample."
    yield from ["", "| name | labels | |", "|---|---|---|"]
    for gauge in GAUGES:
        name = gauge.name + ("_total" if gauge.kind == "counter" else "")
        yield f"| `{name}` | {', '.join(gauge.labels)} | {cell(gauge.help)} |"


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        (ROOT / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
