"""An alarm has been raised: at which of the steps that are remembered did the change most likely begin?

Charts raise it by a few windows, of 1, 2, 3, 4, 6, 8 ... steps. Once it is raised, all beginnings that sums are kept of
are looked at: each of the last 17 steps, every second of the last 34, and so on.
"""

from typing import NamedTuple

import numpy as np

from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._statistics import standardised
from streamcheck.core.detectors._steps import Steps
from streamcheck.core.detectors._windows import SLOTS
from streamcheck.core.types import FloatArray, IntArray


def beginnings(count: int, since: int, levels: int) -> tuple[IntArray, IntArray]:
    """Of so many steps those, from `since` on, whose sums are kept, and in which slots: each once, the newest first.

    >>> [step.tolist() for step in beginnings(3, 1, 5)]
    [[2, 1], [2, 1]]
    >>> beginnings(40, 0, 5)[0].tolist()[15:20]
    [24, 23, 22, 20, 18]
    """
    found: dict[int, int] = {}
    for level in range(levels):
        newest = (count - 1) >> level
        for begins in range(newest, max(newest - SLOTS, -1), -1):
            if begins << level >= since:
                found.setdefault(begins << level, level * SLOTS + begins % SLOTS)
    steps = sorted(found, reverse=True)
    return np.array(steps, np.int64), np.array([found[step] for step in steps], np.int64)


def likeliest(steps: Steps, usual: Usual, held: FloatArray, length: IntArray, direction: int) -> int:
    """Which of some windows (K,), of so many steps each, is the least like chance in this direction?

    steps and usual: of one chart. held (TOTALS, K): the sums of each.
    For a level that is not known the likelihood is that of z^2 / 2: nothing is gained by preferring short windows.
    """
    windows = _Kept(held[:, :, None], length[:, None])
    z = standardised(usual, windows, share=bool(steps.share[0]), skew=steps.skew)
    return int((direction * z[:, 0]).argmax())


class _Kept(NamedTuple):
    """Windows of one step (K, 1)."""

    held: FloatArray
    length: IntArray
    none: None = None

    def lengths(self, which: IntArray | slice) -> IntArray:  # noqa: ARG002 (of the only step)
        """How many steps they hold."""
        return self.length

    def sums(self, parts: slice) -> FloatArray:
        """What they hold of some of the TOTALS."""
        return self.held[parts].copy()
