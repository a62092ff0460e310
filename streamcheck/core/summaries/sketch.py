"""What are the quantiles of a column? Counts by logarithmic buckets: merged in any order they are the same."""

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.types import FloatArray, IntArray

SIZES_MAX = 1_024
"""Sizes of values that are told apart, the largest ones: at 64 for each doubling, a 65,000-fold at least."""
SKETCH_BYTES = 16 * (2 * SIZES_MAX + 1) + 200
RELATIVE_ERROR = 1 / 128
_SHIFT = 46
"""Bits of a float64 below its sign, its exponent and the six highest of its mantissa: 64 equal parts of a doubling."""


class Sketch:
    """Values by bucket: each doubling is cut into 64 equal parts, on either side of zero.

    A quantile is within 1/128 (0.8 %) of that of the values, as in DDSketch (Masson, Rim and Lee 2019, PVLDB 12), with
    buckets as in HdrHistogram: read from the bits of a number, so that no logarithm's rounding decides. Of more than
    SIZES_MAX sizes the smallest, nearest to zero, count as one: which ones does not depend on the order either.

    >>> sketch = Sketch()
    >>> sketch.add(np.arange(1.0, 1001.0))
    >>> round(sketch.quantile(0.5), 1), round(sketch.quantile(0.99), 1), sketch.n
    (502.0, 988.0, 1000)
    """

    __slots__ = ("counts", "keys")

    def __init__(self) -> None:
        self.keys: IntArray = np.empty(0, np.int64)
        """(K,) ascending: of buckets that hold something; the larger the values, the larger the key."""
        self.counts: IntArray = np.empty(0, np.int64)

    @property
    def n(self) -> int:
        """Values."""
        return int(self.counts.sum())

    def add(self, values: FloatArray) -> None:
        """Take finite values (n,) in."""
        self._take(*np.unique(_keys(values), return_counts=True))

    def merge(self, other: "Sketch") -> None:
        """Take what another one holds in."""
        self._take(other.keys, other.counts)

    def _take(self, keys: IntArray, counts: IntArray) -> None:
        if not len(keys):
            return
        if len(self.keys):
            both = np.concatenate([self.keys, keys])
            keys, place = np.unique(both, return_inverse=True)
            counts = np.bincount(place, np.concatenate([self.counts, counts])).astype(np.int64)
        if len(keys) > SIZES_MAX and len(sizes := np.unique(np.abs(keys[keys != 0]))) > SIZES_MAX:
            least = sizes[-SIZES_MAX]
            raised = np.where(keys == 0, 0, np.sign(keys) * np.maximum(np.abs(keys), least))
            keys, place = np.unique(raised, return_inverse=True)
            counts = np.bincount(place, counts).astype(np.int64)
        self.keys, self.counts = np.array(keys, np.int64), np.array(counts, np.int64)

    def quantile(self, p: float) -> float:
        """The value below or at which a share p of all lies; there is one at least."""
        assert len(self.keys), "no values"
        up_to = np.add.accumulate(self.counts)
        rank = min(max(int(np.ceil(p * int(up_to[-1]))), 1), int(up_to[-1]))
        return _middle(int(self.keys[int(np.searchsorted(up_to, rank))]))

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"keys": self.keys.copy(), "counts": self.counts.copy()}

    @staticmethod
    def restored(state: State) -> "Sketch":
        """The one that was exported."""
        made = Sketch()
        made.keys, made.counts = np.array(state["keys"], np.int64), np.array(state["counts"], np.int64)
        return made


def _keys(values: FloatArray) -> IntArray:
    """Of each value its bucket: the sign's side, and how large it is; 0 for zero and for what is next to nothing."""
    size = np.abs(values).view(np.int64) >> _SHIFT
    return np.where(values < 0.0, -size, size)


def _middle(key: int) -> float:
    """The value of a bucket from which none in it is further away than 1/128 of itself."""
    low, high = (np.array([abs(key) + more], np.int64) << _SHIFT for more in (0, 1))
    ends = float(low.view(np.float64)[0]), float(high.view(np.float64)[0])
    middle = ends[0] if not np.isfinite(ends[1]) else ends[0] + (ends[1] - ends[0]) / 2.0
    return 0.0 if key == 0 else middle if key > 0 else -middle
