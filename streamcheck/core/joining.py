"""What goes into the join and what comes out of it, as columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.ids import NO_KEYS, mixed
from streamcheck.core.types import BoolArray, CodeArray, FloatArray, IntArray, KeyArray

UNUSABLE = -1.7e308
"""Stands for a prediction or score that the event did not carry: a NaN never enters a state."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """n predictions of one pane in canonical order.

    Keys of ids (n, 2), value and score (UNUSABLE without) float64, event time, segments (S, n).
    """

    keys: KeyArray
    value: FloatArray
    score: FloatArray
    times: IntArray
    segments: CodeArray

    def take(self, index: IntArray) -> "Predictions":
        """Those at these positions."""
        of_rows = (self.keys[index], self.value[index], self.score[index], self.times[index])
        return Predictions(*of_rows, self.segments.take(index, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """n labels of one pane in canonical order: keys of ids (n, 2), value float64."""

    keys: KeyArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Rows completed in one pane, in canonical order, numbered by `ordinals` (ascending over the life of the state)."""

    ordinals: IntArray
    prediction: FloatArray
    label: FloatArray
    score: FloatArray
    times: IntArray
    segments: CodeArray


@dataclass(frozen=True, slots=True)
class Correction:
    """A label that replaces an earlier one of the row numbered `ordinal`."""

    ordinal: int
    label: float
    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """n labels against what they met. slots: of their prediction, waiting: of an earlier label that waits, -1 without.

    before: the value that counted before each; known: whether there was one; last: the label after which none of its id
    follows in the pane; final: the value of that one.
    """

    slots: IntArray
    waiting: IntArray
    before: FloatArray
    known: BoolArray
    last: BoolArray
    final: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Spill:
    """What goes to disk with a commit: chunks to write, keys to delete.

    end_ms: deltas of panes up to this one are needed no more but for labels that wait, which `checkpoint` holds, the
    delta to put in its place; None where nothing left memory.
    """

    chunks: Mapping[str, Callable[[], State]]
    gone: frozenset[str]
    end_ms: int | None = None
    checkpoint: State | None = None


def together(first: Joined, then: Joined, label: FloatArray) -> Joined:
    """Both, with the labels that count at the end of the pane."""
    return Joined(
        np.concatenate([first.ordinals, then.ordinals]),
        np.concatenate([first.prediction, then.prediction]),
        label,
        np.concatenate([first.score, then.score]),
        np.concatenate([first.times, then.times]),
        np.concatenate([first.segments, then.segments], axis=1),
    )


def groups(keys: KeyArray) -> tuple[IntArray, BoolArray] | None:
    """An order that brings equal keys together, first come first, and where in it a new key begins.

    None where all keys differ, as nearly always.
    """
    mix = mixed(keys)
    ascending = np.sort(mix)
    twice = ascending[1:][ascending[1:] == ascending[:-1]]
    if not len(twice):
        return None
    begins = np.ones(len(keys), np.bool_)
    maybe = np.isin(mix, twice)  # few as a rule; all others are the only ones of their key
    among = np.flatnonzero(maybe)
    among = among[np.lexsort((keys[among, 1], keys[among, 0]))]
    inside = keys[among]
    alone = len(keys) - len(among)
    begins[alone + 1 :] = (inside[1:] != inside[:-1]).any(axis=1)
    return np.concatenate([np.flatnonzero(~maybe), among]), begins


def distinct(numbers: IntArray) -> IntArray:
    """Each number once, ascending. np.unique hashes them, and takes six times as long."""
    ascending = np.sort(numbers)
    fresh = np.ones(len(ascending), np.bool_)
    fresh[1:] = ascending[1:] != ascending[:-1]
    return ascending[fresh]


def first_of_each(keys: KeyArray) -> IntArray:
    """Positions of the first of each key, ascending."""
    found = groups(keys)
    if found is None:
        return np.arange(len(keys))
    order, begins = found
    return np.sort(order[begins])


def no_rows(n_segmentations: int) -> State:
    """What a delta says where nothing came back from the shelf."""
    return {
        "recalled_keys": NO_KEYS,
        "recalled_numbers": np.empty(0, np.int64),
        "recalled_value": np.empty(0),
        "recalled_score": np.empty(0),
        "recalled_time": np.empty(0, np.int64),
        "recalled_matched": np.empty(0, np.bool_),
        "recalled_segments": np.empty((n_segmentations, 0), np.int32),
    }


def nothing(n_segmentations: int, end_ms: int, first: int) -> State:
    """The delta of a pane in which nothing happened. first: the number that the next prediction gets."""
    none, numbers = np.empty(0), np.empty(0, np.int64)
    return {
        "end": end_ms,
        "first": first,
        "keys": NO_KEYS,
        "value": none,
        "score": none,
        "time": numbers,
        "segments": np.empty((n_segmentations, 0), np.int32),
        **no_rows(n_segmentations),
        "slots": numbers,
        "labels": none,
        "ordinals": numbers,
        "again_keys": NO_KEYS,
        "again_labels": none,
        "again_ordinals": numbers,
        "released": NO_KEYS,
        "waiting_keys": NO_KEYS,
        "waiting_values": none,
        "changed_keys": NO_KEYS,
        "changed_values": none,
    }
