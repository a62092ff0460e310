"""Is the service itself in trouble? Operational alerts: judged by the real clock, outside the core and its alert log.

Pure: what is shown and two clocks go in, records come out. An alert begins after a check has been over its limit for a
time, and ends after it has been clearly below it for a time.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from streamcheck.config.settings import Operations
from streamcheck.core.alerts import iso
from streamcheck.errors import StateError
from streamcheck.runtime.telemetry import OPERATIONAL, AlertBook, Snapshot
from streamcheck.runtime.troubles import CHECKS, NAMES, Check, Judged


class OperationalRecord(msgspec.Struct, frozen=True):
    """A transition as it is published; `monitor`, `incident` and `summary` as in an alert record.

    since: when it began; at: when this was said, both by the real clock, ISO 8601.
    """

    id: str
    incident: str
    sequence: int
    state: str
    config: str
    name: str
    monitor: str
    severity: str
    owner: str | None
    runbook: str | None
    since: str
    at: str
    what: str
    value: float
    limit: float
    unit: str
    summary: str
    column: str = "service"
    kind: str = "operational"
    schema: int = 1


class _Kept(msgspec.Struct):
    """What outlives the process."""

    sequence: int
    book: bytes
    open: dict[str, OperationalRecord]


@dataclass(slots=True)
class _Life:
    """Since when a check has been over its limit, and clearly below it (monotonic, s)."""

    over_s: float | None = None
    clear_s: float | None = None


@dataclass(slots=True)
class Operational:
    """All checks of one config, and which of their alerts fire.

    >>> Operational("payments", Operations()).turn(Snapshot("payments", "1", 0, 0.0), 0.0, 0, {})
    []
    """

    config: str
    rules: Operations
    book: AlertBook = field(default_factory=AlertBook)
    _checks: tuple[Check, ...] = field(init=False)
    _lives: dict[str, _Life] = field(init=False)
    _open: dict[str, OperationalRecord] = field(default_factory=dict)
    _sequence: int = 0

    def __post_init__(self) -> None:
        self._checks = tuple(check(self.rules) for check in CHECKS)
        self._lives = {name: _Life() for name in NAMES}

    def turn(self, snapshot: Snapshot, now_s: float, now_ms: int, undelivered: Mapping[str, str]) -> list[bytes]:
        """Judge what is shown now; the transitions, as they are to be published."""
        records = []
        for check in self._checks:
            judged = check.judge(snapshot, now_s, undelivered)
            state = self._moved(check, judged, now_s)
            if state is not None:
                since_ms = now_ms - round(1000 * self._lasted_s(check.name, judged, now_s))
                records.append(msgspec.json.encode(self._record(check.name, judged, state, since_ms, now_ms)))
        if records:
            self.book = self.book.after(records)
        return records

    def _moved(self, check: Check, judged: Judged, now_s: float) -> str | None:
        life, fires = self._lives[check.name], check.name in self._open
        life.over_s = (life.over_s if life.over_s is not None else now_s) if judged.over else None
        life.clear_s = (life.clear_s if life.clear_s is not None else now_s) if judged.clear else None
        if not fires and life.over_s is not None and now_s - life.over_s >= check.lasts_s:
            return "firing"
        if fires and life.clear_s is not None and now_s - life.clear_s >= self.rules.resolve_s:
            return "resolved"
        return None

    def _lasted_s(self, name: str, judged: Judged, now_s: float) -> float:
        """How long it has been so: what the check says, or how long the check has said so."""
        over_s = self._lives[name].over_s
        return judged.value if judged.unit == "s" else now_s - (now_s if over_s is None else over_s)

    def _record(self, name: str, judged: Judged, state: str, since_ms: int, now_ms: int) -> OperationalRecord:
        self._sequence += 1
        rules, began = self.rules, self._open.pop(name, None)
        if began is None:
            told = f"{self.config}\0{name}\0{since_ms}".encode()
            ident, since, what = hashlib.blake2b(told, digest_size=16).hexdigest(), iso(since_ms), judged.what
        else:
            ident, since = began.id, began.since
            what = f"over since {iso(now_ms - round(1000 * rules.resolve_s))}: {began.what}"
        record = OperationalRecord(
            id=ident,
            incident=ident,
            sequence=self._sequence,
            state=state,
            config=self.config,
            name=name,
            monitor=OPERATIONAL + name,
            severity=rules.severity,
            owner=rules.owner,
            runbook=rules.runbook,
            since=since,
            at=iso(now_ms),
            what=what,
            value=judged.value,
            limit=judged.limit,
            unit=judged.unit,
            summary=f"streamcheck itself, {name}: {what}",
        )
        if state == "firing":
            self._open[name] = record
        return record

    # ------------------------------------------------------------------ across restarts
    def export(self) -> bytes:
        """What fires and what was said lately, for the next process."""
        return msgspec.msgpack.encode(_Kept(self._sequence, self.book.export(), self._open))

    def restore(self, exported: bytes) -> None:
        """Go on where another process has ended. Raises StateError where the bytes are none of these."""
        try:
            kept = msgspec.msgpack.decode(exported, type=_Kept)
        except msgspec.DecodeError as error:
            raise StateError(f"the saved operational alerts cannot be read: {error}") from error
        self._sequence, self.book = kept.sequence, AlertBook.restore(kept.book)
        self._open = {name: record for name, record in kept.open.items() if name in NAMES}
