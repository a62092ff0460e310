"""Monitors whose detector steps once per row: river's, as they are or standardised and calibrated (`auto`)."""

import bisect
import math
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.alerts import NEWEST, Change, Finding, digest
from streamcheck.core.budgets import Grant
from streamcheck.core.calibration import CALIBRATION_BYTES, Calibration
from streamcheck.core.components import State, build
from streamcheck.core.detectors.base import Domain, RowDetector
from streamcheck.core.instances import INSTANCE_BYTES, Instance, Seen, Span
from streamcheck.core.measures.base import Measure
from streamcheck.core.normal import Normal
from streamcheck.core.plan import MonitorSpec
from streamcheck.core.room import Room
from streamcheck.core.summaries import VALUE_MAX, Layout
from streamcheck.core.types import FloatArray, RowVerdict
from streamcheck.core.zones import Timing

STANDARDISED_MAX = 5.0
"""Standardised values are clipped here: a tail beyond five sd is no evidence, and laws of run lengths hold without it.
"""
HISTORY_MAX = 512
"""Panes that a row detector's clock remembers, to date a change that began rows ago.

Older ones are thinned out by half.
"""
CLOCK_BYTES = 2 * HISTORY_MAX * 9 + 500
SCORED, ERRORS = "mean_shift", "mae"
"""Measures whose reference standardises: scores of a column's bins; errors in their own sd. Others are of shares."""


class RowInstance(Instance):
    """Rows -> row detector -> alert; with `auto` rows are standardised, and the detector calibrated before it begins.

    standard: the measure whose reference says what is normal; grant: what the budget leaves it.
    With parameters given there is neither reference nor promise: river's exact semantics.
    """

    def __init__(
        self,
        spec: MonitorSpec,
        segment: tuple[tuple[str, str], ...],
        standard: str,
        room: Room,
        timing: Timing,
        grant: Grant,
    ) -> None:
        super().__init__(spec, segment, "mean", pulsed=True)
        self.standard = standard
        self.detector: RowDetector = self._made(dict(spec.detector.params))
        self.calibration: Calibration | None = None
        if spec.detector.auto:
            self.measure: Measure = build("measure", standard, {})
            self.normal = Normal(spec.reference, self.measure.accumulator, room, timing)
            self.calibration = self._uncalibrated()
        self.calibrate(grant)
        self.clock = _RowClock()
        self._before = _NO_ROWS

    def _made(self, params: dict[str, Any]) -> RowDetector:
        detector: RowDetector = build("detector", self.spec.detector.name, params)
        texts = (text for pair in self.segment for text in pair)
        detector.seed(int(digest(self.spec.id, *texts)[:8], 16))
        return detector

    def _uncalibrated(self) -> Calibration:
        return Calibration(type(self.detector), shares=self.standard not in (SCORED, ERRORS))

    def begin(self) -> None:
        """A detector that is calibrated anew, to rows of the new reference."""
        self.detector, self.calibration = self._made(dict(self.spec.detector.params)), self._uncalibrated()
        self.clock = _RowClock()
        self._before = _NO_ROWS

    @property
    def held_bytes(self) -> int:
        """The clock's numbers as well, and what calibrates."""
        calibrating = 0 if self.calibration is None else CALIBRATION_BYTES + self.detector.tuned_bytes
        return INSTANCE_BYTES + self.detector.held_bytes + CLOCK_BYTES + calibrating

    def may_alert(self) -> bool:
        """Whether the reference has come far enough, and the detector is calibrated."""
        return super().may_alert() and (self.calibration is None or self.calibration.params is not None)

    def status(self) -> str:
        """How far the warm-up has come, for people: the reference first, then the calibration."""
        status = super().status()
        if status != "ready" or self.calibration is None or self.calibration.params is not None:
            return status
        if self.calibration.failed:
            return "not watched: no parameters keep the promise on such rows"
        progress = self.calibration.progress()
        return f"calibrating {progress.have} of {progress.want} {progress.unit}"

    def step(self, span: Span, values: FloatArray, summary: Any, layout: Layout | None = None) -> list[Change]:
        """The new rows in canonical order, and their summary for the reference (ignored where none is needed)."""
        values = self._within_domain(values)
        if not len(values):
            return []
        if self.normal is not None:
            self.normal.enters(span.start_ms)
        fed = values if self.calibration is None else self._normal(span, values, layout)
        changes: list[Change] = []
        if fed is not None and self._calibrated(fed):
            changes = self._judge(span, values, fed, summary)
        elif self.tracker.accepted is not None:
            changes = self.conclude(span, None)
        if self.normal is not None:
            self.normal.observe(span.start_ms, summary, quiet=self.quiet, suspicious=not self.quiet)
        return changes

    def _judge(self, span: Span, values: FloatArray, fed: FloatArray, summary: Any) -> list[Change]:
        verdict = self.detector.step(fed)
        self.clock.add(span.start_ms, len(fed))
        found = self._finding(span, values, verdict, known=fed is values) if len(verdict.drifts) else None
        if found is not None and self.reference is not None:
            self.seen = Seen(span.start_ms, summary, self.reference.baseline(span.start_ms))
        shown = self.shown
        shown.rows, shown.level = len(values), float(values.mean())
        shown.score, shown.threshold = verdict.score, verdict.threshold
        self._note(span)
        if self.watcher is not None:
            self.watcher.judged(self._step(span, None, None, drifting=found is not None))
        self._remember(values, verdict)
        return self.conclude(span, found if self.may_alert() else None)

    def _calibrated(self, fed: FloatArray) -> bool:
        """Whether the detector may see the rows; before that, those of a reference that is ready calibrate it."""
        if self.calibration is None or self.calibration.params is not None:
            return True
        if self.grant is not None and super().may_alert() and self.calibration.add(fed, self.grant.steps):
            self.detector = self._made(dict(self.calibration.params or {}))
        return False

    def _within_domain(self, values: FloatArray) -> FloatArray:
        """A detector of shares sees no row that is no share (a score of 1.7); such rows are no evidence of drift.

        Enormous numbers are cut, as in all sums: the sum of two of them would be infinite, and a NaN soon after.
        """
        if self.detector.domain is Domain.REAL:
            return np.clip(values, -VALUE_MAX, VALUE_MAX)
        return values[(values >= 0.0) & (values <= 1.0)]

    def _normal(self, span: Span, values: FloatArray, layout: Layout | None) -> FloatArray | None:
        """The rows as a calibrated detector sees them; None while there is no reference.

        Numbers of a column as the scores of their bins (bounded, whatever their tails), errors of a regression in their
        own sd, both against the reference; shares as they are.
        """
        assert self.reference is not None
        content: Any = self.reference.baseline(span.start_ms)
        if content is None:
            return None
        if self.standard not in (SCORED, ERRORS):
            self.shown.baseline = content.moment.mean
            return values
        mean, variance = content.moment.mean, content.moment.variance
        self.shown.baseline = mean
        if self.standard == SCORED:
            assert layout is not None, "a reference of scores comes after its layout"
            self.shown.baseline = content.shown.mean
            values = layout.weights[layout.bins(values), 0]
        sd = math.sqrt(variance) if variance > 1e-24 * max(1.0, mean * mean) else 1.0
        return np.asarray(np.clip((values - mean) / sd, -STANDARDISED_MAX, STANDARDISED_MAX))

    def _finding(self, span: Span, values: FloatArray, verdict: RowVerdict, *, known: bool) -> Finding:
        """What the last drift of the pane has found. known: the detector saw the values as they are."""
        last = int(verdict.drifts[-1])
        since = max(1, verdict.since)
        changed_at = self.clock.when(self.clock.rows - len(values) + last + 1 - since)
        old, new = self._apart(values, verdict, known=known)
        reference = self.baseline
        drifted = len(verdict.drifts) > 1 or self._before.n < self.clock.rows - len(values)
        if old.n and (reference is None or drifted):  # after a drift the method compares with what has come since
            reference = old.mean
        evidence: tuple[tuple[str, Any], ...] = (("drift_rows", len(verdict.drifts)), ("rows_since_change", since))
        if new.n > len(values):
            evidence += ((NEWEST, {"rows": len(values), "mean": float(values.mean())}),)
        return Finding(
            min(changed_at, span.start_ms),
            new.mean,
            reference,
            verdict.score,
            verdict.threshold,
            new.n,
            verdict.direction,
            evidence,
        )

    def _apart(self, values: FloatArray, verdict: RowVerdict, *, known: bool) -> "tuple[_Sum, _Sum]":
        """The rows since the last drift but one, before and after the change that the last one has found.

        A change panes back of a level that the method does not know: those of panes before, and the newest rows.
        """
        *earlier, last = verdict.drifts.tolist()
        begin, before = (earlier[-1] + 1, _NO_ROWS) if earlier else (0, self._before)
        here, since = _Sum.of(values[begin : last + 1]), max(1, verdict.since)
        behind = since - here.n
        if behind <= 0 or not before.n:
            change = max(last + 1 - since, begin)
            return before + _Sum.of(values[begin:change]), _Sum.of(values[change:])
        if not known or verdict.level is None or behind > before.n:
            return before, _Sum.of(values[begin:])
        changed = _Sum(since, since * verdict.level)
        return before + here - changed, changed + _Sum.of(values[last + 1 :])

    def _remember(self, values: FloatArray, verdict: RowVerdict) -> None:
        if len(verdict.drifts):
            values = values[int(verdict.drifts[-1]) + 1 :]
            self._before = _NO_ROWS
        self._before += _Sum.of(values)

    def export(self) -> State:
        """The state, sharing no memory."""
        calibration = None if self.calibration is None else self.calibration.export()
        return super().export() | {
            "calibration": calibration,
            "detector": self.detector.export(),
            "clock": self.clock.export(),
            "before": [self._before.n, self._before.total],
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        if self.calibration is not None:
            self.calibration.restore(state["calibration"])
            self.detector = self._made(dict(self.calibration.params or {}))
        self.detector.restore(state["detector"])
        self.clock.restore(state["clock"])
        self._before = _Sum(*state["before"])


@dataclass(frozen=True, slots=True)
class _Sum:
    """So many rows, and what they come to."""

    n: int
    total: float

    @staticmethod
    def of(values: FloatArray) -> "_Sum":
        return _Sum(len(values), float(values.sum()))

    def __add__(self, other: "_Sum") -> "_Sum":
        return _Sum(self.n + other.n, self.total + other.total)

    def __sub__(self, other: "_Sum") -> "_Sum":
        return _Sum(self.n - other.n, self.total - other.total)

    @property
    def mean(self) -> float:
        return self.total / self.n


_NO_ROWS = _Sum(0, 0.0)


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
