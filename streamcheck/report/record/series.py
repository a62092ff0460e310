"""What did a monitor see, pane by pane, in as many points as a chart can show? Thinned out, with every extreme kept."""

from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.types import FloatArray
from streamcheck.core.watching import Step

POINTS_MAX = 400
"""Stretches of panes in one chart: each shows its lowest and its highest value, about one for each two pixels."""
GAP_FACTOR = 10
"""Between stretches so many times as far apart as usual no line is drawn."""
_COLUMNS = ("start", "end", "low", "low_at", "high", "high_at", "baseline", "usual_low", "usual_high", "usual_rows",
            "score", "threshold", "drifting", "rows", "panes")  # fmt: skip
_AT = {name: place for place, name in enumerate(_COLUMNS)}


@dataclass(slots=True, eq=False)
class Series:
    """One monitor for one segment: at most POINTS_MAX stretches. When one more comes, neighbours become one by twos.

    Of a stretch it keeps the lowest and the highest level and when they were, the highest score with its threshold,
    whether it drifted, and the average of the usual range.
    """

    _parts: list[FloatArray] = field(default_factory=list)
    _panes_each: int = 1
    steps: int = 0

    def add(self, step: Step) -> None:
        """One more step; several of one pane (blocks of labelled rows) count as one stretch."""
        self.steps += 1
        made = _part(step)
        if self._parts and (self._parts[-1][_AT["start"]] == made[0] or self._parts[-1][-1] < self._panes_each):
            same = self._parts[-1][_AT["start"]] == made[0]
            self._parts[-1] = _joined(self._parts[-1], made)
            self._parts[-1][-1] -= same
            return
        self._parts.append(made)
        if len(self._parts) > POINTS_MAX:
            pairs = zip(self._parts[::2], [*self._parts[1::2], None], strict=False)
            self._parts = [one if two is None else _joined(one, two) for one, two in pairs]
            self._panes_each *= 2

    def column(self, name: str) -> FloatArray:
        """One number of each stretch; NaN where it has none."""
        return np.array([part[_AT[name]] for part in self._parts])

    def __len__(self) -> int:
        return len(self._parts)

    def silences(self) -> list[int]:
        """Stretches before which nothing came for long: so many times as long as between others, GAP_FACTOR or more."""
        starts, ends = self.column("start"), self.column("end")
        if len(starts) < 3:
            return []
        apart = starts[1:] - ends[:-1]
        usual = float(np.median(starts[1:] - starts[:-1]))
        return (np.flatnonzero(apart > GAP_FACTOR * usual) + 1).tolist()

    def line(self) -> tuple[list[int], list[float]]:
        """Times (ms) and levels to draw: both extremes of each stretch, in the order in which they came.

        A NaN stands where nothing came for long.
        """
        times: list[int] = []
        levels: list[float] = []
        silent = set(self.silences())
        for number, part in enumerate(self._parts):
            if number in silent:
                times.append(times[-1])
                levels.append(np.nan)
            ends = [(part[_AT["low_at"]], part[_AT["low"]]), (part[_AT["high_at"]], part[_AT["high"]])]
            for at, level in sorted(set(ends)):
                times.append(int(at))
                levels.append(float(level))
        return times, levels


def _part(step: Step) -> FloatArray:
    usual = (np.nan, np.nan, 0.0) if step.usual is None else (*step.usual, 1.0)
    numbers = (step.baseline, *usual, step.score, step.threshold, step.drifting, step.rows, 1)
    head = (step.start_ms, step.end_ms, step.level, step.end_ms, step.level, step.end_ms)
    return np.array([np.nan if number is None else number for number in (*head, *numbers)], np.float64)


def _joined(one: FloatArray, two: FloatArray) -> FloatArray:
    """Two neighbouring stretches as one."""
    made = two.copy()
    made[_AT["start"]] = one[_AT["start"]]
    if one[_AT["low"]] <= two[_AT["low"]]:
        made[_AT["low"]], made[_AT["low_at"]] = one[_AT["low"]], one[_AT["low_at"]]
    if one[_AT["high"]] >= two[_AT["high"]]:
        made[_AT["high"]], made[_AT["high_at"]] = one[_AT["high"]], one[_AT["high_at"]]
    mine, theirs = one[_AT["usual_rows"]], two[_AT["usual_rows"]]
    for name in ("usual_low", "usual_high"):
        if mine and theirs:
            made[_AT[name]] = (one[_AT[name]] * mine + two[_AT[name]] * theirs) / (mine + theirs)
        elif mine:
            made[_AT[name]] = one[_AT[name]]
    if np.isnan(made[_AT["baseline"]]):
        made[_AT["baseline"]] = one[_AT["baseline"]]
    if not one[_AT["score"]] < two[_AT["score"]] and not np.isnan(one[_AT["score"]]):
        made[_AT["score"]], made[_AT["threshold"]] = one[_AT["score"]], one[_AT["threshold"]]
    for name in ("usual_rows", "drifting", "rows", "panes"):
        made[_AT[name]] = one[_AT[name]] + two[_AT[name]]
    return made
