"""What does the service show of itself? The loop publishes immutable snapshots; gauges and pages read; nobody waits."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec

from streamcheck.core.looks import ASKED_MAX
from streamcheck.core.readings import EngineReading, JoinReading, Segment
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError
from streamcheck.runtime.samples import Sample

FIRING_MAX = 5_000
"""Firing alerts kept for pages, the newest; at about 3 KB each, 15 MB."""
RECENT_MAX = 200
"""Transitions kept for pages: at about 1 KB each, 200 KB."""
OPERATIONAL = "operational-"
"""How names of alerts about the service itself begin where monitors are named."""

SEGMENT_VALUE_CHARS_MAX = 128
"""Longer segment values are cut in gauges and pages, with a digest that keeps them apart."""


@dataclass(slots=True)
class Tally:
    """What a run has done."""

    events: int = 0
    alerts: int = 0
    panes: int = 0
    commits: int = 0


class Phase(StrEnum):
    """Where a run stands."""

    STARTING = "starting"
    RESTORING = "restoring"
    CATCHING_UP = "catching up"
    LIVE = "live"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class BrokerReading:
    """Whether the broker answers, since when (wall clock, ms; None before the first attempt) and what it last said."""

    connected: bool = False
    since_ms: int | None = None
    message: str = ""

    def after(self, trouble: str | None, now_ms: int) -> "BrokerReading":
        """The same as of now. trouble: why it does not answer, None where it does.

        >>> BrokerReading(connected=True, since_ms=5).after("no route", 9)
        BrokerReading(connected=False, since_ms=9, message='no route')
        """
        if trouble is not None:
            away = bool(self.message) and not self.connected
            return BrokerReading(connected=False, since_ms=self.since_ms if away else now_ms, message=trouble)
        return self if self.connected else BrokerReading(connected=True, since_ms=now_ms)


@dataclass(frozen=True, slots=True)
class AlertReading:
    """One alert transition for people: the record's own fields, and `record`, its exact bytes as published."""

    record: bytes
    id: str
    incident: str
    sequence: int
    state: str
    severity: str
    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    summary: str
    detector: str
    rows: int
    pane_end: str
    change_at: str | None
    value: float | None
    reference: float | None
    score: float | None
    threshold: float | None
    owner: str | None
    runbook: str | None
    fault: str | None = None
    """What is broken, where the alert says so."""
    cause: str | None = None
    """The monitor of the fault that a drift follows from."""
    fired_at: str = ""
    """Since when it fires."""
    escalated: bool = False
    """Whether nobody has acknowledged it for so long that it has become more urgent."""

    @staticmethod
    def parse(record: bytes) -> "AlertReading":
        """Read a published alert record. Raises StateError where it is not one.

        >>> AlertReading.parse(b'{"id": "9f", "sequence": 3, "state": "firing", "monitor": "m"}').sequence
        3
        """
        try:
            seen = _DECODER.decode(record)
        except msgspec.DecodeError as error:
            raise StateError(f"expected a published alert record, found {record[:80]!r} ({error})") from error
        shown = {name: getattr(seen, name) for name in _Record.__struct_fields__ if name not in _NOT_SHOWN}
        if seen.since:  # operational: by the real clock, and without a pane
            shown |= {"pane_end": seen.since, "change_at": seen.since, "threshold": seen.limit, "detector": "threshold"}
        cause = None if seen.evidence.cause is None else seen.evidence.cause.monitor
        segment, fault, risen = tuple(seen.segment.items()), seen.evidence.fault, seen.evidence.escalated
        fired_at = seen.pane_end if risen is None else risen.fired_at
        return AlertReading(
            record=record,
            segment=segment,
            fault=fault,
            cause=cause,
            fired_at=fired_at,
            escalated=risen is not None,
            **shown,
        )


class _Cause(msgspec.Struct, frozen=True):
    """The fault that a drift follows from."""

    monitor: str = ""


class _Escalated(msgspec.Struct, frozen=True):
    """Since when an alert fires that has become more urgent."""

    fired_at: str = ""


class _Evidence(msgspec.Struct, frozen=True):
    """What pages need of an alert's evidence."""

    fault: str | None = None
    cause: _Cause | None = None
    escalated: _Escalated | None = None


class _Record(msgspec.Struct, frozen=True):
    """What pages need of an alert record; everything else in it is left alone."""

    id: str
    sequence: int
    state: str
    monitor: str
    incident: str = ""
    severity: str = ""
    column: str = ""
    segment: dict[str, str] = {}  # msgspec makes a new one for each record
    summary: str = ""
    detector: str = ""
    rows: int = 0
    pane_end: str = ""
    change_at: str | None = None
    value: float | None = None
    reference: float | None = None
    score: float | None = None
    threshold: float | None = None
    owner: str | None = None
    runbook: str | None = None
    evidence: _Evidence = _Evidence()
    since: str = ""
    limit: float | None = None


_NOT_SHOWN = ("segment", "evidence", "since", "limit")
_DECODER = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True)
class AlertBook:
    """What fires and what has changed lately: `firing` and `recent` (at most RECENT_MAX), newest first.

    total: transitions so far by (state, severity), ascending. Of what fires at most FIRING_MAX are kept, the newest;
    hidden: how many have found no place since the process began.
    """

    recent: tuple[AlertReading, ...] = ()
    firing: tuple[AlertReading, ...] = ()
    total: tuple[tuple[tuple[str, str], int], ...] = ()
    hidden: int = 0

    def after(self, records: Iterable[bytes]) -> "AlertBook":
        """The book once these alert records, in sequence order, have been published."""
        added = [AlertReading.parse(record) for record in records]
        firing = {alert.id: alert for alert in reversed(self.firing)}
        for alert in added:
            firing.pop(alert.id, None)
            if alert.state == "firing":
                firing[alert.id] = alert
        total = Counter(dict(self.total)) + Counter((alert.state, alert.severity) for alert in added)
        return AlertBook(
            recent=(*reversed(added), *self.recent)[:RECENT_MAX],
            firing=tuple(reversed(firing.values()))[:FIRING_MAX],
            total=tuple(sorted(total.items())),
            hidden=self.hidden + max(0, len(firing) - FIRING_MAX),
        )

    def beside(self, other: "AlertBook") -> "AlertBook":
        """What fires and has changed here, and there."""
        return AlertBook((*self.recent, *other.recent), (*self.firing, *other.firing))

    def export(self) -> bytes:
        """The book as bytes, to be committed with the state."""
        kept = [[alert.record for alert in alerts] for alerts in (self.recent, self.firing)]
        return msgspec.msgpack.encode((*kept, [(*kind, count) for kind, count in self.total]))

    @staticmethod
    def restore(exported: bytes) -> "AlertBook":
        """The book as it was exported. Raises StateError where the bytes are not one."""
        layout = tuple[list[bytes], list[bytes], list[tuple[str, str, int]]]
        try:
            recent, firing, total = msgspec.msgpack.decode(exported, type=layout)
        except msgspec.DecodeError as error:
            raise StateError(f"the saved book of alerts cannot be read: {error}") from error
        return AlertBook(
            recent=tuple(map(AlertReading.parse, recent)),
            firing=tuple(map(AlertReading.parse, firing)),
            total=tuple(((state, severity), count) for state, severity, count in total),
        )


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose alerts a monitor's are, and how urgent."""

    monitor: str
    severity: str
    owner: str | None
    runbook: str | None


NOTHING_READ = EngineReading(
    monitors=(), partitions=(), join=JoinReading(), watermark_ms=None, closed_until_ms=None, open_rows=0, alerts=0
)


@dataclass(frozen=True, slots=True)
class OperationsReading:
    """Alerts about the service itself: the names of all there may be (none where nobody watches), and their book."""

    names: tuple[str, ...] = ()
    book: AlertBook = field(default_factory=AlertBook)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown, as of one moment of the loop.

    *_ms: wall clock, since 1970-01-01 UTC. beat_s: the loop's last sign of life, on the monotonic clock.
    commit_waiting_since_s: since when (monotonic) a closed pane waits for its commit; None when none does.
    lag: records between the position and the high watermark, per source partition; positions: the next offsets to read;
    held_back: partitions that wait for others; undelivered: who could deliver nothing at the last attempt, and why.
    delivered: the last sequence number that has arrived; outbox: entries that have not.
    """

    config: str
    version: str
    started_ms: int
    beat_s: float
    phase: Phase = Phase.STARTING
    engine: EngineReading = NOTHING_READ
    broker: BrokerReading = field(default_factory=BrokerReading)
    lag: tuple[tuple[SourcePartition, int], ...] = ()
    last_commit_ms: int | None = None
    commit_waiting_since_s: float | None = None
    alerts: AlertBook = field(default_factory=AlertBook)
    delivered: int = 0
    outbox: int = 0
    dead_letters: int = 0
    owners: tuple[Ownership, ...] = ()
    samples: tuple[Sample, ...] = ()
    positions: tuple[tuple[SourcePartition, int], ...] = ()
    held_back: frozenset[SourcePartition] = frozenset()
    undelivered: tuple[tuple[str, str], ...] = ()
    operations: OperationsReading = field(default_factory=OperationsReading)


class Telemetry:
    """What is the newest snapshot? The loop swaps a reference, any number of threads read it, and wait for nobody.

    The other way goes only what people look at: columns and segments, the last ASKED_MAX.
    """

    def __init__(self, first: Snapshot) -> None:
        self._newest = first
        self._asked: tuple[tuple[str, Segment], ...] = ()
        self._asking = threading.Lock()
        self.operations = first.operations
        """What is wrong with the service itself; who watches it swaps this reference, beside the loop."""
        self.asked_anew = False
        """Somebody looks at what nobody has looked at; the loop takes it back."""

    def ask(self, column: str, segment: Segment) -> None:
        """Somebody looks at a segment's rows of a column."""
        with self._asking:
            key = (column, segment)
            self.asked_anew = self.asked_anew or key not in self._asked
            self._asked = (*(each for each in self._asked if each != key), key)[-ASKED_MAX:]

    def asked(self) -> tuple[tuple[str, Segment], ...]:
        """What people have looked at last."""
        return self._asked

    def publish(self, snapshot: Snapshot) -> None:
        """Show this from now on."""
        self._newest = snapshot

    def beat(self, at_s: float) -> None:
        """Say that the loop is alive (monotonic clock) while nothing else has changed."""
        self._newest = replace(self._newest, beat_s=at_s)

    def read(self) -> Snapshot:
        """The newest snapshot; it never changes."""
        newest, operations = self._newest, self.operations
        return newest if newest.operations is operations else replace(newest, operations=operations)


@dataclass(frozen=True, slots=True)
class HealthRules:
    """How long (in s) the loop may be silent, a restore may take, and a closed pane may wait for its commit."""

    beat_s_max: float = 60.0
    restore_s_max: float = 900.0
    commit_s_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """A yes or no for probes, with its reason."""

    ok: bool
    reason: str


def alive(snapshot: Snapshot, now_s: float, rules: HealthRules) -> Health:
    """Does the loop still turn, and do its commits succeed? now_s: monotonic clock.

    A broker that is away is not ill health: the loop waits for it and says so in gauges; a restart would not help.

    >>> alive(Snapshot("payments", "1", started_ms=0, beat_s=0.0, phase=Phase.LIVE), 61.0, HealthRules())
    Health(ok=False, reason='the loop has not turned for 61 s (at most 60 s)')
    """
    restoring = snapshot.phase in (Phase.STARTING, Phase.RESTORING)
    silent_s_max = rules.restore_s_max if restoring else rules.beat_s_max
    silent_s = now_s - snapshot.beat_s
    if silent_s > silent_s_max:
        return Health(ok=False, reason=f"the loop has not turned for {silent_s:.0f} s (at most {silent_s_max:.0f} s)")
    waiting_since_s = snapshot.commit_waiting_since_s
    waiting_s = 0.0 if waiting_since_s is None else now_s - waiting_since_s
    if waiting_s > rules.commit_s_max:
        reason = f"a closed pane has waited {waiting_s:.0f} s for its commit (at most {rules.commit_s_max:.0f} s)"
        return Health(ok=False, reason=reason)
    return Health(ok=True, reason="the loop turns and commits")


def ready(snapshot: Snapshot) -> Health:
    """Has the state been restored, so that reading goes on? Catching up counts as ready, a broker that is away too."""
    if snapshot.phase in (Phase.CATCHING_UP, Phase.LIVE):
        return Health(ok=True, reason=snapshot.phase.value)
    return Health(ok=False, reason=f"not ready while {snapshot.phase.value}")


def segment_text(segment: tuple[tuple[str, str], ...]) -> str:
    r"""How gauges and pages write a segment: different segments never look the same.

    A backslash goes before each backslash, comma and equals sign within a value; what is not valid Unicode is written
    as an escape; a long value is cut, with a digest of the whole.

    >>> segment_text(()), segment_text((("tier", "premium"), ("country", "D,E")))
    ('all', 'tier=premium,country=D\\,E')
    """
    return ",".join(f"{_escaped(name)}={_escaped(value)}" for name, value in segment) or "all"


def _escaped(text: str) -> str:
    clean = text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    encoded = clean.encode("utf-8", "backslashreplace")
    if len(text) <= SEGMENT_VALUE_CHARS_MAX:
        return encoded.decode()
    return f"{encoded.decode()[:SEGMENT_VALUE_CHARS_MAX]}…{hashlib.blake2b(encoded, digest_size=8).hexdigest()}"
