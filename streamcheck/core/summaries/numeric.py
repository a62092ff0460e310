"""What is remembered of a numeric column in one pane: counts by status, sums, range, histogram, group by group."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from streamcheck.core.summaries.layout import Layout
from streamcheck.core.summaries.moments import VALUE_MAX, Moment
from streamcheck.core.types import CodeArray, FieldStatus, FloatArray, IntArray, StatusArray

PerGroup = TypeVar("PerGroup", IntArray, FloatArray)


@dataclass(frozen=True, slots=True, eq=False)
class NumericSummary:
    """What one group's rows held: rows = ok + missing + wrong_type + non_finite; out_of_range is a part of ok.

    moment: of the ok values (sizes beyond VALUE_MAX count as that). low and high: None without ok values. counts
    (n_bins,): None without a layout.
    """

    rows: int
    ok: int
    missing: int
    wrong_type: int
    non_finite: int
    out_of_range: int
    moment: Moment
    low: float | None
    high: float | None
    counts: IntArray | None
    layout: Layout | None
    _scored: list[Moment] = field(default_factory=list, init=False, repr=False)
    """What `scores` has worked out: two monitors ask, each for its signal and for all that its reference learns."""
    _beyond: list[int] = field(default_factory=list, init=False, repr=False)
    """What `outside` has."""

    def scores(self, column: int) -> Moment | None:
        """The moment of the rows' location (column 0) or scale (column 1) scores; None without a layout."""
        if self.layout is None or self.counts is None:
            return None
        if not self._scored:
            # Not `counts @ weights`: BLAS may sum in another order for another memory alignment.
            weights = self.layout.by_score
            scored = self.counts * weights
            sums = zip(scored.sum(axis=1).tolist(), (scored * weights).sum(axis=1).tolist(), strict=True)
            self._scored.extend(Moment(self.ok, total, square) for total, square in sums)
        return self._scored[column]

    def outside(self) -> int | None:
        """How many usable values lie beyond the layout's first values; None without a layout."""
        if self.layout is None or self.counts is None:
            return None
        if not self._beyond:
            self._beyond.append(self.ok - int(self.counts[self.layout.inside].sum()))
        return self._beyond[0]


@dataclass(slots=True, eq=False)
class NumericPane:
    """The same for G groups: int64 (G,) counts, float64 (G,) sums and range, counts int64 (G, n_bins) or None.

    total and square: sums of (value - layout.origin) and of its square (origin 0 without a layout); low is +inf and
    high -inf where a group has no ok value.
    """

    rows: IntArray
    ok: IntArray
    missing: IntArray
    wrong_type: IntArray
    non_finite: IntArray
    out_of_range: IntArray
    total: FloatArray
    square: FloatArray
    low: FloatArray
    high: FloatArray
    counts: IntArray | None
    layout: Layout | None

    def add(self, other: "NumericPane") -> None:
        """Take another cut of the same pane in; groups that only one of them has are kept."""
        assert (self.layout is None) == (other.layout is None), "cuts of one pane share their layout"
        n_groups = max(len(self.rows), len(other.rows))
        for name in ("rows", "ok", "missing", "wrong_type", "non_finite", "out_of_range", "total", "square"):
            setattr(self, name, padded(getattr(self, name), n_groups) + padded(getattr(other, name), n_groups))
        self.low = np.minimum(padded(self.low, n_groups, np.inf), padded(other.low, n_groups, np.inf))
        self.high = np.maximum(padded(self.high, n_groups, -np.inf), padded(other.high, n_groups, -np.inf))
        if self.counts is not None and other.counts is not None:
            bins = self.counts.shape[1], other.counts.shape[1]
            assert bins[0] == bins[1], f"cuts with layouts of {bins[0]} and {bins[1]} bins"
            self.counts = padded(self.counts, n_groups) + padded(other.counts, n_groups)

    def summary(self, group: int) -> NumericSummary:
        """One group's part, sharing no memory."""
        ok = int(self.ok[group])
        origin = self.layout.origin if self.layout is not None else 0.0
        return NumericSummary(
            rows=int(self.rows[group]),
            ok=ok,
            missing=int(self.missing[group]),
            wrong_type=int(self.wrong_type[group]),
            non_finite=int(self.non_finite[group]),
            out_of_range=int(self.out_of_range[group]),
            moment=Moment(ok, float(self.total[group]), float(self.square[group]), origin),
            low=float(self.low[group]) if ok else None,
            high=float(self.high[group]) if ok else None,
            counts=None if self.counts is None else self.counts[group].copy(),
            layout=self.layout,
        )


def fold_numeric(
    values: FloatArray,
    status: StatusArray,
    layout: Layout | None = None,
    valid_range: tuple[float, float] | None = None,
    groups: CodeArray | None = None,
    n_groups: int = 1,
    cuts: Sequence[tuple[int, int]] | None = None,
) -> NumericPane:
    """What do these rows come to? One answer for each of n_groups groups.

    values (n,) float64, finite where status (n,) is OK; groups (n,) in 0..n_groups-1, -1 for rows that belong to none
    (None: all rows belong to group 0). Sums go through the rows of each cut in order (from its first row to before its
    last, ascending; None: all in one), then through the cuts: equal rows in equal cuts give equal bits.

    >>> pane = fold_numeric(np.array([1.0, 0.0, 5.0]), np.array([0, 1, 0], np.uint8), valid_range=(0.0, 2.0))
    >>> summary = pane.summary(0)
    >>> summary.rows, summary.missing, summary.out_of_range, summary.moment.mean
    (3, 1, 1, 3.0)
    """
    cuts = cuts or [(0, len(values))]
    if groups is None:
        assert n_groups == 1, f"{n_groups} groups, and no row's group"
        return _fold_all(values, status, layout, valid_range, cuts)
    parts = (slice(*cut) for cut in cuts)
    pane, *more = (
        _fold_groups(values[at], status[at], layout, valid_range, groups[at], n_groups) for at in parts
    )
    for part in more:
        pane.add(part)
    return pane


def _fold_groups(
    values: FloatArray,
    status: StatusArray,
    layout: Layout | None,
    valid_range: tuple[float, float] | None,
    groups: CodeArray,
    n_groups: int,
) -> NumericPane:
    """One cut, group by group."""
    place, by_status = tally(status, groups, n_groups)
    usable = (place >= 0) & (status == FieldStatus.OK)
    x, g = values[usable], place[usable]
    origin = layout.origin if layout is not None else 0.0
    held = np.clip(x, -VALUE_MAX, VALUE_MAX) - origin
    low, high = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
    np.minimum.at(low, g, x + 0.0)
    np.maximum.at(high, g, x + 0.0)
    outside = g[:0] if valid_range is None else g[(x < valid_range[0]) | (x > valid_range[1])]
    counts = None
    if layout is not None:
        cells = np.bincount(g * layout.n_bins + layout.bins(x), minlength=n_groups * layout.n_bins)
        counts = cells.reshape(n_groups, layout.n_bins)
    return NumericPane(
        rows=by_status.sum(axis=1),
        ok=by_status[:, FieldStatus.OK],
        missing=by_status[:, FieldStatus.MISSING],
        wrong_type=by_status[:, FieldStatus.WRONG_TYPE],
        non_finite=by_status[:, FieldStatus.NON_FINITE],
        out_of_range=np.bincount(outside, minlength=n_groups),
        total=np.bincount(g, weights=held, minlength=n_groups).astype(np.float64, copy=False),
        square=np.bincount(g, weights=held * held, minlength=n_groups).astype(np.float64, copy=False),
        low=low,
        high=high,
        counts=counts,
        layout=layout,
    )


def _fold_all(
    values: FloatArray,
    status: StatusArray,
    layout: Layout | None,
    valid_range: tuple[float, float] | None,
    cuts: Sequence[tuple[int, int]],
) -> NumericPane:
    """All rows as the one group 0: the same bits as with groups, in a third of the time.

    Only sums depend on the order of rows. Counts of bins come from sorted values, and with them the range: sorting is
    cheaper than looking up the bin of each value.
    """
    all_ok = np.array([len(status), 0, 0, 0])  # as nearly always
    by_status = np.bincount(status, minlength=len(FieldStatus)) if status.any() else all_ok
    ok = int(by_status[FieldStatus.OK])
    x, bounds = values, cuts
    if ok < len(values):
        usable = status == FieldStatus.OK
        x, before = values[usable], np.concatenate(([0], np.cumsum(usable)))
        bounds = [(int(before[start]), int(before[stop])) for start, stop in cuts]
    ordered = np.sort(x) if layout is not None else None
    low, high = (np.inf, -np.inf) if not ok else (x.min(), x.max()) if ordered is None else (ordered[0], ordered[-1])
    outside = 0
    if valid_range is not None and (low < valid_range[0] or high > valid_range[1]):
        outside = int(((x < valid_range[0]) | (x > valid_range[1])).sum())
    far = low < -VALUE_MAX or high > VALUE_MAX
    held = (np.clip(x, -VALUE_MAX, VALUE_MAX) if far else x) - (layout.origin if layout is not None else 0.0)
    squares = held * held
    return NumericPane(
        rows=np.array([len(values)]),
        ok=by_status[FieldStatus.OK :][:1],
        missing=by_status[FieldStatus.MISSING :][:1],
        wrong_type=by_status[FieldStatus.WRONG_TYPE :][:1],
        non_finite=by_status[FieldStatus.NON_FINITE :][:1],
        out_of_range=np.array([outside]),
        total=_in_order(held, bounds),
        square=_in_order(squares, bounds),
        low=np.array([low + 0.0]),  # no minus zero, which comes and goes with the order of rows
        high=np.array([high + 0.0]),
        counts=None if layout is None or ordered is None else layout.counts(ordered).reshape(1, -1),
        layout=layout,
    )


def _in_order(values: FloatArray, bounds: Iterable[tuple[int, int]]) -> FloatArray:
    """Their sum as (1,), within bounds one after the other: `sum()` goes in pairs."""
    total: FloatArray | None = None
    for start, stop in bounds:
        part = np.add.accumulate(values[start:stop])[-1:] if stop > start else np.zeros(1)
        total = part if total is None else total + part
    assert total is not None, "no cut"
    return total


def tally(status: StatusArray, groups: CodeArray | None, n_groups: int) -> tuple[IntArray, IntArray]:
    """Each row's group (n,) as int64, and rows by group and FieldStatus (n_groups, 4)."""
    place = np.zeros(len(status), np.int64) if groups is None else groups.astype(np.int64)
    assert not len(place) or int(place.max()) < n_groups, f"group {int(place.max())} of {n_groups}"
    kinds = len(FieldStatus)
    inside = place >= 0
    cells = place[inside] * kinds + status[inside]
    return place, np.bincount(cells, minlength=n_groups * kinds).reshape(n_groups, kinds)


def padded(array: PerGroup, n_groups: int, fill: float = 0) -> PerGroup:
    """The array with rows of `fill` for groups that it lacks."""
    if len(array) == n_groups:
        return array
    longer = np.full((n_groups, *array.shape[1:]), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer
