"""What have all kinds of monitors at work in common: a reference, an alert, and what is shown of them?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamcheck.core.alerts import AlertTracker, Change, Finding
from streamcheck.core.budgets import Grant
from streamcheck.core.components import State
from streamcheck.core.intervals import Interval
from streamcheck.core.normal import Normal
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.readings import Reading
from streamcheck.core.references.base import Readiness, Reference, Stage
from streamcheck.core.types import Signal
from streamcheck.core.watching import Step, Watcher

if TYPE_CHECKING:
    from streamcheck.core.abreast import Place

INSTANCE_BYTES = 4_500
"""Of a monitor for one segment: objects, names, an open alert, its places in tables, what is shown of it."""


@dataclass(frozen=True, slots=True)
class Span:
    """The pane that is being closed: event time from start_ms to end_ms."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What made an alert open: the pane's start, its summary, and the reference's content. Not part of the state."""

    start_ms: int
    summary: Any
    normal: Any


@dataclass(slots=True)
class Shown:
    """What was judged last, as readings and pages show it.

    judged_ms: the start of the pane in which it was; told: its signal, or what gives it. Neither is part of the state.
    """

    rows: int = 0
    level: float | None = None
    baseline: float | None = None
    score: float | None = None
    threshold: float | None = None
    judged_ms: int | None = None
    told: Signal | Callable[[], Signal | None] | None = None

    @property
    def signal(self) -> Signal | None:
        """What was judged, of a pane."""
        return self.told() if callable(self.told) else self.told


class Instance:
    """One monitor for one segment: what all kinds have in common."""

    def __init__(self, spec: MonitorSpec, segment: tuple[tuple[str, str], ...], noun: str, *, pulsed: bool) -> None:
        self.spec = spec
        self.segment = segment
        self.noun = noun
        self.sure = False
        """Whether its value speaks for itself, of however many rows it is."""
        self.tracker = AlertTracker(spec.rule, pulsed=pulsed)
        self.normal: Normal | None = None
        self.notes: list[str] = []
        """What there is to be told beside alerts; the board shares one list with all."""
        self.renewed: list[Instance] = []  # whose reference has begun anew; the board shares one list with all
        self.watcher: Watcher | None = None
        self.key = ""
        """Under which its state is kept."""
        self.grant: Grant | None = None
        """Its part of the false-alarm budget; None outside the budget."""
        self.seen: Seen | None = None
        """Of the pane that closes, where it changes an alert."""
        self.judged: list[Instance] = []
        """Who has judged something in the pane that closes; the board shares one list with all."""
        self.seat: Place | None = None
        """Among monitors that are judged abreast, where newer figures may wait."""
        self._shown = Shown()
        self.trail: int | None = None
        """Its place among those whose way is remembered for pages."""

    def calibrate(self, grant: Grant) -> None:
        """Take the budget's grant; again, once all who share it are known."""
        self.grant = grant if self.spec.share else None

    @property
    def shown(self) -> Shown:
        """What was judged last."""
        self.catch_up()
        return self._shown

    def catch_up(self) -> None:
        """Take over what was judged abreast since this was called last."""
        if self.seat is not None and (newest := self.seat.newest()) is not None:
            self._shown = newest

    @property
    def rows(self) -> int:
        """Of what was judged last."""
        return self.shown.rows

    @property
    def level(self) -> float | None:
        """What was judged last, as people see it."""
        return self.shown.level

    @property
    def baseline(self) -> float | None:
        """What that was compared with."""
        return self.shown.baseline

    @property
    def score(self) -> float | None:
        """What the detector said of it."""
        return self.shown.score

    @property
    def threshold(self) -> float | None:
        """What the score is compared with."""
        return self.shown.threshold

    @property
    def reference(self) -> Reference | None:
        """What is normal; None where the user has said what is not."""
        return None if self.normal is None else self.normal.reference

    @property
    def quiet(self) -> bool:
        """No alert is open."""
        return self.tracker.finding is None or self.tracker.accepted is not None

    def may_alert(self) -> bool:
        """Whether the reference has come far enough for alerts, and the threshold will not change any more."""
        if self.grant is not None and not self.grant.final:
            return False
        return self.normal is None or (self.normal.stage or Stage.BLIND) >= Stage.READY

    @property
    def ready(self) -> bool:
        """Whether the reference has come far enough for alerts."""
        return self.reference is None or self.reference.progress().readiness is Readiness.READY

    @property
    def held_bytes(self) -> int:
        """What it takes in memory at most, beside its reference and window, which ask for their own room."""
        raise NotImplementedError

    def renew(self, why: str, since_ms: int | None = None, *, cut: bool = False) -> bool:
        """Another reference takes the place of this one, and the detector begins with it; False for a profile."""
        if self.normal is None or not self.normal.renew(why, since_ms, cut=cut):
            return False
        self.begin()
        self.tracker.accept(why)
        self.renewed.append(self)
        where = "".join(f", {field}={value}" for field, value in self.segment)
        self.notes.append(f"{self.spec.id}{where}: the reference begins anew: {why}")
        return True

    def begin(self) -> None:
        """Begin with a detector that has seen nothing."""
        raise NotImplementedError

    def conclude(self, span: Span, found: Finding | None) -> list[Change]:
        """Move the alert on."""
        steps = self.tracker.step(span.start_ms, span.end_ms, found)
        if not steps:
            self.seen = None
        changes = [Change(self.spec, self.segment, self.noun, step, sure=self.sure) for step in steps]
        if self.watcher is not None:
            self.watcher.stepped(span, self, changes)
        return changes

    def _note(self, span: Span) -> None:
        """Something was judged in this pane."""
        self.shown.judged_ms = span.start_ms
        self.judged.append(self)

    def usual(self, start_ms: int) -> Interval | None:  # noqa: ARG002 (for those that have a measure)
        """Between which values would what was judged last lie, 95 times of 100, if nothing had changed? For pages."""
        return None

    def _step(self, span: Span, usual: Interval | None, normal: Any, *, drifting: bool) -> Step:
        """What has just been judged, for a watcher."""
        shown = self.shown
        assert shown.level is not None, "a step comes first"
        numbers = (shown.rows, shown.level, shown.baseline, usual, shown.score, shown.threshold)
        return Step(self.spec, self.segment, span.start_ms, span.end_ms, *numbers, drifting, normal)

    def status(self) -> str:
        """How far the warm-up has come, for people."""
        return "ready" if self.normal is None else self.normal.status()

    def reading(self) -> Reading:
        """What gauges and pages show."""
        shown = self.shown
        return Reading(
            monitor=self.spec.id,
            column=self.spec.column,
            segment=self.segment,
            measure=self.spec.measure.name if self.spec.measure else "rows",
            detector=self.spec.detector.name,
            alert=self.tracker.state,
            status=self.status(),
            rows=shown.rows,
            value=shown.level,
            reference=shown.baseline,
            score=shown.score,
            threshold=shown.threshold,
            alarms_per_week=self.grant.alarms_per_week if self.grant is not None and self.grant.final else None,
            **self.tracker.shown(),
        )

    def export(self) -> State:
        """The state, sharing no memory."""
        shown = self.shown
        return {
            "tracker": self.tracker.export(),
            "normal": None if self.normal is None else self.normal.export(),
            "shown": [shown.rows, shown.level, shown.baseline, shown.score, shown.threshold],
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.tracker.restore(state["tracker"])
        if self.normal is not None:
            self.normal.restore(state["normal"])
        self._shown = Shown(*state["shown"])
