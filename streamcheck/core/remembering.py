"""What is remembered of what happened lately, for pages only: monitors' ways, newest rows, delays of labels.

It begins with the process, takes bounded memory, and nothing that is judged depends on it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from streamcheck.core.instances import Instance, Span
from streamcheck.core.looks import Key, Looks
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Plan
from streamcheck.core.readings import Comparison, DelayReading, Lately
from streamcheck.core.summaries import Layout
from streamcheck.core.trails import TrailBook
from streamcheck.core.types import IntArray

LABELS_ENOUGH = 10_000
"""Between so many and twice as many of the newest labels tell how long labels take."""
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
DELAYS_MS = (
    SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY,
    7 * DAY, 14 * DAY, 30 * DAY,
)  # fmt: skip
"""Ends of the bins in which delays are counted."""
QUANTILES = (0.5, 0.9, 0.99)


class Delays:
    """How long do labels take, from the prediction's time to the end of the pane in which both have met?

    >>> delays = Delays()
    >>> delays.add(20_000, np.array([0, 15_000, 18_000]))
    >>> delays.reading().rows, delays.reading().shares[1:3]
    (3, ((10000, 0.6666666666666666), (60000, 0.3333333333333333)))
    """

    def __init__(self) -> None:
        self._halves: list[IntArray] = [np.zeros(len(DELAYS_MS) + 1, np.int64)]

    def add(self, end_ms: int, times: IntArray) -> None:
        """Rows that became complete in a pane, with the times of their predictions."""
        if self._halves[-1].sum() >= LABELS_ENOUGH:
            self._halves = [self._halves[-1], np.zeros_like(self._halves[-1])]
        found = np.searchsorted(DELAYS_MS, end_ms - times)
        self._halves[-1] = self._halves[-1] + np.bincount(found, minlength=len(DELAYS_MS) + 1)

    def reading(self) -> DelayReading:
        """As it is now; quantiles straight between the ends of a bin."""
        counts = np.sum(self._halves, axis=0)
        rows = int(counts.sum())
        if not rows:
            return DelayReading()
        reached = np.concatenate(([0.0], np.cumsum(counts) / rows))
        ends = np.array([0, *DELAYS_MS, 2 * DELAYS_MS[-1]], np.float64)
        at = [(q, float(np.interp(q, reached, ends))) for q in QUANTILES]
        shares = zip((*DELAYS_MS, None), (counts / rows).tolist(), strict=True)
        return DelayReading(rows, tuple(at), tuple(shares))


class Memory:
    """Sees every pane twice: its rows before they are judged, and its monitors afterwards."""

    def __init__(self, plan: Plan) -> None:
        self._trails = TrailBook()
        self._looks = Looks(plan)
        self._delays = Delays()
        self._since_ms: int | None = None
        self._comparisons: Mapping[Key, Comparison] = {}

    def rows(self, span: Span, pane: PaneRows, layouts: Mapping[str, Layout]) -> None:
        """The predictions of a pane, once their segments are numbered."""
        self._looks.add(span, pane, layouts)

    def labelled(self, span: Span, times: IntArray) -> None:
        """Rows that became complete in a pane, with the times of their predictions."""
        self._delays.add(span.end_ms, times)

    def closed(self, span: Span, judged: Sequence[Instance]) -> None:
        """A pane has been judged by these."""
        self._since_ms = span.start_ms if self._since_ms is None else self._since_ms
        self._trails.add(span, list(dict.fromkeys(judged)))

    def compare(self, asked: Iterable[Key], instances: Iterable[Instance]) -> None:
        """Work out anew what newest rows and references come to; asked: segments, by column."""
        self._comparisons = self._looks.reading(asked, instances)

    def reading(self) -> Lately:
        """As it is now; comparisons as of the last call of `compare`."""
        return Lately(self._since_ms, self._trails.reading(), self._comparisons, self._delays.reading())
