"""How did it go over time, at any length of time? Vectors by bins of event time that grow wider as time goes on."""

from collections.abc import Callable

import numpy as np

from streamcheck.core.types import FloatArray, IntArray
from streamcheck.report.record.ages import summed

BINS_MAX = 120
"""Bins of time in a chart; when one more is needed, two become one."""


class Bins:
    """Vectors by time, in at most BINS_MAX bins of equal width, a power of two times `width_ms`.

    join: what two vectors of one bin come to, their sum if not said otherwise.

    >>> bins = Bins(1000)
    >>> bins.add(np.array([0, 500, 2500]), np.array([[1.0], [1.0], [5.0]]))
    >>> [(start, content.tolist()) for start, content in bins.items()]
    [(0, [2.0]), (2000, [5.0])]
    """

    def __init__(self, width_ms: int, join: Callable[[FloatArray, FloatArray], FloatArray] = summed) -> None:
        self.width_ms = width_ms
        self._join = join
        self._held: dict[int, FloatArray] = {}

    def add(self, times: IntArray, values: FloatArray) -> None:
        """Rows with their times (n,) and vectors (n, numbers), which are summed."""
        if not len(times):
            return
        bins, place = np.unique(times // self.width_ms, return_inverse=True)
        sums = np.zeros((len(bins), values.shape[1]))
        np.add.at(sums, place, values)
        for number, content in zip(bins.tolist(), sums, strict=True):
            self._put(number, content.copy())
        self._narrow()

    def put(self, time_ms: int, content: FloatArray) -> None:
        """One vector; it may be longer than those before."""
        self._put(time_ms // self.width_ms, content)
        self._narrow()

    def _put(self, number: int, content: FloatArray) -> None:
        held = self._held.get(number)
        self._held[number] = content if held is None else self._join(held, content)

    def _narrow(self) -> None:
        while max(self._held) - min(self._held) >= BINS_MAX:
            self.widen()

    def widen(self) -> None:
        """Two bins become one."""
        self.width_ms *= 2
        narrow, self._held = self._held, {}
        for number in sorted(narrow):
            self._put(number // 2, narrow[number])

    def items(self) -> list[tuple[int, FloatArray]]:
        """Start (ms) and content of every bin that holds something, ascending."""
        return [(number * self.width_ms, self._held[number]) for number in sorted(self._held)]
