"""Is a numeric column written in another unit than before, by all producers or by some?"""

from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import chdtri, xlogy

from streamcheck.core.components import State, register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures._shares import near_equal_groups
from streamcheck.core.measures._units import FACTORS, OFFSETS, UNITS, Unit
from streamcheck.core.measures.base import Needs
from streamcheck.core.measures.outside import BinsAccumulator
from streamcheck.core.summaries import Layout, ValuesSummary
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
reference has hardly any: what lies within what it knows (a winter in °F, in °C the year) may be usual."""
HARDLY = 0.01
"""Of the reference's rows, in a bin beyond the column's first values."""
PARTITIONS_MAX = 20
SIFTED = 512
"""Values by which units are sifted before all values are looked at: one in which p < CHANCE_OFF is left out."""

_UP = FACTORS > 0


class Found(NamedTuple):
    """A part of the rows that came in another unit; source: None where all did."""

    source: str | None
    rows: int
    unit: Unit


class UnitAccumulator(BinsAccumulator):
    """The reference's rows by bin, and the about ten groups that they are compared by."""

    __slots__ = ("_grouped",)

    def __init__(self, moment_of: Any) -> None:
        super().__init__(moment_of)
        self._grouped: tuple[int, IntArray, FloatArray] | None = None

    def add(self, summary: ValuesSummary) -> bool:  # type: ignore[override]
        """Take one more pane in."""
        return super().add(summary.folded)

    def groups(self) -> tuple[IntArray, FloatArray]:
        """The group of each bin, and the share of the reference's rows (one more in each) that a group holds."""
        assert self.counts is not None, "nothing to compare with"
        if self._grouped is None or self._grouped[0] != self.moment.n:
            group = near_equal_groups(self.counts, GROUPS)
            held = np.bincount(group, self.counts) + 1.0
            self._grouped = self.moment.n, group, held / held.sum()
        return self._grouped[1:]

    def restore(self, state: State) -> None:
        """Replace the content by an exported state."""
        super().restore(state)
        self._grouped = None


@register
class UnitChange(RateMeasure):
    """Which share of the values came in another unit: x10 to the power of k, °C and °F, minutes and seconds?

    Asked of all rows together, then of each partition with ROWS_MIN values or more. A unit is named where the values as
    they are cannot be the reference's (p < 1e-9, deviance over about ten groups) and, put back into the old unit, can
    be (p > 0.001). Two tests that chance passes together in no pane: it is a limit (above 0), outside the budget.
    Of °C, °F, K and the sign most values must lie where the reference has hardly any, too: else a season may look like
    them. Nothing is looked at where the pane's values lie as those of the reference.
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
    group, shares = reference.groups()
    limits = _limit(shares, CHANCE_OFF), _limit(shares, CHANCE_FITS)
    new = _new(layout, reference)
    unit = _unit(summary.values, layout, group, shares, new, limits)
    if unit is not None:
        return [Found(None, summary.ok, unit)]
    made = []
    for source, values in summary.parts():
        unit = _unit(values, layout, group, shares, new, limits)
        made += [Found(str(source), len(values), unit)] if unit is not None else []
    return made


def _new(layout: Layout, reference: UnitAccumulator) -> BoolArray:
    """Which bins lie beyond the column's first values, and hardly hold any row of the reference."""
    assert reference.counts is not None, "nothing to compare with"
    new = reference.counts < HARDLY * reference.counts.sum()
    new[layout.inside] = False
    return np.asarray(new)


def _unit(
    values: FloatArray, layout: Layout, group: IntArray, shares: FloatArray, new: BoolArray,
    limits: tuple[float, float],
) -> Unit | None:  # fmt: skip
    """The unit in which the values fit the reference best, if they do not as they are.

    new: bins that the reference has hardly any value in. limits: of p OFF and p FITS.
    """
    off, fits = limits
    if len(values) < ROWS_MIN:
        return None
    may = _sifted(values, layout, group, shares, off)
    if not may:
        return None
    ordered = np.sort(values)
    held = layout.counts(ordered)
    here = _deviance(held, group, shares)
    if here <= off:
        return None
    deviances = [_deviance(layout.counts(_ascending(unit.undone(ordered))), group, shares) for unit in may]
    best = int(np.argmin(deviances))
    like_a_season = may[best].offset or may[best].factor < 0.0
    usual = like_a_season and int(held[new].sum()) < NEW_SHARE * len(values)
    if usual or deviances[best] > min(fits, here / BETTER):
        return None
    if may[best].offset and may[best].factor != 1.0:
        plainer = min(_deviance(layout.counts(_ascending(v)), group, shares) for v in _moved(ordered, layout.origin))
        return may[best] if plainer > deviances[best] + PLAINER else None
    return may[best]


def _sifted(values: FloatArray, layout: Layout, group: IntArray, shares: FloatArray, off: float) -> list[Unit]:
    """The units that SIFTED of the values, evenly spaced, may have come in: p of all groups, as each unit has them."""
    some = np.sort(values if len(values) <= SIFTED else values[np.arange(SIFTED) * len(values) // SIFTED])
    edges = layout.edges[np.flatnonzero(np.diff(group))] * FACTORS[:, None] + OFFSETS[:, None]
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
    return [values - median + usual, *([values * (usual / median)] if median else [])]


def _deviance(counts: IntArray, group: IntArray, shares: FloatArray) -> float:
    """2 sum n ln(n / expected) over the groups: chi-square where the values are the reference's."""
    held = np.bincount(group, counts)
    seen = held > 0
    return float(2.0 * (held[seen] * np.log(held[seen] / (shares[seen] * held.sum()))).sum())
