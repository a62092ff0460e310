"""Estimates of a model's quality from calibrated scores, and how they compare with what labels say later."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.budgets import Grant
from streamcheck.core.components import State
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.intervals import Estimate, mean_interval, normal_interval
from streamcheck.core.labelled import LabelledInstance
from streamcheck.core.measures.base import LabelledMeasure
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.readings import AlertState, Reading
from streamcheck.core.room import Room
from streamcheck.core.summaries import EstimateSummary, LabelledRows, Moment
from streamcheck.core.summaries.estimated import BINS, no_estimates
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.zones import Timing

ROWS = 1_000
"""The newest rows behind an estimate that is shown."""
PART_ROWS = ROWS // 10
"""They leave in parts of this many rows or a pane."""
WINDOW_BYTES = (ROWS // PART_ROWS + 2) * (2 * BINS * 16 + 500)
BLOCK_BYTES = 300
"""Of a block's moment among the newest."""


class Estimates(NamedTuple):
    """What labels would say of some rows; None where there are too few rows of the kind."""

    accuracy: Estimate | None
    precision: Estimate | None
    recall: Estimate | None
    auc: Estimate | None


def estimated(rows: EstimateSummary, behind: IntArray) -> Estimates:
    """What these rows come to. behind (BINS,): labelled rows that the chances of each bin rest on.

    The interval holds what labels of these very rows will say, 95 times of 100, as long as scores mean what they meant:
    rows are right or wrong independently, and the chances of a bin are known as well as a share of `behind` rows. That
    of the AUC: Hanley, McNeil (1982), Radiology 143.

    >>> import numpy as np
    >>> from streamcheck.core.summaries.estimated import fold_estimated
    >>> chance, said = np.array([0.75, 0.25] * 50), np.array([1.0, 0.0] * 50)
    >>> rows = fold_estimated(np.arange(100), said, chance, (chance * 8).astype(int)).summaries(None, 1)[0]
    >>> made = estimated(rows, np.full(BINS, 1_000))
    >>> [round(each.value, 4) for each in made], round(made.accuracy.low, 3), round(made.accuracy.high, 3)
    ([0.75, 0.75, 0.75, 0.75], 0.663, 0.837)
    """
    n, positives = rows.counts.sum(axis=1), rows.sums.sum(axis=1)
    if not n.sum():
        return Estimates(None, None, None, None)
    spread = positives - rows.squares  # the sum of p (1 - p): of all that is not known yet
    mean = np.divide(rows.sums, rows.counts, out=np.zeros((2, BINS)), where=rows.counts > 0)
    learned = rows.counts**2 * mean * (1 - mean) / np.maximum(behind, 1)
    variance = np.maximum(spread + learned.sum(axis=1), 0.0)
    right = float(positives[1] + n[0] - positives[0])
    accuracy = _share(right, int(n.sum()), float(variance.sum()))
    precision = _share(float(positives[1]), int(n[1]), float(variance[1])) if n[1] else None
    return Estimates(accuracy, precision, _recall(positives, variance, int(n.sum())), _auc(rows))


def _share(events: float, n: int, variance: float) -> Estimate:
    low, high = normal_interval(events / n, math.sqrt(variance) / n)
    return Estimate(events / n, max(low, 0.0), min(high, 1.0), n)


def _recall(positives: FloatArray, variance: FloatArray, n: int) -> Estimate | None:
    """Of a / (a + b), by the delta method: positives missed (b) and found (a)."""
    missed, found = positives.tolist()
    if missed + found <= 0.0:
        return None
    value = found / (missed + found)
    sd = math.sqrt(missed**2 * variance[1] + found**2 * variance[0]) / (missed + found) ** 2
    low, high = normal_interval(value, sd)
    return Estimate(value, max(low, 0.0), min(high, 1.0), n)


def _auc(rows: EstimateSummary) -> Estimate | None:
    counts, positive = rows.counts.sum(axis=0), rows.sums.sum(axis=0)
    negative = counts - positive
    p, n = float(positive.sum()), float(negative.sum())
    if p < 1.0 or n < 1.0:
        return None
    below = np.cumsum(negative) - negative / 2
    value = float((positive * below).sum()) / (p * n)
    one, two = value / (2 - value), 2 * value * value / (1 + value)
    spread = value * (1 - value) + (p - 1) * (one - value * value) + (n - 1) * (two - value * value)
    low, high = normal_interval(value, math.sqrt(max(spread, 0.0) / (p * n)))
    return Estimate(value, max(low, 0.0), min(high, 1.0), int(counts.sum()))


class EstimatedInstance(PaneInstance):
    """A pane monitor of calibrated scores that shows estimates over the newest ROWS rows."""

    def prepare(self) -> None:
        """No rows yet."""
        super().prepare()
        self._parts: deque[EstimateSummary] = deque()

    @property
    def held_bytes(self) -> int:
        """The newest rows as well."""
        return super().held_bytes + WINDOW_BYTES

    def see(self, summary: EstimateSummary) -> None:
        """A pane's rows are among the newest."""
        if self._parts and self._parts[-1].rows < PART_ROWS:
            self._parts[-1] = self._parts[-1] + summary
        else:
            self._parts.append(summary)
        while sum(part.rows for part in self._parts) - self._parts[0].rows >= ROWS:
            self._parts.popleft()

    def newest(self) -> EstimateSummary:
        """The newest ROWS rows, or a part more."""
        return sum(self._parts, no_estimates())

    def readings(self, behind: IntArray, waits: str) -> tuple[Reading, ...]:
        """Its own, and those of the qualities beside accuracy. waits: for what calibration waits, or ""."""
        own, made = self.reading(), estimated(self.newest(), behind)
        if waits:
            return (replace(own, status=waits),)
        if self.spec.measure is None or self.spec.measure.name != "estimated_accuracy":
            return (own,)
        blank = replace(own, detector="", alert=AlertState.QUIET, reference=None, score=None, threshold=None)
        shown = [_shown(own, made.accuracy)]
        for name, estimate in (("precision", made.precision), ("recall", made.recall), ("auc", made.auc)):
            column = f"estimated_{name}"
            shown.append(_shown(replace(blank, column=column, measure=column, value=None), estimate))
        return tuple(shown)

    def export(self) -> State:
        """The state, sharing no memory."""
        parts = self._parts or [no_estimates()]
        rows = {name: np.stack([getattr(part, name) for part in parts]) for name in ("counts", "sums", "squares")}
        return super().export() | {"newest": rows}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        parts = zip(*(state["newest"][name] for name in ("counts", "sums", "squares")), strict=True)
        self._parts = deque(EstimateSummary(*map(np.array, part)) for part in parts)


class EstimatedLimit(EstimatedInstance, BoundedInstance):
    """Against a limit of the user's: a pane's mean is judged."""


def _shown(reading: Reading, estimate: Estimate | None) -> Reading:
    if estimate is None:
        return reading
    return replace(reading, value=estimate.value, low=estimate.low, high=estimate.high, rows=estimate.n)


class GapInstance(LabelledInstance):
    """A monitor of labelled rows that only new rows can feed; it shows the mean over the newest blocks."""

    def __init__(
        self,
        spec: MonitorSpec,
        segment: tuple[tuple[str, str], ...],
        grant: Grant,
        room: Room,
        timing: Timing,
        bank: Bank | None = None,
    ) -> None:
        super().__init__(spec, segment, grant, room, timing, None, bank)
        self.anew = False
        """A new normal was ordered just now."""
        self._newest: deque[Moment] = deque(maxlen=max(1, ROWS // spec.block_rows))

    @property
    def held_bytes(self) -> int:
        """The newest blocks as well."""
        return super().held_bytes + BLOCK_BYTES * (ROWS // self.spec.block_rows + 1)

    def renew(self, why: str, since_ms: int | None = None, *, cut: bool = False) -> bool:
        """As for all; where a person has ordered it, scores are to be calibrated anew."""
        renewed = super().renew(why, since_ms, cut=cut)
        self.anew = renewed and not cut
        return renewed

    def blocks(self, rows: LabelledRows) -> Sequence[Any]:
        """As for all; they are among the newest then."""
        assert isinstance(self.measure, LabelledMeasure), self.spec.id
        found: Sequence[Moment] = super().blocks(rows)
        self._newest.extend(found)
        return found

    def reading(self) -> Reading:
        """With the mean over the newest blocks."""
        own, moment = super().reading(), sum(self._newest, Moment())
        if moment.n < 2:
            return own
        return _shown(own, Estimate(moment.mean, *mean_interval(moment.n, moment.mean, moment.variance), moment.n))

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"newest": [[m.n, m.total, m.square] for m in self._newest]}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self._newest.clear()
        self._newest.extend(Moment(int(n), total, square) for n, total, square in state["newest"])


class GapLimit(GapInstance, BoundedInstance):
    """Against a limit of the user's: a block's mean is judged."""
