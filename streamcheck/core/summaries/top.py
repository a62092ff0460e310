"""Which value of a coded column comes most often in a pane, and how often? Of all values, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.types import BoolArray, CodeArray, IntArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_DENSE = 4
RUN_MAX = 3
"""Of rows of one value in a row as many count: a session is no burst, and sessions have long tails."""


@dataclass(frozen=True, slots=True)
class TopSummary:
    """rows, ok: as of any column. name, count: of the value that comes most often (the first by name of several).

    counted: rows of the one half that have a value; events: those with the value that comes most often in the OTHER
    half: chosen there, it is counted here, so that chance does not choose what it then finds large. None is chosen
    where no value comes twice. Of rows of one value that follow one another both count the first RUN_MAX.
    """

    rows: int
    ok: int
    counted: int
    events: int
    name: str
    count: int


def halves(offsets: IntArray) -> BoolArray:
    """Into which half each row falls, by its offset alone; producers that take turns do not meet it."""
    return np.asarray((offsets.astype(np.uint64) * _GOLDEN) >> np.uint64(63) == 1)


def fold_top(codes: CodeArray, second: BoolArray, values: Sequence[str]) -> TopSummary:
    """The most frequent value. codes (n,) into `values`, -1 where there is none; second (n,): rows of the second half.

    Rows stand in the order of their offsets.

    >>> fold_top(np.array([0, 1, 0, 0, -1, 0], np.int32), np.array([0, 0, 1, 0, 1, 1], bool), ("a", "b"))
    TopSummary(rows=6, ok=5, counted=2, events=2, name='a', count=4)
    """
    ok = codes >= 0
    used, half = codes[ok], second[ok]
    if not len(used):
        return TopSummary(len(codes), 0, 0, 0, "", 0)
    keys, place = np.arange(int(used.max()) + 1), used.astype(np.int64)
    if len(keys) > _DENSE * len(used):
        keys, place = np.unique(used, return_inverse=True)
    kept = _first_of_runs(used)
    one, other = (np.bincount(place[kept & (half == side)], minlength=len(keys)) for side in (False, True))
    every = np.bincount(place, minlength=len(keys))
    chosen, most, counted = _most(one, keys, values), _most(every, keys, values), int(other.sum())
    events = 0 if chosen is None else int(other[chosen])
    if most is None:
        return TopSummary(len(codes), len(used), counted, events, "", 0)
    return TopSummary(len(codes), len(used), counted, events, values[int(keys[most])], int(every[most]))


def _first_of_runs(codes: CodeArray) -> BoolArray:
    """Which rows are among the first RUN_MAX of a run of the same value.

    >>> _first_of_runs(np.array([1, 1, 1, 1, 2, 1, 1])).tolist()
    [True, True, True, False, True, True, True]
    """
    kept = np.ones(len(codes), np.bool_)
    if len(codes) > RUN_MAX:
        same, n = codes[1:] == codes[:-1], len(codes) - RUN_MAX
        kept[RUN_MAX:] = ~np.logical_and.reduce([same[back : back + n] for back in range(RUN_MAX)])
    return kept


def _most(counts: IntArray, keys: IntArray, values: Sequence[str]) -> int | None:
    """The place of the value that comes most often, by name where several do; None where none comes twice."""
    if counts.max() < 2:
        return None
    best: list[int] = np.flatnonzero(counts == counts.max()).tolist()
    return min(best, key=lambda at: values[int(keys[at])])
