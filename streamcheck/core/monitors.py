"""Monitors at work: for each segment a reference, a detector and an alert, stepped once per pane."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamcheck.core.alerts import PART, Change, Finding, between, iso
from streamcheck.core.budgets import Grant
from streamcheck.core.causes import told
from streamcheck.core.components import State, build
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors.base import PaneDetector
from streamcheck.core.detectors.scan import Scan
from streamcheck.core.detectors.threshold import Threshold
from streamcheck.core.instances import INSTANCE_BYTES, Instance, Seen, Span
from streamcheck.core.intervals import Interval
from streamcheck.core.keys import limit_rows
from streamcheck.core.measures.base import Measure
from streamcheck.core.normal import CUTS_MAX, REFUSED_SHARE, Normal
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.references.base import Stage
from streamcheck.core.room import Room
from streamcheck.core.types import Signal, Verdict
from streamcheck.core.zones import Timing


class Asked(NamedTuple):
    """What a monitor asks its detectors of one summary: for each part that says something, its detector and signal."""

    summary: Any
    content: Any
    parts: Sequence[str]
    questions: Sequence[tuple[PaneDetector, Signal]]


class Judged(NamedTuple):
    """A detector's verdict on one part's signal."""

    part: str
    signal: Signal
    verdict: Verdict


class PaneInstance(Instance):
    """Measure -> reference -> pane detectors, one for each part of the measure -> alert."""

    def __init__(
        self,
        spec: MonitorSpec,
        segment: tuple[tuple[str, str], ...],
        grant: Grant,
        room: Room,
        timing: Timing,
        bank: Bank | None = None,
    ) -> None:
        assert spec.measure is not None, spec.id
        self.measure: Measure = build("measure", spec.measure.name, dict(spec.measure.params))
        super().__init__(spec, segment, self.measure.ratio or self.measure.unit, pulsed=False)
        self.sure = self.measure.sure
        self.normal = Normal(spec.reference, self.measure.accumulator, room, timing)
        self._bank = bank or Bank()
        self.parts: tuple[str, ...] = ()
        self.rests = False
        """Whether nothing but figures changes with one more quiet pane, as was found when the last one was judged."""
        self.detectors: list[PaneDetector] = []
        self.calibrate(grant)
        self.begin()
        self.prepare()

    def prepare(self) -> None:
        """Make what monitors of this kind keep beside; called once."""

    def calibrate(self, grant: Grant) -> None:
        """As for all, and set the thresholds to what is granted."""
        super().calibrate(grant)
        self._steps = grant.steps
        self._set_thresholds()

    def _set_thresholds(self) -> None:
        """Of several parts each gets its share. While a reference learns, few that hold no change are to be cut."""
        learning = self.grant is not None and self.normal is not None and self.normal.stage is Stage.LEARNING
        steps = self.normal.learning_steps / REFUSED_SHARE if learning and self.normal else self._steps
        for detector in self.detectors:
            detector.calibrate(steps * len(self.parts))
            detector.settle(settled=self.normal is not None and self.normal.settled)

    def begin(self) -> None:
        """Detectors that have seen nothing; where the reference says which parts there are, once there is one."""
        self._divide(("",) if self.measure.parts_max == 1 else ())

    def _divide(self, parts: tuple[str, ...]) -> None:
        """A detector for each part; those there were before leave the bank."""
        self.rests = False
        for detector in self.detectors:
            if isinstance(detector, Scan):
                detector.leave()
        self.parts, self.detectors = parts, [self._new_detector() for _ in parts]
        self._set_thresholds()

    def _new_detector(self) -> PaneDetector:
        made: PaneDetector = build("detector", self.spec.detector.name, dict(self.spec.detector.params))
        if isinstance(made, Scan):
            made.join(self._bank)
        elif isinstance(made, Threshold):
            made.rows_min, made.by_value = limit_rows(self.spec), self.measure.limit is not None
        return made

    @property
    def held_bytes(self) -> int:
        """A detector for each part."""
        one: int = build("detector", self.spec.detector.name, dict(self.spec.detector.params)).held_bytes
        return INSTANCE_BYTES + one * self.measure.charts_max

    def enter(self, span: Span) -> None:
        """A pane begins: comparisons may be others from now on."""
        assert self.normal is not None, self.spec.id
        before = self.normal.stage
        if self.normal.enters(span.start_ms):
            for detector in self.detectors:
                detector.restart()
        if self.normal.stage is not before:  # also where an older state did not say at which it was
            self._set_thresholds()

    def ask(self, span: Span, summary: Any) -> Asked:
        """What the pane says against the reference, for the detectors to judge."""
        assert self.normal is not None, self.spec.id
        content = self.normal.reference.baseline(span.start_ms)
        if content is None:
            return Asked(summary, None, (), ())
        if not self.parts:
            self._divide(self.measure.parts(content))
        return self.asked(summary, content, self.measure.signals(summary, content, self.parts))

    def asked(self, summary: Any, content: Any, signals: Sequence[Signal | None]) -> Asked:
        """What there is to be judged of what its parts say."""
        said = [(part, (d, s)) for part, d, s in zip(self.parts, self.detectors, signals, strict=True) if s is not None]
        return Asked(summary, content, [part for part, _ in said], [question for _, question in said])

    def hear(self, span: Span, asked: Asked, judged: Sequence[Judged], before: Finding | None) -> Finding | None:
        """What was found, if anything; the pane's reference learns from it. before: found in the same pane already."""
        normal = self.normal
        assert normal is not None, self.spec.id
        found, cut = before, None
        if judged:
            part, signal, verdict = _foremost(judged)
            self.tell(span, signal, verdict, asked.content)
            if verdict.drifting and self.may_alert():
                found = self.find(span, asked.summary, asked.content, signal, verdict, part)
            elif verdict.drifting and normal.stage is Stage.LEARNING and self.grant is not None:
                cut = verdict
        return self._learnt(span, asked.summary, found, cut)

    def tell(self, span: Span, signal: Signal, verdict: Verdict, content: Any) -> None:
        """What was judged: for readings, pages and watchers."""
        self.show(signal, verdict)
        self._note(span)
        if self.watcher is not None:
            usual = self.usual_of(signal, content)
            self.watcher.judged(self._step(span, usual, content, drifting=verdict.drifting))

    def find(self, span: Span, summary: Any, content: Any, signal: Signal, verdict: Verdict, part: str = "") -> Finding:
        """What drifts: for an alert."""
        assert self.normal is not None
        self.seen = Seen(span.start_ms, summary, content)
        more = self.normal.evidence(span.start_ms) + told(self.measure, summary, content)
        return finding(signal, verdict, span, more, part)

    def _learnt(self, span: Span, summary: Any, found: Finding | None, cut: Verdict | None) -> Finding | None:
        """Offer the pane to the reference; give that up where it holds a change."""
        assert self.normal is not None
        quiet = self.quiet and found is None
        suspicious = not quiet or self.suspects(self.normal.stage)
        self.normal.observe(span.start_ms, summary, quiet=quiet, suspicious=suspicious)
        if cut is not None:
            self._cut(span.start_ms if cut.change_at is None else cut.change_at)
        elif self.grant is not None and (changed_ms := self.normal.beginning(span.start_ms, summary)) is not None:
            self._cut(changed_ms)
        return found

    def may_rest(self) -> bool:
        """Whether one more quiet pane changes nothing but figures, and what its reference has learned."""
        normal = self.normal
        if type(self) is not PaneInstance or normal is None or (normal.stage or Stage.BLIND) < Stage.READY:
            return False
        if self.tracker.open or self.seen is not None or normal.succeeded:
            return False
        charts = len(self.detectors) == 1 and isinstance(self.detectors[0], Scan)
        return charts and normal.even(compared=self.grant is not None)

    def learn(self, span: Span, summary: Any) -> None:
        """A quiet pane while the monitor rests."""
        assert self.normal is not None, self.spec.id
        self.normal.reference.observe(span.start_ms, summary, quiet=True)

    def suspects(self, stage: Stage | None) -> bool:
        """Whether a change may have begun, though none is proved."""
        shown = self.shown
        if self.grant is None or shown.score is None or shown.threshold is None or stage is Stage.BLIND:
            return False
        return bool(self.detectors) and shown.score > shown.threshold * self.detectors[0].suspects

    def _cut(self, changed_ms: int) -> None:
        """The reference holds a change: it begins anew where that is estimated to have begun, or else now."""
        assert self.normal is not None, self.spec.id
        if self.normal.cuts < CUTS_MAX:
            last = "; one more and it is taken as it is" if self.normal.cuts == CUTS_MAX - 1 else ""
            self.renew(f"the one before held a change at about {iso(changed_ms)}{last}", cut=True)

    def judge(self, span: Span, signal: Signal) -> list[Change]:
        """One signal that needs no reference (a threshold on a window)."""
        verdict = self.detectors[0].step(signal, span.start_ms)
        self.show(signal, verdict)
        self._note(span)
        if self.watcher is not None:
            self.watcher.judged(self._step(span, None, None, drifting=verdict.drifting))
        return self.conclude(span, finding(signal, verdict, span) if verdict.drifting else None)

    def show(self, signal: Signal, verdict: Verdict) -> None:
        """Remember what readings show."""
        shown = self.shown
        shown.rows, shown.level, shown.baseline = signal.rows, signal.level, signal.baseline
        shown.score, shown.threshold, shown.told = verdict.score, verdict.threshold, signal

    def usual(self, start_ms: int) -> Interval | None:
        """As the measure sees it against the reference."""
        normal, signal = None if self.normal is None else self.normal.reference.baseline(start_ms), self.shown.signal
        return None if normal is None or signal is None else self.usual_of(signal, normal)

    def usual_of(self, signal: Signal, content: Any) -> Interval:
        """Between which values lies what is shown of a signal, 95 times of 100, when nothing has changed?"""
        return self.measure.usual(signal, content)

    def export(self) -> State:
        """The state, sharing no memory."""
        detectors = [detector.export() for detector in self.detectors]
        return super().export() | {"parts": list(self.parts), "detectors": detectors}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.rests = False
        if tuple(state["parts"]) != self.parts:
            self._divide(tuple(state["parts"]))
        for detector, each in zip(self.detectors, state["detectors"], strict=True):
            detector.restore(each)
        self._set_thresholds()


def _foremost(judged: Sequence[Judged]) -> Judged:
    """The part whose score stands highest, relative to its threshold; one that drifts before all others."""
    if len(judged) == 1:
        return judged[0]
    return max(judged, key=lambda each: (each.verdict.drifting, each.verdict.score / (each.verdict.threshold or 1.0)))


def finding(
    signal: Signal, verdict: Verdict, span: Span, more: tuple[tuple[str, Any], ...] = (), part: str = ""
) -> Finding:
    """What a drifting pane detector found; more: evidence that is not in the signal; part: such as a category."""
    since = span.start_ms if verdict.change_at is None else verdict.change_at
    expected, baseline = _compared_with(signal, verdict.offset)
    numbers = (("signal", signal.value), ("expected", expected), ("standard_error", signal.se))
    level = signal.level if verdict.level is None else verdict.level
    rows = signal.rows if verdict.rows is None else verdict.rows
    evidence = (*(((PART, part),) if part else ()), *numbers, *more, *between(verdict.between, span.end_ms))
    return Finding(since, level, baseline, verdict.score, verdict.threshold, rows, verdict.direction, evidence)


def _compared_with(signal: Signal, offset: float) -> tuple[float, float]:
    """What the detector compared with, and the same for people; offset: as in Verdict.

    People see the reference's where their numbers are others than those that are compared, as for normal scores.
    """
    known = signal.background
    if not offset or known is None:
        return signal.center, signal.baseline
    if signal.events is None:
        offset *= math.sqrt(max(signal.se**2 - signal.center_se**2, 0.0) * known.weight)
    if known.skew:
        return signal.center + offset, signal.baseline * (1.0 + offset)
    same = signal.events is not None or (signal.value, signal.center) == (signal.level, signal.baseline)
    return signal.center + offset, signal.baseline + offset if same else signal.baseline
