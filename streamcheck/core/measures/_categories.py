"""What is remembered of a reference's categories, by name: codes differ from partition to partition."""

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.measures._shares import EXPECTED_ROWS_MIN, Scatter, Shaped
from streamcheck.core.room import Room, name_bytes
from streamcheck.core.summaries import CategoricalSummary
from streamcheck.core.types import IntArray

CATEGORIES_MAX = 10_000
"""Names kept by one reference, by first appearance (1 MB at 100 B each); rows of others are only counted."""

CATEGORIES_BYTES = 800
"""Without any name."""


class CategoryAccumulator(Shaped):
    """How often does the reference hold each category?

    counts: rows by name, in order of first appearance; beyond: rows of names that found no place; groups: categories
    that stand alone when shares are compared.
    """

    __slots__ = ("_room", "beyond", "counts", "groups", "held_bytes", "n")

    def __init__(self, groups: int = 0) -> None:
        super().__init__()
        self.groups = groups
        self.counts: dict[str, int] = {}
        self.beyond = 0
        self.n = 0
        self.held_bytes = CATEGORIES_BYTES
        self._room: Room | None = None

    def attach(self, room: Room) -> None:
        """Ask this room before a name is kept; those without count as names beyond the limit."""
        self._room = room

    def add(self, summary: CategoricalSummary) -> bool:
        """Take one more pane in; False for one without usable values."""
        if not summary.ok:
            return False
        if self.groups and self.n:
            self.scatter.add(*self.grouped(summary))
        for name, rows in held(summary):
            self._count(name, rows)
        return True

    def _count(self, name: str, rows: int) -> None:
        self.n += rows
        if name in self.counts:
            self.counts[name] += rows
        elif len(self.counts) < CATEGORIES_MAX and (self._room is None or self._room.take(name_bytes(name))):
            self.counts[name] = rows
            self.held_bytes += name_bytes(name)
        else:
            self.beyond += rows

    def merge(self, other: "CategoryAccumulator") -> None:
        """Take another accumulator in."""
        for name, rows in other.counts.items():
            self._count(name, rows)
        self.beyond += other.beyond
        self.n += other.beyond
        self.scatter.merge(other.scatter)

    def seasoned(
        self, beside: "CategoryAccumulator | None", weight: float, scatter: Scatter  # noqa: ARG002
    ) -> "CategoryAccumulator":
        """The slot's own rows: what comes at one hour need not come at the next; the scatter of all slots."""
        made = CategoryAccumulator(self.groups)
        made.counts, made.beyond, made.n = self.counts, self.beyond, self.n
        made.scatter = scatter
        return made

    def seen(self, times: int) -> int:
        """How many categories were seen exactly so often."""
        return sum(rows == times for rows in self.counts.values())

    def grouped(self, summary: CategoricalSummary) -> tuple[IntArray, IntArray]:
        """A pane's rows and the reference's by group: the frequent categories, the rare ones together, the unseen ones.

        Frequent: EXPECTED_ROWS_MIN rows or more are expected in the pane; at most `groups` of them, the most frequent
        first, then by name. What the reference expects of unseen categories are its singletons (Good 1953: a category
        seen once was unseen just before), taken from the rare ones. Groups that neither side holds are left out.
        """
        enough = EXPECTED_ROWS_MIN * self.n / summary.ok
        frequent = sorted((-rows, name) for name, rows in self.counts.items() if rows >= enough)[: self.groups]
        place = {name: k for k, (_, name) in enumerate(frequent)}
        rare, unseen = len(place), len(place) + 1
        now, then = np.zeros(unseen + 1, np.int64), np.zeros(unseen + 1, np.int64)
        for name, rows in held(summary):
            now[place.get(name, rare if name in self.counts else unseen)] += rows
        then[:rare] = [-rows for rows, _ in frequent]
        once = sum(rows == 1 and name not in place for name, rows in self.counts.items())
        then[unseen] = once + self.beyond
        then[rare] = self.n - then.sum()
        kept = (now > 0) | (then > 0)
        return now[kept], then[kept]

    def export(self) -> State:
        """The state, sharing no memory."""
        rows = np.fromiter(self.counts.values(), np.int64, len(self.counts))
        return {"names": list(self.counts), "rows": rows, "beyond": self.beyond, "scatter": self.scatter.export()}

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        rows = [int(count) for count in state["rows"]]
        self.counts = dict(zip(state["names"], rows, strict=True))
        self.beyond = int(state["beyond"])
        self.n = sum(rows) + self.beyond
        self.held_bytes = CATEGORIES_BYTES + sum(map(name_bytes, self.counts))
        self.scatter.restore(state["scatter"])


def held(summary: CategoricalSummary) -> list[tuple[str, int]]:
    """The categories that occur in a pane, with their rows."""
    taken = np.flatnonzero(summary.counts)
    rows = summary.counts[taken].tolist()
    return [(summary.categories[k], count) for k, count in zip(taken.tolist(), rows, strict=True)]
