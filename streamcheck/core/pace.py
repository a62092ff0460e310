"""How many predictions a second come, of the newest minute that has closed? For gauges and pages, not judged by."""

from collections import deque

WINDOW_MS = 60_000
PANES_MAX = 1_000


class Pace:
    """Panes with their rows, the newest WINDOW_MS of event time and one pane at least.

    >>> pace = Pace(10_000)
    >>> pace.add(0, 50), pace.add(10_000, 70)
    (None, None)
    >>> pace.per_second(20_000), pace.per_second(500_000)
    (6.0, 0.0)
    """

    def __init__(self, pane_ms: int) -> None:
        self._pane_ms = pane_ms
        self._panes: deque[tuple[int, int]] = deque(maxlen=PANES_MAX)

    def add(self, start_ms: int, rows: int) -> None:
        """A pane has closed."""
        self._panes.append((start_ms, rows))

    def per_second(self, until_ms: int) -> float | None:
        """Of the time before until_ms, up to which all has closed; None before the first pane."""
        if not self._panes:
            return None
        span_ms = max(WINDOW_MS // self._pane_ms, 1) * self._pane_ms
        first_ms = max(until_ms - span_ms, self._panes[0][0])
        rows = sum(rows for start_ms, rows in self._panes if start_ms >= first_ms)
        return 1_000.0 * rows / min(max(until_ms - first_ms, self._pane_ms), span_ms)
