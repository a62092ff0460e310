"""Means and shares of a pane against those of a reference: what all measures of that kind have in common."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from streamcheck.core.components import State
from streamcheck.core.intervals import Estimate, Interval, mean_interval, wilson
from streamcheck.core.measures.base import LabelledMeasure, Measure, share_size, value_size
from streamcheck.core.room import Room
from streamcheck.core.summaries import LabelledRows, Moment
from streamcheck.core.types import BoolArray, FloatArray, Signal

DISPERSION_EVENTS_MIN = 30
"""A share with fewer events (or fewer non-events) in the reference says nothing about its scatter between panes."""
ERRORS_MAX = 1e9
"""A signal lies at most this many standard errors from its center, so that squares inside detectors stay finite."""
ROUNDING = 1e-14
"""The rounding error of a mean, relative to it: differences below say nothing."""

MOMENTS_BYTES = 1_000
"""Two moments of four numbers each, two sums, and what says where they come from."""

MomentOf = Callable[[Any], Moment | None]


class Within(NamedTuple):
    """How far a calendar's panes scatter: variance of rows within panes, and of panes within slots, per row.

    None where there is nothing to tell it from.
    """

    rows: float | None
    panes: float | None


class MomentAccumulator:
    """What panes come to as a mean: their moment, their number and their scatter.

    between: the sum over panes of total_t^2 / n_t. shown: the moment of what people see, where that is not `moment`.
    """

    __slots__ = ("_moment_of", "_shown_of", "between", "moment", "panes", "shown")

    def __init__(self, moment_of: MomentOf, shown_of: MomentOf | None = None) -> None:
        self._moment_of = moment_of
        self._shown_of = shown_of
        self.moment = Moment()
        self.shown = Moment()
        self.panes = 0
        self.between = 0.0

    def add(self, summary: Any) -> bool:
        """Take one more pane in; False for one without usable rows."""
        moment = self._moment_of(summary)
        if moment is None or not moment.n:
            return False
        if self.panes:
            moment = moment.about(self.moment.origin)
        self.moment = self.moment + moment
        self.between += moment.total * moment.total / moment.n
        self.panes += 1
        shown = self._shown_of(summary) if self._shown_of is not None else None
        if shown is not None:
            self.shown = self.shown + shown
        return True

    @property
    def held_bytes(self) -> int:
        """The same whatever it holds."""
        return MOMENTS_BYTES

    def attach(self, room: Room) -> None:
        """It never grows."""

    def merge(self, other: "MomentAccumulator") -> None:
        """Take another accumulator of the same measure in."""
        if not other.panes:
            return
        d = other.moment.origin - self.moment.origin if self.panes else 0.0
        self.between += other.between + 2.0 * d * other.moment.total + d * d * other.moment.n
        self.moment = self.moment + other.moment
        self.shown = self.shown + other.shown
        self.panes += other.panes

    def apart(self, other: "MomentAccumulator", scatter: "Within") -> float:
        """By the larger of both variances; infinitely many where nothing scatters and the means differ."""
        if not self.moment.n or not other.moment.n:
            return 0.0
        gap = abs(self.moment.mean - other.moment.mean)
        variance = max(scatter.rows or 0.0, scatter.panes or 0.0)
        if gap <= ROUNDING * max(abs(self.moment.mean), abs(other.moment.mean)):
            return 0.0
        return gap / math.sqrt(variance * (1 / self.moment.n + 1 / other.moment.n)) if variance > 0.0 else math.inf

    def scatter_within(self, slots: Sequence["MomentAccumulator"]) -> "Within":
        """The variance of rows within panes, and of panes within slots."""
        free = sum(slot.moment.n - slot.panes for slot in slots)
        rows = sum(slot.moment.square - slot.between for slot in slots) / free if free > 0 else None
        pairs = sum(slot.panes - 1 for slot in slots)
        panes = sum((slot.across() or 0.0) * (slot.panes - 1) for slot in slots) / pairs if pairs > 0 else None
        return Within(None if rows is None else max(rows, 0.0), panes)

    def seasoned(self, beside: "MomentAccumulator | None", weight: float, scatter: "Within") -> "MomentAccumulator":
        """The mean on the line between both slots, with the error of this mean, and the scatter within all slots."""
        other, share = (self, 0.0) if beside is None or not beside.moment.n else (beside, weight)
        made = MomentAccumulator(self._moment_of, self._shown_of)
        weights = ((self, 1.0 - share), (other, share))
        n = round(1.0 / sum(part * part / each.moment.n for each, part in weights))
        panes = round(1.0 / sum(part * part / each.panes for each, part in weights))
        mean = sum(part * each.moment.mean for each, part in weights)
        made.panes = panes if scatter.panes is None else min(max(panes, 2), n)
        made.between = (scatter.panes or 0.0) * (made.panes - 1)
        rows = self.moment.variance if scatter.rows is None else scatter.rows
        square = rows * n if scatter.panes is None else made.between + rows * (n - made.panes)
        d = mean - self.moment.origin
        made.moment = Moment(n, n * d if share else self.moment.total, square + n * d * d, self.moment.origin)
        made.between += n * d * d
        made.shown = self.shown if not share else self.shown + other.shown
        return made

    def across(self) -> float | None:
        """The variance between panes, per row: (sum total_t^2/n_t - total^2/n) / (panes - 1); None below two panes.

        Equal to the variance of one row when nothing but chance moves the panes' means.
        """
        if self.panes < 2:
            return None
        return max(self.between - self.moment.total**2 / self.moment.n, 0.0) / (self.panes - 1)

    def variance(self) -> float:
        """The variance that a pane's mean of n rows has, times n: within panes x phi, phi = max(1, between / within).

        within = (square - sum total_t^2/n_t) / (n - panes). With one pane, or one row in each: of all rows, phi 1.
        """
        across, free = self.across(), self.moment.n - self.panes
        if across is None or free <= 0:
            return self.moment.variance
        return max((self.moment.square - self.between) / free, across)

    def phi(self, row_variance: float) -> float:
        """How much more panes scatter than rows of this known variance (> 0) would let them; never below 1."""
        return max(1.0, (self.across() or 0.0) / row_variance)

    def export(self) -> State:
        """The state, sharing no memory."""
        moments = {"moment": _listed(self.moment), "shown": _listed(self.shown)}
        return {"panes": self.panes, "between": self.between, **moments}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.panes, self.between = int(state["panes"]), float(state["between"])
        self.moment, self.shown = _moment(state["moment"]), _moment(state["shown"])


def _listed(moment: Moment) -> list[Any]:
    return [moment.n, moment.total, moment.square, moment.origin]


def _moment(state: list[Any]) -> Moment:
    return Moment(int(state[0]), float(state[1]), float(state[2]), float(state[3]))


def judged(signal: Signal) -> Signal:
    """The signal with a standard error that detectors can divide by: above rounding, never 0, z within ERRORS_MAX."""
    floor = max(ROUNDING * abs(signal.center), abs(signal.value - signal.center) / ERRORS_MAX, 1e-150)
    if signal.se >= floor:
        return signal
    return replace(signal, se=floor)


class MeanMeasure(Measure):
    """The mean of the rows against that of the reference's rows; subclasses say of what."""

    def moment(self, summary: Any) -> Moment | None:
        """The moment of one pane; None when it has none."""
        raise NotImplementedError

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def size(self, level: float, baseline: float, reference: MomentAccumulator) -> Mapping[str, float]:
        """In the rows' unit, and in their standard deviation."""
        return value_size(level, baseline, reference.moment.sd)

    def signal(self, summary: Any, reference: Any) -> Signal | None:
        """The pane's mean; se^2 = variance (1/n + 1/N), the variance as in MomentAccumulator."""
        now, then = self.moment(summary), reference.moment
        if now is None or not now.n or not then.n:
            return None
        variance = reference.variance()
        se, center_se = math.sqrt(variance * (1 / now.n + 1 / then.n)), math.sqrt(variance / then.n)
        return judged(Signal(now.mean, then.mean, se, now.n, now.mean, then.mean, center_se=center_se))


class RateMeasure(Measure):
    """The share of rows that count against that of the reference's rows; subclasses say which count."""

    def size(self, level: float, baseline: float, reference: Any) -> Mapping[str, float]:  # noqa: ARG002
        """In percentage points."""
        return share_size(level, baseline)

    def count(self, summary: Any) -> tuple[int, int]:
        """Rows that count, and rows."""
        raise NotImplementedError

    def usual(self, signal: Signal, reference: Any) -> Interval:
        """As for any measure, within 0 and 1."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0), min(high, 1.0))

    def moment(self, summary: Any) -> Moment | None:
        """The moment of a 0/1 column."""
        events, rows = self.count(summary)
        return Moment(rows, float(events), float(events))

    def accumulator(self) -> MomentAccumulator:
        """An empty reference content for this measure."""
        return MomentAccumulator(self.moment)

    def signal(self, summary: Any, reference: Any) -> Signal | None:
        """The pane's share; center smoothed, so that it is never 0 or 1."""
        events, rows = self.count(summary)
        if not rows or not reference.moment.n:
            return None
        center, se = expected_share(events, rows, reference)
        share, then = events / rows, reference.moment
        center_se = math.sqrt(center * (1 - center) / then.n)
        return judged(Signal(share, center, se, rows, share, then.mean, events, center_se))


def expected_share(events: int, rows: int, reference: MomentAccumulator) -> tuple[float, float]:
    """The share that the reference expects, and its standard error for a pane of these rows.

    center = (X + .5) / (N + 1). se^2 = phi p (1 - p) (1/n + 1/N), p from reference and pane pooled (the two-sample
    score test: where the reference has hardly any event, its own p would make one event a surprise); phi 1 where the
    reference has fewer than DISPERSION_EVENTS_MIN events or non-events.
    """
    then = reference.moment
    center = (then.total + 0.5) / (then.n + 1)
    pooled = (then.total + events + 0.5) / (then.n + rows + 1)
    enough = min(then.total, then.n - then.total) >= DISPERSION_EVENTS_MIN
    phi = reference.phi(center * (1 - center)) if enough else 1.0
    return center, math.sqrt(phi * pooled * (1 - pooled) * (1 / rows + 1 / then.n))


class LabelledMean(MeanMeasure, LabelledMeasure):
    """The mean over labelled rows; subclasses say of what. The interval is Student's t, from two rows on."""

    def values(self, rows: LabelledRows) -> FloatArray:
        """One value for each row that has one."""
        raise NotImplementedError

    def moment(self, summary: LabelledRows | Moment) -> Moment:
        """The moment of one block of rows."""
        return summary if isinstance(summary, Moment) else Moment.of(self.values(summary))

    def summaries(self, rows: LabelledRows, size: int) -> list[Moment]:
        """The moments of all blocks, computed in one go."""
        values = self.values(rows)
        assert len(values) == len(rows), f"{self.name}: {len(values)} values of {len(rows)} rows"
        return Moment.of_blocks(values, size)

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The mean with its interval; None below two rows."""
        moment = self.moment(rows)
        if moment.n < 2:
            return None
        return Estimate(moment.mean, *mean_interval(moment.n, moment.mean, moment.variance), moment.n)


class Share(NamedTuple):
    """What a share remembers of a block: rows that count, and rows."""

    events: int
    rows: int


def shares(events: BoolArray, asked: BoolArray | None, size: int) -> list[Share]:
    """Of each block of `size` rows: those that count, and those that are asked about (None: all)."""
    counts = events.reshape(-1, size).sum(axis=1).tolist()
    asked_about = [size] * len(counts) if asked is None else asked.reshape(-1, size).sum(axis=1).tolist()
    return list(map(Share, counts, asked_about))


class LabelledRate(RateMeasure, LabelledMeasure):
    """A share of labelled rows; subclasses say which. The interval is Wilson's."""

    def which(self, rows: LabelledRows) -> tuple[BoolArray, BoolArray | None]:
        """The rows (n,) that count, and those that are asked about; None: all."""
        raise NotImplementedError

    def count(self, summary: LabelledRows | Share) -> tuple[int, int]:
        """Rows that count, and rows."""
        if isinstance(summary, Share):
            return summary
        events, asked = self.which(summary)
        return int(events.sum()), len(summary) if asked is None else int(asked.sum())

    def summaries(self, rows: LabelledRows, size: int) -> list[Share]:
        """The shares of all blocks, counted in one go."""
        events, asked = self.which(rows)
        return shares(events, asked, size)

    def estimate(self, rows: LabelledRows) -> Estimate | None:
        """The share with its interval; None when no row is asked about."""
        events, n = self.count(rows)
        return Estimate(events / n, *wilson(events, n), n) if n else None
