"""Monitors of a service level objective: bad rows and rows, minute by minute, for as long as its longest window."""

from typing import Any

import numpy as np

from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.components import State
from streamcheck.core.instances import Span
from streamcheck.core.measures.burn_rate import BurnRate
from streamcheck.core.monitors import Asked
from streamcheck.core.summaries import ValuesSummary
from streamcheck.core.summaries.service import ServiceSummary, Windows
from streamcheck.core.types import IntArray

MINUTE_MS = 60_000
PAIRS = ((14.4, 60, 5), (6.0, 360, 30))
"""Factor, minutes of the long window, of the short one: 2 % of a month's budget in an hour, 5 % in six."""
KEPT = max(minutes for _, minutes, _ in PAIRS)


class BurningInstance(BoundedInstance):
    """Rows of a pane count in its minute (panes longer than that, all in the minute of their end)."""

    counts: IntArray
    """(KEPT, 2): bad rows, and rows, of each minute, in the place of its number modulo KEPT."""

    def begin(self) -> None:
        """Nothing has been counted."""
        super().begin()
        self.counts, self.minute = np.zeros((KEPT, 2), np.int64), 0

    @property
    def held_bytes(self) -> int:
        """The minutes as well."""
        return super().held_bytes + 16 * KEPT

    def ask(self, span: Span, summary: ValuesSummary) -> Asked:
        """Count the pane in, and ask of the windows that end with it."""
        assert isinstance(self.measure, BurnRate), self.spec.id
        minute = (span.end_ms - 1) // MINUTE_MS
        gone = np.arange(max(self.minute + 1, minute - KEPT + 1), minute + 1) % KEPT
        self.counts[gone], self.minute = 0, minute
        self.counts[minute % KEPT] += self.measure.bad(summary), summary.folded.rows
        return super().ask(span, ServiceSummary(tuple(self._pair(*pair) for pair in PAIRS)))

    def _pair(self, factor: float, long: int, short: int) -> Windows:
        return Windows(factor, long * MINUTE_MS, self._over(long), self._over(short))

    def _over(self, minutes: int) -> tuple[int, int]:
        bad, rows = self.counts[np.arange(self.minute - minutes + 1, self.minute + 1) % KEPT].sum(axis=0).tolist()
        return bad, rows

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"counts": self.counts.copy(), "minute": self.minute}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.counts, self.minute = np.array(state["counts"], np.int64).reshape(KEPT, 2), state["minute"]
