"""What goes into the join and what comes out of it, as columns."""

from dataclasses import dataclass

from streamcheck.core.types import CodeArray, FloatArray, IntArray, KeyArray

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
