"""How much more do means of consecutive rows scatter than means of independent rows would?

Rows that resemble their neighbours (AR(1), sticky errors, an effect of the pane) make every detector that takes them
for independent cry wolf. What counts is by how much they inflate the variance of means, at the scale at which it is
largest: that is measured here, from rows as they pass, in blocks of 1, 2, 4 … of them across panes.
"""

import math

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.types import FloatArray

SCALES = 14
"""Blocks of up to 2^13 = 8,192 rows."""
BLOCKS_MIN = 30
"""Blocks that a scale needs before it says anything: the standard error of its variance is then a quarter of it."""
SCATTER_BYTES = 2_000


class Scatter:
    """Counts, sums and squares of blocks of 2^k consecutive rows, k = 0 … SCALES - 1. State: 5 numbers a scale.

    >>> scatter = Scatter()
    >>> scatter.add(np.repeat(np.arange(64) % 2 * 2.0 - 1.0, 8))
    >>> scatter.rows, scatter.mean, scatter.variance, scatter.dispersion() > 8
    (512, 0.0, 1.0, True)
    """

    def __init__(self) -> None:
        self.blocks = np.zeros(SCALES, np.int64)
        self.total = np.zeros(SCALES)
        self.square = np.zeros(SCALES)
        self.open = np.zeros(SCALES, np.bool_)
        """Whether a block of the scale waits for its neighbour, and `half`: its sum."""
        self.half = np.zeros(SCALES)

    def add(self, rows: FloatArray) -> None:
        """Take rows (n,) in, in canonical order."""
        sums = rows
        for scale in range(SCALES):
            if not len(sums):
                return
            self.blocks[scale] += len(sums)
            self.total[scale] += float(sums.sum())
            self.square[scale] += float((sums * sums).sum())
            if self.open[scale]:
                sums = np.concatenate((self.half[scale : scale + 1], sums))
            self.open[scale] = len(sums) % 2 == 1
            self.half[scale] = sums[-1] if self.open[scale] else 0.0
            paired = len(sums) // 2 * 2
            sums = sums[0:paired:2] + sums[1:paired:2]

    @property
    def rows(self) -> int:
        """How many it has seen."""
        return int(self.blocks[0])

    @property
    def mean(self) -> float:
        """Of the rows; 0.0 without any."""
        return float(self.total[0]) / self.rows if self.rows else 0.0

    @property
    def variance(self) -> float:
        """Of the rows; 0.0 without any."""
        return self._variance(0)

    def _variance(self, scale: int) -> float:
        n = int(self.blocks[scale])
        return max(float(self.square[scale]) / n - (float(self.total[scale]) / n) ** 2, 0.0) if n else 0.0

    def dispersion(self) -> float:
        """The variance of a block's sum over that of as many independent rows, where it is largest; at least 1.

        A scale counts if its ratio is above 1 by more than two standard errors (sqrt(2 / blocks), relative), and then
        with one standard error added: chance alone should neither blind a detector nor flatter it.
        """
        one, most = self.variance, 1.0
        if one <= 0.0:
            return most
        for scale in range(1, SCALES):
            blocks = int(self.blocks[scale])
            if blocks < BLOCKS_MIN:
                break
            error = math.sqrt(2.0 / blocks)
            ratio = self._variance(scale) * blocks / (blocks - 1) / (one * 2.0**scale)
            if ratio > 1.0 + 2.0 * error:
                most = max(most, ratio * (1.0 + error))
        return most

    def export(self) -> State:
        """The state, sharing no memory."""
        return {name: getattr(self, name).copy() for name in ("blocks", "total", "square", "open", "half")}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        for name in ("blocks", "total", "square", "open", "half"):
            setattr(self, name, np.array(state[name], dtype=getattr(self, name).dtype))
