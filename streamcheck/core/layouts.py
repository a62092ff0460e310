"""Which histogram does each numeric column have? Laid out once, from its first values, or given by a profile.

And once more where it has come to say nothing: a column that was constant has left its value, or normal begins anew
where most values lie beyond the range that was laid out. While normal is still learned, a range that the first values
were too few to show (of one second, where a day has its course) is widened.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.keys import binned_columns
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan
from streamcheck.core.summaries import Layout, NumericSummary
from streamcheck.core.types import FloatArray

LAYOUT_ROWS = 1_000
"""Values from which a column's histogram is laid out: enough for 254 quantiles to mean something."""
OUTSIDE_MIN = 0.5
"""A column is laid out anew if more of LAYOUT_ROWS values lie beyond the range that it was laid out for."""
STRAY_MIN = 0.2
"""A range is widened, while normal is learned, if more of LAYOUT_ROWS values lie beyond: two are expected."""
WIDENED_MAX = 8
"""Times that a range is widened while normal is learned: a column that only grows (a counter) has none for long."""


class Added(NamedTuple):
    """What a pane did: columns that took values, and those whose histogram is another one from the next pane on."""

    took: list[str]
    anew: list[str]


class Layouts:
    """The layouts of some columns, `ready` ones by name.

    given: from a profile; neither values nor a saved state change them.
    """

    def __init__(self, columns: list[str], given: Mapping[str, Layout]) -> None:
        self.columns = columns
        self._given = given
        self.ready: dict[str, Layout] = {name: given[name] for name in columns if name in given}
        self._first_values: dict[str, list[FloatArray]] = {}
        """Of columns without a histogram, and of those whose histogram is in doubt."""
        self._widens: set[str] = set()
        """Of these, those whose range is to be widened, not replaced."""
        self._widened: dict[str, int] = {}

    @staticmethod
    def of(plan: Plan) -> "Layouts":
        """Those that the plan's monitors need."""
        return Layouts(binned_columns(plan), plan.layouts)

    def add(self, pane: PaneRows, learning: Callable[[str], bool]) -> Added:
        """Columns without a histogram collect values until there are enough to lay one out; so do those in doubt.

        learning: whether all that is normal of a column is still being learned.
        """
        took, anew = [], []
        for column in self.columns:
            layout = self.ready.get(column)
            if column not in self._first_values and not self._begins(column, layout, pane, learning):
                continue
            took.append(column)
            held = self._first_values.setdefault(column, [])
            held.append(pane.select(column).values)
            if sum(map(len, held)) >= LAYOUT_ROWS:
                values = np.concatenate(held)
                del self._first_values[column]
                if self._laid(column, layout, values, learning):
                    anew += [] if layout is None else [column]
        return Added(took, anew)

    def _laid(
        self, column: str, layout: Layout | None, values: FloatArray, learning: Callable[[str], bool]
    ) -> bool:
        """Values are enough: whether the column has another histogram now."""
        widens = column in self._widens
        self._widens.discard(column)
        if layout is not None and layout.beyond(values) <= (STRAY_MIN if widens else OUTSIDE_MIN) * len(values):
            return False
        if layout is not None and widens:
            if not learning(column):
                return False
            self.ready[column], self._widened[column] = layout.widened(values), self._widened.get(column, 0) + 1
        else:
            self.ready[column] = Layout.build(values)
        return True

    def _begins(
        self, column: str, layout: Layout | None, pane: PaneRows, learning: Callable[[str], bool]
    ) -> bool:
        """Whether the column begins to collect values: it has no histogram, or has left the one value that it had.

        Or much of a pane lies beyond its range, while it is still learned what is normal.
        """
        if layout is None:
            return True
        if column in self._given:
            return False
        if layout.constant:
            return layout.beyond(pane.select(column).values) > 0
        if self._widened.get(column, 0) < WIDENED_MAX and _strays(column, layout, pane) and learning(column):
            self._widens.add(column)
            return True
        return False

    @property
    def widened(self) -> list[str]:
        """Columns whose range was too narrow at first."""
        return sorted(column for column, times in self._widened.items() if times)

    def doubt(self, column: str) -> None:
        """What is normal for the column begins anew: from the next pane on it is seen whether its range still fits."""
        if column in self.ready and column not in self._given:
            self._first_values[column] = []
            self._widens.discard(column)

    def lack(self, columns: Iterable[str]) -> bool:
        """Whether one of them is not laid out yet."""
        return any(column not in self.ready for column in columns)

    def waits(self, column: str) -> str | None:
        """How far a column has come, for people; None where there is nothing to wait for."""
        if column not in self.columns or column in self.ready:
            return None
        values = sum(map(len, self._first_values.get(column, ())))
        return f"learning its range, {values:,} of {LAYOUT_ROWS:,} values"

    def exporters(self) -> dict[str, Callable[[], State]]:
        """What gives each column's part of the state, by key."""
        return {f"layout/{column}": partial(self._export, column) for column in self.columns}

    def _export(self, column: str) -> State:
        layout, held = self.ready.get(column), self._first_values.get(column)
        return {
            "layout": None if layout is None else layout.export(),
            "first_values": np.concatenate(held) if held else np.empty(0),
            "doubt": layout is not None and held is not None,
            "widens": column in self._widens,
            "widened": self._widened.get(column, 0),
        }

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where the exported parts stood."""
        for column in self.columns:
            state = states.get(f"layout/{column}")
            if state is None or column in self._given:
                continue
            if state["layout"] is not None:
                self.ready[column] = Layout.restore(state["layout"])
            if state["layout"] is None or state["doubt"]:
                self._first_values[column] = [np.asarray(state["first_values"])]
            self._widens |= {column} if state["widens"] else set()
            self._widened[column] = state["widened"]


def _strays(column: str, layout: Layout, pane: PaneRows) -> bool:
    """Whether much of the pane lies beyond the range."""
    if pane.is_coded(column):
        return False
    seen = pane.summary(column, None, 0, layout)
    assert isinstance(seen, NumericSummary), column
    return (seen.outside() or 0) > STRAY_MIN * seen.ok
