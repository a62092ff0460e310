"""Rows as columns: the part of a batch that belongs to one pane, and how such parts become one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.core.types import Batch, CodeArray, Dictionary, FloatArray, IntArray, KeyArray, Original, StatusArray

FEW_A_ROW = 4
"""Of a dictionary's values for each row: up to so many, codes are counted."""
DICTIONARY_EXCESS = 64
"""Values by which a dictionary may exceed twice the rows that keep it alive; above the two of a binary column."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n rows of one stream, columns as in Batch; `raw` and dictionaries are shared with the batch they came from."""

    offsets: IntArray
    times: IntArray
    keys: KeyArray
    numeric: FloatArray
    codes: CodeArray
    status: StatusArray
    dictionaries: tuple[Dictionary, ...]
    raw: Original | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    @staticmethod
    def of(batch: Batch) -> "Rows":
        """All rows of a batch."""
        return Rows(
            batch.offsets,
            batch.times,
            batch.keys,
            batch.numeric,
            batch.codes,
            batch.status,
            batch.dictionaries,
            batch.raw,
        )

    def take(self, index: IntArray) -> "Rows":
        """The rows at these positions, in this order."""
        return Rows(
            self.offsets[index],
            self.times[index],
            self.keys.take(index, axis=0) if len(self.keys) else self.keys,
            self.numeric.take(index, axis=1),
            self.codes.take(index, axis=1),
            self.status.take(index, axis=1),
            self.dictionaries,
            self.raw,
        )

    def slice(self, start: int, stop: int) -> "Rows":
        """The rows from start to stop; views, nothing is copied."""
        if start == 0 and stop == len(self):
            return self
        cut = np.s_[start:stop]
        return Rows(
            self.offsets[cut],
            self.times[cut],
            self.keys[cut],
            self.numeric[:, cut],
            self.codes[:, cut],
            self.status[:, cut],
            self.dictionaries,
            self.raw,
        )

    def at_times(self, times: IntArray) -> "Rows":
        """The same rows with other event times."""
        return Rows(self.offsets, times, self.keys, self.numeric, self.codes, self.status, self.dictionaries, self.raw)

    def own(self) -> "Rows":
        """The same rows, keeping nothing else of their batch alive: views are copied."""
        if self.offsets.base is None:
            return self
        return Rows(
            self.offsets.copy(),
            self.times.copy(),
            self.keys.copy(),
            self.numeric.copy(),
            self.codes.copy(),
            self.status.copy(),
            self.dictionaries,
            self.raw,
        )

    def only(self, offset: int) -> "Rows":
        """One row by itself, with its own original bytes and no others."""
        own = self.own()
        raw = None if self.raw is None else self.raw.only(offset)
        return Rows(own.offsets, own.times, own.keys, own.numeric, own.codes, own.status, own.dictionaries, raw)

    def bare(self) -> "Rows":
        """The same rows without their original bytes, and without a dictionary that holds mostly other values."""
        codes, enough = self.codes, DICTIONARY_EXCESS + 2 * len(self)
        dictionaries = tuple(Dictionary() if len(held) > enough else held for held in self.dictionaries)
        if dictionaries != self.dictionaries:
            codes = codes.copy()
            for column, (theirs, ours) in enumerate(zip(self.dictionaries, dictionaries, strict=True)):
                if ours is not theirs:
                    codes[column] = recode(self.codes[column], theirs, ours)
        return Rows(self.offsets, self.times, self.keys, self.numeric, codes, self.status, dictionaries)


def concatenate(parts: Sequence[Rows]) -> Rows:
    """One Rows out of several (at least one), codes rewritten to common dictionaries where they differ."""
    if len(parts) == 1:
        return parts[0]
    codes, dictionaries = _unify(parts)
    return Rows(
        np.concatenate([p.offsets for p in parts]),
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.keys for p in parts]),
        np.concatenate([p.numeric for p in parts], axis=1),
        codes,
        np.concatenate([p.status for p in parts], axis=1),
        dictionaries,
    )


def _unify(parts: Sequence[Rows]) -> tuple[CodeArray, tuple[Dictionary, ...]]:
    codes = np.concatenate([p.codes for p in parts], axis=1)
    bounds = np.cumsum([0, *map(len, parts)]).tolist()
    dictionaries = list(parts[0].dictionaries)
    for column, first in enumerate(parts[0].dictionaries):
        if all(p.dictionaries[column] is first for p in parts):
            continue
        common = dictionaries[column] = Dictionary(
            tuple(first.values)
        )  # known codes stay: those of binary columns mean 0 and 1
        for part, start, stop in zip(parts, bounds[:-1], bounds[1:], strict=True):
            codes[column, start:stop] = recode(part.codes[column], part.dictionaries[column], common)
    return codes, tuple(dictionaries)


def occurring(codes: IntArray | CodeArray, dictionary: Dictionary) -> IntArray:
    """The distinct codes (n,) but for -1, ascending. Counted as a rule: np.unique takes four times as long.

    >>> occurring(np.array([2, -1, 0, 2]), Dictionary(("a", "b", "c"))).tolist()
    [0, 2]
    """
    if len(dictionary) <= FEW_A_ROW * len(codes):
        return np.flatnonzero(np.bincount(codes + 1)[1:])
    found = np.unique(codes).astype(np.int64)
    return found[found >= 0]


def recode(codes: CodeArray, theirs: Dictionary, ours: Dictionary) -> CodeArray:
    """Codes of one dictionary as codes of another, which grows as needed; -1 stays -1."""
    table = np.full(len(theirs) + 1, -1, np.int32)  # the last place serves code -1
    for code in occurring(codes, theirs).tolist():
        table[code] = ours.encode(theirs.values[code])
    return table[codes]
