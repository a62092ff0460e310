"""What the sums of a window come to, as a number of standard errors, and what one more step says for a return."""

import math
from collections.abc import Sequence

import numpy as np

from streamcheck.core.detectors._grown import Known, Usual
from streamcheck.core.detectors._steps import Steps
from streamcheck.core.detectors._windows import freed, inflation
from streamcheck.core.types import BoolArray, FloatArray, IntArray

FREEDOM_MIN = 2.0
SHARE_MIN = 1e-4
"""Shares nearer to 0 or 1 are taken for this in the return test: one event must not decide."""
RETURN_STEPS = 32
"""The return test allows for the correlation of so many steps."""
DOUBT = 1.5
"""To spare, beside what is kept for all charts, where the scatter of steps is an estimate, and its tail another's."""
HALF = 0.5
"""Stands for a count of 0, where its logarithm is wanted."""
Z_EXACT = 2.0
"""Tails of counts are worked out beyond; alarms of any budget that is kept lie far above."""


def since(held: FloatArray | None, steps: Steps, place: int) -> tuple[float | None, int | None]:
    """What people see of a window with these sums (None: there is none), as a level, and its rows."""
    if held is None:
        return None, None
    seen = held[0] / held[1] if steps.share[place] else steps.baseline[place] + held[3] / max(held[4], 1.0)
    return float(seen) if held[1] > 0.0 else None, round(float(held[4]))


def returned(steps: Steps, usual: Usual, shift: FloatArray) -> FloatArray:
    """How much each step says for "as the reference" against "half of the alarm's shift": log-likelihood ratios."""
    added, weight, expected = steps.sums[:, 0], steps.sums[:, 1], steps.sums[:, 2]
    mean = -shift * (added - weight * (usual.offset + shift / 2.0))
    level = _within(expected / np.maximum(weight, 1e-300) + usual.offset)
    raised = _within(level + shift)
    share = added * np.log(level / raised) + (weight - added) * np.log((1.0 - level) / (1.0 - raised))
    g = usual.scatter * inflation(usual.lag1, usual.decay, np.full(len(shift), float(RETURN_STEPS)))
    return np.asarray(np.where(steps.share, share, mean) / g)


def known(steps: Steps) -> Known:
    """What the steps say of their reference."""
    weight, error = steps.sums[:, 1], np.where(steps.share, steps.sums[:, 3], steps.sums[:, 2])
    worth = (weight / np.where(error > 0.0, error, 1e-9)) ** 2
    rarer = np.minimum(steps.baseline, 1.0 - steps.baseline)
    events = np.where(steps.share, rarer * worth, np.inf)
    floor = np.minimum(weight / np.maximum(steps.sums[:, 4], 1.0), 1.0)
    return Known(steps.freedom, steps.lag1, steps.decay, worth, _spread(steps), events, floor)


def deviations(steps: Steps) -> FloatArray:
    """By how much the sums of the steps exceed what the reference expects, in standard deviations of a row."""
    moved = np.where(steps.share, steps.sums[:, 0] - steps.sums[:, 2], steps.sums[:, 0])
    return np.asarray(moved / _spread(steps))


def _spread(steps: Steps) -> FloatArray:
    """A share's standard deviation of a row; means are counted in theirs already."""
    usual = _within(steps.baseline)
    return np.where(steps.share, np.sqrt(usual * (1.0 - usual)), 1.0)


def largest(
    steps: Steps, usual: Usual, sums: Sequence[FloatArray], length: IntArray, none: BoolArray,
    up: BoolArray, down: BoolArray,
) -> tuple[FloatArray, IntArray, FloatArray]:  # fmt: skip
    """Of each step the largest score of its windows, which that is, and its z.

    sums: of windows (C, K), of as many steps as length says; none: where there is no window; up, down (C, 1): which
    way is of interest.
    """
    z = standardised(steps, usual, sums, length)
    wanted = ((z > 0.0) & up) | ((z < 0.0) & down)
    scores = np.where(wanted & ~none, np.abs(z), 0.0)
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    score = freed(scores[rows, best], np.maximum(usual.freedom, FREEDOM_MIN))
    return np.where(usual.plain > 0.0, score, _doubted(score)), best, z[rows, best]


def standardised(steps: Steps, usual: Usual, sums: Sequence[FloatArray], length: IntArray) -> FloatArray:
    """The z of windows (C, K) of so many steps, with what the likeness of neighbours makes of them."""
    g = np.ones(length.shape)
    tied = usual.lag1 > 0.0
    if tied.any():
        g[tied] = inflation(usual.lag1[tied, None], usual.decay[tied, None], length[tied].astype(np.float64))
    return _z(steps, sums, g, usual)


def _doubted(score: FloatArray) -> FloatArray:
    """Scores of charts whose steps visibly scatter: as those of a tail DOUBT times as likely (below 2 less so)."""
    part = np.where(score > Z_EXACT, 1.0 / np.maximum(score, 1.0), score / Z_EXACT**2)
    return np.asarray(score - math.log(DOUBT) * part)


def _z(steps: Steps, sums: Sequence[FloatArray], g: FloatArray, usual: Usual) -> FloatArray:
    """Each chart's statistic (C, K) by its kind."""
    share, skewed = steps.share, steps.skew > 0.0
    z, means = np.zeros(g.shape), ~share
    offset, worth, scatter = (column[:, None] for column in (usual.offset, usual.worth, usual.scatter))
    if means.any():
        deviation, weight, error, _ = (column[means] for column in sums)
        z[means] = _mean_z(deviation, weight, error, g[means], offset[means], worth[means])
    if share.any():
        events, rows, expected, error = (column[share] for column in sums)
        clumped = usual.plain[share, None] == 0.0
        z[share] = _share_z(events, rows, expected, error, g[share], offset[share], worth[share], clumped)
    z = z / np.sqrt(scatter)
    if skewed.any():
        weight = np.where(sums[1][skewed] > 0.0, sums[1][skewed], 1.0)
        z[skewed] = _of_counts(z[skewed], steps.skew[skewed, None] * np.sqrt(g[skewed] / weight))
    return np.asarray(z)


def _of_counts(z: FloatArray, skew: FloatArray) -> FloatArray:
    """Rises as the signed root of a Poisson count's deviance, whose z is (k - m) / sqrt(m) and skewness 1 / sqrt(m).

    Falls stay as they are: counts fall less far than normal numbers.

    >>> _of_counts(np.array([7.5, -0.5]), np.array([2.0, 2.0])).round(2).tolist()
    [3.83, -0.5]
    """
    rise = skew * np.maximum(z, 0.0)
    return np.asarray(np.where(z > 0.0, np.sqrt(2.0 * ((1.0 + rise) * np.log1p(rise) - rise)) / skew, z))


def _mean_z(
    deviation: FloatArray, weight: FloatArray, error: FloatArray, g: FloatArray, offset: FloatArray, worth: FloatArray
) -> FloatArray:
    """Means of two samples: (mean - reference) / sqrt(g / weight + reference's variance), all times the weight."""
    variance = weight * g + np.where(np.isnan(worth), error * error, weight * weight / worth)
    return np.asarray((deviation - offset * weight) / np.sqrt(np.where(variance > 0.0, variance, 1.0)))


def _share_z(
    events: FloatArray, rows: FloatArray, expected: FloatArray, error: FloatArray, g: FloatArray,
    offset: FloatArray, worth: FloatArray, clumped: BoolArray,
) -> FloatArray:  # fmt: skip
    """The signed root of the binomial deviance of two samples, divided by g.

    The reference: `expected / rows` of as many rows as its error says, (rows / error)^2. Of a handful of events the
    root makes too much (four where 0.1 are expected: 2.4 times as frequent as a normal number like it); but windows of
    rare events hold the same ones, and their largest is less than that of normal numbers by more (decision 0019). Where
    events come in clumps, as the scatter of panes shows, that is not enough: r + log(v / r) / r has the tail of counts,
    Lugannani and Rice (1980), Advances in Applied Probability 12, for whole numbers.
    """
    held = np.where(rows > 0.0, rows, 1.0)
    share, usual = events / held, np.clip(expected / held + offset, 0.0, 1.0)
    reference = np.where(np.isnan(worth), (held / np.where(error > 0.0, error, 1e-9)) ** 2, worth)
    both = (held * share + reference * usual) / (held + reference)
    deviance = held * _divergence(share, both) + reference * _divergence(usual, both)
    z = np.sqrt(2.0 * np.maximum(deviance, 0.0) / g)
    far = (z > Z_EXACT) & clumped
    if far.any():
        wide = (np.broadcast_to(column, z.shape)[far] for column in (held, share, reference, usual, g))
        z[far] = _tail(z[far], *wide)
    return np.asarray(np.where(rows > 0.0, np.where(share >= usual, z, -z), 0.0))


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
    rises, falls = (p > 0.0) & (q > 0.0), (p < 1.0) & (q < 1.0)
    up = np.where(rises, p, 1.0) / np.where(rises, q, 1.0)
    down = np.where(falls, 1.0 - p, 1.0) / np.where(falls, 1.0 - q, 1.0)
    return np.asarray(p * np.log(up) + (1.0 - p) * np.log(down))


def _within(share: FloatArray) -> FloatArray:
    return np.clip(share, SHARE_MIN, 1.0 - SHARE_MIN)
