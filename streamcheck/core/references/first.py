"""Normal is what came first."""

from collections.abc import Sequence
from typing import Any

from streamcheck.core.components import State, param, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import PANES_PROVISIONAL, Make, Pool, by_panes, by_span
from streamcheck.core.references.base import Grown, Progress, Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing


@register
class First(Reference):
    """What did the signal's first panes look like? Learned over `span_ms` from the first one on, then frozen.

    Provisional from 30 panes on (or `panes_min`, if that is less), growing until it is frozen by the first pane after
    the span; that pane and later ones never enter.
    """

    span_ms: int = param(3_600_000, gt=0, doc="How long the reference is learned, in ms of event time.")
    panes_min: int = param(30, ge=2, doc="Panes that it takes at least; the span is stretched until they have come.")

    def setup(self) -> None:
        """Nothing seen yet."""
        self._first_ms: int | None = None
        self._newest_ms = 0
        self._frozen = False

    def bind(self, make: Make, room: Room, timing: Timing) -> None:  # noqa: ARG002 - spans of event time do for it
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are."""
        self._make, self._room = make, room
        self._pool = Pool.first(make, room)

    def grow(self, start_ms: int, summaries: Sequence[Any]) -> Grown | None:
        """As long as the span goes on, every pane counts."""
        if self._frozen or (self._first_ms is not None and start_ms - self._first_ms >= self.span_ms):
            return None
        grown = self._pool.add_many(summaries)
        if grown is None:
            return None
        self._first_ms = start_ms if self._first_ms is None else self._first_ms
        self._newest_ms = start_ms
        return Grown(grown, self._enough)

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:  # noqa: ARG002 - taken at its word
        """Take a pane of the span in; alerts do not matter."""
        if self._frozen:
            return
        spanned = self._first_ms is not None and start_ms - self._first_ms >= self.span_ms
        if spanned and self._pool.panes >= self.panes_min:
            self._frozen = True
        elif self._pool.add(summary):
            self._first_ms = start_ms if self._first_ms is None else self._first_ms
            self._newest_ms = start_ms

    def baseline(self, start_ms: int) -> Accumulator | None:  # noqa: ARG002 - the same at all times
        """The first panes; None while there are too few."""
        return self._pool.content if self._pool.panes >= self._enough else None

    @property
    def _enough(self) -> int:
        """Panes from which something is compared with them."""
        return min(PANES_PROVISIONAL, self.panes_min)

    def progress(self) -> Progress:
        """Panes first, then the span."""
        have = self._pool.panes
        if self._frozen:
            return Progress(Readiness.READY, have, have, "panes")
        if have < self.panes_min or self._first_ms is None:
            return by_panes(have, self.panes_min)
        return by_span(Readiness.PROVISIONAL, self._newest_ms - self._first_ms, self.span_ms)

    @property
    def held_bytes(self) -> int:
        """Its one pool."""
        return self._pool.held_bytes

    @property
    def frozen(self) -> bool:
        """Once its span is over."""
        return self._frozen

    @property
    def learning_ms(self) -> int:
        """Its span."""
        return self.span_ms

    def stage(self, start_ms: int) -> Stage:  # noqa: ARG002 - it is frozen, or it is not
        """Ready once frozen."""
        return Stage.READY if self._frozen else Stage.LEARNING

    @property
    def learned(self) -> Pool:
        """All panes so far, for a profile."""
        return self._pool

    def export(self) -> State:
        """The state, sharing no memory."""
        times = {"first_ms": self._first_ms, "newest_ms": self._newest_ms, "frozen": self._frozen}
        return times | {"pool": self._pool.export()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._first_ms, self._newest_ms, self._frozen = state["first_ms"], state["newest_ms"], state["frozen"]
        self._room.give(self._pool.held_bytes)
        self._pool = Pool.restored(self._make, self._room, state["pool"])
