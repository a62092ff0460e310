"""What every reference offers: which panes are "normal", and when there are enough of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from streamcheck.core.components import Component, State
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.room import Room


class Readiness(StrEnum):
    """Warming up: no signal yet. Provisional: gauges and page, no alert. Ready: alerts too."""

    WARMING_UP = "warming up"
    PROVISIONAL = "provisional"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reference has come, for people: panes seen and panes or span wanted."""

    readiness: Readiness
    have: int
    want: int
    unit: str


class Reference(Component):
    """Collects panes of one signal and offers what later panes are compared with.

    Spans count from the first pane seen.
    """

    family = "reference"

    learns: ClassVar[bool] = True
    """Whether it becomes what it is by the panes that it sees."""
    pools_max: ClassVar[int] = 1
    """How many accumulators it keeps at most."""

    def bind(self, make: Callable[[], Accumulator], room: Room) -> None:
        """Say which accumulator the measure wants, and where the room comes from; called once, before anything else.

        A reference that cannot be without an accumulator takes it at once, whether there is room or not.
        """
        raise NotImplementedError

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:
        """Take a pane in if it belongs to the reference. Called after the pane was judged; quiet: no alert is open."""
        raise NotImplementedError

    def baseline(self, start_ms: int) -> Accumulator | None:
        """What the pane that begins at `start_ms` is compared with; None while warming up."""
        raise NotImplementedError

    def progress(self) -> Progress:
        """Where the warm-up stands."""
        raise NotImplementedError

    def export(self) -> State:
        """The state, sharing no memory."""
        raise NotImplementedError

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        raise NotImplementedError
