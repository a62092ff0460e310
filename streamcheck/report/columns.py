"""What a column held over time: mergeable summaries of spans, whose number is bounded."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamcheck.core.plan import Column, Kind
from streamcheck.core.summaries import CategoricalSummary, Layout, Moment, NumericSummary

SPANS_MAX = 96
"""Spans of one column that are kept; twice as many are merged two by two, from then on each twice as long."""
BINS_SHOWN = 48
CATEGORIES_SHOWN = 20
CATEGORIES_KEPT = 1_000
COUNTS = ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range")


@dataclass(slots=True)
class _Span:
    start_ms: int
    counts: Counter[str]
    moment: Moment
    low: float
    high: float
    bins: np.ndarray[tuple[int], np.dtype[np.int64]] | None
    categories: Counter[str]

    def add(self, other: "_Span") -> None:
        self.counts.update(other.counts)
        self.moment += other.moment
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if self.bins is None:
            self.bins = other.bins
        elif other.bins is not None:
            self.bins = self.bins + other.bins
        self.categories.update(other.categories)


class ColumnHistory:
    """One column of the predictions stream; add panes in the order of their times."""

    def __init__(self, column: Column, pane_ms: int) -> None:
        self.column = column
        self._span_ms = pane_ms
        self._spans: list[_Span] = []
        self._layout: Layout | None = None

    def add(self, start_ms: int, summary: NumericSummary | CategoricalSummary) -> None:
        """One more pane."""
        span = self._of(start_ms // self._span_ms * self._span_ms, summary)
        if self._spans and self._spans[-1].start_ms == span.start_ms:
            self._spans[-1].add(span)
        else:
            self._spans.append(span)
        while len(self._spans) > 2 * SPANS_MAX:
            self._widen()

    def _of(self, start_ms: int, summary: NumericSummary | CategoricalSummary) -> _Span:
        counts = Counter({name: getattr(summary, name, 0) for name in COUNTS})
        if isinstance(summary, NumericSummary):
            self._layout = summary.layout or self._layout
            low = float("inf") if summary.low is None else summary.low
            high = float("-inf") if summary.high is None else summary.high
            return _Span(start_ms, counts, summary.moment, low, high, summary.counts, Counter())
        named = Counter(dict(zip(summary.categories, summary.counts.tolist(), strict=True)))
        return _Span(start_ms, counts, Moment(), float("inf"), float("-inf"), None, _bounded(named))

    def _widen(self) -> None:
        self._span_ms *= 2
        merged: list[_Span] = []
        for span in self._spans:
            span.start_ms = span.start_ms // self._span_ms * self._span_ms
            if merged and merged[-1].start_ms == span.start_ms:
                merged[-1].add(span)
                merged[-1].categories = _bounded(merged[-1].categories)
            else:
                merged.append(span)
        self._spans = merged

    # ------------------------------------------------------------------ for JSON
    def export(self) -> dict[str, Any]:
        """Counts, and for numbers moments and a histogram, for categories the most frequent ones, per span."""
        head = {"column": self.column.name, "kind": str(self.column.kind), "span_ms": self._span_ms}
        head["role"] = str(self.column.role)
        starts = [span.start_ms for span in self._spans]
        counts = {name: [span.counts[name] for span in self._spans] for name in COUNTS}
        what = self._categorical() if self.column.kind is Kind.CATEGORICAL else self._numeric()
        return {**head, "t": starts, **counts, **what}

    def _numeric(self) -> dict[str, Any]:
        spans = self._spans
        shown: dict[str, Any] = {
            "mean": [span.moment.mean if span.moment.n else None for span in spans],
            "sd": [span.moment.sd if span.moment.n else None for span in spans],
            "low": [span.low if span.moment.n else None for span in spans],
            "high": [span.high if span.moment.n else None for span in spans],
        }
        if self._layout is not None:
            step = -(-self._layout.n_bins // BINS_SHOWN)
            cuts = np.arange(0, self._layout.n_bins, step)
            shown["edges"] = self._layout.edges[step - 1 :: step][: len(cuts) - 1].tolist()
            shown["bins"] = [None if span.bins is None else np.add.reduceat(span.bins, cuts).tolist() for span in spans]
        return shown

    def _categorical(self) -> dict[str, Any]:
        totals: Counter[str] = Counter()
        for span in self._spans:
            totals.update(span.categories)
        names = [name for name, _ in sorted(totals.items(), key=lambda each: (-each[1], each[0]))[:CATEGORIES_SHOWN]]
        rows = [[span.categories[name] for name in names] for span in self._spans]
        other = [span.counts["ok"] - sum(row) for span, row in zip(self._spans, rows, strict=True)]
        return {"categories": names, "counts": rows, "other": other}


def _bounded(categories: Counter[str]) -> Counter[str]:
    if len(categories) <= CATEGORIES_KEPT:
        return categories
    return Counter(dict(_most(categories.items())))


def _most(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda each: (-each[1], each[0]))[:CATEGORIES_KEPT]
