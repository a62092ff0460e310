"""What the values of a numeric column look like one by one, source partition by source partition; nothing is kept."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streamcheck.core.summaries.numeric import NumericSummary
from streamcheck.core.types import FloatArray, IntArray, SourcePartition


@dataclass(frozen=True, eq=False)
class ValuesSummary:
    """The usable values of one group's rows, each partition's in offset order, beside their summary.

    values (n,); ends (P,): where each partition's values end, `sources` saying which partition it is. odd: whether they
    do not lie quite as those of the reference that they are compared with, where that is known already.

    >>> summary = ValuesSummary(None, np.array([5.0, 5.0, 0.0, 0.0, 0.0]), (), np.array([2, 5]))
    >>> summary.zeros, summary.repeats, summary.pairs
    (3, 3, 3)
    """

    folded: NumericSummary
    values: FloatArray
    sources: tuple[SourcePartition, ...]
    ends: IntArray
    odd: bool | None = None

    @property
    def ok(self) -> int:
        """Usable values."""
        return len(self.values)

    @cached_property
    def zeros(self) -> int:
        """Values that are zero."""
        return len(self.values) - int(np.count_nonzero(self.values))

    @cached_property
    def same(self) -> IntArray:
        """Positions of values that equal the one before them in their partition."""
        equal = self.values[1:] == self.values[:-1]
        cuts = self.ends[:-1]
        equal[cuts[(cuts > 0) & (cuts < len(self.values))] - 1] = False
        return np.flatnonzero(equal) + 1

    @property
    def repeats(self) -> int:
        """How many values equal the one before."""
        return len(self.same)

    @cached_property
    def pairs(self) -> int:
        """How many have one before them in their partition."""
        ends = self.ends.tolist()
        return sum(end - start - 1 for start, end in zip([0, *ends[:-1]], ends, strict=True) if end > start)

    def parts(self) -> list[tuple[SourcePartition, FloatArray]]:
        """Each partition's values."""
        starts = np.concatenate(([0], self.ends[:-1])).tolist()
        cuts = zip(self.sources, starts, self.ends.tolist(), strict=True)
        return [(source, self.values[start:end]) for source, start, end in cuts]
