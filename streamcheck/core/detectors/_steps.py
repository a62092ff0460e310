"""Signals as columns: what each of them adds to the running sums of its chart, and what it says of its reference."""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal

KNOWN_PANES = 1e12
"""For signals whose standard error is taken as exact."""
PANE_SHARE_MAX = 1e6
"""A step counts for at most so many standard errors: sums stay finite, and the steps beside it are still seen."""
LEVEL_MAX = 1e280
SHARE_MIN = 1e-4
"""Shares nearer to 0 or 1 are taken for this where a logarithm or a spread is wanted: one event must not decide."""
TOTALS = 5
"""Running sums of a chart. Of a mean: its deviation from the reference, its weight, the reference's error, deviation
of what people see times rows, rows; of a mean that is a count against what is expected, as
the last two rows that came, and rows expected. Of a share: events, rows, expected events, the reference's error, raw
rows."""
NUMBERS = TOTALS + 7
"""What `numbers` says of a signal, beginning with MEAN, SHARE or COUNT."""
MEAN, SHARE, COUNT = 0.0, 1.0, -1.0
BLOCK = 1_024
"""Steps whose windows are worked out in one go: what they come to on the way stays in a core's own cache."""

_PACK = struct.Struct(f"{NUMBERS}d").pack
Which = BoolArray | IntArray | slice


class Steps(NamedTuple):
    """Signals as columns (N,); of each chart one, or many of one. table (NUMBERS, N): all of it."""

    table: FloatArray
    share: BoolArray
    counted: BoolArray
    """Means that are of how much came, as a part of what is expected."""
    sums: FloatArray
    """(TOTALS, N): what they add to the running sums."""
    baseline: FloatArray
    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    pane_rows: FloatArray
    """Rows of a typical pane of the reference."""
    skew: FloatArray

    def taken(self, which: Which) -> "Steps":
        """Some of the steps."""
        return named(self.table[:, which])

    @property
    def spread(self) -> FloatArray:
        """A share's standard deviation of a row; means are counted in theirs already."""
        usual = within(self.baseline)
        return np.where(self.share, np.sqrt(usual * (1.0 - usual)), 1.0)

    @property
    def parts(self) -> FloatArray:
        """A count's standard deviation of a row, as a part of what is expected."""
        return np.asarray(self.skew * np.sqrt(self.sums[1]))

    def kinds(self) -> Iterator[tuple[bool, IntArray | slice]]:
        """Whether they are shares, and places of some: of means, then of shares, at most BLOCK at a time."""
        n, shares = len(self.share), np.flatnonzero(self.share)
        if len(shares) in (0, n):
            yield from ((len(shares) > 0, slice(at, at + BLOCK)) for at in range(0, n, BLOCK))
            return
        for share, places in ((False, np.flatnonzero(~self.share)), (True, shares)):
            yield from ((share, places[at : at + BLOCK]) for at in range(0, len(places), BLOCK))


def named(table: FloatArray) -> Steps:
    """Columns of `numbers`, (NUMBERS, N)."""
    return Steps(table, table[0] == SHARE, table[0] == COUNT, table[1 : TOTALS + 1], *table[TOTALS + 1 :])


def chosen(which: BoolArray, yes: Callable[[], FloatArray], no: Callable[[], FloatArray]) -> FloatArray:
    """As np.where, but nothing is worked out that is chosen nowhere."""
    if which.all():
        return yes()
    return np.where(which, yes(), no()) if which.any() else no()


def within(share: FloatArray) -> FloatArray:
    """Shares, none of them too near to 0 or 1."""
    return np.minimum(np.maximum(share, SHARE_MIN), 1.0 - SHARE_MIN)


def columns(signals: Sequence[Signal]) -> Steps:
    """The signals as columns."""
    packed = b"".join([_PACK(*numbers(signal)) for signal in signals])  # half as long as np.array takes
    return tabled(np.frombuffer(packed).reshape(-1, NUMBERS))


def tabled(rows: FloatArray) -> Steps:
    """Rows of `numbers`, (N, NUMBERS), as columns."""
    return named(rows.T.copy())


def numbers(signal: Signal) -> tuple[float, ...]:
    """What one signal comes to; see TOTALS."""
    value, center, se, rows, level, baseline, events, center_se, known = signal
    if known is None:
        freedom, lag1, decay, weight, pane_rows, skew, counted = KNOWN_PANES, 0.0, 0.0, 1.0, float(rows), 0.0, False
    else:
        panes, pane_rows, worth, weight, lag1, decay, skew, counted = known
        freedom = panes - 1
        if events is not None:
            sums = (events * weight / rows, weight, weight * baseline, weight / worth**0.5, rows)
            return (SHARE, *sums, baseline, freedom, lag1, decay, pane_rows, 0.0)
    own = max(se**2 - center_se**2, 0.0) ** 0.5
    own = max(own, 1e-6 * se)
    z, root, away = (value - center) / own, weight**0.5, level - baseline
    if not -PANE_SHARE_MAX <= z <= PANE_SHARE_MAX:
        z = PANE_SHARE_MAX if z > 0.0 else -PANE_SHARE_MAX
    if not -LEVEL_MAX <= away <= LEVEL_MAX:
        away = LEVEL_MAX if away > 0.0 else -LEVEL_MAX
    shown = (_came(signal, pane_rows), pane_rows) if counted else (away * rows, rows)
    sums = (root * z, weight, root * center_se / own, *shown)
    return (COUNT if counted else MEAN, *sums, baseline, freedom, lag1, decay, pane_rows, skew)


def _came(signal: Signal, pane_rows: float) -> int:
    """The rows behind a count, which people may see in another unit. Its own `rows` are those expected, if more."""
    if signal.baseline > 0.0:
        return round(signal.level * pane_rows / signal.baseline)
    return signal.rows if signal.level else 0
