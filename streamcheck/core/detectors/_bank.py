"""All charts of a pane in one go: running sums of many signals, and the statistic of every window of each.

A chart's numbers depend on its own signals alone, bit for bit, whatever else is in the bank: nothing but elementwise
operations, maxima and choices touches them.
"""

from collections.abc import Sequence

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors._dating import beginnings, likeliest
from streamcheck.core.detectors._grown import GROWN_BYTES, Grown, Usual
from streamcheck.core.detectors._statistics import deviations, known, largest, returned, since
from streamcheck.core.detectors._steps import TOTALS, Steps, columns, taken
from streamcheck.core.detectors._windows import LENGTHS, LEVEL_OF, LEVELS_MAX, SLOTS, levels_for, windows_of
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal, Verdict

RESOLVED = 6.9
"""Log-likelihood ratio, log 1000, of "as the reference" against "half of what raised the alarm" that ends an alarm."""
ALL_SLOTS = LEVELS_MAX * SLOTS
_SEEN = ("total", "before", "times", "count", "since", "alarm", "alarm_at", "shift", "evidence")


class Bank:
    """Charts by number; `step` takes one signal for each of some of them."""

    def __init__(self) -> None:
        self.charts = 0
        self._free: list[int] = []
        self.total: FloatArray = np.zeros((0, TOTALS))
        """(C, TOTALS): running sums since the chart began."""
        self.before: FloatArray = np.zeros((0, TOTALS, ALL_SLOTS))
        """The same as they were before some earlier steps."""
        self.times: IntArray = np.zeros((0, ALL_SLOTS), np.int64)
        """When those steps began, in ms."""
        self.count: IntArray = np.zeros(0, np.int64)
        """(C,): steps so far."""
        self.since: IntArray = np.zeros(0, np.int64)
        """No window begins before this step."""
        self.levels: IntArray = np.zeros(0, np.int64)
        self.up: BoolArray = np.zeros(0, np.bool_)
        self.down: BoolArray = np.zeros(0, np.bool_)
        self.h: FloatArray = np.zeros(0)
        self.alarm: IntArray = np.zeros(0, np.int64)
        """Direction of the alarm that is open, 0 where none is."""
        self.alarm_at: IntArray = np.zeros(0, np.int64)
        """When the change began, in ms."""
        self.shift: FloatArray = np.zeros(0)
        """Half of what raised the alarm: of a mean in standard deviations of a row, of a share as it is."""
        self.evidence: FloatArray = np.zeros(0)
        """For a return to the reference."""
        self.grown = Grown()

    def _grow(self, more: int) -> None:
        """Room for more charts."""
        self.grown.enlarge(more)
        for name in (*_SEEN, "levels", "up", "down", "h"):
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros((more, *held.shape[1:]), held.dtype)]))

    def enrol(self, *, up: bool, down: bool) -> int:
        """A new chart, which looks for rises, falls or both; its number."""
        if self._free:
            number = self._free.pop()
        else:
            number = self.charts
            if number == len(self.count):
                self._grow(max(1, number // 2))
            self.charts += 1
        self.up[number], self.down[number], self.grown.on[number] = up, down, False
        return number

    def leave(self, chart: int) -> None:
        """The chart is not needed any more; another may take its place."""
        self.restart(chart)
        self._free.append(chart)

    def restart(self, chart: int) -> None:
        """Forget what the chart has seen."""
        self.grown.forget(chart)
        for name in _SEEN:
            getattr(self, name)[chart] = 0

    # ------------------------------------------------------------------ one pane
    def step(self, charts: IntArray, signals: Sequence[Signal], at_ms: int) -> list[Verdict]:
        """One more step of these charts (C,), each named once, which begins at `at_ms`."""
        steps = columns(signals)
        return self._verdicts(charts, steps, *self.judge(charts, steps, at_ms))

    def judge(self, charts: IntArray, steps: Steps, at_ms: int) -> tuple[FloatArray, IntArray]:
        """The same from columns: of each chart the largest score, and the slot in which its window begins."""
        fresh = self.count[charts] == 0
        if fresh.any():  # how long its windows are depends on how large its first reference's panes were
            self.levels[charts[fresh]] = [levels_for(rows) for rows in steps.pane_rows[fresh].tolist()]
        self._remember(charts, at_ms)
        self.total[charts] += steps.sums
        self.count[charts] += 1
        usual = self.grown.usual(charts, known(steps))
        score, window, z = self._scores(charts, steps, usual)
        self._decide(charts, steps, usual, score, window, z)
        learns = self.grown.on[charts] & (self.alarm[charts] == 0)
        if learns.any():
            mine, some = charts[learns], taken(steps, learns)
            self.grown.add(mine, self.levels[mine], deviations(some), some.sums[:, 1])
        return score, window

    def _remember(self, charts: IntArray, at_ms: int) -> None:
        """Keep the sums as they are before this step, in each doubling in which a window may begin with it."""
        count = self.count[charts]
        for level in range(LEVELS_MAX):
            due = (count & ((1 << level) - 1)) == 0
            if not due.any():
                break
            mine = charts[due]
            slot = level * SLOTS + (count[due] >> level) % SLOTS
            self.before[mine, :, slot] = self.total[mine]
            self.times[mine, slot] = at_ms

    def _windows(self, charts: IntArray) -> tuple[IntArray, IntArray]:
        """For each chart and window (C, K) the slot in which it begins, -1 where there is none, and its steps."""
        levels = self.levels[charts]
        k = windows_of(int(levels.max()))
        level, count = LEVEL_OF[:k], self.count[charts][:, None]
        begins = (count - LENGTHS[:k]) >> level
        slot = level * SLOTS + begins % SLOTS
        first = begins << level
        allowed = (first >= self.since[charts][:, None]) & (count >= LENGTHS[:k]) & (level < levels[:, None])
        return np.where(allowed, slot, -1), count - first

    def _scores(
        self, charts: IntArray, steps: Steps, usual: Usual
    ) -> tuple[FloatArray, IntArray, FloatArray]:
        """For each chart (C,): the largest score, the slot in which its window begins (-1: none), its z."""
        slot, length = self._windows(charts)
        none = slot < 0
        at, flat, total = charts[:, None] * (TOTALS * ALL_SLOTS) + slot, self.before.reshape(-1), self.total[charts]
        sums = [
            np.where(none, 0.0, total[:, part, None] - np.take(flat, at + part * ALL_SLOTS, mode="clip"))
            for part in range(TOTALS - 1)
        ]
        up, down = self.up[charts][:, None], self.down[charts][:, None]
        score, best, z = largest(steps, usual, sums, length, none, up, down)
        return score, slot[np.arange(len(charts)), best], z

    # ------------------------------------------------------------------ alarms
    def _decide(
        self, charts: IntArray, steps: Steps, usual: Usual, score: FloatArray, window: IntArray, z: FloatArray
    ) -> None:
        """Open alarms, and end those whose stream has returned."""
        was_open = self.alarm[charts] != 0
        if was_open.any():
            self._test_returns(charts[was_open], taken(steps, was_open), usual.taken(was_open))
        opens = ~was_open & (score > self.h[charts])
        for place in np.flatnonzero(opens).tolist():
            chart, slot = int(charts[place]), int(window[place])
            held = self.total[chart] - self.before[chart, :, slot]
            self.alarm[chart] = 1 if z[place] > 0 else -1
            one = slice(place, place + 1)
            self.alarm_at[chart] = self._dated(chart, taken(steps, one), usual.taken(one), int(self.alarm[chart]))
            moved = held[0] - held[2] if steps.share[place] else held[0]
            self.shift[chart] = 0.5 * (moved / held[1] - usual.offset[place])
            self.evidence[chart] = 0.0
            self.grown.doubt(chart)

    def _dated(self, chart: int, steps: Steps, usual: Usual, direction: int) -> int:
        """When the change that has just raised an alarm most likely began."""
        first, slots = beginnings(int(self.count[chart]), int(self.since[chart]), int(self.levels[chart]))
        length = self.count[chart] - first
        best = likeliest(steps, usual, self.total[chart], self.before[chart][:, slots], length, direction)
        return int(self.times[chart, slots[best]])

    def _test_returns(self, charts: IntArray, steps: Steps, usual: Usual) -> None:
        """Page's test of "as the reference" against "half of the alarm's shift", at the newest step."""
        gained = self.evidence[charts] + returned(steps, usual, self.shift[charts])
        self.evidence[charts] = np.maximum(gained, 0.0)
        for chart in charts[gained > RESOLVED].tolist():
            self.alarm[chart], self.since[chart] = 0, self.count[chart]

    def _verdicts(
        self, charts: IntArray, steps: Steps, score: FloatArray, window: IntArray
    ) -> list[Verdict]:
        """While an alarm is open, the score stands above its threshold, however little."""
        h, alarm = self.h[charts], self.alarm[charts]
        opened = alarm != 0
        shown = np.where(opened, np.maximum(score, np.nextafter(h, np.inf)), np.minimum(score, h))
        found = list(map(_quiet, shown.tolist(), h.tolist()))
        for place in np.flatnonzero(opened).tolist():
            chart, slot = int(charts[place]), int(window[place])
            held = self.total[chart] - self.before[chart, :, slot] if slot >= 0 else None
            level, rows = since(held, steps, place)
            direction = int(alarm[place])
            began = int(self.alarm_at[chart])
            found[place] = Verdict(True, float(shown[place]), float(h[place]), began, direction, level, rows)  # noqa: FBT003
        return found

    # ------------------------------------------------------------------ state
    def export(self, chart: int) -> State:
        """A chart's state, sharing no memory."""
        slots = int(self.levels[chart]) * SLOTS
        return {
            "count": int(self.count[chart]),
            "since": int(self.since[chart]),
            "levels": int(self.levels[chart]),
            "total": self.total[chart].copy(),
            "before": self.before[chart, :, :slots].copy(),
            "times": self.times[chart, :slots].copy(),
            "alarm": [int(self.alarm[chart]), int(self.alarm_at[chart])],
            "return": [float(self.shift[chart]), float(self.evidence[chart])],
            "grown": self.grown.export(chart),
        }

    def restore(self, chart: int, state: State) -> None:
        """Continue where `export` stood."""
        self.restart(chart)
        for name in ("count", "since", "levels"):
            getattr(self, name)[chart] = state[name]
        slots = state["levels"] * SLOTS
        self.total[chart] = state["total"]
        self.before[chart, :, :slots] = state["before"]
        self.times[chart, :slots] = state["times"]
        self.alarm[chart], self.alarm_at[chart] = state["alarm"]
        self.shift[chart], self.evidence[chart] = state["return"]
        self.grown.restore(chart, state["grown"])


CHART_BYTES = 3 * (ALL_SLOTS * 8 * (TOTALS + 1) + 8 * (TOTALS + 10) + GROWN_BYTES) // 2
"""Of a chart, with the room that a bank keeps for others."""


def _quiet(score: float, threshold: float) -> Verdict:
    return Verdict(False, score, threshold)  # noqa: FBT003 (Verdict's first field)
