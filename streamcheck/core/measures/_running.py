"""What an accumulator of moments holds before each of many panes, as arrays: the same bits as one pane after the other.

Powers are Python's, as they are for one pane: numpy's own differ in the last bit.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.likeness import LAGS, PANES_MIN, VISIBLE
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._neighbours import Neighbours, dependence, inflation
from streamcheck.core.summaries import Moment
from streamcheck.core.types import BoolArray, FloatArray, IntArray


class Running(NamedTuple):
    """Sums before each of K panes, and behind the last: (K + 1,), of neighbours (3 LAGS, K + 1).

    places (K,): which of the summaries they are, all others hold nothing. rows, totals (K,): their own.
    """

    content: MomentAccumulator
    places: IntArray
    rows: IntArray
    totals: FloatArray
    n: IntArray
    total: FloatArray
    square: FloatArray
    between: FloatArray
    square_rows: FloatArray
    panes: IntArray
    pairs: FloatArray

    def before(self, pane: int) -> MomentAccumulator:
        """The accumulator as it was before this one."""
        made = self.content.empty()
        self._fill(made, pane)
        return made

    def _fill(self, made: MomentAccumulator, at: int) -> None:
        made.moment = Moment(int(self.n[at]), float(self.total[at]), float(self.square[at]))
        made.panes, made.between = int(self.panes[at]), float(self.between[at])
        made.square_rows = float(self.square_rows[at])
        made.neighbours.sums = self.pairs[:, at].tolist()

    def finish(self, x: FloatArray, y: FloatArray) -> None:
        """The accumulator takes them in. x, y: of the last panes, as in Neighbours."""
        neighbours = self.content.neighbours
        more = list(zip(x.tolist(), y.tolist(), strict=True))
        neighbours.oldest = [*neighbours.oldest, *more][:LAGS]
        neighbours.newest = [*reversed(more[-LAGS:]), *neighbours.newest][:LAGS]
        self._fill(self.content, len(self.places))
        self.content.forget_worked_out()

    def from_panes(self, enough: int) -> "Running":
        """Only the panes before which so many had come, two at least."""
        at = int(np.searchsorted(self.panes[:-1], max(enough, 2)))
        return Running(
            self.content,
            self.places[at:],
            self.rows[at:],
            self.totals[at:],
            self.n[at:],
            self.total[at:],
            self.square[at:],
            self.between[at:],
            self.square_rows[at:],
            self.panes[at:],
            self.pairs[:, at:],
        )


def add_many(content: MomentAccumulator, summaries: Sequence[Any]) -> Running | None:
    """Take all of them in; None, and none is taken in, where each must be looked at."""
    if not content.plain or not content.panes:
        return None
    moments = content.moments(summaries)
    places = np.flatnonzero([moment is not None and moment.n > 0 for moment in moments])
    held = [moments[place] for place in places.tolist()]
    if not held or any(moment.origin for moment in held):  # type: ignore[union-attr]
        return None
    n, total, square = (np.array(column) for column in zip(*((m.n, m.total, m.square) for m in held), strict=True))  # type: ignore[union-attr]
    y = np.sqrt(n)
    x = total / y
    before = content.moment
    running = Running(
        content,
        places,
        n,
        total,
        np.add.accumulate(np.concatenate([[before.n], n])),
        _accumulated(before.total, total),
        _accumulated(before.square, square),
        _accumulated(content.between, total * total / n),
        _accumulated(content.square_rows, power(n.astype(np.float64), 2)),
        content.panes + np.arange(len(n) + 1),
        _paired(content.neighbours, x, y),
    )
    running.finish(x, y)
    return running


def _accumulated(first: float, steps: FloatArray) -> FloatArray:
    """Sums one after the other, beginning with `first`."""
    return np.asarray(np.add.accumulate(np.concatenate([[first], steps])))


def _paired(neighbours: Neighbours, x: FloatArray, y: FloatArray) -> FloatArray:
    """The sums of neighbours (3 LAGS, K + 1)."""
    past = [*reversed(neighbours.newest)]
    past = [(0.0, 0.0)] * (LAGS - len(past)) + past
    xs, ys = (np.concatenate([[pane[at] for pane in past], new]) for at, new in enumerate((x, y)))
    sums = []
    for lag in range(1, LAGS + 1):
        x0, y0 = xs[LAGS - lag : len(xs) - lag], ys[LAGS - lag : len(ys) - lag]
        sums += [x0 * x, x0 * y + x * y0, y0 * y]
    return np.array([_accumulated(first, each) for first, each in zip(neighbours.sums, sums, strict=True)])


def power(values: FloatArray, exponent: float) -> FloatArray:
    """As Python takes it."""
    return np.array([value**exponent for value in values.tolist()], np.float64)


class Scatter:
    """What `MomentAccumulator` says of its scatter before each of the panes (K,); two panes at least are in it."""

    def __init__(self, running: Running) -> None:
        self.n, self.panes = running.n[:-1].astype(np.float64), running.panes[:-1].astype(np.float64)
        self.total = running.total[:-1]
        self._between, self._square_rows = running.between[:-1], running.square_rows[:-1]
        self._square = running.square[:-1]
        self.mean = 0.0 + self.total / self.n
        self.across = np.maximum(self._between - power(self.total, 2) / self.n, 0.0) / (self.panes - 1.0)
        self.lag1, self.decay, self._inflation = self._tied(running.pairs[:, :-1])

    def _tied(self, pairs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The correlation of neighbours, visible in few of them, and what it makes of the variance of a mean."""
        lag1, decay, inflated = np.zeros(len(self.n)), np.zeros(len(self.n)), np.ones(len(self.n))
        mean, squares = self.total / self.n, self.across * (self.panes - 1.0)
        products = [pairs[at] - mean * pairs[at + 1] + mean * mean * pairs[at + 2] for at in range(0, 3 * LAGS, 3)]
        r1 = products[0] / np.where(squares > 0.0, squares, 1.0)
        r1 += (1.0 + 3.0 * r1) / self.panes
        visible = (self.panes >= PANES_MIN) & (squares > 0.0) & (r1 > VISIBLE * (1.0 / np.sqrt(self.panes)))
        for at in np.flatnonzero(visible).tolist():
            panes = int(self.panes[at])
            tied = dependence([float(product[at]) for product in products], float(squares[at]), panes)
            lag1[at], decay[at] = tied
            inflated[at] = inflation(*tied, panes)
        return lag1, decay, inflated

    def within(self) -> FloatArray:
        """The variance of one row about its pane's mean; with one row in each: about the mean of all."""
        free = self.n - self.panes
        some = free > 0.0
        about_all = np.maximum(self._square / self.n - power(self.total / self.n, 2), 0.0)
        about_own = np.maximum((self._square - self._between) / np.where(some, free, 1.0), 0.0)
        return np.where(some, about_own, about_all)

    def variance(self, rows: FloatArray, within: FloatArray) -> FloatArray:
        """Of the mean of a pane of so many rows, times rows."""
        typical = (self.n - self._square_rows / self.n) / (self.panes - 1.0)
        positive = typical > 0.0
        levels = np.where(positive, (self.across - within) / np.where(positive, typical, 1.0), 0.0)
        apart = np.maximum(self.across, within + levels * rows)
        return np.where(self.across <= within, within, apart)

    def mean_variance(self, within: FloatArray) -> FloatArray:
        """Of the reference's own mean."""
        return self.variance(self._square_rows / self.n, within) * self._inflation / self.n

    def worth(self, rows: FloatArray, within: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How many independent rows the reference, and a pane of so many rows, are worth."""
        some: BoolArray = within > 0.0
        variance = np.where(some, self.mean_variance(within), 1.0)
        own = np.where(some, self.variance(rows, within), 1.0)
        return np.where(some, within / variance, self.n), np.where(some, rows * within / own, rows)
