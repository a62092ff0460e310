"""How good was the model over the whole replay, per segment, and how long did labels take?"""

from typing import Any

import numpy as np

from streamcheck.core.board import Board
from streamcheck.core.intervals import mean_interval, wilson
from streamcheck.core.labelled import LabelledPane
from streamcheck.core.plan import Segmentation, Task

SEGMENTS_MAX = 200
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
DELAYS_MS = (
    0, 1_000, 10_000, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY,
    30 * _DAY, 60 * _DAY, 90 * _DAY, 180 * _DAY, 365 * _DAY,
)  # fmt: skip
"""Upper ends of the classes into which delays fall; the last class has none."""


class LabelledHistory:
    """Errors of labelled rows: all of them, and by each segmentation; delays by class."""

    def __init__(self, segmentations: tuple[Segmentation, ...], task: Task | None) -> None:
        self._segmentations = segmentations
        self._task = task
        self._sums: dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]] = {
            name: np.zeros((0, 4)) for name in ("", *(each.name for each in segmentations))
        }
        self._delays = np.zeros(len(DELAYS_MS) + 1, np.int64)
        self._delay_sum_ms = 0.0

    def add(self, end_ms: int, pane: LabelledPane) -> None:
        """Rows whose label came in the pane that ends at end_ms: a delay is known to the pane."""
        index = pane.usable(with_score=False)
        if not len(index):
            return
        rows, joined = pane.rows(index), pane.joined
        error = rows.error()
        signed = rows.prediction - rows.label if self._task is Task.REGRESSION else error
        self._sums[""] = _added(self._sums[""], np.zeros(len(index), np.int64), error, signed)
        for place, name in enumerate(pane.segmentations):
            self._sums[name] = _added(self._sums[name], joined.segments[place][index].astype(np.int64), error, signed)
        delays = np.maximum(end_ms - joined.times[index], 0)
        self._delays += np.bincount(np.searchsorted(DELAYS_MS, delays), minlength=len(self._delays))
        self._delay_sum_ms += float(delays.sum())

    def export(self, board: Board) -> dict[str, Any]:
        """Rows, error and its 95 % interval per segment (the most frequent ones), and the delays."""
        segments = []
        for each in self._segmentations:
            sums = self._sums[each.name]
            most = np.argsort(-sums[:, 0], kind="stable")[:SEGMENTS_MAX].tolist()
            table = board.tables[each.name]
            segments += [
                {"by": each.name, "segment": dict(table.label(number)), **self._quality(sums[number])}
                for number in most
                if sums[number, 0]
            ]
        total = self._sums[""]
        n = int(self._delays.sum())
        return {
            "rows": n,
            "all": self._quality(total[0]) if len(total) else None,
            "segments": segments,
            "delay_ms": list(DELAYS_MS),
            "delays": self._delays.tolist(),
            "delay_mean_ms": round(self._delay_sum_ms / n) if n else None,
        }

    def _quality(self, sums: Any) -> dict[str, Any]:
        n, error, square, signed = int(sums[0]), float(sums[1]), float(sums[2]), float(sums[3])
        if self._task is not Task.REGRESSION:
            low, high = wilson(n - round(error), n)
            return {"rows": n, "measure": "accuracy", "value": 1 - error / n, "low": low, "high": high}
        mean = error / n
        low, high = mean_interval(n, mean, max(square / n - mean * mean, 0.0)) if n > 1 else (mean, mean)
        return {"rows": n, "measure": "mae", "value": mean, "low": low, "high": high, "bias": signed / n}


def _added(sums: Any, numbers: Any, error: Any, signed: Any) -> Any:
    """Sums (segments, 4): rows, error, its square, signed error."""
    size = max(len(sums), int(numbers.max()) + 1)
    grown = np.zeros((size, 4))
    grown[: len(sums)] = sums
    for place, weights in enumerate((None, error, error * error, signed)):
        grown[:, place] += np.bincount(numbers, weights=weights, minlength=size)
    return grown
