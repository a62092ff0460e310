"""Which alerts reach people as one? Those that opened close to one another, whatever monitor they are of."""

from streamcheck.core.alerts import digest
from streamcheck.core.components import State
from streamcheck.core.partitions import NEVER

NEAR_PANES = 30
"""Alerts that open within this many panes of one another belong to one incident (DETECTION: grouping)."""
LONG_PANES = 10 * NEAR_PANES
"""An incident takes new alerts in for so long at most: a stream that is never quiet is no single incident."""


class Incidents:
    """The incident of every open alert, and the newest incident, which others may join. total: begun so far.

    >>> incidents = Incidents("payments", 10_000)
    >>> first = incidents.of("a", 0)
    >>> [incidents.of(alert, at) == first for alert, at in (("b", 300_000), ("c", 610_000), ("a", 900_000))]
    [True, False, True]
    >>> incidents.close("a"), incidents.open, incidents.total
    (None, 2, 2)
    """

    def __init__(self, config: str, pane_ms: int) -> None:
        self._config = config
        self._pane_ms = pane_ms
        self._of: dict[str, str] = {}
        self._newest, self._begun_ms, self._joined_ms = "", NEVER, NEVER
        self.total = 0

    def of(self, alert: str, opened_ms: int) -> str:
        """The incident of an open alert, by the start of the pane that opened it; it stays for the alert's life."""
        known = self._of.get(alert)
        if known is not None:
            return known
        near = opened_ms - self._joined_ms <= NEAR_PANES * self._pane_ms
        if not near or opened_ms - self._begun_ms > LONG_PANES * self._pane_ms:
            self._newest, self._begun_ms = digest(self._config, "incident", opened_ms), opened_ms
            self.total += 1
        self._joined_ms = opened_ms
        self._of[alert] = self._newest
        return self._newest

    def close(self, alert: str) -> None:
        """The alert is resolved."""
        del self._of[alert]

    @property
    def open(self) -> int:
        """Incidents of which an alert is open."""
        return len(set(self._of.values()))

    def export(self) -> State:
        """The state, sharing no memory."""
        newest = [self._newest, self._begun_ms, self._joined_ms]
        return {"of": dict(self._of), "newest": newest, "total": self.total}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._of, self.total = dict(state["of"]), state["total"]
        self._newest, self._begun_ms, self._joined_ms = state["newest"]
