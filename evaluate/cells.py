"""What is a cell? One stream, one change or none, one contender; cut into parts that are run and kept one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Found = dict[str, Any]
"""What a part found: numbers, lists and dicts of numbers. Parts are added up: numbers as sums, lists end to end."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table.

    key: unique in its table, also names the cell's seeds. about: what defines it, for the JSON. part: runs one part by
    its number. summary: figures of all parts together. data: the file that it needs, None for seeded streams.
    """

    table: str
    key: str
    about: Mapping[str, Any]
    parts: int
    part: Callable[[int], Found]
    summary: Callable[[Found], Mapping[str, Any]]
    data: str | None = field(default=None)


def added(parts: Sequence[Found]) -> Found:
    """All parts as one.

    >>> added([{"alarms": 2, "delays": [50]}, {"alarms": 1, "delays": [100, 150]}])
    {'alarms': 3, 'delays': [50, 100, 150]}
    """
    total: Found = {}
    for part in parts:
        for name, value in part.items():
            if name not in total:
                total[name] = dict(value) if isinstance(value, dict) else value
            elif isinstance(value, dict):
                held = total[name]
                total[name] = {key: held.get(key, 0) + value.get(key, 0) for key in sorted({*held, *value})}
            else:
                total[name] = total[name] + value
    return total
