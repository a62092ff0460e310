"""Has a numeric column become wider or narrower?"""

import math
from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._scores import ScoreMeasure
from streamcheck.core.measures.base import value_size
from streamcheck.core.summaries import Moment, NumericSummary
from streamcheck.core.types import Signal

LOG_PER_SCORE = math.sqrt(math.pi / 2 - 1)
"""Of normal values: the log of their scale moves by sd|z| / E|z| = 0.756 for each standard deviation of |z|."""
SHIFTED = math.sqrt(1 / (2 * math.pi)) / math.sqrt(1 - 2 / math.pi)
"""Normal values that move by d standard deviations have a mean |z| that is larger by 0.66 d^2, in its own."""
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
    level and baseline are the raw standard deviations. A column whose first values were of two kinds only scores 0.
    """

    column = 1
    unit: ClassVar[str] = "standard deviation"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In its unit, and in per cent."""
        return value_size(level, baseline)

    def moment(self, summary: NumericSummary) -> Moment | None:
        """The moment of the pane's scale scores, less 0.66 (m^2 - q/n) each, rooted.

        m and q: mean and mean square of its n location scores. m^2 - q/n is the mean product of two different rows,
        times 1 - 1/n: what rows that move together have in common. One row alone tells nothing of it.
        """
        scale, location = summary.scores(self.column), summary.scores(0)
        if scale is None or location is None or not scale.square or summary.layout is None:
            return scale
        moved = (location.total * location.total - location.square) / scale.n
        return rooted(Moment(scale.n, scale.total - SHIFTED * moved, scale.square), scale, summary.layout.calm)

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
