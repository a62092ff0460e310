"""What are people told? One message for an incident, with all its alerts, told again when it changes.

Of what is committed and shown (the book of alerts), so that it is told at least once, and the same id means the same
incident; delivery is no part of the alert log and waits for nobody.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from streamcheck.core.causes import reading
from streamcheck.core.wording import instant
from streamcheck.errors import StateError, StreamcheckError
from streamcheck.runtime.telemetry import AlertBook, AlertReading

KEPT_MAX = 5_000
"""Incidents whose messages are remembered, the newest: 300 bytes each."""
HEADLINES_MAX = 3
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 300.0


class NotTold(StreamcheckError):  # noqa: N818 - a fact about a message
    """A message has not arrived; it is tried again. The text names no secret."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An incident as people are told of it.

    alerts: the newest transition of each of its alerts, firing ones first, then by sequence. state: firing while one
    of them is.
    """

    incident: str
    config: str
    alerts: tuple[AlertReading, ...]

    @property
    def firing(self) -> tuple[AlertReading, ...]:
        """Its alerts that fire."""
        return tuple(alert for alert in self.alerts if alert.state == "firing")

    @property
    def state(self) -> str:
        """Whether one of them fires: firing or resolved."""
        return "firing" if self.firing else "resolved"

    @property
    def severities(self) -> tuple[str, ...]:
        """Of its alerts, each once, in their order."""
        return tuple(dict.fromkeys(alert.severity for alert in self.alerts))

    @property
    def owners(self) -> tuple[str, ...]:
        """Of its alerts, each once, in their order."""
        return tuple(dict.fromkeys(alert.owner for alert in self.alerts if alert.owner))

    @property
    def headline(self) -> str:
        """What it comes to in a line: the fault with what follows from it, or the first alert and how many more."""
        shown = self.firing or self.alerts
        if self.cause is not None:
            return self.cause
        more = len(shown) - 1
        return shown[0].summary + (f" (and {more} more)" if more else "")

    @property
    def cause(self) -> str | None:
        """The fault of the pipeline from which most of its alerts follow, in a line; None where none is known."""
        shown = self.firing or self.alerts
        plain = [alert for alert in shown if not alert.fault]
        faults = [alert for alert in shown if alert.fault]
        if not faults:
            return None
        of = Counter(alert.cause for alert in plain)
        fault = max(faults, key=lambda alert: of[alert.monitor])
        follow = [
            alert
            for alert in plain
            if (alert.cause == fault.monitor if alert.cause else alert.column == fault.column)
        ]
        since = min(alert.change_at or alert.pane_end for alert in (fault, *follow))
        return reading(f"{fault.column}: {fault.fault} since {instant(since)}", len(follow))

    @property
    def digest(self) -> str:
        """Another one as soon as there is something new to tell."""
        ordered = sorted(self.alerts, key=lambda alert: alert.id)
        risen = {alert.id: f" {alert.severity}" for alert in ordered if alert.escalated}
        told = "\n".join(f"{alert.id} {alert.state}{risen.get(alert.id, '')}" for alert in ordered)
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    def document(self) -> dict[str, Any]:
        """For JSON; alert records as published."""
        return {
            "incident": self.incident,
            "config": self.config,
            "state": self.state,
            "severities": list(self.severities),
            "owners": list(self.owners),
            "headline": self.headline,
            "alerts": [msgspec.Raw(alert.record) for alert in self.alerts],
        }


def notices(book: AlertBook, config: str) -> tuple[Notice, ...]:
    """Every incident with an alert that fires, or that has been resolved lately; the oldest first."""
    newest: dict[str, AlertReading] = {}
    for alert in (*book.firing, *book.recent):
        known = newest.get(alert.id)
        if known is None or alert.sequence > known.sequence:
            newest[alert.id] = alert
    groups: dict[str, list[AlertReading]] = {}
    for alert in sorted(newest.values(), key=lambda alert: alert.sequence):
        if alert.state != "pending":
            groups.setdefault(alert.incident or alert.id, []).append(alert)
    return tuple(
        Notice(incident, config, tuple(sorted(alerts, key=lambda alert: alert.state != "firing")))
        for incident, alerts in groups.items()
    )


# ---------------------------------------------------------------------- silences
class Silence(msgspec.Struct, frozen=True):
    """What nobody is told of until until_ms: alerts of which all that is named here is true. "" is anything.

    segment: as pages write it (`tier=premium`); who and why: for the others.
    """

    id: str
    until_ms: int
    who: str
    why: str
    monitor: str = ""
    segment: str = ""
    severity: str = ""
    incident: str = ""
    made_ms: int = 0

    @property
    def what(self) -> str:
        """What it is about, for people."""
        named = (("monitor", self.monitor), ("segment", self.segment), ("severity", self.severity))
        words = [f"{name} {text}" for name, text in (*named, ("incident", self.incident)) if text]
        return ", ".join(words) or "everything"

    def covers(self, alert: AlertReading, segment: str, now_ms: int) -> bool:
        """Whether nobody is to be told of this alert now."""
        named = ((self.monitor, alert.monitor), (self.segment, segment), (self.severity, alert.severity))
        same = all(not wanted or wanted == found for wanted, found in (*named, (self.incident, alert.incident)))
        return same and now_ms < self.until_ms


# ---------------------------------------------------------------------- telling
class Messenger(Protocol):
    """Tells people of an incident."""

    def tell(self, notice: Notice, before: str | None) -> str:
        """Send a message, or change the one that `before` refers to; returns what refers to it. Raises NotTold."""


class Notebook(Protocol):
    """Remembers across restarts what has been told."""

    def load(self) -> bytes | None:
        """What was saved last."""

    def save(self, content: bytes) -> None:
        """Keep this instead."""


class _Told(msgspec.Struct):
    """What has been told of an incident: digest of the alerts then, state, and what refers to the message."""

    digest: str
    state: str
    reference: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Route:
    """Which incidents a messenger tells of; None: of all."""

    name: str
    severities: tuple[str, ...] | None = None
    owners: tuple[str, ...] | None = None
    wait_s: float = 10.0
    resolved: bool = True

    def takes(self, alert: AlertReading) -> bool:
        """Whether an alert is for this route."""
        return (self.severities is None or alert.severity in self.severities) and (
            self.owners is None or alert.owner in self.owners
        )


@dataclass(slots=True)
class Status:
    """How a route fares, for the page: messages that have arrived, and why the last one has not."""

    sent: int = 0
    failed: int = 0
    trouble: str = ""
    _wait_s: float = 0.0
    _retry_at_s: float = 0.0

    def waits(self, now_s: float) -> bool:
        """Whether it is too early to try again."""
        return now_s < self._retry_at_s

    def arrived(self, messages: int) -> None:
        """All is well."""
        self.sent += messages
        self._wait_s, self.trouble = 0.0, ""

    def missed(self, error: NotTold, now_s: float, wait_s_max: float = RETRY_MAX_S) -> None:
        """To be tried again, later each time."""
        self._wait_s = min(max(2 * self._wait_s, RETRY_FIRST_S), wait_s_max)
        self._retry_at_s = now_s + self._wait_s
        self.failed += 1
        self.trouble = str(error)


class IncidentPost:
    """Tells one messenger of the incidents of its route, each change once.

    A message that does not arrive is tried again, later each time; meanwhile newer news of other incidents wait, in
    their order. What was being sent when the process died is sent again.
    """

    def __init__(self, route: Route, messenger: Messenger, notebook: Notebook) -> None:
        self.route = route
        self.status = Status()
        self._messenger, self._notebook = messenger, notebook
        saved = notebook.load()
        self._told: dict[str, _Told] = msgspec.msgpack.decode(saved, type=dict[str, _Told]) if saved else {}
        self._first_seen_s: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Of its route."""
        return self.route.name

    def turn(self, heard: "Heard", now_s: float) -> None:
        """Tell what is new; now_s: a monotonic clock."""
        if self.status.waits(now_s):
            return
        for notice in heard.notices:
            if not any(map(self.route.takes, notice.alerts)) or not self._due(notice, now_s):
                continue
            known = self._told.get(notice.incident)
            try:
                reference = self._messenger.tell(notice, known.reference if known else None)
            except NotTold as error:
                self.status.missed(error, now_s)
                return
            self.status.arrived(1)
            newest = max(alert.sequence for alert in notice.alerts)
            self._told[notice.incident] = _Told(notice.digest, notice.state, reference, newest)
            self._first_seen_s.pop(notice.incident, None)
            self._save()

    def _due(self, notice: Notice, now_s: float) -> bool:
        known = self._told.get(notice.incident)
        if known is None:
            if notice.state == "resolved":
                return False  # over before anybody was told
            first = self._first_seen_s.setdefault(notice.incident, now_s)
            return now_s - first >= self.route.wait_s
        if known.digest == notice.digest or max(alert.sequence for alert in notice.alerts) <= known.sequence:
            return False
        if notice.state == "firing" and known.state == "firing":
            first = self._first_seen_s.setdefault(notice.incident, now_s)
            return now_s - first >= self.route.wait_s
        return self.route.resolved or notice.state == "firing"

    def _save(self) -> None:
        if len(self._told) > KEPT_MAX:
            newest = sorted(self._told.items(), key=lambda item: item[1].sequence)[-KEPT_MAX:]
            self._told = dict(newest)
        self._notebook.save(msgspec.msgpack.encode(self._told))


@dataclass(frozen=True, slots=True)
class Heard:
    """What is told of at one moment: incidents without their silenced alerts, the alerts that fire, the time (ms)."""

    notices: tuple[Notice, ...]
    firing: tuple[AlertReading, ...]
    recent: tuple[AlertReading, ...]
    config: str
    now_ms: int
    trouble: str = ""
    """Why silences could not be read: then nothing is silenced."""


@dataclass(frozen=True, slots=True)
class Silences:
    """Which silences there are now; `read` is asked each time."""

    read: Callable[[], Sequence[Silence]] = field(default=lambda: ())
    segment_text: Callable[[tuple[tuple[str, str], ...]], str] = field(default=str)

    def heard(self, book: AlertBook, config: str, now_ms: int) -> Heard:
        """The book without what is silenced."""
        trouble, silences = "", tuple[Silence, ...]()
        try:
            silences = tuple(self.read())
        except StateError as error:
            trouble = str(error)

        def loud(alerts: Iterable[AlertReading]) -> tuple[AlertReading, ...]:
            return tuple(
                alert
                for alert in alerts
                if not any(s.covers(alert, self.segment_text(alert.segment), now_ms) for s in silences)
            )

        firing, recent = loud(book.firing), loud(book.recent)
        told = notices(AlertBook(recent=recent, firing=firing), config)
        return Heard(told, firing, recent, config, now_ms, trouble)


def template_values(notice: Notice) -> Mapping[str, str]:
    """What a template may name."""
    first = notice.alerts[0]
    return {
        "incident": notice.incident,
        "config": notice.config,
        "state": notice.state,
        "severity": ", ".join(notice.severities),
        "owner": ", ".join(notice.owners),
        "headline": notice.headline,
        "count": str(len(notice.firing or notice.alerts)),
        "monitor": first.monitor,
        "column": first.column,
        "since": first.change_at or "",
        "runbook": first.runbook or "",
    }
