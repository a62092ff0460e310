"""Do numeric features depend on one another as they used to, though each of them looks the same?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri, stdtr

from streamcheck.core.components import State, register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.room import Room
from streamcheck.core.summaries import FeaturesSummary
from streamcheck.core.types import FloatArray, Signal

FEATURES_MAX = 20
"""Numeric features that are looked at, the first of the config: 190 pairs."""
ROWS_MIN = 20
"""Complete rows that a pane needs: with fewer, a correlation is too far from normal for its tail to be used."""
PANES_MIN = 3
PAIRS_BYTES = 2 * 8 * FEATURES_MAX * (FEATURES_MAX - 1) // 2 + 700
CHANCE_MIN = 1e-300
CALM = -4.0


class PairsAccumulator:
    """How much do correlations of panes scatter around their mean? Per pair, on Fisher's scale (atanh).

    weight: sum of n - 3 over panes, the inverse variance of such a number; total and square: of it, so weighted.
    """

    __slots__ = ("panes", "square", "total", "weight")

    def __init__(self) -> None:
        self.panes = 0
        self.weight = 0
        self.total: FloatArray = np.zeros(0)
        self.square: FloatArray = np.zeros(0)

    def add(self, summary: FeaturesSummary) -> bool:
        """Take one more pane in; False for one with too few complete rows."""
        if summary.rows < ROWS_MIN:
            return False
        fisher, weight = np.arctanh(summary.correlations()), summary.rows - 3
        self._add(1, weight, weight * fisher, weight * fisher * fisher)
        return True

    def _add(self, panes: int, weight: int, total: FloatArray, square: FloatArray) -> None:
        self.total = self.total + total if self.panes else total.copy()
        self.square = self.square + square if self.panes else square.copy()
        self.panes += panes
        self.weight += weight

    @property
    def held_bytes(self) -> int:
        """The same whatever it holds."""
        return PAIRS_BYTES

    def attach(self, room: Room) -> None:
        """It never grows beyond that."""

    def merge(self, other: "PairsAccumulator") -> None:
        """Take another accumulator of the same columns in."""
        if other.panes:
            self._add(other.panes, other.weight, other.total, other.square)

    def mean(self) -> FloatArray:
        """Of each pair, on Fisher's scale."""
        return np.asarray(self.total / self.weight)

    def dispersion(self) -> FloatArray:
        """By how much panes scatter more than independent rows would let them; at least 1."""
        between = (self.square - self.total * self.total / self.weight) / (self.panes - 1)
        return np.asarray(np.maximum(between, 1.0))

    def errors(self, rows: int) -> FloatArray:
        """The standard error of each pair's distance for a pane of so many rows, this reference's own included."""
        return np.asarray(np.sqrt(self.dispersion() * (1 / (rows - 3) + 1 / self.weight)))

    def distances(self, summary: FeaturesSummary) -> FloatArray:
        """How many standard errors each pair of a pane lies from here."""
        return np.asarray((np.arctanh(summary.correlations()) - self.mean()) / self.errors(summary.rows))

    def moved(self, summary: FeaturesSummary, most: int) -> list[dict[str, Any]]:
        """The pairs of columns that have gone furthest, with their correlations (of scores) before and after."""
        order = np.argsort(-np.abs(self.distances(summary)), kind="stable")[:most].tolist()
        firsts, seconds = np.triu_indices(len(summary.names), 1)
        before, after = np.tanh(self.mean()), summary.correlations()
        return [
            {
                "columns": [summary.names[firsts[k]], summary.names[seconds[k]]],
                "before": round(float(before[k]), 6),
                "after": round(float(after[k]), 6),
            }
            for k in order
        ]

    def apart(self, other: "PairsAccumulator", scatter: None) -> float:  # noqa: ARG002
        """Nothing: the largest of many differences between a handful of panes says too little."""
        return 0.0

    def scatter_within(self, slots: Sequence["PairsAccumulator"]) -> None:
        """Each slot's own is used."""

    def seasoned(
        self, beside: "PairsAccumulator | None", weight: float, scatter: None  # noqa: ARG002
    ) -> "PairsAccumulator":
        """The slot's own panes: how features depend on one another does not lie between two hours."""
        return self

    def export(self) -> State:
        """The state, sharing no memory."""
        sums = {"total": self.total.copy(), "square": self.square.copy()}
        return {"panes": self.panes, "weight": self.weight, **sums}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.panes, self.weight = int(state["panes"]), int(state["weight"])
        self.total, self.square = (np.array(state[name], dtype=np.float64) for name in ("total", "square"))


@register
class Dependence(Measure):
    """How far has the correlation gone that has gone furthest, of all pairs of numeric features? In standard errors.

    Correlations are of normal scores (as for `mean_shift`), centred and scaled within each pane: columns that move or
    widen by themselves change nothing. On Fisher's scale each pair's distance from the reference is judged by Student's
    t with the reference's own scatter between panes; the smallest chance of all pairs, times their number (Sidak), is
    said as a normal number (times se, the pairs' mean standard error), so that any pane detector takes it. level and
    baseline: this pair's correlation.
    Rows in which a feature is missing are left out; a pane of fewer than 20 complete rows says nothing.
    """

    needs = Needs.FEATURES
    binned = True
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "correlation of the pair that moved most"

    def accumulator(self) -> PairsAccumulator:
        """An empty reference content for this measure."""
        return PairsAccumulator()

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """The difference of the two correlations."""
        return {"change": level - baseline}

    def usual(self, signal: Signal, reference: PairsAccumulator) -> Interval:
        """Around the pair's usual correlation, as far as the furthest of so many pairs goes."""
        each = -float(ndtri((1.0 - 0.95 ** (1.0 / len(reference.total))) / 2.0))
        center, half = math.atanh(signal.baseline), each * signal.se
        return Interval(math.tanh(center - half), math.tanh(center + half))

    def signal(self, summary: FeaturesSummary, reference: PairsAccumulator) -> Signal | None:
        """The pane's distance; None with too few complete rows, here or in the reference."""
        if summary.rows < ROWS_MIN or reference.panes < PANES_MIN:
            return None
        distances = np.abs(reference.distances(summary))
        furthest = int(np.argmax(distances))
        chance = 2.0 * float(stdtr(reference.panes - 1, -float(distances[furthest])))
        together = -math.expm1(len(distances) * math.log1p(-min(chance, 1.0 - 1e-12)))
        value = max(-float(ndtri(max(together, CHANCE_MIN))), CALM) if together < 1.0 else CALM
        level, se = float(summary.correlations()[furthest]), float(reference.errors(summary.rows).mean())
        own = float(np.sqrt(reference.dispersion() / reference.weight).mean())
        baseline = math.tanh(float(reference.mean()[furthest]))
        return Signal(value * se, 0.0, se, summary.rows, level, baseline, center_se=own)
