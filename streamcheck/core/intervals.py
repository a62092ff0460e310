"""Between which values does a quality lie, given how few rows it was measured on? 95 % unless told otherwise."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import chdtri, ndtri, stdtrit

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quality with its 95 % interval and the number n of rows it rests on."""

    value: float
    low: float
    high: float
    n: int


MARGIN = 0.02
"""A share that is known to +-2 points is known well enough to act upon."""


def rows_needed(estimate: Estimate, margin: float = MARGIN) -> int:
    """About how many more rows of the same kind until a share is known to +-margin; 0 where it is.

    Half the width of an interval falls with the root of the rows.

    >>> rows_needed(Estimate(0.9, 0.86, 0.94, 200)), rows_needed(Estimate(0.9, 0.89, 0.91, 3_000))
    (600, 0)
    """
    half = (estimate.high - estimate.low) / 2
    return max(0, math.ceil(round(estimate.n * (half / margin) ** 2, 6)) - estimate.n)


def wilson(events: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Where does a share lie of which `events` of n >= 1 rows were seen? Wilson's interval.

    Wilson (1927), JASA 22; recommended for small n by Brown, Cai, DasGupta (2001), Statistical Science 16(2).

    >>> low, high = wilson(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    assert 0 <= events <= n, f"{events} of {n}"
    assert n >= 1, "no rows, no interval"
    z = float(ndtri(0.5 + confidence / 2))
    share, spread = events / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # At 0 and n the formula's own ends are exactly 0 and 1, but for rounding.
    return Interval(0.0 if events == 0 else max(middle - half, 0.0), 1.0 if events == n else min(middle + half, 1.0))


def normal_interval(mean: float, sd: float, confidence: float = CONFIDENCE) -> Interval:
    """Between which values does a normal number lie, so many times of 100?

    >>> low, high = normal_interval(10.0, 2.0)
    >>> round(low, 2), round(high, 2)
    (6.08, 13.92)
    """
    half = float(ndtri(0.5 + confidence / 2)) * sd
    return Interval(mean - half, mean + half)


def mean_interval(n: int, mean: float, variance: float, confidence: float = CONFIDENCE) -> Interval:
    """In which interval does the mean of n >= 2 values lie? variance: their mean squared distance from the mean.

    Student's t with n - 1 degrees of freedom: Student (1908), Biometrika 6.

    >>> low, high = mean_interval(5, 3.0, 2.0)
    >>> round(low, 4), round(high, 4)
    (1.0368, 4.9632)
    """
    assert n >= 2, f"an interval for a mean needs two values or more, not {n}"
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * math.sqrt(variance / (n - 1))
    return Interval(mean - half, mean + half)


def rmse_interval(n: int, mse: float, variance: float, confidence: float = CONFIDENCE) -> Interval:
    """In which interval does the root of the mean squared error lie? mse and variance: of the n >= 2 squared errors.

    Student's t interval of log(MSE), its standard error by the delta method, sd / (sqrt(n - 1) MSE); then the root. On
    the log scale the interval cannot fall below zero and follows the skewness of squared errors.

    >>> low, high = rmse_interval(100, 4.0, 32.0)
    >>> round(low, 4), round(high, 4)
    (1.737, 2.3029)
    """
    assert n >= 2, f"an interval for RMSE needs two rows or more, not {n}"
    if mse <= 0.0:
        return Interval(0.0, 0.0)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * math.sqrt(variance / (n - 1)) / mse
    # Of two rows half may be 12.7 and no more than t sqrt(n) in general: exp stays finite.
    return Interval(math.sqrt(mse) * math.exp(-half / 2), math.sqrt(mse) * math.exp(half / 2))


def f1_interval(tp: int, fp: int, fn: int, confidence: float = CONFIDENCE) -> Interval:
    """In which interval does F1 = 2 TP / (2 TP + FP + FN) lie? TP + FP + FN >= 1.

    F1 is not a share of rows, but J = TP / (TP + FP + FN) is one (the Jaccard index, of the rows that are positive by
    label or by prediction), and F1 = 2 J / (1 + J) rises with it: Wilson's ends for J, mapped, are those for F1. Given
    that number of rows, TP is binomial when rows are independent. F1: van Rijsbergen (1979), Information Retrieval, 7.

    >>> low, high = f1_interval(8, 1, 1)
    >>> round(low, 4), round(high, 4)
    (0.6579, 0.9708)
    """
    low, high = wilson(tp, tp + fp + fn, confidence)
    return Interval(2 * low / (1 + low), 2 * high / (1 + high))


def poisson(events: int, spans: float, confidence: float = 0.95) -> Interval:
    """Between which rates per span does a process lie that gave so many events? Garwood (1936), Biometrika 28.

    >>> low, high = poisson(0, 1.0)
    >>> round(low, 3), round(high, 3)
    (0.0, 3.689)
    """
    assert spans > 0, "no time, no rate"
    tail = (1 - confidence) / 2
    low = chdtri(2 * events, 1 - tail) / 2 if events else 0.0
    return Interval(float(low) / spans, float(chdtri(2 * events + 2, tail)) / 2 / spans)
