"""What the sums of a window come to, as a number of standard errors, and what one more step says for a return."""

import math
from typing import Protocol

import numpy as np

from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._steps import Steps, chosen, within
from streamcheck.core.detectors._windows import freed, inflation
from streamcheck.core.types import BoolArray, FloatArray, IntArray

FREEDOM_MIN = 2.0
ROUNDING = 1e-12
"""A level that is so small a part of the reference's is what sums leave of 0."""
RETURN_STEPS = 32
"""The return test allows for the correlation of so many steps."""
DOUBT = 1.5
"""To spare, beside what is kept for all charts, where the scatter of steps is an estimate, and its tail another's."""
HALF = 0.5
"""Stands for a count of 0, where its logarithm is wanted."""
RATIO_MIN = 1e-300
"""Stands for a share of 0, or less by rounding, whose logarithm counts for nothing."""
Z_EXACT = 2.0
"""Tails of counts are worked out beyond; alarms of any budget that is kept lie far above."""


class Windows(Protocol):
    """Windows that end with each of some steps (N,), as (K, N). none: where there is none; None if all are there."""

    @property
    def none(self) -> BoolArray | None: ...

    def lengths(self, which: IntArray | slice) -> IntArray:
        """How many steps the windows hold that end with some of the steps."""

    def sums(self, parts: slice) -> FloatArray:
        """What each holds of some of the TOTALS, (P, K, N), as an array of its own; anything where there is none."""


def since(held: FloatArray | None, steps: Steps, place: int) -> tuple[float | None, int | None]:
    """What people see of a window with these sums (None: there is none), as a level, and its rows.

    Of a count: as many as are usual in the newest step, times all that came for all that were expected; rows that came.
    """
    if held is None:
        return None, None
    baseline = steps.baseline[place]
    if steps.counted[place]:
        usual = steps.pane_rows[place]
        seen = float(held[3] * (baseline / usual) * (usual / held[4])) if usual > 0.0 else None
        return seen, round(float(held[3]))
    seen = held[0] / held[1] if steps.share[place] else baseline + held[3] / max(held[4], 1.0)
    if abs(seen) <= ROUNDING * abs(baseline):
        seen = 0.0
    return float(seen) if held[1] > 0.0 else None, round(float(held[4]))


def half_shift(held: FloatArray, steps: Steps, usual: Usual, place: int) -> float:
    """Half of what raised an alarm by a window with these sums that ends with this step.

    Of a share as it is, of a mean in standard deviations of a row. Of a count as a part of what is expected: where that
    goes with the hour, no rows at all are many standard deviations at noon, and hardly one at night.
    """
    moved, offset = (held[0] - held[2] if steps.share[place] else held[0]) / held[1], usual.offset[place]
    if steps.counted[place]:
        part = steps.parts[place]
        moved, offset = held[3] / held[4] - 1.0 if held[4] > 0.0 else moved * part, offset * part
    return float(0.5 * (moved - offset))


def returned(steps: Steps, usual: Usual, shift: FloatArray) -> FloatArray:
    """How much each step says for "as the reference" against "half of the alarm's shift": log-likelihood ratios."""
    added, weight, expected = steps.sums[:3]
    if steps.counted.any():
        shift = np.where(steps.counted, shift / np.where(steps.counted, steps.parts, 1.0), shift)
    mean = -shift * (added - weight * (usual.offset + shift / 2.0))
    level = within(expected / np.maximum(weight, 1e-300) + usual.offset)
    raised = within(level + shift)
    share = added * np.log(level / raised) + (weight - added) * np.log((1.0 - level) / (1.0 - raised))
    g = usual.scatter
    if usual.lag1.any():
        g = g * inflation(usual.lag1, usual.decay, np.full(len(shift), float(RETURN_STEPS)))
    return np.asarray(np.where(steps.share, share, mean) / g)


def deviations(steps: Steps) -> FloatArray:
    """By how much the sums of the steps exceed what the reference expects, in standard deviations of a row."""
    moved = np.where(steps.share, steps.sums[0] - steps.sums[2], steps.sums[0])
    return np.asarray(moved / steps.spread)


def scores(
    usual: Usual, windows: Windows, up: BoolArray, down: BoolArray, *, share: bool, skew: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of each window (K, N) its score, 0 where it is not of interest, and its z.

    up, down (N,) or (1,): which way is of interest. share: whether the steps are shares, else they are means. skew
    (N,): of each step, as in Background.
    """
    z = standardised(usual, windows, share=share, skew=skew)
    found = np.abs(z) if up.all() and down.all() else np.maximum(z * up, z * -down.astype(np.float64))
    if windows.none is not None:
        found[windows.none] = 0.0
    return found, z


def standardised(usual: Usual, windows: Windows, *, share: bool, skew: FloatArray) -> FloatArray:
    """The z of each window (K, N), with what the likeness of neighbours makes of it; parameters as of `scores`."""
    return _share_z(usual, windows) if share else _mean_z(usual, windows, skew)


def judged(score: FloatArray, usual: Usual) -> FloatArray:
    """The largest score of each step (N,), as a normal number of the same tail."""
    score = freed(score, np.maximum(usual.freedom, FREEDOM_MIN))
    return chosen(usual.plain > 0.0, lambda: score, lambda: _doubted(score))


def _doubted(score: FloatArray) -> FloatArray:
    """Scores of charts whose steps visibly scatter: as those of a tail DOUBT times as likely (below 2 less so)."""
    part = np.where(score > Z_EXACT, 1.0 / np.maximum(score, 1.0), score / Z_EXACT**2)
    return np.asarray(score - math.log(DOUBT) * part)


def _inflated(usual: Usual, windows: Windows) -> FloatArray | None:
    """By how much is the variance of each window's mean larger than that of independent steps? None: by nothing."""
    tied = np.flatnonzero(usual.lag1 > 0.0)
    if not len(tied):
        return None
    found = inflation(usual.lag1[tied], usual.decay[tied], windows.lengths(tied).astype(np.float64))
    if len(tied) == len(usual.lag1):
        return found
    g = np.ones((len(found), len(usual.lag1)))
    g[:, tied] = found
    return g


def _of_counts(z: FloatArray, skew: FloatArray) -> FloatArray:
    """Rises as the signed root of a Poisson count's deviance, whose z is (k - m) / sqrt(m) and skewness 1 / sqrt(m).

    Falls stay as they are: counts fall less far than normal numbers.

    >>> _of_counts(np.array([7.5, -0.5]), np.array([2.0, 2.0])).round(2).tolist()
    [3.83, -0.5]
    """
    rise = skew * np.maximum(z, 0.0)
    return np.asarray(np.where(z > 0.0, np.sqrt(2.0 * ((1.0 + rise) * np.log1p(rise) - rise)) / skew, z))


def _mean_z(usual: Usual, windows: Windows, skew: FloatArray) -> FloatArray:
    """Means of two samples: (mean - reference) / sqrt(g / weight + reference's variance), all times the weight."""
    (z, weight), g = windows.sums(slice(0, 2)), _inflated(usual, windows)
    known = ~np.isnan(usual.worth)
    variance = chosen(known, lambda: weight * weight / usual.worth, lambda: np.square(windows.sums(slice(2, 3))[0]))
    variance += weight if g is None else weight * g
    variance[~(variance > 0.0)] = 1.0
    z -= usual.offset * weight
    z /= np.sqrt(variance, out=variance)
    z /= np.sqrt(usual.scatter)
    skewed = np.flatnonzero(skew)
    if len(skewed):
        some, side = weight[:, skewed], np.sign(skew[skewed])
        wide = (1.0 if g is None else g[:, skewed]) / np.where(some > 0.0, some, 1.0)
        z[:, skewed] = side * _of_counts(side * z[:, skewed], np.abs(skew[skewed]) * np.sqrt(wide))
    return np.asarray(z)


def _share_z(usual: Usual, windows: Windows) -> FloatArray:
    """The signed root of the binomial deviance of two samples, divided by g.

    The reference: `expected / rows` of as many rows as its error says, (rows / error)^2. Of a handful of events the
    root makes too much (four where 0.1 are expected: 2.4 times as frequent as a normal number like it); but windows of
    rare events hold the same ones, and their largest is less than that of normal numbers by more (decision 0019). Where
    events come in clumps, as the scatter of panes shows, that is not enough: r + log(v / r) / r has the tail of counts,
    Lugannani and Rice (1980), Advances in Applied Probability 12, for whole numbers.
    """
    held = windows.sums(slice(0, 3))
    rows, shares = held[1], held[::2]
    empty = ~(rows > 0.0)
    some_empty = bool(empty.any())
    if some_empty:
        rows[empty] = 1.0
    shares /= rows
    share, before = shares
    before += usual.offset
    np.minimum(np.maximum(before, 0.0, out=before), 1.0, out=before)
    known = ~np.isnan(usual.worth)
    reference = chosen(known, lambda: usual.worth, lambda: _worth(rows, windows.sums(slice(3, 4))[0]))
    both = rows * share
    both += reference * before
    both /= rows + reference
    apart = _divergence(shares, both)
    apart[0] *= rows
    apart[1] *= reference
    z, g = np.add(apart[0], apart[1], out=both), _inflated(usual, windows)
    np.maximum(z, 0.0, out=z)
    z *= 2.0
    if g is not None:
        z /= g
    np.sqrt(z, out=z)
    clumped = usual.plain == 0.0
    if clumped.any():
        far = (z > Z_EXACT) & clumped
        columns = (rows, share, reference, before, np.ones(1) if g is None else g)
        z[far] = _tail(z[far], *(np.broadcast_to(column, z.shape)[far] for column in columns))
    np.copysign(z, share - before, out=z)
    if some_empty:
        z[empty] = 0.0
    z /= np.sqrt(usual.scatter)
    return np.asarray(z)


def _worth(rows: FloatArray, error: FloatArray) -> FloatArray:
    """How many rows stand behind a reference with this error."""
    error[~(error > 0.0)] = 1e-9
    return np.asarray(np.square(np.divide(rows, error, out=error), out=error))


def _tail(
    z: FloatArray, rows: FloatArray, share: FloatArray, reference: FloatArray, usual: FloatArray, g: FloatArray
) -> FloatArray:
    """Signed roots, (N,) all of them beyond Z_EXACT, as normal numbers of the tail that the counts have."""
    counts = (rows * share, rows * (1.0 - share), reference * usual, reference * (1.0 - usual))
    odd, even, before, rest = (np.maximum(count, HALF) for count in counts)
    apart = -np.expm1(-np.abs(np.log(odd * rest / (even * before))))
    exact = apart / np.sqrt(g * (1.0 / odd + 1.0 / even + 1.0 / before + 1.0 / rest))
    return np.asarray(np.maximum(z + np.log(np.maximum(exact, 1e-9) / z) / z, Z_EXACT))


def _divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """Kullback and Leibler's, of 0/1: p log(p/q) + (1 - p) log((1 - p)/(1 - q)), where q is 0 or 1 only if p is."""
    found = _part(p, q)
    found += _part(1.0 - p, 1.0 - q)
    return found


def _part(p: FloatArray, q: FloatArray) -> FloatArray:
    """The term p log(p/q), 0 where either is not above 0."""
    part = np.maximum(p, RATIO_MIN)
    part /= np.maximum(q, RATIO_MIN)
    part = np.log(part)
    part *= p
    rounded = (p < 0.0) | (q <= 0.0)  # below 0, or at 0 though p is not, by rounding alone
    if rounded.any():
        part[rounded] = 0.0
    return np.asarray(part)
