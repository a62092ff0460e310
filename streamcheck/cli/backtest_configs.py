"""Which configs does a backtest try in one pass: the one that is named, others, and changed copies of it?"""

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

from streamcheck.cli.replay import Candidate, load_candidate
from streamcheck.config.edit import change, find, scalar
from streamcheck.config.load import loads
from streamcheck.core.plan import Plan
from streamcheck.errors import ParameterError, StreamcheckError

CONFIGS_MAX = 50
"""Each has an engine of its own in memory."""


_BETWEEN = re.compile(r",(?![^{]*\})")
"""A comma that is not inside braces."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A setting and the values it is to take."""

    path: str
    values: tuple[str, ...]


def candidates(config: str, against: Sequence[str], sweeps: Sequence[str]) -> list[Candidate]:
    """All configs, the named one first. Raises ConfigError, click.UsageError."""
    first = load_candidate(config)
    found = [
        first,
        *(load_candidate(other) for other in against),
        *_swept(config, first.text, [_sweep(each) for each in sweeps]),
    ]
    if len(found) > CONFIGS_MAX:
        raise click.UsageError(f"{len(found)} configs at once; at most {CONFIGS_MAX}")
    for other in found[1:]:
        _same_input(first.plan, other.plan, other.name)
    return _distinct(found)


def _sweep(given: str) -> Sweep:
    path, equals, values = given.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise click.BadParameter(
            f"expected NAME.detector.PARAMETER=VALUE,VALUE,… or SETTING=VALUE,…, got {given!r}", param_hint="--sweep"
        )
    return Sweep(path.strip(), tuple(value.strip() for value in _BETWEEN.split(values)))


def _swept(config: str, text: str, sweeps: Sequence[Sweep]) -> list[Candidate]:
    """The config with every combination of the values."""
    if not sweeps:
        return []
    try:
        paths = [find(text, sweep.path) for sweep in sweeps]
    except ParameterError as error:
        raise click.BadParameter(str(error), param_hint="--sweep") from None
    made = []
    for values in itertools.product(*(sweep.values for sweep in sweeps)):
        name = ", ".join(f"{sweep.path}={value}" for sweep, value in zip(sweeps, values, strict=True))
        changed = text
        for path, value in zip(paths, values, strict=True):
            changed = change(changed, path, _value(value))
        made.append(Candidate(name, changed, loads(changed, os.environ, f"{config} with {name}")))
    return made


def _value(text: str) -> str:
    """A number as it is, several settings in braces too, anything else as a text."""
    try:
        float(text)
    except ValueError:
        return text if text in ("true", "false") or text.startswith("{") else scalar(text)
    return text


def _same_input(first: Plan, other: Plan, name: str) -> None:
    if [(s.role, s.topics) for s in first.schemas] != [(s.role, s.topics) for s in other.schemas]:
        raise StreamcheckError(f"{name}: it reads other topics; configs that are compared read the same ones")


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """A name of its own for each."""
    seen: dict[str, int] = {}
    named = []
    for each in found:
        seen[each.name] = seen.get(each.name, 0) + 1
        again = seen[each.name]
        named.append(each if again == 1 else Candidate(f"{each.name} ({again})", each.text, each.loaded))
    return named
