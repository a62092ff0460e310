"""Monitors whose measure says by itself what is too much: they have no reference, and judge from the first pane on."""

from typing import Any

from streamcheck.core.alerts import Finding
from streamcheck.core.causes import told
from streamcheck.core.instances import Span
from streamcheck.core.monitors import Asked, Judged, PaneInstance, finding


class BoundedInstance(PaneInstance):
    """Measure -> threshold -> alert."""

    def prepare(self) -> None:
        """No reference."""
        self.normal = None

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
        self._note(span)
        if self.watcher is not None:
            self.watcher.judged(self._step(span, None, None, drifting=verdict.drifting))
        if not verdict.drifting:
            return before
        return finding(signal, verdict, span, told(self.measure, asked.summary, None))
