"""`streamcheck list`: which detectors, measures and references are there, and what parameters do they take?"""

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.config import plugins
from streamcheck.config.plugins import Known, enrol
from streamcheck.core.components import Component, Param, components

FAMILIES = {f"{family}s": family for family in plugins.FAMILIES}


@click.command("list")
@click.argument("family", type=click.Choice(list(FAMILIES)), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: for each family its components.")
def list_components(family: str | None, as_json: bool) -> None:  # noqa: FBT001 (click passes options by name)
    """Show the components that a config may name, those of plug-ins too, with their parameters and defaults.

    FAMILY is detectors, measures or references; left out: all three. Exit code: 0.
    """
    wanted, known = [family] if family else list(FAMILIES), enrol()
    if as_json:
        show_json({name: [_described(cls, known) for cls in components(FAMILIES[name]).values()] for name in wanted})
        return
    for at, name in enumerate(wanted):
        if at:
            click.echo()
        show_table(
            name,
            (name.removesuffix("s"), "answers", "parameter", "default", "expected", "meaning"),
            _rows(FAMILIES[name], known),
        )


def summary(cls: type[Component]) -> str:
    """The first line of the component's documentation."""
    return (cls.__doc__ or "").strip().splitlines()[0]


def _rows(family: str, known: Known) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, cls in components(family).items():
        origin = known.get((family, name))
        rows.append((name, summary(cls) + (f" ({origin})" if origin else ""), "", "", "", ""))
        rows += [(name, "", p.name, _default(p), p.expected(), p.doc) for p in cls.params]
    return rows


def _default(param: Param) -> str:
    return "null" if param.default is None else str(param.default)


def _described(cls: type[Component], known: Known) -> dict[str, object]:
    params = [
        {"name": p.name, "type": p.type.__name__, "default": p.default, "expected": p.expected(), "doc": p.doc}
        for p in cls.params
    ]
    origin = known.get((cls.family, cls.name))
    found: dict[str, object] = {"name": cls.name, "summary": summary(cls), "params": params}
    return found | ({"from": origin} if origin else {})
