"""An alarm has been raised: at which of the steps that are remembered did the change begin, as far as can be told?

Charts raise it by a few windows, of 1, 2, 3, 4, 6, 8 ... steps. Once it is raised, all beginnings that sums are kept of
are looked at: each of the last 17 steps, every second of the last 34, and so on.
"""

import math
from typing import NamedTuple

import numpy as np

from streamcheck.core.detectors._grown import Usual
from streamcheck.core.detectors._statistics import standardised
from streamcheck.core.detectors._steps import Steps
from streamcheck.core.detectors._windows import SLOTS
from streamcheck.core.types import FloatArray, IntArray

SURE = 0.9
"""How often the change shall lie between the two moments that are given for it."""
WORSE_MAX = -math.log(1.0 - math.sqrt(SURE))
"""By so much may the log-likelihood of a beginning fall short of the best one's: on either side of the change it
is a random walk that falls, whose maximum exceeds x with probability exp(-x) (Siegmund 1988, International Statistical
Review 56, "Confidence sets in change-point problems")."""


class Dated(NamedTuple):
    """When a change began, in ms: most likely at `at`, and between `low` and `high` with SURE.

    high: None stands for the end of the newest step.
    """

    at: int
    low: int
    high: int | None


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


def dated(
    steps: Steps, usual: Usual, held: FloatArray, length: IntArray, times: IntArray, direction: int
) -> Dated:
    """Which of some windows (K,), the newest first, is the least like chance in this direction, and which nearly so?

    steps and usual: of one chart. held (TOTALS, K): the sums of each; length, times: how many steps it has, when its
    first began. For a level that is not known the log-likelihood is z^2 / 2: nothing is gained by preferring short
    windows. The step before the first that changed may have changed in part, and of those that no sums are kept of
    nothing is known: so the change lies behind the start of the next older window, and before that of the next newer.
    """
    windows = _Kept(held[:, :, None], length[:, None])
    z = np.maximum(direction * standardised(usual, windows, share=bool(steps.share[0]), skew=steps.skew)[:, 0], 0.0)
    best = int(z.argmax())
    near = np.flatnonzero((z[best] ** 2 - z**2) / 2.0 <= WORSE_MAX)
    later = times[: int(near[0])]
    later = later[later > times[near[0]]]  # blocks of labelled rows share the time of their pane
    older = min(int(near[-1]) + 1, len(times) - 1)
    return Dated(int(times[best]), int(times[older]), int(later[-1]) if len(later) else None)


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
