"""What do many blocks of labelled rows say against a reference? Rows of `numbers`, as charts take them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.detectors._steps import LEVEL_MAX, NUMBERS, PANE_SHARE_MAX, numbers
from streamcheck.core.likeness import DISPERSION_EVENTS_MIN
from streamcheck.core.measures._labelled_moments import LabelledMean, LabelledRate, Share
from streamcheck.core.measures._moments import ERRORS_MAX, ROUNDING, MomentAccumulator
from streamcheck.core.measures._running import Running, Scatter, power
from streamcheck.core.summaries import Moment
from streamcheck.core.types import FloatArray, IntArray


class Told(NamedTuple):
    """places (N,): which of the summaries say something; table: what each of them comes to."""

    places: IntArray
    table: FloatArray


class _Known(NamedTuple):
    """The reference for each of the blocks (N,): variances of a block's mean and of its own, and as in Background."""

    mean: FloatArray
    own: FloatArray
    center: FloatArray
    weight: FloatArray
    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    pane_rows: FloatArray


def against_one(measure: Any, summaries: Sequence[Any], content: Any) -> Told | None:
    """All against the same content; None where each must be asked for itself."""
    if isinstance(measure, LabelledRate):
        places = np.flatnonzero([summary.rows > 0 for summary in summaries])
        return Told(places, _shares(measure, [summaries[place] for place in places.tolist()], content))
    if isinstance(measure, LabelledMean) and isinstance(content, MomentAccumulator) and content.moment.n:
        moments: list[Moment] = [measure.moment(summary) for summary in summaries]
        places = np.flatnonzero([moment.n > 0 for moment in moments])
        if any(moment.origin for moment in moments):
            return None
        rows = np.array([moments[place].n for place in places.tolist()], np.int64)
        totals = np.array([moments[place].total for place in places.tolist()])
        return Told(places, _means(totals, rows.astype(np.float64), _one(content, rows)))
    return None


def tells_growing(measure: Any) -> bool:
    """Whether `against_growing` knows how this measure compares."""
    return isinstance(measure, LabelledRate | LabelledMean)


def against_growing(measure: Any, running: Running) -> Told:
    """Each against what came before it."""
    if isinstance(measure, LabelledRate):
        return Told(running.places, _growing_shares(running))
    scatter, rows = Scatter(running), running.rows.astype(np.float64)
    within = scatter.within()
    _, weight = scatter.worth(rows, within)
    own, center = scatter.variance(rows, within) / rows, scatter.mean_variance(within)
    tied = (scatter.lag1, scatter.decay, scatter.n / scatter.panes)
    known = _Known(scatter.mean, own, center, weight, scatter.panes - 1.0, *tied)
    return Told(running.places, _means(running.totals, rows, known))


def _shares(measure: LabelledRate, shares: Sequence[Share], content: Any) -> FloatArray:
    """Against one reference, those of as many rows differ by their events alone."""
    known: dict[int, tuple[float, ...]] = {}
    for share in shares:
        if share.rows not in known and (signal := measure.signal(Share(0, share.rows), content)) is not None:
            known[share.rows] = numbers(signal)
    table = np.array([known[share.rows] for share in shares])
    if len(shares):
        events, rows = np.array(shares, np.float64).T
        table[:, 1] = events * table[:, 2] / rows
    return table


def _growing_shares(running: Running) -> FloatArray:
    """As `share_signal` and `numbers` have it."""
    scatter, rows, events = Scatter(running), running.rows.astype(np.float64), running.totals
    center = (scatter.total + 0.5) / (scatter.n + 1.0)
    worth, weight = scatter.worth(rows, center * (1.0 - center))
    enough = np.minimum(scatter.total, scatter.n - scatter.total) >= DISPERSION_EVENTS_MIN
    worth, weight = np.where(enough, worth, scatter.n), np.where(enough, weight, rows)
    lag1, decay = np.where(enough, scatter.lag1, 0.0), np.where(enough, scatter.decay, 0.0)
    sums = (events * weight / rows, weight, weight * scatter.mean, weight / power(worth, 0.5), rows)
    behind = (scatter.mean, scatter.panes - 1.0, lag1, decay, scatter.n / scatter.panes, np.zeros(len(rows)))
    return np.column_stack([np.ones(len(rows)), *sums, *behind])


def _one(content: MomentAccumulator, rows: IntArray) -> _Known:
    """The same reference for all of them: what it says to each number of rows."""
    within = content.within()
    sizes, which = np.unique(rows, return_inverse=True)
    said = []
    for size in sizes.tolist():
        known = content.background(size, within)
        own = content.variance(size, within) / size
        tied = (known.panes - 1, known.lag1, known.decay, known.pane_rows)
        said.append((content.moment.mean, own, content.mean_variance(within), known.weight, *tied))
    return _Known(*np.array(said, np.float64).reshape(-1, 8)[which].T)


def _means(totals: FloatArray, rows: FloatArray, known: _Known) -> FloatArray:
    """As `mean_signal` and `numbers` have it."""
    value = 0.0 + totals / rows
    apart = value - known.mean
    least = np.maximum(np.maximum(ROUNDING * np.abs(known.mean), np.abs(apart) / ERRORS_MAX), 1e-150)
    se, center_se = np.maximum(np.sqrt(known.own + known.center), least), np.sqrt(known.center)
    own = power(np.maximum(power(se, 2) - power(center_se, 2), 0.0), 0.5)
    own = np.maximum(own, 1e-6 * se)
    z, root = np.clip(apart / own, -PANE_SHARE_MAX, PANE_SHARE_MAX), power(known.weight, 0.5)
    away = np.clip(apart, -LEVEL_MAX, LEVEL_MAX) * rows
    sums = (root * z, known.weight, root * center_se / own, away, rows)
    behind = (known.mean, known.freedom, known.lag1, known.decay, known.pane_rows, np.zeros(len(rows)))
    made = np.column_stack([np.zeros(len(rows)), *sums, *behind])
    assert made.shape[1] == NUMBERS, made.shape
    return made
