"""Is the new model version better than the one before it, for all rows and for each segment? Looked at any time."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.intervals import Interval
from streamcheck.core.joining import UNUSABLE
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.plan import Plan, Task
from streamcheck.core.readings import VersionsCompared
from streamcheck.core.room import Room
from streamcheck.core.segments import SegmentTable
from streamcheck.core.types import FloatArray, IntArray

ROWS_MIN = 100
"""Of each version, below which nothing is said: the interval is asymptotic."""
CONFIDENCE = 0.95
SEGMENT_CONFIDENCE = 0.995
"""Of each segment's interval: there are many."""
EFFECT_SD = 0.1
"""The interval is narrowest for differences of about so many standard deviations of a row: .03 of an accuracy of .9."""
ERROR_MAX = (-UNUSABLE) ** 0.25
"""Errors beyond this (1e77) count as this: sums of their squares fit a float64."""
SHOWN_MAX = 200
CELL_BYTES = 2 * 3 * 8
"""Of a segment: three sums of each version. One that finds no room is not compared."""
VERSION = "model_version"
Label = tuple[tuple[str, str], ...]
_KEY = "versus"


def always_valid(difference: float, variance: float, sd: float, confidence: float) -> Interval:
    """Between which values does a difference lie, at every moment at once? variance: of the estimate, sd: of a row.

    The normal mixture's bound for a Brownian motion (Robbins 1970; Howard et al. 2021, Annals of Statistics 49): the
    estimate times its information 1 / variance is one in the limit (Jennison, Turnbull 1997, JASA 92).

    >>> low, high = always_valid(0.02, 0.0001, 0.3, 0.95)
    >>> round(low, 4), round(high, 4)
    (-0.0104, 0.0504)
    """
    information, prior = 1.0 / variance, 1.0 / (EFFECT_SD * sd) ** 2
    half = mixture(information + prior, prior, confidence) / information
    return Interval(difference - half, difference + half)


def mixture(known: float, prior: float, confidence: float) -> float:
    """How far from 0 does a sum get at any moment? known: what it has been measured by, and the prior's part of it."""
    return math.sqrt(known * (math.log(known / prior) - 2.0 * math.log(1.0 - confidence)))


def verdict(low: float, high: float, *, errors: bool) -> str:
    """Of the newer model, by the interval of its value less the other's; errors: less is better."""
    better, worse = (high < 0.0, low > 0.0) if errors else (low > 0.0, high < 0.0)
    return "wins" if better else "loses" if worse else "undecided"


class Versus:
    """The newest version of the model against the one before it, on rows labelled since it came.

    Sums of right rows (classes) or absolute errors (numbers): rows, total, squares, by version and segment.
    """

    def __init__(
        self,
        plan: Plan,
        tables: Mapping[str, SegmentTable],
        room: Room,
        exporters: dict[str, Callable[[], State]],
        touched: set[str],
    ) -> None:
        names = [s.name for s in plan.segmentations if len(s.fields) == 1]
        self._active = plan.task is not None and VERSION in names
        self._number = plan.task is Task.REGRESSION
        self._names = [name for name in names if name != VERSION]
        self._tables, self._room, self._touched = tables, room, touched
        self._pair = (0, 0)
        """Numbers of the version before, and of the newest; 0: there is none yet."""
        self._sums: list[FloatArray] = []
        if self._active:
            exporters[_KEY] = self.export
        self._clear()

    @property
    def held_bytes(self) -> int:
        """What was asked for: the sums of segments, beside those of the first."""
        return sum(CELL_BYTES * (sums.shape[2] - 1) for sums in self._sums)

    def _clear(self) -> None:
        self._room.give(self.held_bytes)
        self._sums = [np.zeros((2, 3, 1)) for _ in range(1 + len(self._names))]

    def add(self, labelled: LabelledPane) -> None:
        """Rows that a pane completed."""
        index = labelled.usable(with_score=False) if self._active else np.empty(0, np.int64)
        if not len(index):
            return
        joined = labelled.joined
        version = joined.segments[labelled.segmentations.index(VERSION)][index]
        self._touched.add(_KEY)
        if (newest := int(version.max())) > self._pair[1]:
            before = int(version[version < newest].max(initial=self._pair[1]))
            self._pair = before, newest
            self._clear()
        arms = np.where(version == self._pair[1], 1, np.where(version == self._pair[0], 0, -1))
        index, arms = index[(arms >= 0) & (version > 0)], arms[(arms >= 0) & (version > 0)]
        rows = labelled.rows(index)
        value = np.minimum(rows.error(), ERROR_MAX) if self._number else 1.0 - rows.error()
        self._fold(0, arms, np.zeros(len(index), np.int64), value)
        for place, name in enumerate(self._names):
            segments = joined.segments[labelled.segmentations.index(name)][index].astype(np.int64)
            self._fold(place + 1, arms, segments, value)

    def _fold(self, place: int, arms: IntArray, segments: IntArray, value: FloatArray) -> None:
        held = self._sums[place]
        width = max(held.shape[2], int(segments.max(initial=0)) + 1)
        width = held.shape[2] + self._room.take_some(width - held.shape[2], CELL_BYTES)
        known = segments < width
        arms, segments, value = arms[known], segments[known], value[known]
        cell, size = arms * width + segments, 2 * width
        new = [np.bincount(cell, weights, size).reshape(2, width) for weights in (None, value, value * value)]
        grown = np.zeros((2, 3, width))
        grown[:, :, : held.shape[2]] = held
        self._sums[place] = grown + np.stack(new, axis=1)

    # ------------------------------------------------------------------ shown
    def comparisons(self) -> tuple[VersionsCompared, ...]:
        """All rows first, then segments; at most SHOWN_MAX, in the order of the config."""
        if not self._pair[0]:
            return ()
        found = [self._compared((), self._sums[0][:, :, 0], CONFIDENCE)]
        for name, sums in zip(self._names, self._sums[1:], strict=True):
            table = self._tables[name]
            known = np.flatnonzero(sums[:, 0].min(axis=0) >= ROWS_MIN).tolist()
            found += [self._compared(table.label(at), sums[:, :, at], SEGMENT_CONFIDENCE) for at in known]
        return tuple(each for each in found if each is not None)[:SHOWN_MAX]

    def _compared(self, segment: Label, sums: FloatArray, confidence: float) -> VersionsCompared | None:
        rows, total, square = sums.T
        if rows.min() < ROWS_MIN:
            return None
        mean = total / rows
        spread = np.maximum(square / rows - mean * mean, 0.0)
        difference, variance = float(mean[1] - mean[0]), float((spread / rows).sum())
        if variance <= 0.0:
            return None
        low, high = always_valid(difference, variance, math.sqrt(float(spread.mean())), confidence)
        champion, challenger = (self._tables[VERSION].label(number)[0][1] for number in self._pair)
        n, values = rows.astype(int).tolist(), mean.tolist()
        of_both = (champion, challenger, n[0], n[1], values[0], values[1])
        return VersionsCompared(segment, *of_both, difference, low, high, verdict(low, high, errors=self._number))

    # ------------------------------------------------------------------ state
    def export(self) -> State:
        """The state, sharing no memory."""
        return {"names": list(self._names), "pair": list(self._pair), "sums": [sums.copy() for sums in self._sums]}

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where `export` stood; afresh where other segments are declared."""
        state = states.get(_KEY) if self._active else None
        if state is not None and state["names"] == self._names:
            self._pair = state["pair"][0], state["pair"][1]
            self._room.give(self.held_bytes)
            self._sums = [np.array(sums) for sums in state["sums"]]
            self._room.force(self.held_bytes)
