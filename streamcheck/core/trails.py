"""How did each monitor go lately? The newest panes one by one, older ones in coarser pieces, for pages only.

Nothing that is judged depends on it, and it is no part of the state.
"""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from streamcheck.core.instances import Instance, Span
from streamcheck.core.readings import NUMBERS, AlertState, Piece, Segment, Trails

PIECES_PER_SIZE = 12
SIZES_MAX = 10
"""Pieces of 1, 2, 4 … 512 panes, twelve of each: 12,276 panes, 34 hours of 10 s."""
MONITORS_MAX = 5_000
"""Monitors times segments, as many as are shown; the first ones that judge something."""
TRAIL_BYTES = 4 * len(NUMBERS) * (PIECES_PER_SIZE * SIZES_MAX + SIZES_MAX) + 400
"""Of one monitor for one segment: its numbers, and its place."""
USUAL_MAX = 40
"""Usual ranges that are worked out in one pane, by turns; those of other monitors stay as they were."""

Numbers = npt.NDArray[np.float32]
_USUAL = slice(NUMBERS.index("usual_low"), NUMBERS.index("usual_high") + 1)
_LOW, _HIGH, _STATE = (NUMBERS.index(name) for name in ("low", "high", "state"))
_NEWEST = [NUMBERS.index(name) for name in ("baseline", "usual_low", "usual_high", "threshold")]


class TrailBook:
    """Takes every pane in once it is judged; `reading` is cheap and never changes afterwards."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._places: dict[tuple[str, Segment], int] = {}
        self._known: MappingProxyType[tuple[str, Segment], int] = MappingProxyType({})
        self._usual: Numbers = np.full((0, 2), np.nan, np.float32)
        self._turn = 0

    def add(self, span: Span, judged: Sequence[Instance]) -> None:
        """A pane: who judged something in it, in any order, each once."""
        kept = [one for one in judged if one.trail is not None or self._enrolled(one)]
        if not kept:
            return
        rows = np.array([one.trail for one in kept])
        told = np.array([
            np.nan if number is None else number
            for one in kept
            for number in (one.level, one.baseline, one.score, one.threshold)
        ]).reshape(-1, 4)  # fmt: skip
        numbers = np.full((len(self._places), len(NUMBERS)), np.nan, np.float32)
        self._measure(span, kept)
        with np.errstate(over="ignore"):  # what a float32 cannot hold is drawn at the edge
            for at, name in enumerate(("low", "baseline", "score", "threshold")):
                numbers[rows, NUMBERS.index(name)] = told[:, at]
        numbers[rows, _HIGH], numbers[rows, _STATE] = numbers[rows, _LOW], AlertState.QUIET
        numbers[rows, _USUAL] = self._usual[rows]
        for one in kept:
            if one.tracker.state is not AlertState.QUIET:
                numbers[one.trail, _STATE] = one.tracker.state
        self._pieces.append(Piece(span.start_ms, span.end_ms, 1, numbers))
        self._thin()

    def _enrolled(self, one: Instance) -> bool:
        if len(self._places) >= MONITORS_MAX:
            return False
        key = one.spec.id, one.segment
        one.trail = self._places.setdefault(key, len(self._places))
        return True

    def _measure(self, span: Span, kept: Sequence[Instance]) -> None:
        more = len(self._places) - len(self._usual)
        if more:
            self._usual = np.concatenate([self._usual, np.full((more, 2), np.nan, np.float32)])
        for number in range(min(len(kept), USUAL_MAX)):
            one = kept[(self._turn + number) % len(kept)]
            self._usual[one.trail] = one.usual(span.start_ms) or (np.nan, np.nan)
        self._turn += USUAL_MAX

    def _thin(self) -> None:
        """Where there are too many pieces of one size, the two oldest of them become one; the oldest of all go."""
        last = len(self._pieces)
        while True:
            size = self._pieces[last - 1].panes
            first = last
            while first > 0 and self._pieces[first - 1].panes == size:
                first -= 1
            if last - first <= PIECES_PER_SIZE:
                return
            if size == 2 ** (SIZES_MAX - 1):
                del self._pieces[first]
                return
            self._pieces[first : first + 2] = [_joined(*self._pieces[first : first + 2])]
            last = first + 1

    def reading(self) -> Trails:
        """As it is now."""
        if len(self._known) != len(self._places):
            self._known = MappingProxyType(dict(self._places))
        return Trails(tuple(self._pieces), self._known)


def _joined(one: Piece, two: Piece) -> Piece:
    """Two pieces in a row as one: extremes, and the newest of what hardly moves."""
    then = np.full_like(two.numbers, np.nan)
    then[: len(one.numbers)] = one.numbers
    made = np.fmax(then, two.numbers)
    made[:, _LOW] = np.fmin(then[:, _LOW], two.numbers[:, _LOW])
    for at in _NEWEST:
        made[:, at] = np.where(np.isnan(two.numbers[:, at]), then[:, at], two.numbers[:, at])
    return Piece(one.start_ms, two.end_ms, one.panes + two.panes, made)
