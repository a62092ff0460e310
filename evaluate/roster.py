"""Which cells are there?"""

from functools import lru_cache
from pathlib import Path

from evaluate import cost, delays, nulls, real, river, seasons, segments, sets, tornado
from evaluate.cells import Cell
from evaluate.contenders import OWN

TABLES: dict[str, str] = {
    "null": "whole configs of 14 features on stationary streams",
    "null-rates": "accuracy on stationary streams of errors",
    "seasons": "a daily cycle: slot means, and the default config over weeks",
    "changes": "delay of our detectors at one false alarm per 100,000 rows",
    "segments": "a change in one segment",
    "river-null": "false alarms of river's detectors",
    "river-changes": "delay of river's detectors on the same trials",
    "permuted": "real sets in random order",
    "ordered": "real sets in their true order",
    "tornado": "published concept changes",
    "cost": "CPU time of a pane",
}


@lru_cache
def cells(data: Path | None) -> tuple[Cell, ...]:
    """All of them, in the order of the tables; those on real sets from this folder."""
    found = [*nulls.cells(OWN), *seasons.cells(), *delays.cells(OWN), *segments.cells(), *river.cells()]
    found += [*real.cells(data), *tornado.cells(data), *cost.cells()]
    assert len({(c.table, c.key) for c in found}) == len(found), "two cells of one name"
    return tuple(found)


def find(table: str, key: str, data: Path | None) -> Cell:
    """One of them."""
    return next(c for c in cells(data) if (c.table, c.key) == (table, key))


def available(cell: Cell, data: Path | None) -> bool:
    """Whether the file that the cell needs is there."""
    return cell.data is None or ((data or sets.FOLDER) / cell.data).exists()
