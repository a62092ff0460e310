"""Many steps of one chart in one go: the same numbers, bit for bit, as one step after the other."""

from typing import NamedTuple

import numpy as np

from streamcheck.core.detectors._bank import RESOLVED, Bank
from streamcheck.core.detectors._dating import Dated, beginnings, dated
from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._statistics import deviations, half_shift, judged, returned, scores, since
from streamcheck.core.detectors._steps import Steps, Which
from streamcheck.core.detectors._sums import ALL_SLOTS
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
        if not bank.sums.count[chart]:
            bank.sums.levels[chart] = levels_for(float(steps.pane_rows[0]))
        while self.done < len(steps.share) and not (stop and self.drifting >= 0):
            parts.append(self._stretch(steps.taken(slice(self.done, self._until()))))
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
        return self.done + bank.grown.steps_left(chart, int(bank.sums.levels[chart]))

    def _stretch(self, steps: Steps) -> tuple[FloatArray, BoolArray]:
        """As far as windows begin where they do now: until an alarm ends. Of each step what is shown, and the alarm."""
        bank, chart = self._bank, self._chart
        usual = bank.grown.usual(np.full(len(steps.share), chart), steps)
        past = _Past.of(bank, chart, steps)
        score, slot, z = self._scores(steps, usual, past)
        number, opened = self._decide(steps, usual, past, score, slot, z)
        self._learn(steps, opened, number)
        score, opened = score[:number], opened[:number]
        shown = np.where(opened, np.maximum(score, np.nextafter(self.h, np.inf)), np.minimum(score, self.h))
        if (drifting := np.flatnonzero(opened)).size:
            at = int(drifting[-1])
            told = self._told(steps, usual, past, int(slot[at]), at, float(shown[at]))
            self.drifting, self._last = self.done + at, told
        past.keep(bank, chart, number, self._at_ms)
        self.done += number
        return shown, opened

    def _scores(self, steps: Steps, usual: Usual, past: "_Past") -> tuple[FloatArray, IntArray, FloatArray]:
        """Of each step (N,): the largest score, where in the past its window begins (-1: there is none), its z."""
        bank, chart, n = self._bank, self._chart, len(steps.share)
        up, down = bank.up[chart : chart + 1], bank.down[chart : chart + 1]
        score, slot, z = np.empty(n), np.empty(n, np.int64), np.empty(n)
        for share, which in steps.kinds():
            windows, some = past.windows(which), usual.taken(which)
            every, signed = scores(some, windows, up, down, share=share, skew=steps.skew[which])
            best, each = every.argmax(axis=0), np.arange(every.shape[1])
            score[which], z[which] = judged(every[best, each], some), signed[best, each]
            slot[which] = windows.ago[best, each]
        return score, slot, z

    def _learn(self, steps: Steps, opened: BoolArray, number: int) -> None:
        """Quiet steps will count with the reference: those after an alarm, or those before none."""
        bank, chart = self._bank, self._chart
        if not bank.grown.on[chart] or bank.alarm[chart]:
            return
        after = np.flatnonzero(opened[:number])
        quiet = steps.taken(slice(int(after[-1]) + 1 if len(after) else 0, number))
        bank.grown.add_in_a_row(chart, int(bank.sums.levels[chart]), deviations(quiet), quiet.sums[1])

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
            bank.sums.since[chart] = bank.sums.count[chart] + number
        return number, opened

    def _open(self, steps: Steps, usual: Usual, past: "_Past", slot: int, at: int, z: float) -> None:
        bank, chart = self._bank, self._chart
        held = past.held(slot, at)
        bank.alarm[chart] = self._direction = 1 if z > 0 else -1
        bank.open(chart, self._at_ms, self._dated(steps, usual, past, at))
        bank.shift[chart] = half_shift(held, steps, usual, at)
        bank.evidence[chart] = 0.0
        bank.grown.doubt(chart)

    def _dated(self, steps: Steps, usual: Usual, past: "_Past", at: int) -> Dated:
        """When the change began that has just raised an alarm; as the bank says it."""
        count = past.began + at + 1
        first, slots = beginnings(count, past.since, past.levels)
        ago = np.where(first >= past.began, ALL_SLOTS + first - past.began, slots)
        one, held = slice(at, at + 1), past.totals[:, at + 1, None] - past.table[:, ago]
        times = np.where(first < past.began, self._bank.sums.times[slots, self._chart], self._at_ms)
        return dated(steps.taken(one), usual.taken(one), held, count - first, times, self._direction)

    def _test_returns(self, steps: Steps, usual: Usual, start: int, stop: int) -> int:
        """Page's test through the steps from start to before stop: before which one it was decided, or stop."""
        bank, chart = self._bank, self._chart
        some = steps.taken(slice(start, stop))
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

    def _told(self, steps: Steps, usual: Usual, past: "_Past", slot: int, at: int, shown: float) -> Verdict:
        """The verdict of a step after which the alarm is open."""
        bank, chart = self._bank, self._chart
        level, rows = since(past.held(slot, at) if slot >= 0 else None, steps, at)
        began, between = int(bank.alarm_at[chart]), bank.began(chart, self._at_ms)
        seen = (began, self._direction, level, rows, between, float(usual.offset[at]))
        return Verdict(True, shown, self.h, *seen)  # noqa: FBT003


class _Ends(NamedTuple):
    """The windows that end with some of the steps (N,), as (K, N). ago: where they begin, -1 where there is none."""

    past: "_Past"
    which: Which
    none: BoolArray | None
    length: IntArray
    ago: IntArray

    def lengths(self, which: IntArray | slice) -> IntArray:
        """How many steps the windows hold that end with some of these."""
        return np.asarray(self.length[:, which])

    def sums(self, parts: slice) -> FloatArray:
        """What each holds of some of the running sums; 0 where there is none."""
        ended = self.past.totals[parts, 1:][:, self.which]
        found = ended[:, None] - np.take(self.past.table[parts], self.ago, axis=1, mode="clip")
        if self.none is not None:
            found[:, self.none] = 0.0
        return np.asarray(found)


class _Past(NamedTuple):
    """Running sums of a chart: totals (TOTALS, N + 1) before and after each of N steps.

    table (TOTALS, ALL_SLOTS + N): those with which windows begin. began, since, levels: as the chart has them.
    """

    totals: FloatArray
    table: FloatArray
    began: int
    since: int
    levels: int

    @staticmethod
    def of(bank: Bank, chart: int, steps: Steps) -> "_Past":
        sums = bank.sums
        totals = np.add.accumulate(np.concatenate([sums.total[:, chart, None], steps.sums], axis=1), axis=1)
        table = np.concatenate([sums.before[:, :, chart], totals[:, :-1]], axis=1)
        return _Past(totals, table, *(int(held[chart]) for held in (sums.count, sums.since, sums.levels)))

    def windows(self, which: Which) -> _Ends:
        """Those that end with some of the steps."""
        k = windows_of(self.levels)
        level, lengths = LEVEL_OF[:k, None], LENGTHS[:k, None]
        count = self.began + 1 + np.arange(self.totals.shape[1] - 1)[which]
        begins = (count - lengths) >> level
        first = begins << level
        none = (first < self.since) | (count < lengths)
        slot = level * SLOTS + begins % SLOTS
        ago = np.where(none, -1, np.where(first >= self.began, ALL_SLOTS + first - self.began, slot))
        return _Ends(self, which, none if none.any() else None, count - first, ago)

    def held(self, slot: int, at: int) -> FloatArray:
        """What the window holds that begins there and ends with this step."""
        return np.asarray(self.totals[:, at + 1] - self.table[:, slot])

    def keep(self, bank: Bank, chart: int, steps: int, at_ms: int) -> None:
        """So many steps were taken: the sums go to where the next ones look for them."""
        sums, began = bank.sums, self.began
        for level in range(LEVELS_MAX):
            grain = 1 << level
            counts = np.arange(-(-began // grain) * grain, began + steps, grain)[-SLOTS:]
            slots = level * SLOTS + (counts >> level) % SLOTS
            sums.before[:, slots, chart] = self.totals[:, counts - began]
            sums.times[slots, chart] = at_ms
        sums.total[:, chart] = self.totals[:, steps]
        sums.count[chart] = began + steps
