"""Has a numeric column become wider or narrower?"""

import math
from bisect import bisect
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.measures.base import value_size
from streamcheck.core.summaries import Layout, Moment, NumericSummary
from streamcheck.core.types import IntArray, Signal

LOG_PER_SCORE = math.sqrt(math.pi / 2 - 1)
"""Of normal values: the log of their scale moves by sd|z| / E|z| = 0.756 for each standard deviation of |z|."""
SHIFTED = math.sqrt(1 / (2 * math.pi)) / math.sqrt(1 - 2 / math.pi)
"""Normal values that move by a small d have a mean |z| that is larger by 0.66 d^2, in its own standard deviations."""
NEARBY = 0.25
"""Up to where that holds: the truth is 0.0002 less at 0.25, 0.05 at 1, 0.6 at 2."""
BEYOND_MAX = 0.5
"""Of a pane's rows, beyond one end of the column's first values more than beyond the other: they score alike."""
_STEPS, _STEP = 80, 0.05
_LOG_MAX = 600.0
KNOWN_MIN = 1e-6
"""Part of the mean square that a variance must be for sums about 0 to tell it: in 1e6 rows they are exact to 1e-10."""
CALM_ERRORS = 2.0
"""Standard errors of a mean of so many independent rows, of which as many as 1 in 40 lie further below."""


@register
class Scale(ScoreMeasure):
    """How much wider or narrower has the column become? The mean absolute normal score of its rows, standardised.

    The absolute score, not its square, and the cube root of a pane's mean of it, which near the reference grows as the
    mean does: means of sizes are skewed, the more the more rows resemble their neighbours, and rare alarms come from
    the tail. What the pane's own location adds is taken off first, so that panes which move up and down look no wider.
    level and baseline are the raw standard deviations. A column whose first values were of two kinds only scores 0. Of
    a pane that lies beyond one end of the first values for the most part nothing is said: its rows score alike.
    """

    column = 1
    unit: ClassVar[str] = "standard deviation"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In its unit, and in per cent."""
        return value_size(level, baseline)

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the pane's scale scores, less what the location adds to each, rooted; None as said above.

        That is 0.66 (m^2 - q/n) where the pane has hardly moved, m and q being the mean and mean square of its n
        location scores, and else as `added` has it. m^2 - q/n is the mean product of two different rows, times 1 - 1/n:
        what rows that move together have in common. One row alone tells nothing of it.
        """
        scale, location = summary.scores(self.column), summary.scores(0)
        layout, counts = summary.layout, summary.counts
        if scale is None or location is None or not scale.square or layout is None or counts is None:
            return scale
        common = (location.total * location.total - location.square) / scale.n
        moved = SHIFTED * common
        if common > NEARBY * NEARBY * scale.n:
            if (summary.outside() or 0) > BEYOND_MAX * scale.n and _one_sided(counts, layout):
                return None
            end = float(layout.by_score[0, -1 if location.total > 0.0 else 0])
            moved = scale.n * added(math.sqrt(common / scale.n), abs(end))
        return rooted(Moment(scale.n, scale.total - moved, scale.square), scale, layout.calm)

    def shown(self, moment: Moment) -> float:
        """The raw standard deviation."""
        return moment.sd

    def seen(self, summary: NumericSummary) -> Signal | None:
        """The raw standard deviation; None where sums about 0, as they are before a layout, do not tell it."""
        moment = summary.moment
        if summary.layout is None and moment.n and moment.variance < KNOWN_MIN * moment.square / moment.n:
            return None
        return super().seen(summary)

    def spread(self, errors: float, sd: float, baseline: float) -> Interval:  # noqa: ARG002 (the baseline is the sd)
        """As many standard deviations of |score| as LOG_PER_SCORE says that the column's own has changed by."""
        factor = math.exp(min(errors * LOG_PER_SCORE, _LOG_MAX))
        return Interval(baseline / factor, baseline * factor)


def _one_sided(counts: IntArray, layout: Layout) -> bool:
    below, above = int(counts[: layout.inside.start].sum()), int(counts[layout.inside.stop :].sum())
    return abs(above - below) > BEYOND_MAX * int(counts.sum())


def added(mean: float, end: float) -> float:
    """By how much is the mean |z| of normal values larger that have moved until the mean of z is this? In its own sd.

    end: the size of z that none exceeds, on the side that they moved to: values beyond score as if they lay there.

    >>> round(added(0.5, 3.0), 3), round(added(2.0, 9.0), 3), round(added(1.9, 3.0), 3)
    (0.16, 2.022, 1.858)
    """
    means, sizes = _course(end)
    at = min(max(bisect(means, mean), 1), _STEPS)
    share = min((mean - means[at - 1]) / (means[at] - means[at - 1]), 1.0)
    return sizes[at - 1] + share * (sizes[at] - sizes[at - 1])


@lru_cache(maxsize=1_024)
def _course(end: float) -> tuple[list[float], list[float]]:
    """The mean of z, and that of |z| in its own sd, each less what it was, where values move by 0, _STEP and so on."""
    means, sizes = [], []
    for step in range(_STEPS + 1):
        d = step * _STEP
        cut = _density(d - end) + (d - end) * _below(d - end)
        means.append(d - cut)
        sizes.append(2.0 * _density(d) + d * (2.0 * _below(d) - 1.0) - cut)
    sd = math.sqrt(1.0 - 2.0 / math.pi)
    return [mean - means[0] for mean in means], [(size - sizes[0]) / sd for size in sizes]


def _density(z: float) -> float:
    return math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)


def _below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2.0)) / 2.0


def rooted(moment: Moment, raw: Moment, calm: float) -> Moment:
    """The moment with 3 c ((1 + m / c)^(1/3) - 1) in place of its mean m, and with the spread of the raw rows.

    -c is the least that a row scores, so that 1 + m / c is a mean size. What the root takes from the expected value,
    1 / (3 c n) for independent rows, is given back, so that large and small panes agree. Wilson and Hilferty (1931).

    More than CALM_ERRORS below the reference's size the root goes on as its tangent. Near 0 it is steep: at the hour of
    a day whose values are the lowest (or highest) of all, size has little left, and panes scattered three times as far.
    """
    size, least = 1.0 + moment.total / moment.n / calm, 1.0 - CALM_ERRORS / (calm * math.sqrt(moment.n))
    root = max(size, least, 0.0) ** (1.0 / 3.0)
    if least > 0.0 and size < least:
        root *= 1.0 + (size / least - 1.0) / 3.0
    mean = 3.0 * calm * (root - 1.0)
    mean += 1.0 / (3.0 * calm * moment.n)
    spread = raw.square - raw.total * raw.total / raw.n
    return Moment(moment.n, mean * moment.n, spread + mean * mean * moment.n)
