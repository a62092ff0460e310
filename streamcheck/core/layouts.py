"""Which histogram does each numeric column have? Laid out once, from its first values, or given by a profile.

And once more where it has come to say nothing: a column that was constant has left its value, or normal begins anew
where most values lie beyond the range that was laid out.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.keys import binned_columns
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan
from streamcheck.core.summaries import Layout
from streamcheck.core.types import FloatArray

LAYOUT_ROWS = 1_000
"""Values from which a column's histogram is laid out: enough for 254 quantiles to mean something."""
OUTSIDE_MIN = 0.5
"""A column is laid out anew if more of LAYOUT_ROWS values lie beyond the range that it was laid out for."""


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

    @staticmethod
    def of(plan: Plan) -> "Layouts":
        """Those that the plan's monitors need."""
        return Layouts(binned_columns(plan), plan.layouts)

    def add(self, pane: PaneRows) -> Added:
        """Columns without a histogram collect values until there are enough to lay one out; so do those in doubt."""
        took, anew = [], []
        for column in self.columns:
            layout = self.ready.get(column)
            if column not in self._first_values and not self._begins(column, layout, pane):
                continue
            took.append(column)
            held = self._first_values.setdefault(column, [])
            held.append(pane.select(column).values)
            if sum(map(len, held)) >= LAYOUT_ROWS:
                values = np.concatenate(held)
                del self._first_values[column]
                if layout is None or layout.beyond(values) > OUTSIDE_MIN * len(values):
                    self.ready[column] = Layout.build(values)
                    anew += [] if layout is None else [column]
        return Added(took, anew)

    def _begins(self, column: str, layout: Layout | None, pane: PaneRows) -> bool:
        """Whether the column begins to collect values: it has no histogram, or has left the one value that it had."""
        if layout is None:
            return True
        leaves = layout.constant and column not in self._given
        return leaves and layout.beyond(pane.select(column).values) > 0

    def doubt(self, column: str) -> None:
        """What is normal for the column begins anew: from the next pane on it is seen whether its range still fits."""
        if column in self.ready and column not in self._given:
            self._first_values[column] = []

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
