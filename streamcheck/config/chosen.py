"""Does a component that a config chooses exist, and does it take these parameters? Every mistake, with its place."""

import math
from typing import Any

from streamcheck.config.document import Findings, Path
from streamcheck.config.models import Choice
from streamcheck.core.components import Component, Param, build, components
from streamcheck.core.plan import ComponentSpec
from streamcheck.errors import ParameterError


def component_class(family: str, choice: Choice, here: Path, findings: Findings) -> type[Component] | None:
    """The chosen class; None, and a mistake, where there is none of this name."""
    known = components(family)
    if choice.name not in known:
        findings.unknown(_inside(here, choice, findings), family, tuple(known), name=choice.name)
        return None
    return known[choice.name]


def component_spec(family: str, choice: Choice, here: Path, findings: Findings) -> ComponentSpec | None:
    """The component with checked parameters; None, and all mistakes, where it cannot be built."""
    cls = component_class(family, choice, here, findings)
    if cls is None:
        return None
    inside = _inside(here, choice, findings)
    declared = {param.name: param for param in cls.params}
    params: dict[str, Any] = {}
    sound = True
    for name, value in (choice.params or {}).items():
        place = (*inside, name)
        if name not in declared:
            findings.unknown(place, f"parameter of {family} {choice.name}", tuple(declared), name=name)
            sound = False
            continue
        try:
            params[name] = declared[name].check(_number(declared[name], value))
        except ParameterError:
            findings.mistake(place, f"expected {declared[name].expected()}, got {findings.document.shown(place)}")
            sound = False
    if not sound or not _consistent(cls, params, inside, findings):
        return None
    return ComponentSpec(choice.name, tuple(sorted(params.items())), auto=not params)


def _inside(here: Path, choice: Choice, findings: Findings) -> Path:
    """Where the component's own part of the file begins: below its name, if it was written as a mapping."""
    below = (*here, choice.name)
    return below if findings.document.has(below) else here


def _number(param: Param, value: object) -> object:
    """Numbers that come as text (from a variable) as numbers; everything else as it is."""
    if not isinstance(value, str) or param.type not in (int, float):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if param.type is int and math.isfinite(number) and number == int(number) else number


def _consistent(cls: type[Component], params: dict[str, Any], here: Path, findings: Findings) -> bool:
    """Whether the parameters agree with one another; only asked where the class has something to say about it."""
    if cls.check is Component.check:
        return True
    try:
        build(cls.family, cls.name, params)
    except ParameterError as error:
        varies = findings.document.varies(here)
        findings.mistake(here, f"the parameters of {cls.name} contradict one another" if varies else str(error))
        return False
    return True
