"""The small notation of scenario tests: what do the values of a field look like over some rows?"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamcheck.config.document import resolve
from streamcheck.core.components import nearest

_CALL = re.compile(r"([a-z_]+)\((.*)\)", re.DOTALL)
_MISSING = re.compile(r"(.*?)\s+missing\s+([0-9.]+)")
_WEIGHTED = re.compile(r"(.*?)\s+([0-9.]+)")
ROWS = re.compile(r"([0-9]{1,7})x every ([0-9.]+ ?(?:ms|s|m|h|d))")
"""How a block of rows begins: `120x every 1s`."""


class NotationError(ValueError):
    """What is wrong with a text of the notation; `suggestion`: the nearest name."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        self.suggestion = suggestion
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Draw:
    """How values of a field are made. missing: the share of rows that lack the field.

    values: of choice, cycle and constant; numbers: the other arguments; weights: of choice.
    """

    kind: str
    numbers: tuple[float, ...] = ()
    values: tuple[Any, ...] = ()
    weights: tuple[float, ...] = ()
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class _Function:
    shape: str
    check: Callable[[tuple[float, ...]], bool]


FUNCTIONS = {
    "normal": _Function("normal(MEAN, SD)", lambda n: len(n) == 2 and n[1] >= 0),
    "lognormal": _Function("lognormal(MEAN, SD) of the logarithm", lambda n: len(n) == 2 and n[1] >= 0),
    "uniform": _Function("uniform(LOW, HIGH)", lambda n: len(n) == 2 and n[0] <= n[1]),
    "integer": _Function("integer(LOW, HIGH)", lambda n: len(n) == 2 and n[0] <= n[1]),
    "linear": _Function("linear(FIRST, LAST)", lambda n: len(n) == 2),
    "chance": _Function("chance(SHARE)", lambda n: len(n) == 1 and 0 <= n[0] <= 1),
    "right": _Function("right(SHARE)", lambda n: len(n) == 1 and 0 <= n[0] <= 1),
    "noise": _Function("noise(MEAN, SD)", lambda n: len(n) == 2 and n[1] >= 0),
}
LISTS = {"choice": "choice(A, B) or choice(A 3, B 1)", "cycle": "cycle(A, B)"}


def draw(text: object) -> Draw:
    """One field's part. Raises NotationError.

    >>> draw("normal(100, 15) missing 0.1")
    Draw(kind='normal', numbers=(100.0, 15.0), values=(), weights=(), missing=0.1)
    >>> draw("choice(DE 3, FR 1)").weights, draw(5).values, draw("premium").values
    ((3.0, 1.0), (5,), ('premium',))
    """
    if not isinstance(text, str):
        return Draw("constant", values=(text,))
    text, share = text.strip(), 0.0
    if text == "missing":
        return Draw("constant", values=(None,), missing=1.0)
    if (match := _MISSING.fullmatch(text)) is not None:
        text, share = match[1], _number(match[2])
        if not 0 <= share <= 1:
            raise NotationError(f"expected a share between 0 and 1 behind missing, got {match[2]}")
    call = _CALL.fullmatch(text)
    if call is None:
        return Draw("constant", values=(resolve(text),), missing=share)
    name, arguments = call[1], [part for part in (each.strip() for each in call[2].split(",")) if part]
    if name in LISTS:
        return _list(name, arguments, share)
    if name not in FUNCTIONS:
        known = [*FUNCTIONS, *LISTS]
        raise NotationError(f"unknown function {name!r}; known: {', '.join(known)}", nearest(name, known))
    numbers = tuple(_number(each) for each in arguments)
    if not FUNCTIONS[name].check(numbers):
        raise NotationError(f"expected {FUNCTIONS[name].shape}")
    return Draw(name, numbers, missing=share)


def _list(name: str, arguments: list[str], share: float) -> Draw:
    if not arguments:
        raise NotationError(f"expected {LISTS[name]}")
    weighted = [_WEIGHTED.fullmatch(each) for each in arguments] if name == "choice" else []
    if weighted and all(weighted):
        values = tuple(resolve(match[1]) for match in weighted if match)
        weights = tuple(_number(match[2]) for match in weighted if match)
        if sum(weights) <= 0:
            raise NotationError("expected weights of which one is above 0")
    else:
        values, weights = tuple(resolve(each) for each in arguments), (1.0,) * len(arguments)
    return Draw(name, values=values, weights=weights if name == "choice" else (), missing=share)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NotationError(f"expected a number, got {text!r}") from None


def fields(text: str) -> dict[str, str]:
    """The fields of a block written as one text: names and what they look like, commas between them.

    >>> fields("amount normal(100,15), tier cycle(a, b), fraud 0")
    {'amount': 'normal(100,15)', 'tier': 'cycle(a, b)', 'fraud': '0'}
    """
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    found: dict[str, str] = {}
    for part in (each.strip() for each in [*parts, text[start:]]):
        name, space, what = part.partition(" ")
        if not space or not what.strip():
            raise NotationError(f"expected FIELD VALUE, FIELD VALUE, … such as amount normal(100, 15), got {part!r}")
        found[name] = what.strip()
    return found
