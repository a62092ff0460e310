"""Prometheus' Alertmanager by its API v2: what fires, told again and again; what is over, once more."""

from typing import Any

import orjson

from streamcheck.adapters.notify.http import post
from streamcheck.core.alerts import iso
from streamcheck.runtime.notices import RETRY_MAX_S, Heard, NotTold, Route, Status
from streamcheck.runtime.telemetry import AlertReading, segment_text

NAME = "StreamcheckAlert"
BATCH = 500
"""Alerts of one request: about 500 KB."""
LIVES = 3
"""What fires ends by itself after so many intervals in which nothing was heard of it."""


class AlertmanagerTeller:
    """It groups, routes and silences by itself, so each alert goes there alone, with its incident as a label.

    url: its address; every_s: how often it is told what fires.
    """

    def __init__(self, route: Route, url: str, every_s: float) -> None:
        self.name, self.status = route.name, Status()
        self._route, self._url, self._every_s = route, f"{url.rstrip('/')}/api/v2/alerts", every_s
        self._told_s = -every_s
        self._seen: frozenset[str] = frozenset()

    def turn(self, heard: Heard, now_s: float) -> None:
        """Tell what fires when that has changed, or when it is time again."""
        firing = {alert.id: alert for alert in heard.firing if self._route.takes(alert)}
        over = self._over(heard, firing)
        changed = _told(firing) != self._seen
        if self.status.waits(now_s) or not (changed or (firing and now_s - self._told_s >= self._every_s)):
            return
        until = iso(heard.now_ms + int(LIVES * self._every_s * 1000))
        bodies = [_alert(alert, heard.config, until) for alert in firing.values()]
        bodies += [_alert(alert, heard.config, iso(heard.now_ms)) for alert in over]
        try:
            for start in range(0, len(bodies), BATCH):
                post(self._url, orjson.dumps(bodies[start : start + BATCH]), {"Content-Type": "application/json"})
        except NotTold as error:
            self.status.missed(error, now_s, min(RETRY_MAX_S, self._every_s))
            return
        self.status.arrived(len(bodies))
        self._seen, self._told_s = _told(firing), now_s

    def _over(self, heard: Heard, firing: dict[str, AlertReading]) -> list[AlertReading]:
        """What was told as firing and is so no more; after a restart, what has been resolved lately."""
        newest: dict[str, AlertReading] = {}
        for alert in heard.recent:  # newest first
            newest.setdefault(alert.id, alert)
        return [
            alert
            for alert in newest.values()
            if alert.id not in firing and alert.state == "resolved" and self._route.takes(alert)
        ]


def _told(firing: dict[str, AlertReading]) -> frozenset[str]:
    """What fires; another one, to Alertmanager too, once it is more urgent."""
    return frozenset(f"{alert.id} {alert.severity}" for alert in firing.values())


def _alert(alert: AlertReading, config: str, ends_at: str) -> dict[str, Any]:
    labels = {
        "alertname": NAME,
        "config": config,
        "monitor": alert.monitor,
        "column": alert.column,
        "segment": segment_text(alert.segment),
        "severity": alert.severity,
        "owner": alert.owner or "",
        "incident": alert.incident,
        "id": alert.id,
    }
    annotations = {"summary": alert.summary, "runbook_url": alert.runbook or "", "change_at": alert.change_at or ""}
    return {
        "labels": {name: text for name, text in labels.items() if text},
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": alert.fired_at or alert.pane_end,
        "endsAt": ends_at,
    }
