"""How much does each of a column's categories scatter between panes? The same sums for each as for a single share."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.likeness import LAGS
from streamcheck.core.measures._categories import held
from streamcheck.core.measures._following import Within
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._neighbours import INDEPENDENT, Dependence
from streamcheck.core.room import Room, name_bytes
from streamcheck.core.summaries import CategoricalSummary, Moment
from streamcheck.core.types import FloatArray

NAMES_MAX = 50
"""Categories that are counted by name, by first appearance; all others together are the rest."""
REST_ROWS_MIN = 0.5
"""Fewer rows without a name are the rounding of a mean."""
TABLE_BYTES = 1_500
NUMBERS = 2 + 4 * LAGS
"""Of each category: rows, scatter, two sums for each distance between panes, x of as many oldest and newest panes."""


class ShareAccumulator:
    """What panes come to as shares of categories: for each name the sums of MomentAccumulator, as arrays (NAMES,).

    A name has its place from its first row on, or never: once there is a rest, a name without a place may be part of
    it, its share is not known, and it goes with the rest wherever it is compared.
    """

    __slots__ = (
        "_room",
        "_views",
        "between",
        "cross",
        "held_bytes",
        "n",
        "names",
        "newest",
        "oldest",
        "panes",
        "rows",
        "square_rows",
        "yy",
    )

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.n = 0
        self.panes = 0
        self.square_rows = 0.0
        self.yy = [0.0] * LAGS
        self.oldest: list[tuple[FloatArray, float]] = []
        self.newest: list[tuple[FloatArray, float]] = []
        self.rows = np.zeros(0)
        self.between = np.zeros(0)
        self.cross = np.zeros((2 * LAGS, 0))
        self.held_bytes = TABLE_BYTES
        self._room: Room | None = None
        self._views: dict[str, MomentAccumulator] = {}

    def attach(self, room: Room) -> None:
        """Ask this room before a name is kept; those without count to the rest."""
        self._room = room

    def add(self, summary: CategoricalSummary) -> bool:
        """Take one more pane in; False for one without usable values."""
        if not summary.ok:
            return False
        counts = self._counts(summary)
        y = math.sqrt(summary.ok)
        x = counts / y
        for at, pane in enumerate(self.newest):
            self._pair(at, pane, (x, y))
        self.newest = [(x, y), *self.newest[: LAGS - 1]]
        if len(self.oldest) < LAGS:
            self.oldest.append((x, y))
        self.rows += counts
        self.between += x * x
        self.n += summary.ok
        self.panes += 1
        self.square_rows += float(summary.ok) ** 2
        self._views = {}
        return True

    def _pair(self, at: int, one: tuple[FloatArray, float], other: tuple[FloatArray, float]) -> None:
        """Two panes at distance at + 1; as in Neighbours."""
        self.cross[2 * at] += one[0] * other[0]
        self.cross[2 * at + 1] += one[0] * other[1] + other[0] * one[1]
        self.yy[at] += one[1] * other[1]

    def _counts(self, summary: CategoricalSummary) -> FloatArray:
        """The pane's rows by name; new names find a place."""
        found = held(summary)
        if not self.rest:
            for name, _ in found:
                self._enter(name)
        counts = np.zeros(len(self.names))
        for name, rows in found:
            place = self.names.get(name)
            if place is not None:
                counts[place] = rows
        return counts

    @property
    def rest(self) -> float:
        """Rows of names without a place."""
        rest = self.n - float(self.rows.sum())
        return rest if rest >= REST_ROWS_MIN else 0.0

    def knows(self, name: str) -> bool:
        """Whether this category's share can be told: it has a place, or there is nothing that it could be part of."""
        return name in self.names or not self.rest

    def expect(self, other: "ShareAccumulator") -> None:
        """Keep places for what another one counts by name, so that both can be compared name by name."""
        for name, place in other.names.items():
            if other.rows[place]:
                self._enter(name)

    def _enter(self, name: str) -> None:
        size = name_bytes(name) + 8 * NUMBERS
        if name in self.names or len(self.names) >= NAMES_MAX or not (self._room is None or self._room.take(size)):
            return
        self.names[name] = len(self.names)
        self.held_bytes += size
        self.rows, self.between = np.append(self.rows, 0.0), np.append(self.between, 0.0)
        self.cross = np.append(self.cross, np.zeros((2 * LAGS, 1)), axis=1)
        self.oldest, self.newest = ([(np.append(x, 0.0), y) for x, y in part] for part in (self.oldest, self.newest))

    def _leave(self, names: list[str]) -> None:
        """Their rows are part of the rest from now on."""
        size = sum(name_bytes(name) + 8 * NUMBERS for name in names)
        self.held_bytes -= size
        if self._room is not None:
            self._room.give(size)
        places = [self.names[name] for name in names]
        kept = [name for name in self.names if name not in names]
        self.names = {name: place for place, name in enumerate(kept)}
        self.rows, self.between = np.delete(self.rows, places), np.delete(self.between, places)
        self.cross = np.delete(self.cross, places, axis=1)
        self.oldest, self.newest = ([(np.delete(x, places), y) for x, y in part] for part in (self.oldest, self.newest))

    def merge(self, other: "ShareAccumulator") -> None:
        """Take another accumulator in, of later panes. A name that either does not know goes with the rest."""
        complete = not self.rest
        if other.rest:
            self._leave([name for name in self.names if name not in other.names])
        if complete:
            for name in other.names:
                self._enter(name)
        mine = [self.names[name] for name in other.names if name in self.names]
        theirs = [place for name, place in other.names.items() if name in self.names]
        self.rows[mine] += other.rows[theirs]
        self.between[mine] += other.between[theirs]
        self.cross[:, mine] += other.cross[:, theirs]
        self.yy = [a + b for a, b in zip(self.yy, other.yy, strict=True)]
        ends = (other.oldest, other.newest)
        oldest, newest = ([(self._renamed(x, mine, theirs), y) for x, y in panes] for panes in ends)
        for back, pane in enumerate(self.newest):
            for ahead, later in enumerate(oldest[: LAGS - back]):
                self._pair(back + ahead, pane, later)
        self.oldest, self.newest = [*self.oldest, *oldest][:LAGS], [*newest, *self.newest][:LAGS]
        self.n += other.n
        self.panes += other.panes
        self.square_rows += other.square_rows
        self._views = {}

    def _renamed(self, x: FloatArray, mine: list[int], theirs: list[int]) -> FloatArray:
        """A pane of another accumulator, in the order of the names here."""
        moved = np.zeros(len(self.names))
        moved[mine] = x[theirs]
        return moved

    @property
    def counts(self) -> dict[str, int]:
        """Rows by name, of those that have a place."""
        return dict(zip(self.names, map(round, self.rows.tolist()), strict=True))

    def apart(self, other: "ShareAccumulator", scatter: "Scattered") -> float:  # noqa: ARG002
        """Nothing: of the largest of many shares' differences a handful of panes says too little."""
        return 0.0

    def scatter_within(self, slots: Sequence["ShareAccumulator"]) -> "Scattered":
        """Of each category that has a place here, as of a mean; by the slots that know it."""
        names = dict.fromkeys(name for slot in slots for name in slot.names if name in self.names)
        full = [(slot, not slot.rest) for slot in slots if slot.panes]
        return {
            name: _empty().scatter_within([slot.share(name) for slot, whole in full if whole or name in slot.names])
            for name in names
        }

    def seasoned(self, beside: "ShareAccumulator | None", weight: float, scatter: "Scattered") -> "ShareAccumulator":
        """Each category's share on the line between both slots, as of a mean, where both know it."""
        made = ShareAccumulator()
        made.n, made.panes, made.square_rows = self.n, self.panes, self.square_rows
        near = beside if beside is not None and beside.panes else None
        partial = [side for side in (self, near) if side is not None and side.rest]
        for name, within in scatter.items():
            if any(name not in side.names for side in partial):
                continue
            made._enter(name)
            view = self.share(name).seasoned(None if near is None else near.share(name), weight, within)
            made._views[name] = view
            made.rows[made.names[name]] = view.moment.mean * self.n
        return made

    def deviations(self, summary: CategoricalSummary) -> Mapping[str, float]:
        """As `Followed` has it, of each category."""
        if not summary.ok:
            return {}
        now, root = dict(held(summary)), math.sqrt(summary.ok)
        return {name: (now.get(name, 0) / summary.ok - self.share(name).moment.mean) * root for name in self.names}

    def follow(self, tied: Mapping[str, Dependence]) -> None:
        """Take it as known how alike shares of panes that follow one another are."""
        for name in tied:
            if name in self.names:
                self.share(name).follow({"": tied[name]})

    def ranked(self) -> list[str]:
        """The names, most frequent first, then by name."""
        return sorted(self.names, key=lambda name: (-self.rows[self.names[name]], name))

    def share(self, name: str) -> MomentAccumulator:
        """One category's share as a reference of its own."""
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = self._view(name)
        return view

    def others(self, names: tuple[str, ...]) -> MomentAccumulator:
        """The share of everything but these, taken to scatter as much as the one of these that scatters most."""
        rows = self.n - float(sum(self.rows[self.names[name]] for name in names if name in self.names))
        view = MomentAccumulator(_nothing)
        view.moment, view.panes, view.square_rows = Moment(self.n, rows, rows), self.panes, self.square_rows
        usual, phi, tied, following, known = rows / self.n, 0.0, INDEPENDENT, INDEPENDENT, 0
        for share in map(self.share, names):
            mean = share.moment.mean
            if 0.0 < mean < 1.0:
                phi = max(phi, (share.across() or 0.0) / (mean * (1.0 - mean)))
                tied, known = max(tied, share.dependence()), share.known
                following = max(following, share.following)
        view.between = rows * usual + phi * usual * (1.0 - usual) * (self.panes - 1)
        view.assume(tied, known)
        view.follow({"": following})
        return view

    def _view(self, name: str) -> MomentAccumulator:
        place = self.names.get(name)
        view = MomentAccumulator(_nothing)
        rows = 0.0 if place is None else float(self.rows[place])
        view.moment, view.panes, view.square_rows = Moment(self.n, rows, rows), self.panes, self.square_rows
        if place is not None:
            view.between = float(self.between[place])
            cross = self.cross[:, place].tolist()
            sums = [(cross[2 * at], cross[2 * at + 1], self.yy[at]) for at in range(LAGS)]
            view.neighbours.sums = [number for lag in sums for number in lag]
        return view

    def export(self) -> State:
        """The state, sharing no memory."""
        scalars = {"n": self.n, "panes": self.panes, "square_rows": self.square_rows, "yy": list(self.yy)}
        arrays = {"rows": self.rows.copy(), "between": self.between.copy(), "cross": self.cross.copy()}
        ends = {"oldest": _exported(self.oldest), "newest": _exported(self.newest)}
        return {"names": list(self.names), **scalars, **arrays, **ends}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        self.names = {name: place for place, name in enumerate(state["names"])}
        self.n, self.panes, self.square_rows = int(state["n"]), int(state["panes"]), float(state["square_rows"])
        self.rows, self.between, self.cross = (np.array(state[key], np.float64) for key in ("rows", "between", "cross"))
        self.yy = list(state["yy"])
        self.oldest, self.newest = _restored(state["oldest"]), _restored(state["newest"])
        self.held_bytes = TABLE_BYTES + sum(name_bytes(name) + 8 * NUMBERS for name in self.names)
        self._views = {}


def _exported(panes: list[tuple[FloatArray, float]]) -> State:
    return {"x": [x.copy() for x, _ in panes], "y": [y for _, y in panes]}


def _restored(state: State) -> list[tuple[FloatArray, float]]:
    return [(np.array(x, np.float64), y) for x, y in zip(state["x"], state["y"], strict=True)]


Scattered = dict[str, Within]


def _empty() -> MomentAccumulator:
    return MomentAccumulator(_nothing)


def _nothing(_: object) -> None:
    return None
