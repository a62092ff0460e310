"""How alike are panes that follow one another? A trail for each number that an accumulator compares."""

from collections.abc import Mapping

from streamcheck.core.components import State
from streamcheck.core.measures._following import TRAIL_BYTES, Trail
from streamcheck.core.measures._neighbours import Dependence
from streamcheck.core.room import Room


class Trails:
    """Trails by name; those without room are none, and nothing is told of them."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._by_name: dict[str, Trail] = {}

    def add(self, deviations: Mapping[str, float]) -> None:
        """The next pane: what it deviates by. A name that is missing begins a new run of neighbours later."""
        for name, trail in self._by_name.items():
            if name not in deviations:
                trail.newest = []
        for name, deviation in deviations.items():
            if name not in self._by_name and self._room.take(TRAIL_BYTES):
                self._by_name[name] = Trail()
            if name in self._by_name:
                self._by_name[name].add(deviation)

    def tell(self) -> None:
        """Work out what is known by now."""
        for trail in self._by_name.values():
            trail.tell()

    def told(self) -> dict[str, Dependence]:
        """What was worked out last, where there were panes enough."""
        return {name: trail.tied for name, trail in self._by_name.items() if trail.tied is not None}

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, as it is charged."""
        return TRAIL_BYTES * len(self._by_name)

    def export(self) -> State:
        """The state, sharing no memory."""
        return {name: trail.export() for name, trail in self._by_name.items()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood; what is held is given back by whoever holds it."""
        self._by_name = {name: Trail.restored(numbers) for name, numbers in state.items()}
        self._room.force(self.held_bytes)
