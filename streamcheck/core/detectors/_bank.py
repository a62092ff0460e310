"""All charts of a pane in one go: running sums of many signals, and the statistic of every window of each.

A chart's numbers depend on its own signals alone, bit for bit, whatever else is in the bank: nothing but elementwise
operations, maxima and choices touches them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors._dating import Dated, beginnings, dated
from streamcheck.core.detectors._grown import GROWN_BYTES, Grown, Usual
from streamcheck.core.detectors._statistics import deviations, half_shift, judged, returned, scores, since
from streamcheck.core.detectors._steps import Steps, columns
from streamcheck.core.detectors._sums import SUMS_BYTES, ChartWindows, Sums
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal, Verdict

RESOLVED = 6.9
"""Log-likelihood ratio, log 1000, of "as the reference" against "half of what raised the alarm" that ends an alarm."""
NEARLY = 0.999
"""A score is no more than the statistic that it stands for, but for rounding."""
_SEEN = ("alarm", "alarm_at", "shift", "evidence")


class Foremost(NamedTuple):
    """Of charts (N,) that must be told in full, by their places among those that stepped: the window that says most.

    slot: where it begins, -1 where there is none; z: its statistic; offset: of what is usual from the reference.
    """

    places: IntArray
    slot: IntArray
    z: FloatArray
    offset: FloatArray

    def taken(self, which: BoolArray) -> "Foremost":
        """Those of some charts."""
        return Foremost(self.places[which], self.slot[which], self.z[which], self.offset[which])

    def among(self, places: IntArray) -> "Foremost":
        """The same, where only those at these places (ascending) are looked at, all of these among them."""
        return self._replace(places=np.searchsorted(places, self.places))


class Bank:
    """Charts by number; `step` takes one signal for each of some of them."""

    def __init__(self) -> None:
        self.charts = 0
        self._free: list[int] = []
        self.sums = Sums()
        self.up: BoolArray = np.zeros(0, np.bool_)
        self.down: BoolArray = np.zeros(0, np.bool_)
        self.h: FloatArray = np.zeros(0)
        self.alarm: IntArray = np.zeros(0, np.int64)
        """Direction of the alarm that is open, 0 where none is."""
        self.alarm_at: IntArray = np.zeros(0, np.int64)
        """When the change began, in ms."""
        self.shift: FloatArray = np.zeros(0)
        """Half of what raised the alarm, as `half_shift` has it."""
        self.evidence: FloatArray = np.zeros(0)
        """For a return to the reference."""
        self._opened: dict[int, Dated] = {}
        """Alarms that opened in the newest pane in which some did; asked for in it only: not part of the state."""
        self._opened_ms = 0
        self.grown = Grown()

    def _grow(self, more: int) -> None:
        """Room for more charts."""
        self.grown.enlarge(more)
        self.sums.enlarge(more)
        for name in (*_SEEN, "up", "down", "h"):
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros(more, held.dtype)]))

    def enrol(self, *, up: bool, down: bool) -> int:
        """A new chart, which looks for rises, falls or both; its number."""
        if self._free:
            number = self._free.pop()
        else:
            number = self.charts
            if number == len(self.h):
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
        self.sums.forget(chart)
        self._opened.pop(chart, None)
        for name in _SEEN:
            getattr(self, name)[chart] = 0

    # ------------------------------------------------------------------ one pane
    def step(self, charts: IntArray, signals: Sequence[Signal], at_ms: int) -> list[Verdict]:
        """One more step of these charts (C,), each named once, which begins at `at_ms`."""
        steps = columns(signals)
        return self.told(charts, steps, *self.judge(charts, steps, at_ms), at_ms)

    def judge(self, charts: IntArray, steps: Steps, at_ms: int) -> tuple[FloatArray, Foremost]:
        """The same from columns: of each chart the largest score, and of those with an alarm what is behind it."""
        self.sums.add(charts, steps.sums, steps.pane_rows, at_ms)
        usual = self.grown.usual(charts, steps)
        score, foremost = self._scores(charts, steps, usual)
        self._decide(charts, steps, usual, foremost, at_ms)
        learns = self.grown.on[charts] & (self.alarm[charts] == 0)
        if learns.any():
            mine, some = charts[learns], steps.taken(learns)
            self.grown.add(mine, self.sums.levels[mine], deviations(some), some.sums[1])
        return score, foremost

    def _scores(self, charts: IntArray, steps: Steps, usual: Usual) -> tuple[FloatArray, Foremost]:
        """For each chart the largest score; more of those with an alarm open, or to be opened."""
        largest, h, was_open, found = np.empty(len(charts)), self.h[charts], self.alarm[charts] != 0, []
        every_window = ChartWindows.of(self.sums, charts)
        for share, which in steps.kinds():
            mine, windows = charts[which], every_window.taken(which)
            sides = self.up[mine], self.down[mine]
            every, z = scores(usual.taken(which), windows, *sides, share=share, skew=steps.skew[which])
            largest[which] = every.max(axis=0)
            some = np.flatnonzero(was_open[which] | (largest[which] > NEARLY * h[which]))
            if len(some):
                best = every[:, some].argmax(axis=0)
                places = np.arange(len(charts))[which][some]
                found.append(Foremost(places, windows.slot(best, some), z[best, some], usual.offset[places]))
        score = judged(largest, usual)
        if not found:
            return score, _NOBODY
        foremost = Foremost(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        return score, foremost.taken(was_open[foremost.places] | (score > h)[foremost.places])

    # ------------------------------------------------------------------ alarms
    def open(self, chart: int, at_ms: int, began: Dated) -> None:
        """An alarm opens in the pane that begins at `at_ms`."""
        if at_ms != self._opened_ms:
            self._opened, self._opened_ms = {}, at_ms
        self._opened[chart], self.alarm_at[chart] = began, began.at

    def began(self, chart: int, at_ms: int) -> tuple[int, int | None] | None:
        """Between which moments the change began, in the pane in which the alarm opens; later on it has been told."""
        began = self._opened.get(chart) if at_ms == self._opened_ms else None
        return None if began is None else (began.low, began.high)

    def _decide(self, charts: IntArray, steps: Steps, usual: Usual, foremost: Foremost, at_ms: int) -> None:
        """Open alarms, and end those whose stream has returned."""
        if not len(foremost.places):
            return
        was_open = self.alarm[charts[foremost.places]] != 0
        if was_open.any():
            places = foremost.places[was_open]
            self._test_returns(charts[places], steps.taken(places), usual.taken(places))
        for at in np.flatnonzero(~was_open).tolist():
            place, slot = int(foremost.places[at]), int(foremost.slot[at])
            chart = int(charts[place])
            held = self.sums.held(chart, slot)
            self.alarm[chart] = 1 if foremost.z[at] > 0 else -1
            one = slice(place, place + 1)
            self.open(chart, at_ms, self._dated(chart, steps.taken(one), usual.taken(one), int(self.alarm[chart])))
            self.shift[chart] = half_shift(held, steps, usual, place)
            self.evidence[chart] = 0.0
            self.grown.doubt(chart)

    def _dated(self, chart: int, steps: Steps, usual: Usual, direction: int) -> Dated:
        """When the change began that has just raised an alarm."""
        sums, count = self.sums, int(self.sums.count[chart])
        first, slots = beginnings(count, int(sums.since[chart]), int(sums.levels[chart]))
        held = sums.total[:, chart, None] - sums.before[:, slots, chart]
        return dated(steps, usual, held, count - first, sums.times[slots, chart], direction)

    def _test_returns(self, charts: IntArray, steps: Steps, usual: Usual) -> None:
        """Page's test of "as the reference" against "half of the alarm's shift", at the newest step."""
        gained = self.evidence[charts] + returned(steps, usual, self.shift[charts])
        self.evidence[charts] = np.maximum(gained, 0.0)
        for chart in charts[gained > RESOLVED].tolist():
            self.alarm[chart], self.sums.since[chart] = 0, self.sums.count[chart]

    def told(
        self, charts: IntArray, steps: Steps, score: FloatArray, foremost: Foremost, at_ms: int
    ) -> list[Verdict]:
        """What `judge` has found, chart by chart: while an alarm is open, the score stands above its threshold."""
        h = self.h[charts]
        found = list(map(_quiet, np.minimum(score, h).tolist(), h.tolist()))
        for place, slot, _, offset in zip(*(column.tolist() for column in foremost), strict=True):
            chart = int(charts[place])
            direction, began = int(self.alarm[chart]), int(self.alarm_at[chart])
            if direction:
                level, rows = since(self.sums.held(chart, slot) if slot >= 0 else None, steps, place)
                shown = float(np.maximum(score[place], np.nextafter(h[place], np.inf)))
                between = self.began(chart, at_ms)
                seen = (began, direction, level, rows, between, offset)
                found[place] = Verdict(True, shown, float(h[place]), *seen)  # noqa: FBT003
        return found

    # ------------------------------------------------------------------ state
    def export(self, chart: int) -> State:
        """A chart's state, sharing no memory."""
        return self.sums.export(chart) | {
            "alarm": [int(self.alarm[chart]), int(self.alarm_at[chart])],
            "return": [float(self.shift[chart]), float(self.evidence[chart])],
            "grown": self.grown.export(chart),
        }

    def restore(self, chart: int, state: State) -> None:
        """Continue where `export` stood."""
        self.restart(chart)
        self.sums.restore(chart, state)
        self.alarm[chart], self.alarm_at[chart] = state["alarm"]
        self.shift[chart], self.evidence[chart] = state["return"]
        self.grown.restore(chart, state["grown"])


CHART_BYTES = 3 * (SUMS_BYTES + 8 * 7 + GROWN_BYTES) // 2
"""Of a chart, with the room that a bank keeps for others."""
_NOBODY = Foremost(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def _quiet(score: float, threshold: float) -> Verdict:
    return Verdict(False, score, threshold)  # noqa: FBT003 (Verdict's first field)
