"""What every reference offers: which panes are "normal", and when there are enough of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, NamedTuple

from streamcheck.core.components import Component, State
from streamcheck.core.measures._running import Running
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing


class Readiness(StrEnum):
    """Warming up: no signal yet. Provisional: gauges and page, no alert. Ready: alerts too."""

    WARMING_UP = "warming up"
    PROVISIONAL = "provisional"
    READY = "ready"


class Stage(IntEnum):
    """What a comparison with the reference can tell; a detector begins again with each, for its signals change."""

    BLIND = 0     # nothing: what looks like a change may be the hour of the day
    LEARNING = 1  # whether the reference itself holds a change
    READY = 2     # whether something has changed since
    FINER = 3     # the same, against finer slots of a calendar


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reference has come, for people: panes seen and panes or span wanted."""

    readiness: Readiness
    have: int
    want: int
    unit: str


class Grown(NamedTuple):
    """What panes are compared with: all that came before, once those are `enough`."""

    before: Running
    enough: int


class Reference(Component):
    """Collects panes of one signal and offers what later panes are compared with.

    Spans count from the first pane seen.
    """

    family = "reference"

    learns: ClassVar[bool] = True
    """Whether it becomes what it is by the panes that it sees."""
    hourly: ClassVar[bool] = False
    """Whether what is normal depends on the hour."""
    pools_max: ClassVar[int] = 1
    """How many accumulators it keeps at most."""

    def bind(self, make: Callable[[], Accumulator], room: Room, timing: Timing) -> None:
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are.

        Called once, before anything else. One that cannot be without an accumulator takes it at once, whether there is
        room or not.
        """
        raise NotImplementedError

    @property
    def held_bytes(self) -> int:
        """What it has taken of the room."""
        raise NotImplementedError

    @property
    def learning_ms(self) -> int:
        """How long it learns, in event time, if no pane is missing; 0 where it does not."""
        raise NotImplementedError

    def stage(self, start_ms: int) -> Stage:
        """What the comparison of the pane that begins at `start_ms` can tell."""
        raise NotImplementedError

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:
        """Take a pane in if it belongs to the reference. Called after the pane was judged; quiet: no alert is open."""
        raise NotImplementedError

    def observe_many(self, start_ms: int, summaries: Sequence[Any], *, quiet: bool) -> None:
        """Many of one pane, one after the other."""
        if not self.frozen and self.grow(start_ms, summaries) is None:
            for summary in summaries:
                self.observe(start_ms, summary, quiet=quiet)

    def grow(self, start_ms: int, summaries: Sequence[Any]) -> "Grown | None":  # noqa: ARG002 - the simplest can
        """As `observe_many`, and what each is compared with; None, and nothing is taken, where that is to be asked."""
        return None

    def baseline(self, start_ms: int) -> Accumulator | None:
        """What the pane that begins at `start_ms` is compared with; None while warming up."""
        raise NotImplementedError

    @property
    def frozen(self) -> bool:
        """Whether no pane will change it any more."""
        return not self.learns

    def steady(self, start_ms: int, *, quiet: bool) -> bool:  # noqa: ARG002 - most change with every pane, or never
        """Whether what `baseline` gives for this pane stays as it is, though more of the same pane is observed."""
        return self.frozen

    def describe(self, start_ms: int) -> str | None:  # noqa: ARG002 - most are the same at all times
        """Which of its panes `baseline` stands for, for people; None for all of them."""
        return None

    def progress(self) -> Progress:
        """Where the warm-up stands."""
        raise NotImplementedError

    def export(self) -> State:
        """The state, sharing no memory."""
        raise NotImplementedError

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        raise NotImplementedError
