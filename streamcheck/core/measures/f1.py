"""How well does the model find the positive rows without false alarms?"""

from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.intervals import Estimate, f1_interval
from streamcheck.core.measures._compared import expected_share, judged
from streamcheck.core.measures._labelled import positive
from streamcheck.core.measures._labelled_moments import Share, shares
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import LabelledMeasure, Needs, share_size
from streamcheck.core.summaries import LabelledRows, Moment
from streamcheck.core.types import Signal


@register
class F1(LabelledMeasure):
    """What is the harmonic mean of precision and recall? F1 = 2 TP / (2 TP + FP + FN).

    F1 = 2 J / (1 + J) with J = TP / (TP + FP + FN), a share of the rows that are positive by label or by prediction.
    Center and standard error are J's (as for any share), mapped by the delta method: dF1/dJ = 2 / (1 + J)^2, and the
    mean of F1 lies var(J) 2 / (1 + J)^3 below that of the reference. Says nothing of a block without such rows.

    >>> import numpy as np
    >>> from streamcheck.core.plan import Task
    >>> rows = LabelledRows(np.array([1.0, 1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0]), None, Task.BINARY)
    >>> estimate = F1().estimate(rows)
    >>> estimate.value, estimate.n
    (0.8, 3)
    """

    name = "f1"
    needs = Needs.LABELLED_BINARY
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "F1"

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In percentage points."""
        return share_size(level, baseline)

    def count(self, summary: LabelledRows | Share) -> tuple[int, int]:
        """True positives, and rows that are positive by label or by prediction."""
        if isinstance(summary, Share):
            return summary
        said, true = positive(summary.prediction), positive(summary.label)
        return int((said & true).sum()), int((said | true).sum())

    def summaries(self, rows: LabelledRows, size: int) -> list[Share]:
        """The shares of all blocks, counted in one go."""
        said, true = positive(rows.prediction), positive(rows.label)
        return shares(said & true, said | true, size)

    def moment(self, summary: LabelledRows | Share) -> Moment:
        """The moment of the 0/1 column whose mean is J."""
        hits, relevant = self.count(summary)
        return Moment(relevant, float(hits), float(hits))

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def signal(self, summary: LabelledRows | Share, reference: MomentAccumulator) -> Signal | None:
        """The block's F1; rows are those that are positive by label or by prediction."""
        hits, relevant = self.count(summary)
        if not relevant or not reference.moment.n:
            return None
        share, se, center_se, background = expected_share(hits, relevant, reference)
        value, baseline = _f1(hits / relevant), _f1(reference.moment.mean)
        below, slope = 2 * se**2 / (1 + share) ** 3, 2 / (1 + share) ** 2
        signal = Signal(value, max(_f1(share) - below, 0.0), se * slope, relevant, value, baseline)
        return judged(signal._replace(center_se=center_se * slope, background=background))

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """F1 with its interval; n: rows that are positive by label or by prediction; None without any."""
        hits, relevant = self.count(rows)
        if not relevant:
            return None
        return Estimate(_f1(hits / relevant), *f1_interval(hits, relevant - hits, 0), relevant)


def _f1(share: float) -> float:
    return 2 * share / (1 + share)
