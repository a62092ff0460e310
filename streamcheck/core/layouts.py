"""Which histogram does each numeric column have? Laid out once, from its first values, or given by a profile."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.panes import PaneRows
from streamcheck.core.summaries import Layout
from streamcheck.core.types import FloatArray

LAYOUT_ROWS = 1_000
"""Values from which a column's histogram is laid out: enough for 254 quantiles to mean something."""


class Layouts:
    """The layouts of some columns, `ready` ones by name.

    given: from a profile; neither values nor a saved state change them.
    """

    def __init__(self, columns: list[str], given: Mapping[str, Layout]) -> None:
        self.columns = columns
        self._given = given
        self.ready: dict[str, Layout] = {name: given[name] for name in columns if name in given}
        self._first_values: dict[str, list[FloatArray]] = {}

    def add(self, pane: PaneRows) -> list[str]:
        """Columns without a histogram collect values until there are enough to lay one out; which took some."""
        waiting = [name for name in self.columns if name not in self.ready]
        for column in waiting:
            held = self._first_values.setdefault(column, [])
            held.append(pane.select(column).values)
            if sum(map(len, held)) >= LAYOUT_ROWS:
                self.ready[column] = Layout.build(np.concatenate(held))
                del self._first_values[column]
        return waiting

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
        layout = self.ready.get(column)
        held = self._first_values.get(column, [])
        return {
            "layout": None if layout is None else layout.export(),
            "first_values": np.concatenate(held) if held else np.empty(0),
        }

    def restore(self, states: Mapping[str, State]) -> None:
        """Continue where the exported parts stood."""
        for column in self.columns:
            state = states.get(f"layout/{column}")
            if state is None or column in self._given:
                continue
            if state["layout"] is not None:
                self.ready[column] = Layout.restore(state["layout"])
            else:
                self._first_values[column] = [np.asarray(state["first_values"])]
