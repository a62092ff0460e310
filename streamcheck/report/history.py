"""The alerts of a replay, each with its life: opened, fired, resolved."""

from collections import Counter
from typing import Any

import orjson

from streamcheck.core.alerts import Alert

FIRED_KEPT = 10_000
"""Alerts that are kept by name; beyond, they are counted. At 2 kB each, 20 MB."""
_NOT_KEPT = ("schema", "lineage", "state", "config")


class AlertHistory:
    """Hears every transition. Only alerts that fired are kept.

    fired: their records at the moment of firing, with `fired_at` and `resolved_at` (None while it goes on).
    """

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.by_monitor: Counter[str] = Counter()
        self.fired: list[dict[str, Any]] = []
        self._open: dict[str, dict[str, Any]] = {}

    def add(self, alert: Alert) -> None:
        """One more transition."""
        self.states[alert.state] += 1
        if alert.state == "firing":
            self.by_monitor[alert.monitor] += 1
            if len(self.fired) < FIRED_KEPT:
                record = orjson.loads(alert.record)
                kept = {name: value for name, value in record.items() if name not in _NOT_KEPT}
                self.fired.append({**kept, "fired_at": record["pane_end"], "resolved_at": None})
                self._open[alert.id] = self.fired[-1]
        elif alert.state == "resolved" and alert.id in self._open:
            self._open.pop(alert.id)["resolved_at"] = orjson.loads(alert.record)["pane_end"]
