"""Is a numeric column written in another unit than before, by all producers or by some?"""

from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import chdtri, xlogy

from streamcheck.core.components import State, register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures._shares import REFERENCE_PANES_MIN, near_equal_groups
from streamcheck.core.measures._units import FACTORS, OFFSETS, UNITS, Unit
from streamcheck.core.measures.base import Needs
from streamcheck.core.measures.outside import BinsAccumulator
from streamcheck.core.summaries import Layout, Moment, ValuesSummary
from streamcheck.core.summaries.layout import INNER_EDGES_MAX
from streamcheck.core.types import BoolArray, FloatArray, IntArray, Signal

GROUPS = 10
ROWS_MIN = 12
"""Values of a partition, of one pane or gathered, from which its unit can be told: all in one of ten groups give 55."""
OUTSIDE_MIN = 2
"""Values outside the usual range from which a pane is looked at closely."""
CHANCE_OFF, CHANCE_FITS = 1e-9, 1e-3
"""p values: the values as they are cannot be the reference's; as they would be in the old unit, they can."""
BETTER = 2.0
"""A unit that does not at least halve the deviance explains nothing."""
PLAINER = 10.0
"""A unit with a zero of its own (°F) is told from growth, or a shift, by so much less deviance: both may look alike."""
NEW_SHARE = 0.5
"""A unit with a zero of its own, or of the other sign, is told from a season by so large a share of values where the
reference has hardly any: what lies within what it knows (a winter in °F, in °C the year) may be usual. So is any unit
where rows hang together."""
FAR = 0.9
"""Where rows hang together a pane may go a little beyond the reference, and a unit that goes no farther is not told."""
HARDLY = 0.01
"""Of the reference's rows, in a bin beyond the column's first values."""
ALONE = 0.05
"""Of the reference's rows, in a bin that is one value where many of the first values are equal: a flag, a rating, 0."""
NEAR = 1e-13
"""Relative: a value that went there and back again (/ 60, * 60) is another one by its last digits."""
ALL_COMPARED, ONE_COMPARED = 100, 8
"""Panes of a reference that are all compared with those before them, and of how many one is from then on."""
PARTITIONS_MAX = 20
SIFTED = 512
"""Values by which units are sifted before all values are looked at: one in which p < CHANCE_OFF is left out."""

_CUTS = np.arange(1, GROUPS) / GROUPS
_UP = FACTORS > 0


class Found(NamedTuple):
    """A part of the rows that came in another unit; source: None where all did."""

    source: str | None
    rows: int
    unit: Unit


class UnitAccumulator(BinsAccumulator):
    """The reference's rows by bin, the about ten groups that they are compared by, and how panes scatter over them.

    shown: of each pane chi-square / freedom - 1 against those before it, summed, and its rows - 1.
    """

    __slots__ = ("_grouped", "_usual")

    def __init__(self, moment_of: Any) -> None:
        super().__init__(moment_of)
        self._grouped: tuple[int, IntArray, FloatArray] | None = None
        self._usual: tuple[int, _Usual] | None = None

    def add(self, summary: ValuesSummary) -> bool:  # type: ignore[override]
        """Take one more pane in."""
        looked_at = self.panes < ALL_COMPARED or self.panes % ONE_COMPARED == 0
        if looked_at and self.counts is not None and summary.folded.counts is not None:
            self._compare(summary.folded.counts, self.counts)
        return super().add(summary.folded)

    def _compare(self, now: IntArray, then: IntArray) -> None:
        """How many rows are in each of GROUPS equal parts of the earlier ones, fewer where one value fills some?"""
        filled, came = then.cumsum(), now.cumsum()
        rows, before = int(came[-1]), int(filled[-1])
        if rows < 2 or before < REFERENCE_PANES_MIN * rows:
            return
        cuts = [cut for cut in dict.fromkeys(filled.searchsorted(before * _CUTS).tolist()) if filled[cut] < before]
        if not cuts:
            return
        held, got = [0, *filled[cuts].tolist(), before], [0, *came[cuts].tolist(), rows]
        each, square = rows / (before + len(cuts) + 1), -float(rows)
        for part in range(1, len(held)):
            square += (got[part] - got[part - 1]) ** 2 / (each * (held[part] - held[part - 1] + 1))
        excess = square / (1.0 + rows / before) / len(cuts) - 1.0
        self.shown = self.shown + Moment(rows - 1, excess, 0.0)

    def alike(self, rows: int) -> float:
        """How many of so many rows of one pane tell as much as one that is independent of all others; at least 1.

        1 + (rows - 1) rho, rho the correlation of two rows of a pane, as it shows in chi-square: Rao and Scott (1981),
        Journal of the American Statistical Association 76. Rows that follow one another slowly, or whose panes have
        levels or widths of their own, lie in few of the groups by turns.
        """
        return 1.0 + min(max(self.shown.mean, 0.0), 1.0) * (rows - 1)

    def groups(self) -> tuple[IntArray, FloatArray]:
        """The group of each bin, and the share of the reference's rows (one more in each) that a group holds."""
        assert self.counts is not None, "nothing to compare with"
        if self._grouped is None or self._grouped[0] != self.moment.n:
            group = near_equal_groups(self.counts, GROUPS)
            held = np.bincount(group, self.counts) + 1.0
            self._grouped = self.moment.n, group, held / held.sum()
        return self._grouped[1:]

    def usual(self, layout: Layout) -> "_Usual":
        """All that values are compared with."""
        if self._usual is None or self._usual[0] != self.moment.n:
            self._usual = self.moment.n, _Usual.of(layout, self)
        return self._usual[1]

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        super().restore(state)
        self._grouped = self._usual = None


class _Usual(NamedTuple):
    """What values are compared with. group: of each bin, which the reference fills by `shares`.

    new: bins beyond the column's first values in which the reference has hardly any value. alone: bins that are one
    value, their lower edge. places: values that the column is known to have, ascending. held: the reference's rows at
    each of them, but for the last.
    """

    layout: Layout
    group: IntArray
    shares: FloatArray
    new: BoolArray
    alone: BoolArray
    places: FloatArray
    held: IntArray

    @staticmethod
    def of(layout: Layout, reference: UnitAccumulator) -> "_Usual":
        counts, inside = reference.counts, layout.inside
        assert counts is not None, "nothing to compare with"
        new = counts < HARDLY * counts.sum()
        new[inside] = False
        known = layout.edges[inside.start - 1 : inside.stop - 1]
        places = np.append(known, np.nextafter(layout.edges[inside.stop - 1 : inside.stop], -np.inf))
        alone = np.zeros(len(counts), np.bool_)
        if len(known) <= (1.0 - ALONE) * INNER_EDGES_MAX:
            alone[inside] = counts[inside] >= ALONE * counts.sum()
        return _Usual(layout, *reference.groups(), new, alone, places, counts[inside])

    def limit(self, chance: float) -> float:
        return _limit(self.shares, chance)

    def deviance(self, ordered: FloatArray) -> float:
        return _deviance(self.layout.counts(ordered), self.group, self.shares)

    def placed(self, values: FloatArray, zero: float) -> tuple[FloatArray, BoolArray]:
        """The values, those near a known one as that; which are. zero: where they had theirs."""
        after, known = np.searchsorted(self.places, values), np.zeros(len(values), np.bool_)
        for at in (np.maximum(after - 1, 0), np.minimum(after, len(self.places) - 1)):
            place = self.places[at]
            near = np.abs(values - place) <= NEAR * np.maximum(np.abs(place), abs(zero))
            values, known = np.where(near, place, values), known | near
        return values, known

    def far(self, unit: Unit) -> bool:
        """Whether the unit would take nearly all of the reference's rows where it has hardly any."""
        there = self.layout.bins(unit.made(self.places[: len(self.held)]))
        return bool(self.held[self.new[there]].sum() >= FAR * self.held.sum())

    def loose(self, values: FloatArray, known: BoolArray) -> BoolArray:
        """Which lie between, or beyond, values that stand alone: in the bin of one that they are not."""
        inside = self.layout.inside
        bins = np.clip(self.layout.bins(values), inside.start, inside.stop - 1)
        return np.asarray(self.alone[bins] & ~known)


@register
class UnitChange(RateMeasure):
    """Which share of the values came in another unit: x10 to the power of k, °C and °F, minutes and seconds?

    Asked of all rows together, then of each partition with ROWS_MIN values or more. A unit is named where the values as
    they are cannot be the reference's (p < 1e-9, deviance over about ten groups) and, put back into the old unit, can
    be (p > 0.001). Two tests that chance passes together in no pane: it is a limit (above 0), outside the budget.
    Rows that hang together count as the fewer that they are worth, as panes of the reference scatter, unless most lie
    where it has hardly any, and the unit takes nearly all rows there. Of °C, °F, K and the sign most values must lie
    there, too: else a season may look like them. Of flags, ratings, counts most values must be such a value again, and
    more than are one as they came; 0 tells nothing. Nothing is looked at where the pane's values lie as those of the
    reference.
    """

    needs = Needs.VALUES
    binned = True
    bare: ClassVar[bool] = False
    direction: ClassVar[int] = 1
    limit: ClassVar[float | None] = 0.0
    unit: ClassVar[str] = "share of values in another unit"

    def accumulator(self) -> UnitAccumulator:
        """An empty reference content for this measure."""
        return UnitAccumulator(self.moment)

    def count(self, summary: Any) -> tuple[int, int]:
        """In the reference none is."""
        return 0, summary.ok

    def signal(self, summary: ValuesSummary, reference: UnitAccumulator) -> Signal | None:
        """The share; None where there is no histogram to compare with."""
        usual = self.as_ever(summary, reference)
        if usual is None:
            return None
        rows = sum(each.rows for each in found(summary, reference))
        share = rows / summary.ok
        return usual._replace(value=share, level=share, events=rows) if rows else usual

    def as_ever(self, summary: ValuesSummary, reference: UnitAccumulator) -> Signal | None:
        """The same where it is known that the pane's values lie as those of the reference."""
        folded = summary.folded
        if folded.layout is None or folded.counts is None or reference.counts is None or not summary.ok:
            return None
        return Signal(0.0, 0.0, 1.0, summary.ok, 0.0, 0.0, 0)

    def told(self, summary: ValuesSummary, reference: UnitAccumulator) -> tuple[dict[str, Any], str]:
        """Which unit, where."""
        parts = found(summary, reference)
        if not parts:
            return {}, ""
        named = [f"{each.unit.said}{_where(each.source)}" for each in parts[:3]]
        more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
        evidence = [
            {"factor": each.unit.factor, "offset": each.unit.offset, "partition": each.source, "rows": each.rows}
            for each in parts[:PARTITIONS_MAX]
        ]
        return {"unit": evidence}, f"unit changed {', '.join(_together(named, parts))}{more}"


def _where(source: str | None) -> str:
    return "" if source is None else f" in {source}"


def _together(named: list[str], parts: list[Found]) -> list[str]:
    """One unit for several partitions is said once."""
    if len({each.unit for each in parts}) > 1 or len(parts) == 1:
        return named
    return [f"{parts[0].unit.said} in {', '.join(str(each.source) for each in parts[:3])}"]


def suspicious(summary: ValuesSummary, reference: UnitAccumulator) -> bool:
    """Whether the pane's values do not lie quite as those of the reference."""
    layout, counts = summary.folded.layout, summary.folded.counts
    if layout is None or counts is None or reference.counts is None or not summary.folded.ok:
        return False
    if (summary.folded.outside() or 0) >= OUTSIDE_MIN:
        return True
    group, shares = reference.groups()
    return _deviance(counts, group, shares) > _limit(shares, CHANCE_FITS)


def _limit(shares: FloatArray, chance: float) -> float:
    return _chi_square(max(len(shares) - 1, 1), chance)


@lru_cache(maxsize=64)
def _chi_square(freedom: int, chance: float) -> float:
    return float(chdtri(freedom, chance))


def found(summary: ValuesSummary, reference: UnitAccumulator) -> list[Found]:
    """All parts of the pane that came in another unit; nothing at little cost where the pane is as ever."""
    layout = summary.folded.layout
    odd = suspicious(summary, reference) if summary.odd is None else summary.odd
    if layout is None or not odd:
        return []
    with np.errstate(over="ignore"):
        return _parts(summary, reference.usual(layout), reference)


def _parts(summary: ValuesSummary, usual: _Usual, reference: UnitAccumulator) -> list[Found]:
    unit = _unit(summary.values, usual, reference.alike(summary.ok))
    if unit is not None:
        return [Found(None, summary.ok, unit)]
    made = []
    for source, values in summary.parts():
        unit = _unit(values, usual, reference.alike(len(values)))
        made += [Found(str(source), len(values), unit)] if unit is not None else []
    return made


def _unit(values: FloatArray, usual: _Usual, alike: float) -> Unit | None:
    """The unit in which the values fit the reference best, if they do not as they are.

    alike: as of UnitAccumulator. What lies within what the reference knows is judged by so many fewer rows.
    """
    off, fits = usual.limit(CHANCE_OFF), usual.limit(CHANCE_FITS)
    if len(values) < ROWS_MIN:
        return None
    may = _sifted(values, usual.layout, usual.group, usual.shares, off)
    if not may:
        return None
    ordered = np.sort(values)
    held = usual.layout.counts(ordered)
    here = _deviance(held, usual.group, usual.shares)
    new = int(held[usual.new].sum()) >= NEW_SHARE * len(values)
    hung = here <= off * alike
    if here <= off or (hung and not new):
        return None
    known = usual.placed(ordered, 0.0)[1]
    deviances = [_undone(unit, ordered, known, usual) for unit in may]
    best = int(np.argmin(deviances))
    like_a_season = may[best].offset or may[best].factor < 0.0
    if (like_a_season and not new) or deviances[best] > min(fits, here / BETTER) or (hung and not usual.far(may[best])):
        return None
    if may[best].offset and may[best].factor != 1.0:
        plainer = min(usual.deviance(_ascending(v)) for v in _moved(ordered, usual.layout.origin))
        return may[best] if plainer > deviances[best] + PLAINER else None
    return may[best]


def _undone(unit: Unit, ordered: FloatArray, known: BoolArray, usual: _Usual) -> float:
    """The deviance of values that are put back into the old unit; infinite where single values tell against it.

    known: which values the column has, as they are.

    Bins tell nothing of values that stand alone: what was 1 and is 0.1 lies with 0. Most must be such a value again.
    And where most are values that the column has as they are, more must be such values once they are put back. What
    another unit leaves as it is, 0, tells nothing.
    """
    undone, again = usual.placed(unit.undone(ordered), unit.offset / unit.factor)
    told = undone != ordered
    loose = usual.loose(undone, again)
    parts = (told, told & loose, told & known, told & again)
    moved, lost, before, after = (int(np.count_nonzero(part)) for part in parts)
    if 2 * lost > moved or (2 * before > moved and after <= before):
        return np.inf
    return usual.deviance(_ascending(undone))


def _sifted(values: FloatArray, layout: Layout, group: IntArray, shares: FloatArray, off: float) -> list[Unit]:
    """The units that SIFTED of the values, evenly spaced, may have come in: p of all groups, as each unit has them."""
    some = np.sort(values if len(values) <= SIFTED else values[np.arange(SIFTED) * len(values) // SIFTED])
    cuts = np.flatnonzero(np.diff(group))
    edges = layout.edges[cuts] * FACTORS[:, None] + OFFSETS[:, None]
    # What is an edge but for its last digits is that edge, or, just above the largest of the first values, that value.
    near = np.where(cuts == layout.inside.stop - 1, -NEAR, NEAR)
    edges *= 1.0 - near * np.sign(edges) * np.sign(FACTORS)[:, None]
    below = np.zeros((len(UNITS), len(shares) + 1), np.int64)
    below[_UP, 1:-1] = np.searchsorted(some, edges[_UP])
    below[~_UP, 1:-1] = len(some) - np.searchsorted(some, edges[~_UP], "right")
    below[:, -1] = len(some)
    held = below[:, 1:] - below[:, :-1]
    deviances = 2.0 * xlogy(held, held / (shares * len(some))).sum(axis=1)
    return [UNITS[place] for place in np.flatnonzero(deviances <= off).tolist()]


def _ascending(values: FloatArray) -> FloatArray:
    """Values that ascend or descend: what was ascending, times a factor, plus an offset, rounded."""
    return values if values[0] <= values[-1] else values[::-1]


def _moved(values: FloatArray, usual: float) -> list[FloatArray]:
    """The values, brought to the usual median: by a factor, and by a shift."""
    median = float(np.median(values))
    factor = usual / median if median else np.inf
    return [values - median + usual, *([values * factor] if np.isfinite(factor) else [])]


def _deviance(counts: IntArray, group: IntArray, shares: FloatArray) -> float:
    """2 sum n ln(n / expected) over the groups: chi-square where the values are the reference's."""
    held = np.bincount(group, counts)
    seen = held > 0
    return float(2.0 * (held[seen] * np.log(held[seen] / (shares[seen] * held.sum()))).sum())
