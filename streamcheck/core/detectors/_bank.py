"""All charts of a pane in one go: running sums of many signals, and the statistic of every window of each.

A chart's numbers depend on its own signals alone, bit for bit, whatever else is in the bank: nothing but elementwise
operations, maxima and choices touches them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.detectors._windows import (
    LENGTHS,
    LEVEL_OF,
    LEVELS_MAX,
    SLOTS,
    freed,
    inflation,
    levels_for,
    windows_of,
)
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal, Verdict

RESOLVED = 6.9
"""Log-likelihood ratio, log 1000, of "as the reference" against "half of what raised the alarm" that ends an alarm."""
FREEDOM_MIN = 2.0
KNOWN_PANES = 1e12
"""For signals whose standard error is taken as exact."""
PANE_SHARE_MAX = 1e6
"""A step counts for at most so many standard errors: sums stay finite, and the steps beside it are still seen."""
LEVEL_MAX = 1e280
SHARE_MIN = 1e-4
"""Shares nearer to 0 or 1 are taken for this in the return test: one event must not decide."""
RETURN_STEPS = 32
"""The return test allows for the correlation of so many steps."""
ALL_SLOTS = LEVELS_MAX * SLOTS
_SEEN = ("total", "before", "times", "count", "since", "alarm", "alarm_at", "shift", "evidence")
TOTALS = 5
"""Running sums of a chart. Of a mean: its deviation from the reference, its weight, the reference's error, deviation
of what people see times rows, rows. Of a share: events, rows, expected events, the reference's error, raw rows."""


class Steps(NamedTuple):
    """Signals as columns (C,); of each chart one."""

    share: BoolArray
    sums: FloatArray
    """(C, TOTALS): what they add to the running sums."""
    baseline: FloatArray
    freedom: FloatArray
    lag1: FloatArray
    decay: FloatArray
    pane_rows: FloatArray
    """Rows of a typical pane of the reference."""


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

    def _grow(self, more: int) -> None:
        """Room for more charts."""
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
        self.up[number], self.down[number] = up, down
        return number

    def leave(self, chart: int) -> None:
        """The chart is not needed any more; another may take its place."""
        self.restart(chart)
        self._free.append(chart)

    def restart(self, chart: int) -> None:
        """Forget what the chart has seen."""
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
        score, window, z = self._scores(charts, steps)
        self._decide(charts, steps, score, window, z)
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

    def _scores(self, charts: IntArray, steps: Steps) -> tuple[FloatArray, IntArray, FloatArray]:
        """For each chart (C,): the largest score, the slot in which its window begins (-1: none), its z."""
        slot, length = self._windows(charts)
        none = slot < 0
        at, flat, total = charts[:, None] * (TOTALS * ALL_SLOTS) + slot, self.before.reshape(-1), self.total[charts]
        sums = [
            np.where(none, 0.0, total[:, part, None] - np.take(flat, at + part * ALL_SLOTS, mode="clip"))
            for part in range(TOTALS - 1)
        ]
        score, best, z = largest(steps, sums, length, none, self.up[charts][:, None], self.down[charts][:, None])
        return score, slot[np.arange(len(charts)), best], z

    # ------------------------------------------------------------------ alarms
    def _decide(
        self, charts: IntArray, steps: Steps, score: FloatArray, window: IntArray, z: FloatArray
    ) -> None:
        """Open alarms, and end those whose stream has returned."""
        was_open = self.alarm[charts] != 0
        self._test_returns(charts[was_open], taken(steps, was_open))
        opens = ~was_open & (score > self.h[charts])
        for place in np.flatnonzero(opens).tolist():
            chart, slot = int(charts[place]), int(window[place])
            held = self.total[chart] - self.before[chart, :, slot]
            self.alarm[chart] = 1 if z[place] > 0 else -1
            self.alarm_at[chart] = self.times[chart, slot]
            moved = held[0] - held[2] if steps.share[place] else held[0]
            self.shift[chart] = 0.5 * moved / held[1]
            self.evidence[chart] = 0.0

    def _test_returns(self, charts: IntArray, steps: Steps) -> None:
        """Page's test of "as the reference" against "half of the alarm's shift", at the newest step."""
        if not len(charts):
            return
        gained = self.evidence[charts] + returned(steps, self.shift[charts])
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


CHART_BYTES = 3 * (ALL_SLOTS * 8 * (TOTALS + 1) + 8 * (TOTALS + 10)) // 2
"""Of a chart, with the room that a bank keeps for others."""


def _quiet(score: float, threshold: float) -> Verdict:
    return Verdict(False, score, threshold)  # noqa: FBT003 (Verdict's first field)


def taken(steps: Steps, which: BoolArray | IntArray | slice) -> Steps:
    """Some of the steps."""
    share, *rest = steps
    sums, baseline, freedom, lag1, decay, pane_rows = (column[which] for column in rest)
    return Steps(share[which], sums, baseline, freedom, lag1, decay, pane_rows)


def _within(share: FloatArray) -> FloatArray:
    return np.clip(share, SHARE_MIN, 1.0 - SHARE_MIN)


def columns(signals: Sequence[Signal]) -> Steps:
    """The signals as columns."""
    return tabled(np.array([numbers(signal) for signal in signals], np.float64))


def tabled(table: FloatArray) -> Steps:
    """Rows of `numbers`, (C, 6 + TOTALS), as columns."""
    baseline, freedom, lag1, decay, pane_rows = table[:, TOTALS + 1 :].T.copy()
    return Steps(table[:, 0] != 0.0, table[:, 1 : TOTALS + 1], baseline, freedom, lag1, decay, pane_rows)


def numbers(signal: Signal) -> tuple[float, ...]:
    """What one signal comes to; see TOTALS."""
    known = signal.background
    if known is None:
        freedom, lag1, decay, weight, pane_rows = KNOWN_PANES, 0.0, 0.0, 1.0, float(signal.rows)
    else:
        freedom, lag1, decay, weight = known.panes - 1, known.lag1, known.decay, known.weight
        pane_rows = known.pane_rows
    if signal.events is not None and known is not None:
        share = signal.baseline
        sums = (signal.events * weight / signal.rows, weight, weight * share, weight / known.rows**0.5, signal.rows)
        return (1.0, *sums, share, freedom, lag1, decay, pane_rows)
    own = max(signal.se**2 - signal.center_se**2, 0.0) ** 0.5
    own = max(own, 1e-6 * signal.se)
    z = min(max((signal.value - signal.center) / own, -PANE_SHARE_MAX), PANE_SHARE_MAX)
    root = weight**0.5
    away = min(max(signal.level - signal.baseline, -LEVEL_MAX), LEVEL_MAX) * signal.rows
    sums = (root * z, weight, root * signal.center_se / own, away, signal.rows)
    return (0.0, *sums, signal.baseline, freedom, lag1, decay, pane_rows)


def since(held: FloatArray | None, steps: Steps, place: int) -> tuple[float | None, int | None]:
    """What people see of a window with these sums (None: there is none), as a level, and its rows."""
    if held is None:
        return None, None
    seen = held[0] / held[1] if steps.share[place] else steps.baseline[place] + held[3] / max(held[4], 1.0)
    return float(seen) if held[1] > 0.0 else None, round(float(held[4]))


def returned(steps: Steps, shift: FloatArray) -> FloatArray:
    """How much each step says for "as the reference" against "half of the alarm's shift": log-likelihood ratios."""
    added, weight, expected = steps.sums[:, 0], steps.sums[:, 1], steps.sums[:, 2]
    mean = -shift * (added - weight * shift / 2.0)
    usual = _within(expected / np.maximum(weight, 1e-300))
    raised = _within(usual + shift)
    share = added * np.log(usual / raised) + (weight - added) * np.log((1.0 - usual) / (1.0 - raised))
    g = inflation(steps.lag1, steps.decay, np.full(len(shift), float(RETURN_STEPS)))
    return np.asarray(np.where(steps.share, share, mean) / g)


def largest(
    steps: Steps, sums: Sequence[FloatArray], length: IntArray, none: BoolArray, up: BoolArray, down: BoolArray
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Of each step the largest score of its windows, which that is, and its z.

    sums: of windows (C, K), of as many steps as length says; none: where there is no window; up, down (C, 1): which
    way is of interest.
    """
    g = np.ones(length.shape)
    tied = steps.lag1 > 0.0
    if tied.any():
        g[tied] = inflation(steps.lag1[tied, None], steps.decay[tied, None], length[tied].astype(np.float64))
    z = _z(steps.share, sums, g)
    wanted = ((z > 0.0) & up) | ((z < 0.0) & down)
    scores = np.where(wanted & ~none, np.abs(z), 0.0)
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    score = freed(scores[rows, best], np.maximum(steps.freedom, FREEDOM_MIN))
    return score, best, z[rows, best]


def _z(share: BoolArray, sums: Sequence[FloatArray], g: FloatArray) -> FloatArray:
    """Each chart's statistic (C, K) by its kind."""
    z = np.zeros(g.shape)
    means, shares = ~share, share
    if means.any():
        deviation, weight, error, _ = (column[means] for column in sums)
        z[means] = _mean_z(deviation, weight, error, g[means])
    if shares.any():
        events, rows, expected, error = (column[shares] for column in sums)
        z[shares] = _share_z(events, rows, expected, error, g[shares])
    return z


def _mean_z(deviation: FloatArray, weight: FloatArray, error: FloatArray, g: FloatArray) -> FloatArray:
    """Means of two samples: (mean - reference) / sqrt(g / weight + reference's variance), all times the weight."""
    variance = weight * g + error * error
    return np.asarray(deviation / np.sqrt(np.where(variance > 0.0, variance, 1.0)))


def _share_z(
    events: FloatArray, rows: FloatArray, expected: FloatArray, error: FloatArray, g: FloatArray
) -> FloatArray:
    """The signed root of the binomial deviance of two samples, divided by g.

    The reference: `expected / rows` of as many rows as its error says, (rows / error)^2.
    """
    held = np.where(rows > 0.0, rows, 1.0)
    share, usual = events / held, np.clip(expected / held, 0.0, 1.0)
    reference = (held / np.where(error > 0.0, error, 1e-9)) ** 2
    both = (held * share + reference * usual) / (held + reference)
    deviance = held * _divergence(share, both) + reference * _divergence(usual, both)
    z = np.sqrt(2.0 * np.maximum(deviance, 0.0) / g)
    return np.asarray(np.where(rows > 0.0, np.where(share >= usual, z, -z), 0.0))


def _divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """Kullback and Leibler's, of 0/1: p log(p/q) + (1 - p) log((1 - p)/(1 - q)), where q is 0 or 1 only if p is."""
    rises, falls = (p > 0.0) & (q > 0.0), (p < 1.0) & (q < 1.0)
    up = np.where(rises, p, 1.0) / np.where(rises, q, 1.0)
    down = np.where(falls, 1.0 - p, 1.0) / np.where(falls, 1.0 - q, 1.0)
    return np.asarray(p * np.log(up) + (1.0 - p) * np.log(down))
