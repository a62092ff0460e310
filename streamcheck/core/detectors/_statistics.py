"""What the sums of a window come to, as a number of standard errors, and what one more step says for a return."""

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
    share: BoolArray, usual: Usual, sums: Sequence[FloatArray], length: IntArray, none: BoolArray,
    up: BoolArray, down: BoolArray,
) -> tuple[FloatArray, IntArray, FloatArray]:  # fmt: skip
    """Of each step the largest score of its windows, which that is, and its z.

    sums: of windows (C, K), of as many steps as length says; none: where there is no window; up, down (C, 1): which
    way is of interest.
    """
    g = np.ones(length.shape)
    tied = usual.lag1 > 0.0
    if tied.any():
        g[tied] = inflation(usual.lag1[tied, None], usual.decay[tied, None], length[tied].astype(np.float64))
    z = _z(share, sums, g, usual)
    wanted = ((z > 0.0) & up) | ((z < 0.0) & down)
    scores = np.where(wanted & ~none, np.abs(z), 0.0)
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    score = freed(scores[rows, best], np.maximum(usual.freedom, FREEDOM_MIN))
    return score, best, z[rows, best]


def _z(share: BoolArray, sums: Sequence[FloatArray], g: FloatArray, usual: Usual) -> FloatArray:
    """Each chart's statistic (C, K) by its kind."""
    z, means = np.zeros(g.shape), ~share
    offset, worth, scatter = (column[:, None] for column in (usual.offset, usual.worth, usual.scatter))
    if means.any():
        deviation, weight, error, _ = (column[means] for column in sums)
        z[means] = _mean_z(deviation, weight, error, g[means], offset[means], worth[means])
    if share.any():
        events, rows, expected, error = (column[share] for column in sums)
        z[share] = _share_z(events, rows, expected, error, g[share], offset[share], worth[share])
    return np.asarray(z / np.sqrt(scatter))


def _mean_z(
    deviation: FloatArray, weight: FloatArray, error: FloatArray, g: FloatArray, offset: FloatArray, worth: FloatArray
) -> FloatArray:
    """Means of two samples: (mean - reference) / sqrt(g / weight + reference's variance), all times the weight."""
    variance = weight * g + np.where(np.isnan(worth), error * error, weight * weight / worth)
    return np.asarray((deviation - offset * weight) / np.sqrt(np.where(variance > 0.0, variance, 1.0)))


def _share_z(
    events: FloatArray, rows: FloatArray, expected: FloatArray, error: FloatArray, g: FloatArray,
    offset: FloatArray, worth: FloatArray,
) -> FloatArray:  # fmt: skip
    """The signed root of the binomial deviance of two samples, divided by g.

    The reference: `expected / rows` of as many rows as its error says, (rows / error)^2. Of a handful of events the
    root makes too much (four where 0.1 are expected: 2.4 times as frequent as a normal number like it); but windows of
    rare events hold the same ones, and their largest is less than that of normal numbers by more (decision 0019).
    """
    held = np.where(rows > 0.0, rows, 1.0)
    share, usual = events / held, np.clip(expected / held + offset, 0.0, 1.0)
    reference = np.where(np.isnan(worth), (held / np.where(error > 0.0, error, 1e-9)) ** 2, worth)
    both = (held * share + reference * usual) / (held + reference)
    deviance = held * _divergence(share, both) + reference * _divergence(usual, both)
    z = np.sqrt(2.0 * np.maximum(deviance, 0.0) / g)
    return np.asarray(np.where(rows > 0.0, np.where(share >= usual, z, -z), 0.0))


def _divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """Kullback and Leibler's, of 0/1: p log(p/q) + (1 - p) log((1 - p)/(1 - q)), where q is 0 or 1 only if p is."""
    rises, falls = (p > 0.0) & (q > 0.0), (p < 1.0) & (q < 1.0)
    up = np.where(rises, p, 1.0) / np.where(rises, q, 1.0)
    down = np.where(falls, 1.0 - p, 1.0) / np.where(falls, 1.0 - q, 1.0)
    return np.asarray(p * np.log(up) + (1.0 - p) * np.log(down))


def _within(share: FloatArray) -> FloatArray:
    return np.clip(share, SHARE_MIN, 1.0 - SHARE_MIN)
