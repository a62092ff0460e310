"""Where is the model worst, and where does it lean to one side? Searches over segments of labelled rows, depth two."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, ndtr, stdtr

from streamcheck.core.intervals import Interval, mean_interval, wilson
from streamcheck.core.readings import BiasedSegment, Segment, WeakSegment
from streamcheck.core.types import BoolArray, FloatArray, IntArray

LEVEL = 0.005
"""Of searches over rows without any weak segment, at most as many name one: Bonferroni over all that are looked at."""
ROWS_MIN = 100
FOUND_MAX = 10
"""Segments that a search names; each is looked for in what those before it have left."""
SHARE_MAX = 0.5
"""A segment that holds more of the rows is no segment: what is left is."""
LATER = 3
"""A correction is learned on the rows but for the newest 1 / LATER, and checked on these."""
DENSE = 4


class Cell(NamedTuple):
    """One segment: places of the columns (one or two), its number in each."""

    columns: tuple[int, ...]
    numbers: tuple[int, ...]


Label = Callable[[Cell | None], Segment]
"""What a segment is called; None: all rows."""


class Cells(NamedTuple):
    """The segments of one or two columns: their keys, each row's place among them, rows in each."""

    columns: tuple[int, ...]
    width: int
    keys: IntArray
    place: IntArray
    rows: IntArray

    def cell(self, at: int) -> Cell:
        """The segment at this place."""
        key = int(self.keys[at])
        return Cell(self.columns, (key,) if len(self.columns) == 1 else (key // self.width, key % self.width))


def cells_of(columns: IntArray) -> list[Cells]:
    """All segments of every column and every pair. columns (C, n): each row's number in each."""
    found = []
    for chosen in (*combinations(range(len(columns)), 1), *combinations(range(len(columns)), 2)):
        width = int(columns[chosen[-1]].max(initial=0)) + 1
        key = columns[chosen[0]].astype(np.int64)
        if len(chosen) == 2:
            key = key * width + columns[chosen[1]]
        if int(key.max(initial=0)) <= DENSE * len(key):
            counts = np.bincount(key)
            keys = np.flatnonzero(counts)
            places = np.zeros(len(counts), np.int64)
            places[keys] = np.arange(len(keys))
            found.append(Cells(chosen, width, keys, places[key], counts[keys]))
        else:
            keys, place, counts = np.unique(key, return_inverse=True, return_counts=True)
            found.append(Cells(chosen, width, keys, place, counts))
    return found


def _tested(cells: Sequence[Cells], n: int) -> int:
    """How many segments are looked at: by their rows alone, whatever the errors in them."""
    return sum(int(((each.rows >= ROWS_MIN) & (each.rows <= SHARE_MAX * n)).sum()) for each in cells)


# ---------------------------------------------------------------------- weak segments
def weakest(columns: IntArray, error: FloatArray, label: Label, *, classes: bool) -> list[WeakSegment]:
    """Segments of the rows (C, n) whose error (n,) is larger than that of the others, the surest first.

    Classes: the hypergeometric test (Fisher's, one-sided); numbers: Welch's t. What one segment explains does not count
    for the next: its rows leave.
    """
    total = float(error.sum())
    found: list[WeakSegment] = []
    left = np.ones(error.shape[0], np.bool_)
    tested = _tested(cells_of(columns), len(error))
    while tested and len(found) < FOUND_MAX:
        inside, values = columns[:, left], error[left]
        best = min(_chances(cells_of(inside), values, classes=classes), default=None)
        if best is None or best[0] * tested > LEVEL:
            break
        chance, cell = best
        mine = members(inside, cell)
        low, high = _interval(values[mine], classes=classes)
        mean, rest = float(values[mine].mean()), float(values[~mine].mean())
        share = float(values[mine].sum()) / total
        found.append(WeakSegment(label(cell), int(mine.sum()), mean, low, high, rest, share, chance * tested))
        left[np.flatnonzero(left)[mine]] = False
    return found


def _chances(cells: Sequence[Cells], error: FloatArray, *, classes: bool) -> Iterator[tuple[float, Cell]]:
    """Of the best segment of each set of columns, how likely chance alone makes it."""
    n, total, square = len(error), float(error.sum()), float((error * error).sum())
    for each in cells:
        sums = np.bincount(each.place, error, len(each.keys))
        squares = np.bincount(each.place, error * error, len(each.keys))
        fits = np.flatnonzero((each.rows >= ROWS_MIN) & (each.rows <= SHARE_MAX * n))
        if not len(fits):
            continue
        rows, inside = each.rows[fits], sums[fits]
        others = n - rows
        gap = inside / rows - (total - inside) / others
        own = np.maximum(squares[fits] / rows - (inside / rows) ** 2, 0.0)
        rest = np.maximum((square - squares[fits]) / others - ((total - inside) / others) ** 2, 0.0)
        far = gap / np.sqrt(np.maximum(own / (rows - 1) + rest / (others - 1), 1e-300))
        best = int(np.argmax(far))
        if far[best] <= 2.0:
            continue
        if classes:
            chance = as_many_by_chance(round(inside[best]), n, round(total), int(rows[best]))
        else:
            chance = float(stdtr(int(rows[best]) - 1, -far[best]))
        yield chance, each.cell(int(fits[best]))


def as_many_by_chance(inside: int, n: int, total: int, rows: int) -> float:
    """How likely so many errors or more lie among some rows, where all ways to place `total` on n rows are alike.

    The upper tail of the hypergeometric distribution; scipy.stats has it, too, and takes 50 MB.

    >>> round(as_many_by_chance(2, 4, 2, 2) * 6, 9)
    1.0
    """
    k, right = np.arange(max(inside, rows + total - n, 0), min(rows, total) + 1), n - total
    ways = betaln(k + 1, total - k + 1) + betaln(rows - k + 1, right - rows + k + 1)
    all_ways = betaln(rows + 1, n - rows + 1) - math.log1p(total) - math.log1p(right) + math.log1p(n)
    return float(np.exp(all_ways - ways).sum())


def members(columns: IntArray, cell: Cell) -> BoolArray:
    """Which rows lie in the segment."""
    mine = [columns[place] == number for place, number in zip(cell.columns, cell.numbers, strict=True)]
    return np.asarray(np.logical_and.reduce(mine))


def _interval(values: FloatArray, *, classes: bool) -> Interval:
    if classes:
        return wilson(round(float(values.sum())), len(values))
    return mean_interval(len(values), float(values.mean()), float(values.var()))


# ---------------------------------------------------------------------- signed bias
def biased(columns: IntArray, said: FloatArray, truth: FloatArray, label: Label) -> list[BiasedSegment]:
    """Segments (and all rows) that lean to one side, the surest first. said, truth (n,), oldest first.

    Student's t on the older rows; what one segment's correction sets right does not count for the next.
    """
    n = len(said)
    older = n - n // LATER
    tested = 1 + _tested(cells_of(columns[:, :older]), older)
    said = said.copy()
    found: list[BiasedSegment] = []
    while len(found) < FOUND_MAX:
        residual = said[:older] - truth[:older]
        everything = (_sided(residual.sum(), (residual**2).sum(), older), None)
        in_cells = _leaning_cells(cells_of(columns[:, :older]), residual)
        chance, cell = min((everything, *in_cells), key=lambda each: each[0])
        if older < ROWS_MIN or chance * tested > LEVEL:
            break
        mine = np.ones(n, np.bool_) if cell is None else members(columns, cell)
        made = _corrected(label(cell), mine, older, said, truth)
        if any(each.segment == made.segment for each in found):
            break
        found.append(made)
        said[mine] = made.scale * said[mine] + made.shift
    return found


def _leaning_cells(cells: Sequence[Cells], residual: FloatArray) -> Iterator[tuple[float, Cell | None]]:
    for each in cells:
        sums = np.bincount(each.place, residual, len(each.keys))
        squares = np.bincount(each.place, residual * residual, len(each.keys))
        fits = np.flatnonzero((each.rows >= ROWS_MIN) & (each.rows <= SHARE_MAX * len(residual)))
        if len(fits):
            rows, mean = each.rows[fits], sums[fits] / each.rows[fits]
            spread = np.sqrt(np.maximum(squares[fits] / rows - mean * mean, 1e-300) / (rows - 1))
            best = int(np.argmax(np.abs(mean) / spread))
            at = int(fits[best])
            yield _sided(sums[at], squares[at], int(each.rows[at])), each.cell(at)


def _sided(total: float, square: float, n: int) -> float:
    """How likely chance alone brings a mean so far from 0, to either side."""
    mean = total / n
    spread = math.sqrt(max(square / n - mean * mean, 1e-300) / max(n - 1, 1))
    return 2.0 * float(stdtr(n - 1, -abs(mean) / spread) if n > 1 else ndtr(0.0))


def _corrected(segment: Segment, mine: BoolArray, older: int, said: FloatArray, truth: FloatArray) -> BiasedSegment:
    """What would set these rows right: a factor or a shift, whichever leaves the smaller error on the older rows."""
    then, now = mine.copy(), mine.copy()
    then[older:], now[:older] = False, False
    p, y, residual = said[then], truth[then], said[then] - truth[then]
    shift, scale = -float(residual.mean()), 1.0
    positive = bool((y > 0.0).all() and p.sum() > 0.0)
    if positive:
        factor = float(y.sum() / p.sum())
        if np.abs(factor * p - y).mean() < np.abs(p + shift - y).mean():
            shift, scale = 0.0, factor
    low, high = mean_interval(len(p), float(residual.mean()), float(residual.var()))
    relative = float(p.sum() / y.sum()) - 1.0 if positive else None
    made = BiasedSegment(
        segment, len(p), float(residual.mean()), low, high, relative, scale, shift, int(now.sum()), *(0.0,) * 4
    )
    if not made.later:
        return made
    before, after = said[now] - truth[now], scale * said[now] + shift - truth[now]
    return replace(
        made,
        later_bias=float(before.mean()),
        left_bias=float(after.mean()),
        later_error=float(np.abs(before).mean()),
        left_error=float(np.abs(after).mean()),
    )
