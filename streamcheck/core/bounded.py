"""Monitors whose measure says by itself what is too much: they have no reference, and judge from the first pane on."""

from dataclasses import replace
from typing import Any

from streamcheck.core.alerts import Finding
from streamcheck.core.causes import told
from streamcheck.core.instances import Seen, Span
from streamcheck.core.monitors import Asked, Judged, PaneInstance, finding


class BoundedInstance(PaneInstance):
    """Measure -> threshold -> alert."""

    def prepare(self) -> None:
        """No reference."""
        self.normal = None

    @property
    def _alone(self) -> bool:
        """Whether there is nothing but its limit that the value is compared with: nothing is expected of it."""
        return self.measure.learns

    def enter(self, span: Span) -> None:
        """Comparisons are the same at all times."""

    def ask(self, span: Span, summary: Any) -> Asked:  # noqa: ARG002
        """What the pane says."""
        signal = self.measure.signal(summary, None)
        if signal is None:
            return Asked(summary, None, (), ())
        return Asked(summary, None, self.parts, ((self.detectors[0], signal),))

    def hear(self, span: Span, asked: Asked, judged: list[Judged], before: Finding | None) -> Finding | None:  # type: ignore[override]
        """What was found, if anything."""
        if not judged:
            return before
        signal, verdict = judged[0].signal, judged[0].verdict
        self.show(signal, verdict)
        if self._alone:
            self.shown.baseline = None
        self._note(span)
        if self.watcher is not None:
            self.watcher.judged(self._step(span, None, None, drifting=verdict.drifting))
        if not verdict.drifting:
            return before
        self.seen = Seen(span.start_ms, asked.summary, None)
        # what a measure tells is of too much; of too little the limit itself says enough
        more = told(self.measure, asked.summary, None) if verdict.direction > 0 else ()
        found = finding(signal, verdict, span, more)
        return replace(found, reference=None, evidence=(("signal", signal.value), *more)) if self._alone else found
