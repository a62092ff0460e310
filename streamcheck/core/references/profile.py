"""Normal is what a profile says."""

from typing import Any, ClassVar

from streamcheck.core.components import State, param, register
from streamcheck.core.measures.base import Accumulator
from streamcheck.core.references._pools import Make, Pool
from streamcheck.core.references.base import Progress, Readiness, Reference, Stage
from streamcheck.core.room import Room
from streamcheck.core.zones import Timing


@register
class Profile(Reference):
    """What did the signal look like in a profile that was made before? Ready from the first pane on; never changes.

    A segment that the profile does not hold is never judged: what is normal for it, nobody has said. The state holds no
    content: it is in the profile, and `digest` says in which.
    """

    digest: str = param("", doc="Of the profile's content; a config names the file instead.")

    learns: ClassVar[bool] = False

    def setup(self) -> None:
        """Nothing known yet."""
        self._pool: Pool | None = None

    def bind(self, make: Make, room: Room, timing: Timing) -> None:  # noqa: ARG002 - spans of event time do for it
        """Say which accumulator the measure wants, where the room comes from, what a pane and an hour are."""
        self._make, self._room = make, room

    def fill(self, panes: int, content: State) -> None:
        """What the profile holds for this signal."""
        self._pool = Pool.restored(self._make, self._room, {"panes": panes, "content": content})

    @property
    def held_bytes(self) -> int:
        """What the profile holds for this signal."""
        return 0 if self._pool is None else self._pool.held_bytes

    @property
    def learning_ms(self) -> int:
        """It knows all that it will ever know."""
        return 0

    def stage(self, start_ms: int) -> Stage:  # noqa: ARG002 - the same at all times
        """Ready from the first pane on."""
        return Stage.READY

    def observe(self, start_ms: int, summary: Any, *, quiet: bool) -> None:
        """Nothing is learned."""

    def baseline(self, start_ms: int) -> Accumulator | None:  # noqa: ARG002 - the same at all times
        """The profile's content; None where it has none."""
        return None if self._pool is None else self._pool.content

    def progress(self) -> Progress:
        """All panes of the profile at once."""
        if self._pool is None:
            return Progress(Readiness.WARMING_UP, 0, 1, "panes")
        return Progress(Readiness.READY, self._pool.panes, self._pool.panes, "panes")

    def export(self) -> State:
        """The state: none of its own."""
        return {}

    def restore(self, state: State) -> None:
        """Continue where `export` stood: with what `fill` has said."""
