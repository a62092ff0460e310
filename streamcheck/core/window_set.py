"""All rolling windows of a config: monitors of one segmentation share them, and each has a place in the state."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from streamcheck.core.components import State
from streamcheck.core.joining import Correction
from streamcheck.core.keys import by_name, window_key, windowed
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.plan import MonitorSpec, Plan, Window
from streamcheck.core.room import Room
from streamcheck.core.windows import WINDOW_BYTES, RollingWindow

WindowKey = tuple[str, Window, int]


class Parts(NamedTuple):
    """The parts of the state by key: what gives each, and which have changed since the last commit."""

    exporters: dict[str, Callable[[], State]]
    touched: set[str]


class Windows:
    """The windows of all segments, made when their first rows come."""

    def __init__(self, plan: Plan, room: Room, parts: Parts, *, scored: bool) -> None:
        self._plan, self._room, self._parts, self._scored = plan, room, parts, scored
        self._held: dict[WindowKey, RollingWindow] = {}

    def fill(self, end_ms: int, labelled: LabelledPane) -> None:
        """Rows that the pane which ends then has completed."""
        filled: set[tuple[str, Window]] = set()
        for spec in self._plan.monitors:
            if not windowed(spec) or spec.window is None or (key := (by_name(spec), spec.window)) in filled:
                continue
            filled.add(key)
            for number, rows in labelled.split(spec.by.name if spec.by else None, with_score=False):
                window = self.of(spec, number)
                if window is None:
                    continue
                window.add(labelled.joined.ordinals[rows], labelled.rows(rows), end_ms)
                self._parts.touched.add(window_key(*key, number))

    def of(self, spec: MonitorSpec, number: int, *, known: bool = False) -> RollingWindow | None:
        """The segment's window; None where there is no room for one. known: it comes from a saved state."""
        assert spec.window is not None
        assert self._plan.task is not None
        key = (by_name(spec), spec.window, number)
        window = self._held.get(key)
        if window is None and may_grow(self._room, WINDOW_BYTES, known=known):
            window = RollingWindow(spec.window, self._plan.task, scored=self._scored, room=self._room)
            self._held[key] = window
            self._parts.exporters[window_key(*key)] = window.export
        return window

    def revise(self, correction: Correction, segmentations: tuple[str, ...]) -> None:
        """A later label counts wherever its row is held."""
        of = {"": 0} | dict(zip(segmentations, correction.segments, strict=True))
        for key, window in self._held.items():
            if of.get(key[0]) == key[2] and window.revise(correction.ordinal, correction.label):
                self._parts.touched.add(window_key(*key))

    def cut(self) -> int:
        """Rows that left a window by time before their time."""
        return sum(window.cut for window in self._held.values())

    def restore(self, spec: MonitorSpec, states: Mapping[str, State]) -> None:
        """All windows of a monitor, those of segments as well that found no room for the monitor itself."""
        assert spec.window is not None
        prefix = window_key(by_name(spec), spec.window, 0).removesuffix("0")
        for key in sorted(states):
            number = key.removeprefix(prefix)
            if not (key.startswith(prefix) and number.isdigit()):
                continue
            if (by_name(spec), spec.window, int(number)) not in self._held:
                window = self.of(spec, int(number), known=True)
                assert window is not None, f"{key} was there"
                window.restore(states[key])


def may_grow(room: Room, size: int, beside: int = 0, *, known: bool) -> bool:
    """Whether there is room, which is taken then. known: it comes from a saved state, and is taken in any case."""
    if known:
        room.force(size)
    return known or room.take(size, beside)
