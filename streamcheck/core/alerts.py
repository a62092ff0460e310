"""The life of an alert: pending, firing, resolved."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from streamcheck.core.components import State
from streamcheck.core.plan import AlertRule, MonitorSpec
from streamcheck.core.readings import AlertState

ESCALATED = "escalated"
"""The evidence that says from which severity an alert has risen, since when it fires, and after how many seconds."""
BETWEEN = "change_between"
"""The evidence that says between which moments the change began; as it was estimated when the alert opened."""
PART = "category"
"""The evidence that names the part of a measure that an alert is about."""
NEWEST = "newest"
"""The evidence that says the mean of the newest pane's rows, where a value is that of more."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_BYTES = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """What a drifting step found, in the column's own unit."""

    change_at_ms: int
    value: float | None
    reference: float | None
    score: float | None
    threshold: float | None
    rows: int
    direction: int
    evidence: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """An alert changes its state at the end of a pane.

    `opened_ms`: start of the pane that opened it (part of its id). `severity`: how urgent it is now. An alert that
    nobody acknowledges may become more urgent: it fires once more then.
    """

    state: str
    opened_ms: int
    start_ms: int
    end_ms: int
    finding: Finding
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert of one monitor and segment changed its state.

    noun: what its value is ("mean", "share of missing values"). detail: what an explanation says, for people. sure: its
    value speaks for itself, of however many rows it is.
    """

    spec: MonitorSpec
    segment: tuple[tuple[str, str], ...]
    noun: str
    transition: Transition
    detail: str = ""
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody knows of an open alert: who, why, and until when (event time, ms; None: until it is over)."""

    by: str
    why: str = ""
    until_ms: int | None = None


class AlertTracker:
    """One monitor for one segment: at most one alert is open.

    `pulsed`: the detector only says at which moment it drifts and then starts afresh (row detectors); its alert counts
    as drifting until the cooldown has passed.
    """

    def __init__(self, rule: AlertRule, *, pulsed: bool) -> None:
        self.rule = rule
        self.pulsed = pulsed
        self.state = AlertState.QUIET
        self.opened_ms = 0
        self.last_drift_end_ms = 0
        self.finding: Finding | None = None
        self.fired_ms: int | None = None
        """Since when the open alert fires."""
        self.escalated = False
        self.acknowledged: Known | None = None
        """Who is known to know of the open alert."""
        self.accepted: str | None = None
        """Why what the open alert found is normal from now on: it is resolved with the next step."""

    @property
    def open(self) -> bool:
        """Whether there is an alert, or one is to be resolved."""
        return self.finding is not None or self.accepted is not None

    def accept(self, why: str) -> None:
        """What an open alert has found is the new normal."""
        if self.finding is not None:
            self.accepted = why

    def step(self, start_ms: int, end_ms: int, drifting: Finding | None) -> list[Transition]:
        """One more step of the detector over the pane [start_ms, end_ms).

        drifting: what it found, None when all is well.
        """
        transitions: list[Transition] = []
        known = self.acknowledged
        if known is not None and known.until_ms is not None and known.until_ms <= start_ms:
            self.acknowledged = None
        if self.accepted is not None:
            self._go(AlertState.QUIET, "resolved", start_ms, end_ms, transitions)
        if drifting is not None:
            self.last_drift_end_ms = end_ms
            if self.state is AlertState.QUIET:
                self.opened_ms = start_ms
                self.finding = drifting
                if self.rule.for_ms > 0:
                    self._go(AlertState.PENDING, "pending", start_ms, end_ms, transitions)
                else:
                    self._go(AlertState.FIRING, "firing", start_ms, end_ms, transitions)
                return transitions
            self._remember(drifting)
        rested = end_ms - self.last_drift_end_ms
        over = drifting is None and rested >= self.rule.cooldown_ms
        if self.state is AlertState.PENDING:
            over = over or (drifting is None and not self.pulsed)
            if over:
                self._go(AlertState.QUIET, "resolved", start_ms, end_ms, transitions)
            elif end_ms - self.opened_ms >= self.rule.for_ms:
                self._go(AlertState.FIRING, "firing", start_ms, end_ms, transitions)
        elif self.state is AlertState.FIRING and over:
            self._go(AlertState.QUIET, "resolved", start_ms, end_ms, transitions)
        elif self._due(end_ms):
            self.escalated = True
            self._go(AlertState.FIRING, "firing", start_ms, end_ms, transitions)
        return transitions

    @property
    def severity(self) -> str:
        """How urgent the open alert is."""
        return self.rule.escalate_to or self.rule.severity if self.escalated else self.rule.severity

    def _due(self, end_ms: int) -> bool:
        """Whether it has fired for so long, unknown to anybody, that it becomes more urgent."""
        after_ms, fired_ms = self.rule.escalate_ms, self.fired_ms
        if after_ms is None or fired_ms is None or self.escalated or self.acknowledged is not None:
            return False
        return end_ms - fired_ms >= after_ms

    def _remember(self, drifting: Finding) -> None:
        """The newest numbers, with the start of the change as it was first estimated."""
        assert self.finding is not None
        first = self.finding.change_at_ms
        since = tuple(each for each in self.finding.evidence if each[0] == BETWEEN)
        self.finding = Finding(
            first,
            drifting.value,
            drifting.reference,
            drifting.score,
            drifting.threshold,
            drifting.rows,
            drifting.direction,
            (*_but_between(drifting.evidence), *since),
        )

    def _go(self, state: AlertState, word: str, start_ms: int, end_ms: int, transitions: list[Transition]) -> None:
        assert self.finding is not None
        self.state = state
        if state is AlertState.FIRING and self.fired_ms is None:
            self.fired_ms = end_ms
        known = self.acknowledged or Known("")
        said = (
            ("acknowledged_by", known.by),
            ("acknowledged_because", known.why),
            ("accepted_because", self.accepted),
            (ESCALATED, self._escalation()),
        )
        evidence = self.finding.evidence if state is not AlertState.QUIET else _but_between(self.finding.evidence)
        finding = replace(self.finding, evidence=(*evidence, *(each for each in said if each[1])))
        transitions.append(Transition(word, self.opened_ms, start_ms, end_ms, finding, self.severity))
        if state is AlertState.QUIET:
            self.finding = self.acknowledged = self.accepted = self.fired_ms = None
            self.escalated = False

    def _escalation(self) -> dict[str, Any] | None:
        if not self.escalated or self.fired_ms is None or self.rule.escalate_ms is None:
            return None
        after_s = self.rule.escalate_ms / 1_000
        return {"from": self.rule.severity, "fired_at": iso(self.fired_ms), "after_s": after_s}

    def shown(self) -> dict[str, Any]:
        """Who knows of the open alert, as a Reading has it."""
        known = self.acknowledged
        if known is None:
            return {}
        return {
            "acknowledged_by": known.by,
            "acknowledged_why": known.why,
            "acknowledged_until_ms": known.until_ms,
        }

    def export(self) -> State:
        """The state, sharing no memory."""
        finding, known = None, self.acknowledged
        if self.finding is not None:
            f = self.finding
            finding = [
                f.change_at_ms,
                f.value,
                f.reference,
                f.score,
                f.threshold,
                f.rows,
                f.direction,
                [list(e) for e in f.evidence],
            ]
        return {
            "state": int(self.state),
            "opened_ms": self.opened_ms,
            "last_drift_end_ms": self.last_drift_end_ms,
            "finding": finding,
            "acknowledged": known and [known.by, known.why, known.until_ms],
            "accepted": self.accepted,
            "fired_ms": self.fired_ms,
            "escalated": self.escalated,
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.state = AlertState(state["state"])
        self.opened_ms = state["opened_ms"]
        self.last_drift_end_ms = state["last_drift_end_ms"]
        known, self.accepted = state["acknowledged"], state["accepted"]
        self.acknowledged = None if known is None else Known(*known)
        self.fired_ms, self.escalated = state["fired_ms"], state["escalated"]
        f = state["finding"]
        self.finding = None if f is None else Finding(*f[:7], *[tuple((k, v) for k, v in f[7])])


def between(moments: tuple[int, int | None] | None, end_ms: int) -> tuple[tuple[str, Any], ...]:
    """The evidence BETWEEN, as a detector's verdict has it in a pane that ends at end_ms; none where it has none."""
    if moments is None:
        return ()
    low, high = moments
    return ((BETWEEN, [iso(low), iso(end_ms if high is None else high)]),)


def _but_between(evidence: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    return tuple(each for each in evidence if each[0] != BETWEEN)


@dataclass(frozen=True, slots=True)
class Alert:
    """One published transition: sequence number, id and the exact bytes of its record."""

    sequence: int
    id: str
    state: str
    severity: str
    monitor: str
    record: bytes


def digest(*parts: object) -> str:
    """A short, stable name for a tuple of texts and numbers.

    >>> digest("payments", "amount-adwin", 0)
    '071e08360430b8c83f186138'
    """
    joined = orjson.dumps([str(p) for p in parts])
    return hashlib.blake2b(joined, digest_size=_ID_BYTES).hexdigest()


def iso(ms: int) -> str:
    """Event time as text.

    >>> iso(1_772_359_210_000)
    '2026-03-01T10:00:10.000Z'
    """
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def alert_id(config: str, monitor: str, segment: tuple[tuple[str, str], ...], opened_ms: int) -> str:
    """The same for all transitions of one alert; nothing but config, monitor, segment and first pane is in it."""
    return digest(config, monitor, *(text for pair in segment for text in pair), opened_ms)
