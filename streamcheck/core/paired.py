"""Is the challenger in shadow better than the champion, on the very same rows, for each segment? Looked at any time."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.intervals import Interval
from streamcheck.core.plan import Plan, Task
from streamcheck.core.readings import ShadowCompared
from streamcheck.core.room import Room
from streamcheck.core.segments import SegmentTable
from streamcheck.core.shadow import Pairs
from streamcheck.core.summaries import LabelledRows
from streamcheck.core.types import FloatArray, IntArray
from streamcheck.core.versus import (
    CONFIDENCE,
    ERROR_MAX,
    ROWS_MIN,
    SEGMENT_CONFIDENCE,
    SHOWN_MAX,
    VERSION,
    Label,
    always_valid,
    mixture,
    verdict,
)

PRIOR_ROWS = 25.0
"""Rows of which one model is right and the other wrong: the bound is tightest for some ten times as many."""
CHAMPION = "champion"
"""What the model in use is called where its events name no version."""
SUMS = 5
"""Rows; champion's and challenger's total; squared differences; equal predictions."""
CELL_BYTES = SUMS * 8
_KEY = "paired"


def signed(difference: float, differing: float, rows: float, confidence: float) -> Interval:
    """Between which values does a difference of two accuracies lie, at every moment at once?

    differing: of `rows`, those of which one model is right and the other wrong. While both are as good, each of those
    goes one way or the other with the same chance, and the bound holds for any number of rows: the normal mixture over
    sums of symmetric differences, measured by the sum of their squares (Robbins 1970, Annals of Mathematical Statistics
    41; de la Pena 1999, Annals of Probability 27).

    >>> low, high = signed(0.05, 220.0, 1_000.0, 0.95)
    >>> round(low, 4), round(high, 4)
    (0.005, 0.095)
    """
    half = mixture(differing + PRIOR_ROWS, PRIOR_ROWS, confidence) / rows
    return Interval(max(difference - half, -1.0), min(difference + half, 1.0))


class Paired:
    """Sums over rows that both models predicted and whose label is known, by segment of the champion's rows.

    Where `model_version` is a segment, rows of the champion's newest version count, from when it came.
    """

    def __init__(
        self,
        plan: Plan,
        tables: Mapping[str, SegmentTable],
        room: Room,
        exporters: dict[str, Callable[[], State]],
        touched: set[str],
    ) -> None:
        self._rules, self._task = plan.shadow_rules, plan.task
        self._number = plan.task is Task.REGRESSION
        names = [s.name for s in plan.segmentations]
        self._versions = names.index(VERSION) if VERSION in names else None
        self._places = [at for at, s in enumerate(plan.segmentations) if len(s.fields) == 1 and s.name != VERSION]
        self._names = [names[at] for at in self._places]
        self._tables, self._room, self._touched = tables, room, touched
        self._version = 0
        """The number of the champion's newest version; 0: none has been named."""
        self._sums: list[FloatArray] = []
        if self._rules is not None:
            exporters[_KEY] = self.export
            self._clear()

    @property
    def held_bytes(self) -> int:
        """What was asked for: the sums of segments, beside those of the first."""
        return sum(CELL_BYTES * (sums.shape[1] - 1) for sums in self._sums)

    def _clear(self) -> None:
        self._room.give(self.held_bytes)
        self._sums = [np.zeros((SUMS, 1)) for _ in range(1 + len(self._names))]

    def add(self, pairs: Pairs) -> None:
        """Pairs that a pane completed."""
        if not len(pairs.label):
            return
        assert self._task is not None, "a challenger is compared by its errors"
        self._touched.add(_KEY)
        index = self._newest(pairs)
        label, champion, challenger = pairs.label[index], pairs.champion[index], pairs.challenger[index]
        errors = [LabelledRows(said, label, None, self._task).error() for said in (champion, challenger)]
        values = [np.minimum(error, ERROR_MAX) if self._number else 1.0 - error for error in errors]
        difference = values[1] - values[0]
        weights = (None, *values, difference * difference, (champion == challenger).astype(np.float64))
        self._fold(0, np.zeros(len(index), np.int64), weights)
        for at, place in enumerate(self._places):
            self._fold(at + 1, pairs.segments[place][index].astype(np.int64), weights)

    def _newest(self, pairs: Pairs) -> IntArray:
        """Positions of rows of the champion's newest version; a newer one begins anew."""
        if self._versions is None:
            return np.arange(len(pairs.label))
        version = pairs.segments[self._versions]
        if (newest := int(version.max())) > self._version:
            self._version = newest
            self._clear()
        return np.flatnonzero(version == self._version)

    def _fold(self, at: int, segments: IntArray, weights: tuple[FloatArray | None, ...]) -> None:
        held = self._sums[at]
        width = max(held.shape[1], int(segments.max(initial=0)) + 1)
        width = held.shape[1] + self._room.take_some(width - held.shape[1], CELL_BYTES)
        known = segments < width
        cell = segments[known]
        grown = np.zeros((SUMS, width))
        grown[:, : held.shape[1]] = held
        for place, each in enumerate(weights):
            grown[place] += np.bincount(cell, None if each is None else each[known], width)
        self._sums[at] = grown

    # ------------------------------------------------------------------ shown
    def comparisons(self) -> tuple[ShadowCompared, ...]:
        """All rows first, then segments; at most SHOWN_MAX, in the order of the config."""
        if self._rules is None:
            return ()
        found = [self._compared((), self._sums[0][:, 0], CONFIDENCE)]
        for name, sums in zip(self._names, self._sums[1:], strict=True):
            known = np.flatnonzero(sums[0] >= ROWS_MIN).tolist()
            label = self._tables[name].label
            found += [self._compared(label(at), sums[:, at], SEGMENT_CONFIDENCE) for at in known]
        return tuple(each for each in found if each is not None)[:SHOWN_MAX]

    def _compared(self, segment: Label, sums: FloatArray, confidence: float) -> ShadowCompared | None:
        rows, champion, challenger, square, equal = sums.tolist()
        if rows < ROWS_MIN:
            return None
        assert self._rules is not None
        difference = (challenger - champion) / rows
        if self._number:
            low, high = _of_numbers(difference, square / rows, rows, confidence)
        else:
            low, high = signed(difference, square, rows, confidence)
        name = self._tables[VERSION].label(self._version)[0][1] if self._version else CHAMPION
        values = (int(rows), champion / rows, challenger / rows, difference, low, high)
        outcome = verdict(low, high, errors=self._number)
        return ShadowCompared(segment, name, self._rules.name, *values, equal / rows, outcome)

    # ------------------------------------------------------------------ state
    def export(self) -> State:
        """The state, sharing no memory."""
        assert self._rules is not None
        of = {"like": [self._rules.name, *self._names], "version": self._version}
        return {**of, "sums": [sums.copy() for sums in self._sums]}

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where `export` stood; afresh for another challenger, or where other segments are declared."""
        state = states.get(_KEY) if self._rules is not None else None
        if state is not None and state["like"] == self.export()["like"]:
            self._version = state["version"]
            self._room.give(self.held_bytes)
            self._sums = [np.array(sums) for sums in state["sums"]]
            self._room.force(self.held_bytes)


def _of_numbers(difference: float, square: float, rows: float, confidence: float) -> Interval:
    """Of two mean absolute errors; square: mean of the squared differences, which their variance cannot exceed."""
    if square <= 0.0:  # both say the same of every row
        return Interval(0.0, 0.0)
    return always_valid(difference, square / rows, math.sqrt(square), confidence)
