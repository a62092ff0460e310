"""How did it go over time, at any length of time? Sums by bins of event time that grow wider as time goes on."""

import numpy as np

from streamcheck.core.types import FloatArray, IntArray

BINS_MAX = 120
"""Bins of time in a chart; when one more is needed, two become one."""


class Bins:
    """Sums of vectors by time, in at most BINS_MAX bins of equal width, a power of two times `width_ms`.

    >>> bins = Bins(1000, 1)
    >>> bins.add(np.array([0, 500, 2500]), np.array([[1.0], [1.0], [5.0]]))
    >>> [(start, content.tolist()) for start, content in bins.items()]
    [(0, [2.0]), (2000, [5.0])]
    """

    def __init__(self, width_ms: int, numbers: int) -> None:
        self.width_ms = width_ms
        self._numbers = numbers
        self._sums: dict[int, FloatArray] = {}

    def add(self, times: IntArray, values: FloatArray) -> None:
        """Rows with their times (n,) and vectors (n, numbers)."""
        if not len(times):
            return
        bins, place = np.unique(times // self.width_ms, return_inverse=True)
        sums = np.zeros((len(bins), self._numbers))
        np.add.at(sums, place, values)
        for number, content in zip(bins.tolist(), sums, strict=True):
            self._sums[number] = self._sums[number] + content if number in self._sums else content.copy()
        while self._sums and max(self._sums) - min(self._sums) >= BINS_MAX:
            self.widen()

    def widen(self) -> None:
        """Two bins become one."""
        self.width_ms *= 2
        wider: dict[int, FloatArray] = {}
        for number in sorted(self._sums):
            half = number // 2
            wider[half] = wider[half] + self._sums[number] if half in wider else self._sums[number]
        self._sums = wider

    def items(self) -> list[tuple[int, FloatArray]]:
        """Start (ms) and sum of every bin that holds something, ascending."""
        return [(number * self.width_ms, self._sums[number]) for number in sorted(self._sums)]
