"""Monitors of a quantile: charts judge shares above a line, people (and thresholds) see the quantile itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from streamcheck.core.alerts import Finding
from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.components import State
from streamcheck.core.instances import Span
from streamcheck.core.intervals import Interval
from streamcheck.core.measures.base import bare_signal
from streamcheck.core.measures.quantile import Quantile, SketchAccumulator
from streamcheck.core.monitors import Asked, PaneInstance
from streamcheck.core.readings import Reading
from streamcheck.core.summaries import ValuesSummary
from streamcheck.core.summaries.sketch import SKETCH_BYTES, Sketch
from streamcheck.core.types import Signal, Verdict

PARTS = 5
"""Of the time whose quantile is shown; the oldest leaves as a whole."""
WINDOW_BYTES = (PARTS + 2) * SKETCH_BYTES
SHOWN = (0.5, 0.95, 0.99)


class Newest:
    """The values of the newest over_ms of event time, in parts by time; a pane counts where it starts."""

    def __init__(self, over_ms: int) -> None:
        self.part_ms = max(over_ms // PARTS, 1)
        self.parts: dict[int, Sketch] = {}
        """By number of the part, ascending."""

    def add(self, span: Span, summary: ValuesSummary) -> None:
        """A pane; parts that are too old leave."""
        if not summary.ok:
            return
        number = span.start_ms // self.part_ms
        self.parts.setdefault(number, Sketch()).add(summary.values)
        self.parts = {each: held for each, held in self.parts.items() if each > number - PARTS}

    def since(self, at_ms: int | None = None) -> Sketch:
        """All of them together, or those of parts that have not ended before."""
        first = -1 if at_ms is None else at_ms // self.part_ms
        total = Sketch()
        for number, part in self.parts.items():
            if number >= first:
                total.merge(part)
        return total

    def export(self) -> list[State]:
        """The state, sharing no memory."""
        return [{"part": number, **part.export()} for number, part in self.parts.items()]

    def restore(self, state: Sequence[State]) -> None:
        """Continue where `export` stood."""
        self.parts = {int(each["part"]): Sketch.restored(each) for each in state}


class _Shown(PaneInstance):
    """What both kinds have in common: the newest values, and the quantiles of them."""

    newest: Newest

    def prepare(self) -> None:
        """No values yet."""
        super().prepare()
        assert isinstance(self.measure, Quantile), self.spec.id
        self.newest = Newest(1_000 * self.measure.over_s)
        self.noun = Quantile.called({"p": self.measure.p})

    @property
    def p(self) -> float:
        """Which quantile."""
        assert isinstance(self.measure, Quantile), self.spec.id
        return self.measure.p

    @property
    def held_bytes(self) -> int:
        """The newest values as well."""
        return super().held_bytes + WINDOW_BYTES

    def reading(self) -> Reading:
        """With the quantiles of the newest values."""
        held = self.newest.since()
        if not held.n:
            return super().reading()
        shown = tuple((p, held.quantile(p)) for p in dict.fromkeys((*SHOWN, self.p)))
        return replace(super().reading(), rows=held.n, value=held.quantile(self.p), quantiles=shown)

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"newest": self.newest.export()}

    def restore(self, state: Any) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.newest.restore(state["newest"])


class QuantileInstance(_Shown):
    """Against a reference."""

    def ask(self, span: Span, summary: ValuesSummary) -> Asked:
        """As any; the pane's values are among the newest from now on."""
        self.newest.add(span, summary)
        return super().ask(span, summary)

    def tell(self, span: Span, signal: Signal, verdict: Verdict, content: SketchAccumulator) -> None:
        """Quantiles in the place of shares."""
        held = self.newest.since()
        self._held = held.n, held.quantile(self.p), content.sketch.quantile(self.p)
        super().tell(span, signal, verdict, content)

    def show(self, signal: Signal, verdict: Verdict) -> None:
        """Quantiles in the place of shares."""
        super().show(signal, verdict)
        shown = self.shown
        shown.rows, shown.level, shown.baseline = self._held

    def usual_of(self, signal: Signal, content: SketchAccumulator) -> Interval:
        """In quantiles."""
        assert isinstance(self.measure, Quantile), self.spec.id
        return self.measure.between(signal, content, self._held[0])

    def find(self, span: Span, summary: Any, content: Any, signal: Signal, verdict: Verdict, part: str = "") -> Finding:
        """What drifts, in quantiles of the values since the change, as far as they are held."""
        found = super().find(span, summary, content, signal, verdict, part)
        since = self.newest.since(found.change_at_ms)
        held = since if since.n else self.newest.since()
        return replace(found, value=held.quantile(self.p), reference=content.sketch.quantile(self.p), rows=held.n)


class QuantileLimit(_Shown, BoundedInstance):
    """Against a limit of the user's: the quantile of the newest values is the signal."""

    def ask(self, span: Span, summary: ValuesSummary) -> Asked:
        """What the newest values say."""
        self.newest.add(span, summary)
        held = self.newest.since()
        if not summary.ok or not held.n:
            return Asked(summary, None, (), ())
        value = held.quantile(self.p)
        return Asked(summary, None, self.parts, ((self.detectors[0], bare_signal(value, held.n)),))
