"""Monitors at work: for each segment a reference, a detector and an alert, stepped once per pane."""

import bisect
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.alerts import AlertTracker, Change, Finding, digest
from streamcheck.core.budgets import Grant
from streamcheck.core.components import State, build
from streamcheck.core.detectors.base import Detector, Domain, PaneDetector, RowDetector
from streamcheck.core.intervals import Interval
from streamcheck.core.measures.base import Measure
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.readings import Reading
from streamcheck.core.references.base import Progress, Readiness, Reference
from streamcheck.core.room import Room
from streamcheck.core.segments import SegmentTable
from streamcheck.core.summaries import VALUE_MAX
from streamcheck.core.types import FloatArray, RowVerdict, Signal, Verdict
from streamcheck.core.watching import Step, Watcher

STANDARDISED_MAX = 1e6
"""Standardised values are clipped here: no detector can use more, and their squares stay far from overflow."""
HISTORY_MAX = 512
"""Panes that a row detector's clock remembers, to date a change that began rows ago.

Older ones are thinned out by half.
"""
CLOCK_BYTES = 2 * HISTORY_MAX * 9 + 500
INSTANCE_BYTES = 4_500
"""Of a monitor for one segment: objects, names, an open alert, its places in tables, what is shown of it."""


@dataclass(frozen=True, slots=True)
class Span:
    """The pane that is being closed: event time from start_ms to end_ms."""

    start_ms: int
    end_ms: int


class Instance:
    """One monitor for one segment: what all kinds have in common."""

    detector: Detector

    def __init__(self, spec: MonitorSpec, segment: tuple[tuple[str, str], ...], noun: str, *, pulsed: bool) -> None:
        self.spec = spec
        self.segment = segment
        self.noun = noun
        self.tracker = AlertTracker(spec.rule, pulsed=pulsed)
        self.reference: Reference | None = None
        self.watcher: Watcher | None = None
        self.grant: Grant | None = None
        """Its part of the false-alarm budget; None outside the budget."""
        self.rows = 0
        self.level: float | None = None
        self.baseline: float | None = None
        self.score: float | None = None
        self.threshold: float | None = None

    @property
    def quiet(self) -> bool:
        """No alert is open."""
        return self.tracker.finding is None

    def may_alert(self) -> bool:
        """Whether the reference has come far enough for alerts, and the threshold will not change any more."""
        return self.ready and (self.grant is None or self.grant.final)

    @property
    def ready(self) -> bool:
        """Whether the reference has come far enough for alerts."""
        return self.reference is None or self.reference.progress().readiness is Readiness.READY

    @property
    def held_bytes(self) -> int:
        """What it takes in memory at most, beside its reference and window, which ask for their own room."""
        return INSTANCE_BYTES + self.detector.held_bytes

    def conclude(self, span: Span, found: Finding | None) -> list[Change]:
        """Move the alert on."""
        steps = self.tracker.step(span.start_ms, span.end_ms, found)
        changes = [Change(self.spec, self.segment, self.noun, step) for step in steps]
        if self.watcher is not None:
            self.watcher.stepped(span, self, changes)
        return changes

    def _step(self, span: Span, usual: Interval | None, normal: Any, *, drifting: bool) -> Step:
        """What has just been judged, for a watcher."""
        assert self.level is not None, "a step comes first"
        numbers = (self.rows, self.level, self.baseline, usual, self.score, self.threshold)
        return Step(self.spec, self.segment, span.start_ms, span.end_ms, *numbers, drifting, normal)

    def status(self) -> str:
        """How far the warm-up has come, for people."""
        if self.reference is None:
            return "ready"
        progress: Progress = self.reference.progress()
        if progress.readiness is Readiness.READY:
            return "ready"
        if not self.reference.learns:
            return "not in the profile"
        return f"{progress.readiness} {progress.have} of {progress.want} {progress.unit}"

    def reading(self) -> Reading:
        """What gauges and pages show."""
        return Reading(
            monitor=self.spec.id,
            column=self.spec.column,
            segment=self.segment,
            measure=self.spec.measure.name if self.spec.measure else "rows",
            detector=self.spec.detector.name,
            alert=self.tracker.state,
            status=self.status(),
            rows=self.rows,
            value=self.level,
            reference=self.baseline,
            score=self.score,
            threshold=self.threshold,
            alarms_per_week=self.grant.alarms_per_week if self.grant is not None else None,
        )

    def export(self) -> State:
        """The state, sharing no memory."""
        return {
            "tracker": self.tracker.export(),
            "reference": None if self.reference is None else self.reference.export(),
            "shown": [self.rows, self.level, self.baseline, self.score, self.threshold],
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.tracker.restore(state["tracker"])
        if self.reference is not None:
            self.reference.restore(state["reference"])
        self.rows, self.level, self.baseline, self.score, self.threshold = state["shown"]


class PaneInstance(Instance):
    """Measure -> reference -> pane detector -> alert."""

    def __init__(self, spec: MonitorSpec, segment: tuple[tuple[str, str], ...], grant: Grant, room: Room) -> None:
        assert spec.measure is not None, spec.id
        self.measure: Measure = build("measure", spec.measure.name, dict(spec.measure.params))
        super().__init__(spec, segment, self.measure.unit, pulsed=False)
        self.reference = build("reference", spec.reference.name, dict(spec.reference.params))
        self.reference.bind(self.measure.accumulator, room)
        self.detector: PaneDetector = build("detector", spec.detector.name, dict(spec.detector.params))
        self.calibrate(grant)

    def calibrate(self, grant: Grant) -> None:
        """Set the threshold to what the budget grants; again, once all who share it are known."""
        self.grant = grant if self.spec.share else None
        self.detector.calibrate(grant.steps)

    def step(self, span: Span, summaries: Iterable[Any]) -> list[Change]:
        """One pane; labelled rows may bring several blocks, each a step of the detector."""
        assert self.reference is not None
        found: Finding | None = None
        stepped = False
        for summary in summaries:
            content = self.reference.baseline(span.start_ms)
            signal = None if content is None else self.measure.signal(summary, content)
            if signal is not None:
                verdict = self.detector.step(signal, span.start_ms)
                self.show(signal, verdict)
                if self.watcher is not None:
                    usual = self.measure.usual(signal, content)
                    self.watcher.judged(self._step(span, usual, content, drifting=verdict.drifting))
                stepped = True
                if verdict.drifting and self.may_alert():
                    found = finding(signal, verdict, span)
            self.reference.observe(span.start_ms, summary, quiet=self.quiet and found is None)
        return self.conclude(span, found) if stepped else []

    def judge(self, span: Span, signal: Signal) -> list[Change]:
        """One signal that needs no reference (a threshold on a window)."""
        verdict = self.detector.step(signal, span.start_ms)
        self.show(signal, verdict)
        if self.watcher is not None:
            self.watcher.judged(self._step(span, None, None, drifting=verdict.drifting))
        return self.conclude(span, finding(signal, verdict, span) if verdict.drifting else None)

    def show(self, signal: Signal, verdict: Verdict) -> None:
        """Remember what readings show."""
        self.rows, self.level, self.baseline = signal.rows, signal.level, signal.baseline
        self.score, self.threshold = verdict.score, verdict.threshold

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"detector": self.detector.export()}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.detector.restore(state["detector"])


def finding(signal: Signal, verdict: Verdict, span: Span) -> Finding:
    """What a drifting pane detector found."""
    since = span.start_ms if verdict.change_at is None else verdict.change_at
    evidence = (("signal", signal.value), ("expected", signal.center), ("standard_error", signal.se))
    return Finding(
        since, signal.level, signal.baseline, verdict.score, verdict.threshold, signal.rows, verdict.direction, evidence
    )


class RowInstance(Instance):
    """Rows -> (standardise by the reference) -> row detector -> alert."""

    def __init__(self, spec: MonitorSpec, segment: tuple[tuple[str, str], ...], standard: str, room: Room) -> None:
        super().__init__(spec, segment, "mean", pulsed=True)
        self.detector: RowDetector = build("detector", spec.detector.name, dict(spec.detector.params))
        self.detector.seed(int(digest(spec.id, *(text for pair in segment for text in pair))[:8], 16))
        self.standardise = spec.detector.auto and self.detector.domain is Domain.REAL
        if self.standardise:
            self.measure: Measure = build("measure", standard, {})
            self.reference = build("reference", spec.reference.name, dict(spec.reference.params))
            self.reference.bind(self.measure.accumulator, room)
        self.clock = _RowClock()
        self._before_n = 0
        self._before_total = 0.0

    @property
    def held_bytes(self) -> int:
        """The clock's numbers as well."""
        return super().held_bytes + CLOCK_BYTES

    def step(self, span: Span, values: FloatArray, summary: Any) -> list[Change]:
        """The new rows in canonical order, and their summary for the reference (ignored where none is needed)."""
        values = self._within_domain(values)
        if not len(values):
            return []
        fed = self._standardised(span, values) if self.standardise else values
        changes: list[Change] = []
        if fed is not None:
            verdict = self.detector.step(fed)
            self.clock.add(span.start_ms, len(fed))
            found = self._finding(span, values, verdict) if len(verdict.drifts) else None
            self.rows, self.level = len(values), float(values.mean())
            self.score, self.threshold = verdict.score, verdict.threshold
            if self.watcher is not None:
                self.watcher.judged(self._step(span, None, None, drifting=found is not None))
            self._remember(values, verdict)
            changes = self.conclude(span, found if self.may_alert() else None)
        if self.reference is not None:
            self.reference.observe(span.start_ms, summary, quiet=self.quiet)
        return changes

    def _within_domain(self, values: FloatArray) -> FloatArray:
        """A detector of shares sees no row that is no share (a score of 1.7); such rows are no evidence of drift.

        Enormous numbers are cut, as in all sums: the sum of two of them would be infinite, and a NaN soon after.
        """
        if self.detector.domain is Domain.REAL:
            return np.clip(values, -VALUE_MAX, VALUE_MAX)
        return values[(values >= 0.0) & (values <= 1.0)]

    def _standardised(self, span: Span, values: FloatArray) -> FloatArray | None:
        assert self.reference is not None
        content: Any = self.reference.baseline(span.start_ms)
        if content is None:
            return None
        mean, variance = content.moment.mean, content.moment.variance
        sd = math.sqrt(variance) if variance > 1e-24 * max(1.0, mean * mean) else 1.0
        self.baseline = mean
        return np.asarray(np.clip((values - mean) / sd, -STANDARDISED_MAX, STANDARDISED_MAX))

    def _finding(self, span: Span, values: FloatArray, verdict: RowVerdict) -> Finding:
        last = int(verdict.drifts[-1])
        since = max(1, verdict.since)
        changed_at = self.clock.when(self.clock.rows - len(values) + last + 1 - since)
        new = values[max(0, last + 1 - since) :]
        level = float(new.mean())
        reference = self.baseline
        if reference is None and self._before_n:
            reference = self._before_total / self._before_n
        direction = 0 if reference is None else int(np.sign(level - reference))
        evidence = (("drift_rows", len(verdict.drifts)), ("rows_since_change", since))
        return Finding(
            min(changed_at, span.start_ms),
            level,
            reference,
            verdict.score,
            verdict.threshold,
            len(new),
            direction,
            evidence,
        )

    def _remember(self, values: FloatArray, verdict: RowVerdict) -> None:
        if len(verdict.drifts):
            values = values[int(verdict.drifts[-1]) + 1 :]
            self._before_n, self._before_total = 0, 0.0
        self._before_n += len(values)
        self._before_total += float(values.sum())

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {
            "detector": self.detector.export(),
            "clock": self.clock.export(),
            "before": [self._before_n, self._before_total],
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.detector.restore(state["detector"])
        self.clock.restore(state["clock"])
        self._before_n, self._before_total = state["before"]


class _RowClock:
    """When was the n-th row seen? To the pane for recent rows, coarser further back."""

    def __init__(self) -> None:
        self.rows = 0
        self._first_rows = array("q")
        self._starts = array("q")

    def add(self, start_ms: int, n: int) -> None:
        self._first_rows.append(self.rows)
        self._starts.append(start_ms)
        self.rows += n
        if len(self._starts) > HISTORY_MAX:
            half = HISTORY_MAX // 2
            self._first_rows = self._first_rows[:half:2] + self._first_rows[half:]
            self._starts = self._starts[:half:2] + self._starts[half:]

    def when(self, row: int) -> int:
        return self._starts[max(0, bisect.bisect_right(self._first_rows, row) - 1)]

    def export(self) -> State:
        return {
            "rows": self.rows,
            "first_rows": np.array(self._first_rows, np.int64),
            "starts": np.array(self._starts, np.int64),
        }

    def restore(self, state: State) -> None:
        self.rows = state["rows"]
        self._first_rows, self._starts = array("q", state["first_rows"].tolist()), array("q", state["starts"].tolist())


def segment_label(table: SegmentTable | None, number: int) -> tuple[tuple[str, str], ...]:
    """Field and value pairs of a segment; empty for all rows together."""
    return () if table is None else table.label(number)
