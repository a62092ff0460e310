"""Running sums of charts: as they are, and as they were when windows that are still looked at began.

Charts stand side by side in memory, so that what all of them do at once goes through long runs of it.
"""

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors._steps import TOTALS
from streamcheck.core.detectors._windows import (
    LENGTH_AT,
    LENGTHS,
    LEVELS_MAX,
    LONGEST,
    PHASES,
    SLOT_AT,
    SLOTS,
    levels_for,
    windows_of,
)
from streamcheck.core.types import BoolArray, FloatArray, IntArray

ALL_SLOTS = LEVELS_MAX * SLOTS
_WINDOWS: IntArray = np.array([windows_of(levels) for levels in range(LEVELS_MAX + 1)])
SUMS_BYTES = 8 * (ALL_SLOTS * (TOTALS + 1) + TOTALS + 3)


class Sums:
    """Of charts by number."""

    def __init__(self) -> None:
        self.total: FloatArray = np.zeros((TOTALS, 0))
        """(TOTALS, C): since the chart began."""
        self.before: FloatArray = np.zeros((TOTALS, ALL_SLOTS, 0))
        """The same as they were before some earlier steps."""
        self.times: IntArray = np.zeros((ALL_SLOTS, 0), np.int64)
        """When those steps began, in ms."""
        self.count: IntArray = np.zeros(0, np.int64)
        """(C,): steps so far."""
        self.since: IntArray = np.zeros(0, np.int64)
        """No window begins before this step."""
        self.levels: IntArray = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.count)

    def enlarge(self, more: int) -> None:
        """Room for more charts."""
        for name in ("total", "before", "times", "count", "since", "levels"):
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros((*held.shape[:-1], more), held.dtype)], axis=-1))

    def forget(self, chart: int) -> None:
        """What the chart has seen."""
        for held in (self.total, self.before, self.times, self.count, self.since):
            held[..., chart] = 0

    def add(self, charts: IntArray, sums: FloatArray, pane_rows: FloatArray, at_ms: int) -> None:
        """One more step of these charts (N,), each named once. sums (TOTALS, N): what it comes to."""
        count = self.count[charts]
        fresh = count == 0
        if fresh.any():  # how long its windows are depends on how large its first reference's panes were
            self.levels[charts[fresh]] = [levels_for(rows) for rows in pane_rows[fresh].tolist()]
        total = np.take(self.total, charts, axis=1)
        self._remember(charts, count, total, at_ms)
        total += sums
        self.total[:, charts] = total
        self.count[charts] = count + 1

    def _remember(self, charts: IntArray, count: IntArray, total: FloatArray, at_ms: int) -> None:
        """Keep the sums as they are before this step, in each doubling in which a window may begin with it."""
        for level in range(LEVELS_MAX):
            due = (count & ((1 << level) - 1)) == 0
            if not due.any():
                break
            mine, held = (charts, total) if due.all() else (charts[due], total[:, due])
            slot = level * SLOTS + (self.count[mine] >> level) % SLOTS
            self.before[:, slot, mine] = held
            self.times[slot, mine] = at_ms

    def held(self, chart: int, slot: int) -> FloatArray:
        """(TOTALS,): what the window holds that begins in this slot."""
        return np.asarray(self.total[:, chart] - self.before[:, slot, chart])

    def export(self, chart: int) -> State:
        """A chart's part of the state, sharing no memory."""
        slots = int(self.levels[chart]) * SLOTS
        return {
            "count": int(self.count[chart]),
            "since": int(self.since[chart]),
            "levels": int(self.levels[chart]),
            "total": self.total[:, chart].copy(),
            "before": self.before[:, :slots, chart].copy(),
            "times": self.times[:slots, chart].copy(),
        }

    def restore(self, chart: int, state: State) -> None:
        """Continue where `export` stood; nothing else is known of the chart."""
        self.count[chart], self.since[chart], self.levels[chart] = (state[key] for key in ("count", "since", "levels"))
        slots = state["levels"] * SLOTS
        self.total[:, chart] = state["total"]
        self.before[:, :slots, chart] = state["before"]
        self.times[:slots, chart] = state["times"]


class ChartWindows:
    """The windows of some charts (N,) that end with their last step, as (K, N), the shortest first.

    none: where a chart has no such window; None where each has all of them.
    """

    def __init__(self, held: Sums, charts: IntArray, phase: IntArray, slot: IntArray, none: BoolArray | None) -> None:
        self._held, self._charts, self._phase, self._slot, self.none = held, charts, phase, slot, none
        self._at = slot * len(held) + charts

    @staticmethod
    def of(held: Sums, charts: IntArray) -> "ChartWindows":
        """Those of these charts."""
        levels, count, since = held.levels[charts], held.count[charts], held.since[charts]
        age, phase, level_max = count - since, count % PHASES, int(levels.max())
        most = min(windows_of(level_max), int(np.searchsorted(LENGTHS, age.max(), side="right")))
        alike = bool((count == count[0]).all())  # as nearly always: they have begun together
        slot = np.take(SLOT_AT[:most], phase[:1] if alike else phase, axis=1)
        sure, none = LONGEST if since.any() else LENGTHS, None
        if age.min() < sure[most - 1]:
            none = np.take(LENGTH_AT[:most], phase, axis=1) > age
        if levels.min() < level_max:
            few = np.arange(most)[:, None] >= _WINDOWS[levels]
            none = few if none is None else none | few
        return ChartWindows(held, charts, phase, slot, none)

    def taken(self, which: IntArray | slice) -> "ChartWindows":
        """Those of some of the charts."""
        slot = self._slot if self._slot.shape[1] == 1 else self._slot[:, which]
        none = None if self.none is None else self.none[:, which]
        return ChartWindows(self._held, self._charts[which], self._phase[which], slot, none)

    def lengths(self, which: IntArray | slice) -> IntArray:
        """How many steps the windows of some of the charts hold."""
        return np.take(LENGTH_AT[: len(self._slot)], self._phase[which], axis=1)

    def sums(self, parts: slice) -> FloatArray:
        """What each window holds of some of the running sums, (P, K, N); of another window where there is none."""
        began = np.take(self._held.before.reshape(TOTALS, -1)[parts], self._at, axis=1)
        ended = np.take(self._held.total[parts], self._charts, axis=1)
        return np.subtract(ended[:, None], began, out=began)

    def slot(self, window: IntArray, which: IntArray) -> IntArray:
        """Where these windows of some of the charts begin, -1 where there is none."""
        slot = self._at[window, which] // len(self._held)
        return slot if self.none is None else np.where(self.none[window, which], -1, slot)
