"""Many steps of one chart in one go: the same numbers, bit for bit, as one step after the other."""

from typing import NamedTuple

import numpy as np

from streamcheck.core.detectors._bank import ALL_SLOTS, RESOLVED, Bank
from streamcheck.core.detectors._dating import beginnings, likeliest
from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._statistics import deviations, known, largest, returned, since
from streamcheck.core.detectors._steps import TOTALS, Steps, taken
from streamcheck.core.detectors._windows import LENGTHS, LEVEL_OF, LEVELS_MAX, SLOTS, levels_for, windows_of
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Verdict


class Course:
    """Steps of one chart, all of which begin at `at_ms`. stop: go no further than the first step that drifts.

    done: how many were taken; shown (done,): their scores; drifting: the last of them that drifts, -1 where none does.
    h: the threshold.
    """

    def __init__(self, bank: Bank, chart: int, steps: Steps, at_ms: int, *, stop: bool) -> None:
        self._bank, self._chart, self._steps, self._at_ms, self._stop = bank, chart, steps, at_ms, stop
        self.h = float(bank.h[chart])
        self.done, self.drifting = 0, -1
        self._last: Verdict | None = None
        self._direction = int(bank.alarm[chart])
        parts: list[tuple[FloatArray, BoolArray]] = []
        if not bank.count[chart]:
            bank.levels[chart] = levels_for(float(steps.pane_rows[0]))
        while self.done < len(steps.share) and not (stop and self.drifting >= 0):
            parts.append(self._stretch(taken(steps, slice(self.done, self._until()))))
        self.shown = np.concatenate([shown for shown, _ in parts])
        self._opened = np.concatenate([opened for _, opened in parts])

    def verdict(self, at: int) -> Verdict:
        """Of one step. Only the last one that drifts says since when, how, and how much."""
        if at == self.drifting and self._last is not None:
            return self._last
        return Verdict(bool(self._opened[at]), float(self.shown[at]), self.h)

    def _until(self) -> int | None:
        """How far what is usual stays as it is: while an alarm is open, or until some more steps may join it."""
        bank, chart = self._bank, self._chart
        if bank.alarm[chart] or not bank.grown.on[chart]:
            return None
        return self.done + bank.grown.steps_left(chart, int(bank.levels[chart]))

    def _stretch(self, steps: Steps) -> tuple[FloatArray, BoolArray]:
        """As far as windows begin where they do now: until an alarm ends. Of each step what is shown, and the alarm."""
        bank, chart = self._bank, self._chart
        usual = bank.grown.usual(np.full(len(steps.share), chart), known(steps))
        windows = _windows(bank, chart, len(steps.share))
        past = _Past.of(bank, chart, steps, windows)
        up, down = bank.up[chart].reshape(1, 1), bank.down[chart].reshape(1, 1)
        score, best, z = largest(steps, usual, past.sums, windows.length, windows.none, up, down)
        slot = np.where(windows.none, -1, windows.ago)[np.arange(len(score)), best]
        number, opened = self._decide(steps, usual, past, score, slot, z)
        self._learn(steps, opened, number)
        score, opened = score[:number], opened[:number]
        shown = np.where(opened, np.maximum(score, np.nextafter(self.h, np.inf)), np.minimum(score, self.h))
        if (drifting := np.flatnonzero(opened)).size:
            at = int(drifting[-1])
            self.drifting, self._last = self.done + at, self._told(steps, past, int(slot[at]), at, float(shown[at]))
        past.keep(bank, chart, number, self._at_ms)
        self.done += number
        return shown, opened

    def _learn(self, steps: Steps, opened: BoolArray, number: int) -> None:
        """Quiet steps will count with the reference: those after an alarm, or those before none."""
        bank, chart = self._bank, self._chart
        if not bank.grown.on[chart] or bank.alarm[chart]:
            return
        after = np.flatnonzero(opened[:number])
        quiet = taken(steps, slice(int(after[-1]) + 1 if len(after) else 0, number))
        bank.grown.add_in_a_row(chart, int(bank.levels[chart]), deviations(quiet), quiet.sums[:, 1])

    def _decide(
        self, steps: Steps, usual: Usual, past: "_Past", score: FloatArray, slot: IntArray, z: FloatArray
    ) -> tuple[int, BoolArray]:
        """Open the alarm, end it: how many steps were taken then, and after which of them it is open."""
        bank, chart, n = self._bank, self._chart, len(score)
        opened, at = np.zeros(n, np.bool_), 0
        if not bank.alarm[chart]:
            over = np.flatnonzero(score > self.h)
            if not len(over):
                return n, opened
            at = int(over[0])
            self._open(steps, usual, past, int(slot[at]), at, float(z[at]))
            opened[at], at = True, at + 1
            if self._stop:
                return at, opened
        number = self._test_returns(steps, usual, at, at + 1 if self._stop else n)
        ended = not bank.alarm[chart]
        opened[at : number - int(ended)] = True
        if ended:
            bank.since[chart] = bank.count[chart] + number
        return number, opened

    def _open(self, steps: Steps, usual: Usual, past: "_Past", slot: int, at: int, z: float) -> None:
        bank, chart = self._bank, self._chart
        held = past.held(slot, at)
        bank.alarm[chart] = self._direction = 1 if z > 0 else -1
        bank.alarm_at[chart] = self._dated(steps, usual, past, at)
        moved = held[0] - held[2] if steps.share[at] else held[0]
        bank.shift[chart] = 0.5 * (moved / held[1] - usual.offset[at])
        bank.evidence[chart] = 0.0
        bank.grown.doubt(chart)

    def _dated(self, steps: Steps, usual: Usual, past: "_Past", at: int) -> int:
        """When the change that has just raised an alarm most likely began; as the bank says it."""
        bank, chart = self._bank, self._chart
        began, count = int(bank.count[chart]), int(bank.count[chart]) + at + 1
        first, slots = beginnings(count, int(bank.since[chart]), int(bank.levels[chart]))
        ago = np.where(first >= began, ALL_SLOTS + first - began, slots)
        one, total = slice(at, at + 1), past.totals[at + 1]
        best = likeliest(
            taken(steps, one), usual.taken(one), total, past.table[:, ago], count - first, self._direction
        )
        return int(bank.times[chart, slots[best]]) if first[best] < began else self._at_ms

    def _test_returns(self, steps: Steps, usual: Usual, start: int, stop: int) -> int:
        """Page's test through the steps from start to before stop: before which one it was decided, or stop."""
        bank, chart = self._bank, self._chart
        some = taken(steps, slice(start, stop))
        evidence = float(bank.evidence[chart])
        shift = np.full(len(some.share), bank.shift[chart])
        for number, each in enumerate(returned(some, usual.taken(slice(start, stop)), shift).tolist()):
            gained = evidence + each
            evidence = max(gained, 0.0)
            if gained > RESOLVED:
                bank.alarm[chart], stop = 0, start + number + 1
                break
        bank.evidence[chart] = evidence
        return stop

    def _told(self, steps: Steps, past: "_Past", slot: int, at: int, shown: float) -> Verdict:
        """The verdict of a step after which the alarm is open."""
        bank, chart = self._bank, self._chart
        level, rows = since(past.held(slot, at) if slot >= 0 else None, steps, at)
        return Verdict(True, shown, self.h, int(bank.alarm_at[chart]), self._direction, level, rows)  # noqa: FBT003


class _Windows(NamedTuple):
    """Of each step and window (N, K): is there none, how many steps does it hold, where in the past does it begin?"""

    none: BoolArray
    length: IntArray
    ago: IntArray


def _windows(bank: Bank, chart: int, steps: int) -> _Windows:
    level_max, began = int(bank.levels[chart]), int(bank.count[chart])
    k = windows_of(level_max)
    level, count = LEVEL_OF[:k], began + 1 + np.arange(steps)[:, None]
    begins = (count - LENGTHS[:k]) >> level
    first = begins << level
    none = (first < bank.since[chart]) | (count < LENGTHS[:k])
    slot = level * SLOTS + begins % SLOTS
    return _Windows(none, count - first, np.where(first >= began, ALL_SLOTS + first - began, slot))


class _Past(NamedTuple):
    """Running sums: totals (N + 1, TOTALS) before and after each step, sums (N, K) of each window, all but the last.

    table (TOTALS, ALL_SLOTS + N): where windows begin.
    """

    totals: FloatArray
    table: FloatArray
    sums: list[FloatArray]

    @staticmethod
    def of(bank: Bank, chart: int, steps: Steps, windows: _Windows) -> "_Past":
        totals = np.add.accumulate(np.concatenate([bank.total[chart][None], steps.sums]))
        table = np.concatenate([bank.before[chart], totals[:-1].T], axis=1)
        sums = [
            np.where(windows.none, 0.0, totals[1:, part, None] - np.take(table[part], windows.ago, mode="clip"))
            for part in range(TOTALS - 1)
        ]
        return _Past(totals, table, sums)

    def held(self, slot: int, at: int) -> FloatArray:
        """What the window holds that begins there and ends with this step."""
        return np.asarray(self.totals[at + 1] - self.table[:, slot])

    def keep(self, bank: Bank, chart: int, steps: int, at_ms: int) -> None:
        """So many steps were taken: the sums go to where the next ones look for them."""
        began = int(bank.count[chart])
        for level in range(LEVELS_MAX):
            grain = 1 << level
            counts = np.arange(-(-began // grain) * grain, began + steps, grain)[-SLOTS:]
            slots = level * SLOTS + (counts >> level) % SLOTS
            bank.before[chart, :, slots] = self.totals[counts - began]
            bank.times[chart, slots] = at_ms
        bank.total[chart] = self.totals[steps]
        bank.count[chart] = began + steps
