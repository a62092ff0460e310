"""Panes that follow one another, each seen from what was normal for its own hour: how far do they scatter, how alike
are they?
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from streamcheck.core.likeness import LAGS, PANES_MIN
from streamcheck.core.measures._neighbours import INDEPENDENT, Dependence, dependence

TRAIL_BYTES = 500
"""Eight numbers in two lists, and what is told of them."""


class Within(NamedTuple):
    """How far a calendar's panes scatter: variance of rows within panes, and of panes within slots, per row.

    None where there is nothing to tell it from. known: by how many panes; tied: how alike neighbours in a slot are.
    """

    rows: float | None
    panes: float | None
    known: int = 0
    tied: Dependence = INDEPENDENT


class Trail:
    """Deviations of panes that followed one another: sums of products at distances 1, 2, 3, and of squares.

    A pane is seen from what was known before it, so that all deviations are too large by what is not known of a slot's
    mean; products and squares alike. tied: what was told last; None before PANES_MIN panes.
    """

    __slots__ = ("newest", "panes", "products", "square", "tied")

    def __init__(self) -> None:
        self.products = [0.0] * LAGS
        self.square = 0.0
        self.panes = 0
        self.newest: list[float] = []
        self.tied: Dependence | None = None

    def add(self, deviation: float) -> None:
        """The next pane."""
        for at, before in enumerate(self.newest):
            self.products[at] += before * deviation
        self.square += deviation * deviation
        self.panes += 1
        self.newest = [deviation, *self.newest[: LAGS - 1]]

    def tell(self) -> None:
        """Work out what is known by now."""
        self.tied = dependence(self.products, self.square, self.panes) if self.panes >= PANES_MIN else None

    def export(self) -> list[float]:
        """The state: sums, what was told (as many numbers as there are), the newest deviations."""
        told = [] if self.tied is None else [*self.tied]
        return [float(self.panes), self.square, *self.products, float(len(told)), *told, *self.newest]

    @staticmethod
    def restored(state: list[float]) -> "Trail":
        """The trail that was exported."""
        trail, behind = Trail(), 3 + LAGS
        trail.panes, trail.square = int(state[0]), float(state[1])
        trail.products = [float(number) for number in state[2 : behind - 1]]
        told, rest = int(state[behind - 1]), [float(number) for number in state[behind:]]
        trail.tied = Dependence(*rest[:told]) if told else None
        trail.newest = rest[told:]
        return trail


@runtime_checkable
class Followed(Protocol):
    """An accumulator that can say how far a pane deviates from it, one number or several, by name."""

    def deviations(self, summary: Any) -> Mapping[str, float]:
        """Mean less this mean, times the root of the pane's rows; none of a pane that holds nothing."""

    def follow(self, tied: Mapping[str, Dependence]) -> None:
        """Take it as known how alike panes that follow one another are, wherever they are compared with this."""
