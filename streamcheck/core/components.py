"""Components declare their parameters once: checks, defaults, documentation and JSON Schema come from there.

A component is a class under `@register`, one file each. Registering enrols it in `streamcheck list`, in the config and
in the contract suite (tests/contracts).
"""

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, dataclass_transform

from streamcheck.errors import ParameterError

State = dict[str, Any]
"""A component's exported state.

None, bool, int, float, str, bytes, numpy arrays, and lists or str-keyed dicts of them.
"""


TEXTS_MAX = 100
_NOUNS = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "a text",
    tuple: "a list of texts or whole numbers",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Param:
    """One declared parameter. A `nullable` one may be None (the component then chooses for itself)."""

    name: str
    type: type
    default: Any
    doc: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[str, ...] | None = None
    nullable: bool = False

    def expected(self) -> str:
        """What a valid value looks like, in words.

        >>> Param("delta", float, 0.002, "", gt=0, lt=1).expected()
        'a number > 0 and < 1'
        """
        if self.choices:
            return "one of " + ", ".join(self.choices)
        noun = _NOUNS[self.type]
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in ((">", self.gt), (">=", self.ge), ("<", self.lt), ("<=", self.le))
            if bound is not None
        ]
        return f"{noun} {' and '.join(bounds)}".strip() + (" or null" if self.nullable else "")

    def check(self, value: object) -> Any:
        """The value in its declared type, or ParameterError."""
        if value is None and self.nullable:
            return None
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.type is tuple:
            return self._texts(value)
        wrong_type = type(value) is not self.type
        wrong_choice = bool(self.choices) and value not in (self.choices or ())
        if wrong_type or wrong_choice or (isinstance(value, int | float) and not self._within(value)):
            raise ParameterError(f"{self.name} must be {self.expected()}, not {value!r}", self.name)
        return value

    def _texts(self, value: object) -> tuple[str, ...]:
        """Texts and whole numbers as texts, one of them or several."""
        several = value if isinstance(value, list | tuple) else [value]
        sound = all(isinstance(v, str | int) and not isinstance(v, bool) and str(v) for v in several)
        if not sound or not 1 <= len(several) <= TEXTS_MAX:
            raise ParameterError(f"{self.name} must be {self.expected()}, not {value!r}", self.name)
        return tuple(dict.fromkeys(map(str, several)))

    def _within(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )


def param(
    default: Any,
    *,
    doc: str,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare a parameter of a component, in the class body, with its type as annotation."""
    bounds = {"doc": doc, "gt": gt, "ge": ge, "lt": lt, "le": le, "choices": choices}
    return dataclasses.field(default=default, kw_only=True, metadata={"param": bounds})


class Component:
    """Something registered under a name in a family: a detector, a measure, a reference."""

    family: ClassVar[str]
    name: ClassVar[str]
    params: ClassVar[tuple[Param, ...]] = ()
    revision: ClassVar[int] = 1
    """To be raised by whoever changes what the same parameters and the same input give: monitors begin afresh then."""

    def __post_init__(self) -> None:
        for declared in self.params:
            setattr(self, declared.name, declared.check(getattr(self, declared.name)))
        self.setup()

    def setup(self) -> None:
        """Make the initial state; called once, after the parameters have been checked."""

    def check(self) -> None:
        """Raise ParameterError where parameters contradict one another; called by `build` after construction."""


ComponentType = TypeVar("ComponentType", bound=type[Component])
_REGISTRY: dict[str, dict[str, type[Component]]] = {}
_TYPES: dict[str, type] = {"float": float, "int": int, "bool": bool, "str": str, "tuple": tuple}


@dataclass_transform(field_specifiers=(param,), kw_only_default=True)
def register(cls: ComponentType) -> ComponentType:
    """Enrol a component class under its `name` (the class name in snake case unless it sets one)."""
    made: Any = dataclasses.dataclass(eq=False)(cls)
    if "name" not in vars(cls):
        made.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
    assert made.revision >= 1, f"{made.family} {made.name}: revisions begin at 1"
    made.params = tuple(_declared(f) for f in dataclasses.fields(made) if "param" in f.metadata)
    members = _REGISTRY.setdefault(made.family, {})
    assert made.name not in members, f"{made.family} {made.name} is registered twice"
    members[made.name] = made
    return cls


def _declared(f: "dataclasses.Field[Any]") -> Param:
    annotation = f.type if isinstance(f.type, str) else getattr(f.type, "__name__", str(f.type))
    base, _, rest = annotation.partition(" | ")
    return Param(f.name, _TYPES[base], f.default, **f.metadata["param"], nullable=rest == "None")


def components(family: str) -> Mapping[str, type[Component]]:
    """All components of a family by name, in the order of their names."""
    return dict(sorted(_REGISTRY.get(family, {}).items()))


def find(family: str, name: str) -> type[Component]:
    """The component class, or ParameterError with the nearest names."""
    members = _REGISTRY.get(family, {})
    if name not in members:
        raise ParameterError(
            f"unknown {family} {name!r}; known are {', '.join(sorted(members))}", None, nearest(name, members)
        )
    return members[name]


def build(family: str, name: str, params: Mapping[str, Any]) -> Any:
    """Construct a component from its config, with every parameter checked."""
    cls = find(family, name)
    known = {declared.name for declared in cls.params}
    for key in params:
        if key not in known:
            takes = ", ".join(sorted(known)) or "no parameters"
            raise ParameterError(
                f"{family} {name} has no parameter {key!r}; it takes {takes}", key, nearest(key, known)
            )
    made = cls(**params)
    made.check()
    return made


def nearest(name: str, known: Any) -> str | None:
    """The known name closest to a mistyped one, if any is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


Factory = Callable[[], Any]
