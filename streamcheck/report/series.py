"""What one monitor saw, pane by pane, in bounded memory: for charts."""

import math
from array import array
from typing import Any

POINTS_MAX = 400
"""Points of one series that are kept: more than a chart has pixels for. Twice as many are thinned out by half."""


class Series:
    """Points in time, each the more telling one (nearer to its threshold, or beyond it) of those it stands for.

    NaN stands for a number that is not there.

    >>> series = Series()
    >>> for at in range(1_000):
    ...     series.add(at, 5, (float(at), 1.0, 9.0 if at == 501 else 0.0, 3.0))
    >>> points = series.export()
    >>> len(points["t"]) <= 2 * POINTS_MAX, 501 in points["t"]
    (True, True)
    """

    def __init__(self) -> None:
        self._times, self._rows = array("q"), array("q")
        self._numbers = [array("d") for _ in range(4)]

    def add(self, time_ms: int, rows: int, numbers: tuple[float, float, float, float]) -> None:
        """One more point: value, reference, score, threshold."""
        self._times.append(time_ms)
        self._rows.append(rows)
        for column, number in zip(self._numbers, numbers, strict=True):
            column.append(number)
        if len(self._times) > 2 * POINTS_MAX:
            self._thin()

    def _thin(self) -> None:
        scores, thresholds = self._numbers[2], self._numbers[3]
        kept = []
        for at in range(0, len(self._times) - 1, 2):
            here, there = (_urgency(scores[i], thresholds[i]) for i in (at, at + 1))
            kept.append(at + 1 if there > here else at)
        kept += range(len(self._times) - len(self._times) % 2, len(self._times))
        self._times, self._rows = (array("q", [column[i] for i in kept]) for column in (self._times, self._rows))
        self._numbers = [array("d", [column[i] for i in kept]) for column in self._numbers]

    def export(self) -> dict[str, list[Any]]:
        """The points as columns for JSON: None where there is no number."""
        names = ("value", "reference", "score", "threshold")
        numbers = {
            name: [number if math.isfinite(number) else None for number in column]
            for name, column in zip(names, self._numbers, strict=True)
        }
        return {"t": self._times.tolist(), "rows": self._rows.tolist(), **numbers}


def _urgency(score: float, threshold: float) -> float:
    """How near to an alarm; a score without a threshold by itself; nothing without a score."""
    if math.isnan(score):
        return float("-inf")
    return abs(score) / threshold if threshold > 0 else abs(score)
