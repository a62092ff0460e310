"""What panes come to as a mean or a share: the content of most references."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamcheck.core.components import State
from streamcheck.core.likeness import LAGS
from streamcheck.core.measures._following import Within
from streamcheck.core.measures._neighbours import INDEPENDENT, Dependence, Neighbours, bare, dependence, inflation
from streamcheck.core.room import Room
from streamcheck.core.summaries import Moment
from streamcheck.core.types import Background

ERRORS_MAX = 1e9
"""A signal lies at most this many standard errors from its center, so that squares inside detectors stay finite."""
ROUNDING = 1e-14
"""The rounding error of a mean, relative to it: differences below say nothing."""

MOMENTS_BYTES = 2_000
"""Two moments of four numbers each, a dozen sums, six panes, and what says where they come from."""

MomentOf = Callable[[Any], Moment | None]


class MomentAccumulator:
    """What panes come to as a mean: their moment, their number, their scatter, their likeness to their neighbours.

    between: the sum over panes of total_t^2 / n_t; square_rows: of n_t^2. shown: the moment of what people see, where
    that is not `moment`.
    """

    __slots__ = (
        "_dependence",
        "_following",
        "_known",
        "_mean_variance",
        "_moment_of",
        "_shown_of",
        "_spread",
        "between",
        "moment",
        "neighbours",
        "panes",
        "shown",
        "square_rows",
    )

    def __init__(self, moment_of: MomentOf, shown_of: MomentOf | None = None) -> None:
        self._moment_of = moment_of
        self._shown_of = shown_of
        self.moment = Moment()
        self.shown = Moment()
        self.panes = 0
        self.between = 0.0
        self.square_rows = 0.0
        self.neighbours = Neighbours()
        self._dependence: Dependence | None = None
        self._following: Dependence | None = None
        self._mean_variance: tuple[float, float] | None = None
        """The last that was asked for, by the variance within that it was asked for."""
        self._known = 0
        self._spread: tuple[float, ...] | None = None

    def add(self, summary: Any) -> bool:
        """Take one more pane in; False for one without usable rows."""
        moment = self._moment_of(summary)
        if moment is None or not moment.n:
            return False
        if self.panes:
            moment = moment.about(self.moment.origin)
        self.moment = self.moment + moment
        self.between += moment.total * moment.total / moment.n
        self.square_rows += float(moment.n) ** 2
        self.neighbours.add(moment)
        self.panes += 1
        self.forget_worked_out()
        shown = self._shown_of(summary) if self._shown_of is not None else None
        if shown is not None:
            self.shown = self.shown + shown
        return True

    @property
    def plain(self) -> bool:
        """Whether it is sums about 0 and nothing else: of one moment of each pane, with nothing taken as known."""
        return type(self) is MomentAccumulator and self._shown_of is None and not self._known and not self.moment.origin

    def moments(self, summaries: Sequence[Any]) -> list[Moment | None]:
        """Of each its moment."""
        return list(map(self._moment_of, summaries))

    def empty(self) -> "MomentAccumulator":
        """One of the same measure that holds nothing."""
        return MomentAccumulator(self._moment_of, self._shown_of)

    def forget_worked_out(self) -> None:
        """Its sums are others now."""
        self._dependence, self._mean_variance, self._known, self._spread = None, None, 0, None

    @property
    def held_bytes(self) -> int:
        """The same whatever it holds."""
        return MOMENTS_BYTES

    def attach(self, room: Room) -> None:
        """It never grows."""

    def merge(self, other: "MomentAccumulator") -> None:
        """Take another accumulator of the same measure in, of later panes."""
        if not other.panes:
            return
        d = other.moment.origin - self.moment.origin if self.panes else 0.0
        self.between += other.between + 2.0 * d * other.moment.total + d * d * other.moment.n
        self.square_rows += other.square_rows
        self.neighbours.merge(other.neighbours, d)
        self.moment = self.moment + other.moment
        self.shown = self.shown + other.shown
        self.panes += other.panes
        self.forget_worked_out()

    def apart(self, other: "MomentAccumulator", scatter: "Within") -> float:
        """By the larger of both variances, as far as neighbours of either side go together.

        Infinitely many where nothing scatters and the means differ.
        """
        if not self.moment.n or not other.moment.n:
            return 0.0
        gap = abs(self.moment.mean - other.moment.mean)
        variance = max(scatter.rows or 0.0, scatter.panes or 0.0)
        if gap <= ROUNDING * max(abs(self.moment.mean), abs(other.moment.mean)):
            return 0.0
        if variance <= 0.0:
            return math.inf
        sides = (self, other)
        squares = sum((side.across() or 0.0) * (side.panes - 1) for side in sides)
        products = [side.neighbours.products(side.moment.mean) for side in sides]
        tied = bare(products, squares, self.panes + other.panes)
        return gap / math.sqrt(variance * sum(inflation(*tied, side.panes) / side.moment.n for side in sides))

    def scatter_within(self, slots: Sequence["MomentAccumulator"]) -> "Within":
        """The variance of rows within panes, and of panes within slots."""
        free, square, pairs, across, *products = map(sum, zip(*(slot.spread() for slot in slots), strict=True))
        rows, panes = (square / free if free > 0 else None), (across / pairs if pairs > 0 else None)
        tied = dependence(products, panes * pairs, pairs) if panes else INDEPENDENT
        return Within(None if rows is None else max(rows, 0.0), panes, pairs + 1, tied)

    def spread(self) -> tuple[float, ...]:
        """What it adds to `scatter_within`: degrees of freedom and squares of rows, then of panes, then products."""
        if self._spread is None:
            free, square, pairs = self.moment.n - self.panes, self.moment.square - self.between, self.panes - 1
            products = self.neighbours.products(self.moment.total / self.moment.n) if self.panes else [0.0] * LAGS
            self._spread = (free, square, pairs, (self.across() or 0.0) * pairs, *products)
        return self._spread

    def seasoned(self, beside: "MomentAccumulator | None", weight: float, scatter: "Within") -> "MomentAccumulator":
        """The mean on the line between both slots, with the error of this mean, and the scatter within all slots."""
        other, share = (self, 0.0) if beside is None or not beside.moment.n else (beside, weight)
        made = self.empty()
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
        made.square_rows = n * n / made.panes
        made.assume(scatter.tied, scatter.known)
        return made

    # ------------------------------------------------------------------ scatter
    def take(self, other: "MomentAccumulator") -> None:
        """Become what another one is, which is not used any more."""
        self.moment, self.shown, self.panes, self.between = other.moment, other.shown, other.panes, other.between
        self.square_rows, self.neighbours = other.square_rows, other.neighbours
        self.assume(other.dependence(), other.known)
        self._following = other.following

    def across(self) -> float | None:
        """The variance between panes, per row: (sum total_t^2/n_t - total^2/n) / (panes - 1); None below two panes.

        Equal to the variance of one row when nothing but chance moves the panes' means.
        """
        if self.panes < 2:
            return None
        return max(self.between - self.moment.total**2 / self.moment.n, 0.0) / (self.panes - 1)

    def within(self) -> float:
        """The variance of one row about its pane's mean; with one pane, or one row in each: about the mean of all."""
        free = self.moment.n - self.panes
        if self.panes < 2 or free <= 0:
            return self.moment.variance
        return max((self.moment.square - self.between) / free, 0.0)

    def variance(self, rows: float, within: float) -> float:
        """The variance that a pane's mean of so many rows has, times rows: the larger of two that fit the panes' own.

        Either panes scatter more than rows by a factor (as where rows depend on the row before): across. Or they have
        levels of their own, which larger panes do not average out: within + tau^2 rows, where tau^2 is the one-way
        analysis of variance's, (across - within) / n0 with n0 = (n - sum n_t^2 / n) / (panes - 1). Never below within.
        """
        across = self.across()
        if across is None or across <= within:
            return within
        typical = (self.moment.n - self.square_rows / self.moment.n) / (self.panes - 1)
        levels = (across - within) / typical if typical > 0.0 else 0.0
        return max(across, within + levels * rows)

    def mean_variance(self, within: float) -> float:
        """The variance of the reference's own mean."""
        if self._mean_variance is None or self._mean_variance[0] != within:
            lag1, decay = self.dependence()
            rows = self.square_rows / self.moment.n
            found = self.variance(rows, within) * inflation(lag1, decay, self.panes) / self.moment.n
            self._mean_variance = within, found
        return self._mean_variance[1]

    def dependence(self) -> Dependence:
        """The correlation of neighbouring panes."""
        if self._dependence is None:
            products = self.neighbours.products(self.moment.total / self.moment.n)
            self._dependence = dependence(products, (self.across() or 0.0) * (self.panes - 1), self.panes)
        return self._dependence

    @property
    def following(self) -> Dependence:
        """The correlation of panes that follow one another: as of its own, unless it stands for a slot."""
        return self.dependence() if self._following is None else self._following

    def follow(self, tied: Mapping[str, Dependence]) -> None:
        """Take that as known."""
        self._following = tied.get("")

    def deviations(self, summary: Any) -> Mapping[str, float]:
        """As `Followed` has it."""
        moment = self._moment_of(summary)
        return {"": (moment.mean - self.moment.mean) * math.sqrt(moment.n)} if moment is not None and moment.n else {}

    @property
    def known(self) -> int:
        """By how many panes its scatter is known."""
        return self._known or self.panes

    def assume(self, tied: Dependence, known: int) -> None:
        """Take scatter and likeness of neighbours as known from so many panes, until others come."""
        self._dependence, self._mean_variance, self._known = tied, None, known

    def background(self, rows: float, within: float, variance: float | None = None) -> Background:
        """What is to be known of the reference for a pane of so many rows. variance: of those, where it is known."""
        if within <= 0.0:
            return Background(self.known, self.moment.n / self.panes, float(self.moment.n), rows)
        worth = within / self.mean_variance(within)
        weight = rows * within / (self.variance(rows, within) if variance is None else variance)
        return Background(self.known, self.moment.n / self.panes, worth, weight, *self.following)

    # ------------------------------------------------------------------ state
    def export(self) -> State:
        """The state, sharing no memory."""
        moments = {"moment": self.moment.export(), "shown": self.shown.export()}
        sums = {"panes": self.panes, "between": self.between, "square_rows": self.square_rows}
        return {**sums, **moments, "neighbours": self.neighbours.export()}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.panes, self.between = int(state["panes"]), float(state["between"])
        self.square_rows = float(state["square_rows"])
        self.moment, self.shown = Moment.restored(state["moment"]), Moment.restored(state["shown"])
        self.neighbours.restore(state["neighbours"])
        self.forget_worked_out()
