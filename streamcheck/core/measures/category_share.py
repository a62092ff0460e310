"""Which category has become more frequent, or less?"""

from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import param, register
from streamcheck.core.intervals import Interval
from streamcheck.core.measures._categories import held
from streamcheck.core.measures._compared import share_signal
from streamcheck.core.measures._share_table import NAMES_MAX, REST_ROWS_MIN, ShareAccumulator
from streamcheck.core.measures.base import Measure, Needs, share_size
from streamcheck.core.summaries import CategoricalSummary
from streamcheck.core.types import Signal

REST = "(all others)"


@register
class CategoryShare(Measure):
    """What are the shares of the most frequent categories? One signal for each of them, and one for all others.

    Which categories those are, the first reference decides, and it stays so. Of two categories without any others one
    is enough: the rarer. A signal is a share of the usable values.
    """

    needs = Needs.CATEGORICAL
    parts_max: ClassVar[int] = NAMES_MAX + 1
    unit: ClassVar[str] = "share"

    top: int = param(10, ge=1, le=NAMES_MAX, doc="Categories that are watched one by one, most frequent first.")

    @property
    def charts_max(self) -> int:
        """One for each, and one for the rest."""
        return self.top + 1

    def accumulator(self) -> ShareAccumulator:
        """An empty reference content for this measure."""
        return ShareAccumulator()

    def parts(self, reference: ShareAccumulator) -> tuple[str, ...]:
        """The most frequent categories of the reference."""
        ranked = reference.ranked()
        named = sum(reference.rows[reference.names[name]] for name in ranked[: self.top])
        others = reference.n - named >= REST_ROWS_MIN
        if len(ranked) == 2 and not others:
            return (ranked[1],)
        return (*ranked[: self.top], *((REST,) if others else ()))

    def signals(
        self, summary: CategoricalSummary, reference: ShareAccumulator, parts: tuple[str, ...]
    ) -> list[Signal | None]:
        """The pane's share of each category; none without usable values.

        A category that the reference does not know counts among all others on both sides, and has no signal itself.
        """
        if not summary.ok or not reference.n:
            return [None] * len(parts)
        counts = dict(held(summary))
        known = {name: counts.get(name, 0) for name in parts if name != REST and reference.knows(name)}
        signals = {name: share_signal(rows, summary.ok, reference.share(name)) for name, rows in known.items()}
        if parts[-1] == REST:
            others = reference.others(tuple(known))
            signals[REST] = share_signal(summary.ok - sum(known.values()), summary.ok, others)
        return [signals.get(name) for name in parts]

    def signal(self, summary: CategoricalSummary, reference: ShareAccumulator) -> Signal | None:
        """The first part's."""
        return self.signals(summary, reference, self.parts(reference)[:1])[0] if reference.n else None

    def size(self, level: float, baseline: float, reference: object) -> Mapping[str, float]:  # noqa: ARG002
        """In percentage points."""
        return share_size(level, baseline)

    def usual(self, signal: Signal, reference: object) -> Interval:
        """As for any measure, within 0 and 1."""
        low, high = super().usual(signal, reference)
        return Interval(max(low, 0.0), min(high, 1.0))
