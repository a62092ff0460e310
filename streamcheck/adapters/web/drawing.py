"""How does a monitor's way become a drawing? Paths for SVG, and the same in words for who does not see them.

A drawing has 1000 x 100 units and is stretched to its place; lines keep their width.
"""

from dataclasses import dataclass

import numpy as np

from streamcheck.core.readings import AlertState, Trail
from streamcheck.core.types import BoolArray, FloatArray, IntArray
from streamcheck.core.wording import moment, number

WIDE, HIGH = 1_000, 100
SPARK_PIECES = 36
"""Of a small drawing: the newest hundred panes or so."""
GAP = 4
"""Between pieces so many times as far apart as they are long no line is drawn."""
MARGIN = 0.06


@dataclass(frozen=True, slots=True)
class Rect:
    """A stretch of time in which an alert was open."""

    x: int
    width: int
    tone: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Paths: usual range, extremes of coarse pieces, line, what it is held against (reference, threshold or limit).

    ends: highest, middle and lowest value of the scale; times: first and last moment; says: all of it in one sentence.
    """

    band: str
    extremes: str
    line: str
    against: str
    alerts: tuple[Rect, ...]
    ends: tuple[str, str, str]
    times: tuple[str, str]
    says: str


def spark(trail: Trail | None) -> Drawing | None:
    """A small one of the signal; None where there is nothing to draw."""
    if trail is None or len(trail) < 2:
        return None
    return signal(trail, limit=False)


def signal(trail: Trail, *, limit: bool) -> Drawing:
    """The level with its usual range. limit: hold it against the threshold, else against the reference."""
    held_against = trail["threshold" if limit else "baseline"]
    low, high, usual_low, usual_high = (trail[name] for name in ("low", "high", "usual_low", "usual_high"))
    usual_ends = [_typical(ends, low) for ends in (usual_low, usual_high)]
    scale = _Scale(trail, np.concatenate([low, high, held_against, *usual_ends]))
    middle = (low + high) / 2
    rough = high > low
    known = np.isfinite(usual_low) & np.isfinite(usual_high)
    usual = f"; usual between {number(usual_low[known][-1])} and {number(usual_high[known][-1])}" if known.any() else ""
    says = f"between {number(low.min())} and {number(high.max())}{usual}; {number(float(high[-1]))} in the end"
    return scale.drawing(
        band=scale.area(usual_low, usual_high, known),
        extremes=scale.area(low, high, rough) if rough.any() else "",
        line=scale.line(middle, step=False),
        against=scale.line(held_against, step=True),
        says=says,
    )


def score(trail: Trail) -> Drawing | None:
    """The score with its threshold; None where the detector has none."""
    values, threshold = trail["score"], trail["threshold"]
    if not np.isfinite(values).any() or len(trail) < 2:
        return None
    scale = _Scale(trail, np.concatenate([values, threshold, [0.0]]))
    highest, last = np.nanmax(values), values[np.isfinite(values)][-1]
    says = f"score at most {number(float(highest))}, {number(float(last))} in the end"
    if np.isfinite(threshold[-1]):
        says += f"; threshold {number(float(threshold[-1]))}"
    return scale.drawing(
        band="", extremes="", line=scale.line(values, step=False), against=scale.line(threshold, step=True), says=says
    )


def _typical(usual: FloatArray, level: FloatArray) -> FloatArray:
    """An end of the usual range, as far as it may widen the scale: a few wide stretches must not squeeze the line."""
    known = usual[np.isfinite(usual)]
    return np.array([np.median(known)]) if len(known) else level[:0]


class _Scale:
    """From event time and values to units of the drawing."""

    def __init__(self, trail: Trail, values: FloatArray) -> None:
        self._trail = trail
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        margin = MARGIN * ((high - low) or abs(high) or 1.0)
        self._low, self._high = (0.0 if low >= 0.0 else -np.inf), high + margin
        self._low = max(self._low, low - margin)
        self._begin = int(trail.starts[0])
        self._span = max(int(trail.ends[-1]) - self._begin, 1)
        self._x = self._at(trail.ends)
        self._from = self._at(trail.starts)
        widths = trail.ends - trail.starts
        apart = trail.starts[1:] - trail.ends[:-1]
        self._gap: BoolArray = np.concatenate([[True], apart > GAP * np.maximum(widths[1:], widths[:-1])])

    def _at(self, times: IntArray) -> list[int]:
        return [round(WIDE * (at - self._begin) / self._span) for at in times.tolist()]

    def _y(self, values: FloatArray) -> list[int]:
        share = (self._high - np.nan_to_num(values)) / (self._high - self._low)
        return [round(y) for y in (HIGH * np.clip(share, -0.02, 1.02)).tolist()]

    def line(self, values: FloatArray, *, step: bool) -> str:
        """A path through values; none where they are not finite or nothing came for long."""
        path, drawn, last = [], False, None
        places = zip(self._from, self._x, self._y(values), np.isfinite(values).tolist(), self._gap, strict=True)
        for begin, x, y, known, gap in places:
            if not known:
                drawn = False
            elif not drawn or gap:
                path.append(f"M{begin} {y}H{x}")
                drawn = True
            elif step:
                path.append(f"H{x}" if y == last else f"H{x}V{y}")
            else:
                path.append(f"L{x} {y}")
            last = y
        return "".join(path)

    def area(self, low: FloatArray, high: FloatArray, known: BoolArray) -> str:
        """What lies between two lines, run by run."""
        tops, bottoms, path = self._y(high), self._y(low), []
        for first, last in _runs(known & np.isfinite(low) & np.isfinite(high), self._gap):
            there = [f"{self._x[k]} {tops[k]}" for k in range(first, last)]
            back = [f"{self._x[k]} {bottoms[k]}" for k in range(last - 1, first - 1, -1)]
            ends = f"{self._from[first]} {bottoms[first]}", f"{self._from[first]} {tops[first]}"
            path.append("M" + "L".join((*there, *back, *ends)) + "Z")
        return "".join(path)

    def drawing(self, *, band: str, extremes: str, line: str, against: str, says: str) -> Drawing:
        """Everything with its ends."""
        begin, end = moment(self._begin), moment(int(self._trail.ends[-1]))
        ends = number(self._high), number((self._high + self._low) / 2), number(self._low)
        words = f"from {begin} to {end}: {says}"
        return Drawing(band, extremes, line, against, self._alerts(), ends, (begin, end), words)

    def _alerts(self) -> tuple[Rect, ...]:
        state = np.nan_to_num(self._trail["state"])
        found = []
        for wanted, tone in ((AlertState.FIRING, "alarm"), (AlertState.PENDING, "warning")):
            for first, last in _runs(state == wanted, np.zeros(len(state), bool)):
                begin = self._at(self._trail.starts[first : first + 1])[0]
                found.append(Rect(begin, max(self._x[last - 1] - begin, 2), tone))
        return tuple(found)


def _runs(wanted: BoolArray, breaks: BoolArray) -> list[tuple[int, int]]:
    """First and behind the last of each run of wanted places; a break begins another."""
    runs: list[tuple[int, int]] = []
    for at, (yes, broken) in enumerate(zip(wanted.tolist(), breaks.tolist(), strict=True)):
        if yes and runs and runs[-1][1] == at and not broken:
            runs[-1] = (runs[-1][0], at + 1)
        elif yes:
            runs.append((at, at + 1))
    return runs
