"""Signals as columns: what each of them adds to the running sums of its chart, and what it says of its reference."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal

KNOWN_PANES = 1e12
"""For signals whose standard error is taken as exact."""
PANE_SHARE_MAX = 1e6
"""A step counts for at most so many standard errors: sums stay finite, and the steps beside it are still seen."""
LEVEL_MAX = 1e280
TOTALS = 5
"""Running sums of a chart. Of a mean: its deviation from the reference, its weight, the reference's error, deviation
of what people see times rows, rows. Of a share: events, rows, expected events, the reference's error, raw rows."""
NUMBERS = TOTALS + 7
"""What `numbers` says of a signal."""


class Steps(NamedTuple):
    """Signals as columns (C,); of each chart one."""

    share: BoolArray
    sums: FloatArray
    """(C, TOTALS): what they add to the running sums."""
    baseline: FloatArray
    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    pane_rows: FloatArray
    """Rows of a typical pane of the reference."""
    skew: FloatArray


def taken(steps: Steps, which: BoolArray | IntArray | slice) -> Steps:
    """Some of the steps."""
    share, *rest = steps
    return Steps(share[which], *(column[which] for column in rest))


def columns(signals: Sequence[Signal]) -> Steps:
    """The signals as columns."""
    return tabled(np.array([numbers(signal) for signal in signals], np.float64))


def tabled(table: FloatArray) -> Steps:
    """Rows of `numbers`, (C, NUMBERS), as columns."""
    return Steps(table[:, 0] != 0.0, table[:, 1 : TOTALS + 1], *table[:, TOTALS + 1 :].T.copy())


def numbers(signal: Signal) -> tuple[float, ...]:
    """What one signal comes to; see TOTALS."""
    known = signal.background
    if known is None:
        freedom, lag1, decay, weight, pane_rows, skew = KNOWN_PANES, 0.0, 0.0, 1.0, float(signal.rows), 0.0
    else:
        freedom, lag1, decay, weight = known.panes - 1, known.lag1, known.decay, known.weight
        pane_rows, skew = known.pane_rows, known.skew
    if signal.events is not None and known is not None:
        share = signal.baseline
        sums = (signal.events * weight / signal.rows, weight, weight * share, weight / known.rows**0.5, signal.rows)
        return (1.0, *sums, share, freedom, lag1, decay, pane_rows, 0.0)
    own = max(signal.se**2 - signal.center_se**2, 0.0) ** 0.5
    own = max(own, 1e-6 * signal.se)
    z = min(max((signal.value - signal.center) / own, -PANE_SHARE_MAX), PANE_SHARE_MAX)
    root = weight**0.5
    away = min(max(signal.level - signal.baseline, -LEVEL_MAX), LEVEL_MAX) * signal.rows
    sums = (root * z, weight, root * signal.center_se / own, away, signal.rows)
    return (0.0, *sums, signal.baseline, freedom, lag1, decay, pane_rows, skew)
