"""What came since any moment, however long ago? Sums of panes: the newest one by one, older ones in coarser pieces."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streamcheck.core.types import FloatArray

PIECES_PER_SIZE = 6
"""Of 1, 2, 4, 8 … panes, so many each: a moment is met to about a sixth of its age, by 6 log2(panes) pieces."""


@dataclass(slots=True, eq=False)
class Piece:
    """Panes that have become one sum."""

    start_ms: int
    end_ms: int
    panes: int
    content: FloatArray


class Ages:
    """Vectors that add up, by age. A vector may grow longer: what is missing at its end counts as 0.

    >>> ages = Ages()
    >>> for pane in range(100):
    ...     ages.add(10 * pane, 10 * pane + 10, np.array([1.0]))
    >>> len(ages.pieces), float(ages.total[0]), float(ages.since(960)[0])
    (23, 100.0, 4.0)
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.total: FloatArray = np.zeros(0)

    def add(self, start_ms: int, end_ms: int, content: FloatArray) -> None:
        """One more pane, behind all others."""
        self.total = summed(self.total, content)
        self.pieces.append(Piece(start_ms, end_ms, 1, content))
        last = len(self.pieces)
        while True:
            size = self.pieces[last - 1].panes
            first = last
            while first > 0 and self.pieces[first - 1].panes == size:
                first -= 1
            if last - first <= PIECES_PER_SIZE:
                return
            old, new = self.pieces[first : first + 2]
            joint = Piece(old.start_ms, new.end_ms, 2 * size, summed(old.content, new.content))
            self.pieces[first : first + 2] = [joint]
            last = first + 1

    def since(self, at_ms: int) -> FloatArray:
        """The sum of what came from this moment on; a piece belongs where most of it lies."""
        return together(piece.content for piece in self.pieces if _middle(piece) >= at_ms)

    def until(self, at_ms: int, rows: float) -> tuple[FloatArray, int | None]:
        """The sum of what came just before this moment, back to where its first number reaches `rows`; since when."""
        found: FloatArray = np.zeros(0)
        since_ms = None
        for piece in reversed(self.pieces):
            if _middle(piece) >= at_ms:
                continue
            found, since_ms = summed(found, piece.content), piece.start_ms
            if found[0] >= rows:
                break
        return found, since_ms


def _middle(piece: Piece) -> float:
    return (piece.start_ms + piece.end_ms) / 2


def together(contents: Iterable[FloatArray]) -> FloatArray:
    """The sum of vectors, of which any may be shorter than others."""
    total: FloatArray = np.zeros(0)
    for content in contents:
        total = summed(total, content)
    return total


def summed(one: FloatArray, other: FloatArray) -> FloatArray:
    """The sum of two vectors; the shorter one goes on with zeros.

    >>> summed(np.array([1.0]), np.array([1.0, 2.0])).tolist()
    [2.0, 2.0]
    """
    if len(one) == len(other):
        return one + other
    short, long = (one, other) if len(one) < len(other) else (other, one)
    total = long.copy()
    total[: len(short)] += short
    return total
