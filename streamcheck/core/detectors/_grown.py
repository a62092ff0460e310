"""What charts go on learning: steps too old for any window tell level, scatter and likeness as a reference's panes do.

A reference that stays as it is (the first panes, a profile) is known by so many panes only, and charts must allow for
that as long as they live. So those of its steps that left the longest window, and no alarm open, count with it: in
blocks of a quarter of that window, 256 to 320 steps old. Sums are kept, no steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors._steps import Steps, Which, chosen
from streamcheck.core.detectors._windows import LEVELS_MIN, inflation
from streamcheck.core.likeness import DISPERSION_EVENTS_MIN, LAG1_MAX, LAGS, SCATTER_VISIBLE, VISIBLE
from streamcheck.core.types import BoolArray, FloatArray, IntArray

BLOCKS = 4
"""Of steps that still are in windows."""
BLOCK_STEPS = 64
"""In each, of a chart whose longest window has 256 steps."""
PANES_EXACT = 1e9
"""More stand for a scatter that is taken as exact."""
SUMS = 4 + LAGS
"""Steps, their deviation from the reference, their weight, the square of x; x times that of each of the steps before.

x: a step's mean deviation in standard errors, as the reference has them: 1 is the mean of its square."""
GROWN_BYTES = 8 * (SUMS * (BLOCKS + 2) + 2 * LAGS + 2)
_STATE = ("joined", "filling", "waiting", "near", "place")


class Usual(NamedTuple):
    """How steps of each chart (C,) vary when nothing has changed, by the reference and by all that joined it.

    offset: of the level from the reference's. worth: independent rows by which the level is known, NaN where steps say
    it themselves. scatter: of steps, their variance over that which the reference has. plain: 1 where steps
    scatter no more than their rows say, as far as shows, else 0.
    """

    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    scatter: FloatArray
    offset: FloatArray
    worth: FloatArray
    plain: FloatArray

    def taken(self, which: Which) -> "Usual":
        """Those of some charts."""
        return Usual(*(column[which] for column in self))


class Known(NamedTuple):
    """What a reference says, as columns (C,).

    worth: independent rows by which the level is known. floor: the least scatter: rows that are independent have no
    less. freedom, lag1, decay: as in Usual.
    """

    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    worth: FloatArray
    floor: FloatArray

    @staticmethod
    def of(steps: Steps) -> "Known":
        """As it stands in the steps."""
        weight, error = steps.sums[1], np.where(steps.share, steps.sums[3], steps.sums[2])
        worth = (weight / np.where(error > 0.0, error, 1e-9)) ** 2
        floor = np.minimum(weight / np.maximum(steps.sums[4], 1.0), 1.0)
        return Known(steps.freedom, steps.lag1, steps.decay, worth, floor)


class Grown:
    """Sums of charts by number. on: whose reference stays as it is."""

    def __init__(self) -> None:
        self.on: BoolArray = np.zeros(0, np.bool_)
        self.joined: FloatArray = np.zeros((0, SUMS))
        self.filling: FloatArray = np.zeros((0, SUMS))
        self.waiting: FloatArray = np.zeros((0, BLOCKS, SUMS))
        self.near: FloatArray = np.zeros((0, LAGS, 2))
        """x and root of the weight of the last steps, the newest first."""
        self.place: IntArray = np.zeros(0, np.int64)
        """Of the block that has waited longest."""

    def enlarge(self, more: int) -> None:
        """Room for more charts."""
        for name in ("on", *_STATE):
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros((more, *held.shape[1:]), held.dtype)]))

    def forget(self, charts: int | IntArray) -> None:
        """What these have learned."""
        for name in _STATE:
            getattr(self, name)[charts] = 0

    def doubt(self, chart: int) -> None:
        """Steps that have not joined may be after a change: they never will."""
        for name in ("filling", "waiting", "near"):
            getattr(self, name)[chart] = 0

    def steps_left(self, chart: int, levels: int) -> int:
        """So many more before a block is full, and what is usual may change."""
        return int(_block_steps(levels)) - int(self.filling[chart, 0])

    def add(self, charts: IntArray, levels: IntArray, deviation: FloatArray, weight: FloatArray) -> None:
        """One more step of these charts (each `on`), which no alarm is open for; deviation: the sum, not the mean."""
        near = self.near[charts]
        sums, x, root = _sums(deviation, weight, [near[:, lag, 0] for lag in range(LAGS)])
        self.filling[charts] += sums
        self.near[charts, 1:] = near[:, :-1]
        self.near[charts, 0, 0], self.near[charts, 0, 1] = x, root
        full = self.filling[charts, 0] >= _block_steps(levels)
        if full.any():
            self._join(charts[full])

    def add_in_a_row(self, chart: int, levels: int, deviation: FloatArray, weight: FloatArray) -> None:
        """Many steps of one chart, no more than are left of its block: the same bits as one after the other."""
        x = deviation / np.where(weight > 0.0, np.sqrt(weight), 1.0)
        before = np.concatenate([self.near[chart, ::-1, 0], x])
        sums, x, root = _sums(deviation, weight, [before[LAGS - 1 - lag : -1 - lag] for lag in range(LAGS)])
        self.filling[chart] = np.add.accumulate(np.concatenate([self.filling[chart][None], sums]))[-1]
        newest = np.concatenate([self.near[chart, ::-1], np.stack([x, root], 1)])
        self.near[chart] = newest[: -LAGS - 1 : -1]
        if self.filling[chart, 0] >= _block_steps(levels):
            self._join(np.array([chart]))

    def _join(self, charts: IntArray) -> None:
        """A block is full: the one that has waited longest joins."""
        place = self.place[charts]
        self.joined[charts] += self.waiting[charts, place]
        self.waiting[charts, place] = self.filling[charts]
        self.filling[charts] = 0.0
        self.place[charts] = (place + 1) % BLOCKS

    def usual(self, charts: IntArray, steps: Steps) -> Usual:
        """By the reference alone, until something has joined it. charts (N,): of each of the steps."""
        known, joined = Known.of(steps), self.joined[charts, 0] > 0.0
        joined &= self.on[charts]
        ones, no = np.ones(len(charts)), np.zeros(len(charts))
        usual = Usual(known.freedom, known.lag1, known.decay, ones, no, np.full(len(charts), np.nan), no)
        if joined.any():
            which = np.flatnonzero(joined)
            found = _together(steps.taken(which), self.joined[charts[which]])
            usual = Usual(*(_placed(column, which, each) for column, each in zip(usual, found, strict=True)))
        return _believed(usual, known)

    def export(self, chart: int) -> State:
        """A chart's state, sharing no memory."""
        return {name: getattr(self, name)[chart].copy() for name in _STATE[:-1]} | {"place": int(self.place[chart])}

    def restore(self, chart: int, state: State) -> None:
        """Continue where `export` stood."""
        for name in _STATE:
            getattr(self, name)[chart] = state[name]


def _block_steps(levels: IntArray | int) -> IntArray:
    return np.asarray(BLOCK_STEPS << np.maximum(levels - LEVELS_MIN, 0))


def _sums(deviation: FloatArray, weight: FloatArray, before: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """Of steps (N,): sums (N, SUMS), x and the root of the weight. before: x of the step before each, of that ..."""
    root = np.sqrt(weight)
    x = deviation / np.where(root > 0.0, root, 1.0)
    return np.stack([np.ones(len(x)), deviation, weight, x * x, *(x * each for each in before)], 1), x, root


def _placed(column: FloatArray, which: IntArray, values: FloatArray) -> FloatArray:
    made = column.copy()
    made[which] = values
    return made


def _believed(usual: Usual, known: Known) -> Usual:
    """Panes scatter more than their rows say only where that shows: else the rows' own scatter counts.

    How far rows scatter is known by all of them, how far panes do by so many panes, and by fewer where they resemble
    their neighbours: of squares of an AR(1), (1 - lag1^2) / (1 + lag1^2) as many are worth as much (Bartlett 1946).
    """
    alike, panes = usual.lag1 * usual.lag1, usual.freedom
    if alike.any():
        panes = panes * (1.0 - alike) / (1.0 + alike)
    plain = usual.scatter <= known.floor * (1.0 + SCATTER_VISIBLE * np.sqrt(2.0 / np.maximum(usual.freedom, 1.0)))
    worth = chosen(np.isnan(usual.worth), lambda: known.worth, lambda: usual.worth)
    rows = worth - usual.freedom - 1.0
    return usual._replace(
        scatter=chosen(plain, lambda: known.floor, lambda: usual.scatter),
        freedom=chosen(plain, lambda: np.maximum(rows, panes), lambda: panes),
        plain=np.where(plain | (usual.freedom > PANES_EXACT), 1.0, 0.0),
    )


def _together(steps: Steps, joined: FloatArray) -> Usual:
    """Both as one; scatter and likeness weighted by panes, the level by what rows are worth.

    As references do, a correlation counts where it is visible, and then with its standard error. Of what a reference
    did not see, nothing is known but that: 0 is taken. Shares are counted in their standard deviation.
    """
    known, spread = Known.of(steps), steps.spread
    rarer = np.minimum(steps.baseline, 1.0 - steps.baseline)
    events = np.where(steps.share, rarer * known.worth, np.inf)  # or those that are none, whichever is rarer
    deviation, weight, square, count = joined[:, 1], joined[:, 2], joined[:, 3], joined[:, 0]
    scanty = events < DISPERSION_EVENTS_MIN
    panes = np.where(scanty, 0.0, known.freedom)
    about = deviation / (known.worth + weight)
    moved = about * (about * weight - 2.0 * deviation)
    squares = panes + np.maximum(square + moved, 0.0)
    scatter = np.maximum(squares / (panes + count), known.floor)
    error, own = 1.0 / np.sqrt(panes + count), 1.0 / np.sqrt(known.freedom + 1.0)
    seen, fades = np.maximum(known.lag1 - own, 0.0), known.decay
    held = np.maximum(squares, 1e-9)
    r1, r2, r3 = ((panes * seen * fades**lag + joined[:, 4 + lag] + moved) / held for lag in range(LAGS))
    r2, r3 = np.maximum(r2, 0.0), np.maximum(r3, 0.0)
    few = events + spread**2 * weight < DISPERSION_EVENTS_MIN
    visible = (r1 > VISIBLE * error) & ~few
    lag1 = np.where(visible, np.minimum(r1 + error, LAG1_MAX), 0.0)
    fading = (r2 + r3) / np.where(visible, r1 + r2, 1.0)
    decay = np.where(visible, np.minimum(np.maximum(fading, lag1), LAG1_MAX), 0.0)
    alike = inflation(lag1, decay, count)
    worth = known.worth + weight / alike
    offset = spread * deviation / alike / worth
    freedom, no = known.freedom + count, np.zeros(len(count))
    return Usual(freedom, lag1, decay, np.where(few, 1.0, scatter), offset, worth, no)
