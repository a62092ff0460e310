"""Has a partition of the predictions gone silent, and its producer with it?"""

from typing import Any, ClassVar

from streamcheck.core.components import param, register
from streamcheck.core.measures._compared import judged
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures.base import Measure, Needs
from streamcheck.core.summaries import Moment, StreamSummary
from streamcheck.core.summaries.stream import Silence
from streamcheck.core.types import Signal
from streamcheck.core.wording import span

PANES_MIN = 30
"""Panes with rows from which a partition's pauses are known."""
NAMED_MAX = 3


@register
class Freshness(Measure):
    """How long has the partition been silent that has been so longest, beside what it is allowed?

    A partition may be silent for `times` its longest pause so far, and for `least_s` at any rate. Value: silence by
    allowance; too much above 1. A limit, outside the budget: in the first silent night of a stream it is passed once,
    and then known. Event time goes on while nothing arrives at all. level and baseline: seconds, silent and allowed.
    """

    needs = Needs.STREAM
    empty_panes: ClassVar[bool] = True
    learns: ClassVar[bool] = False
    direction: ClassVar[int] = 1
    limit: ClassVar[float | None] = 1.0
    sure: ClassVar[bool] = True
    ratio: ClassVar[str] = "silence by what is allowed"
    unit: ClassVar[str] = "seconds since the last event"

    least_s: int = param(60, ge=1, doc="Seconds of silence that are allowed at any rate.")
    times: float = param(5.0, ge=1, doc="Of its longest pause so far, how often a partition may be silent.")

    def accumulator(self) -> MomentAccumulator:
        """Nothing is learned by a reference."""
        return MomentAccumulator(lambda _: Moment())

    def _allowed_ms(self, silence: Silence) -> float:
        return max(1_000.0 * self.least_s, self.times * silence.longest_ms)

    def _ranked(self, summary: StreamSummary) -> list[tuple[float, Silence]]:
        known = [silence for silence in summary.silences if silence.panes >= PANES_MIN]
        ranked = [(silence.silent_ms / self._allowed_ms(silence), silence) for silence in known]
        return sorted(ranked, key=lambda each: (-each[0], each[1].source))

    def signal(self, summary: StreamSummary, reference: Any) -> Signal | None:  # noqa: ARG002
        """The partition that is furthest beyond; None before one is known."""
        ranked = self._ranked(summary)
        if not ranked:
            return None
        value, silence = ranked[0]
        allowed_s = self._allowed_ms(silence) / 1_000
        return judged(Signal(value, 0.0, 1.0, max(summary.rows, 1), silence.silent_ms / 1_000, allowed_s))

    def told(self, summary: StreamSummary, reference: Any) -> tuple[dict[str, Any], str]:  # noqa: ARG002
        """Which partitions, for how long."""
        silent = [silence for value, silence in self._ranked(summary) if value > 1.0]
        if not silent:
            return {}, ""
        named = ", ".join(str(silence.source) for silence in silent[:NAMED_MAX])
        more = f" and {len(silent) - NAMED_MAX} more" if len(silent) > NAMED_MAX else ""
        everyone = f"all {len(silent)} partitions" if len(silent) == len(summary.silences) > 1 else named + more
        first = silent[0]
        words = f"nothing from {everyone} for {span(first.silent_ms / 1_000)}"
        return (
            {"silent": [str(silence.source) for silence in silent[:20]]},
            f"{words} (longest pause before: {span(first.longest_ms / 1_000)})",
        )
