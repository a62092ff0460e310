"""The benchmark's stream: predictions, and their labels on a second topic half a minute later.

The same bytes for the same shape, on any machine with the pinned numpy. Features are standard normal, and feature k
moves by SHIFT_SD at (k + 1) / (n + 2) of the stream; the error rate doubles in the middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.batches import BATCH_ROWS, Integers, Octets, Text, digits, record_batch

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 1  # a thousand events a second of event time: 10,000 rows in a pane of 10 s
LABEL_DELAY_MS = 30_000
SHIFT_SD = 0.5  # by how much a feature's mean moves, at a place of its own
ERROR_RATES = (0.1, 0.2)  # of the model, before and after the middle of the stream
CATEGORIES = {"country": 20, "device": 5}
FLOAT_DIGITS = 16  # of a feature: as many as Python prints
SEED = 7
CHUNK_ROWS = 20_000  # generated at once

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an event has. pad: characters of a text that nobody reads."""

    features: int = 10
    categories: int = 2
    segments: int = 4
    pad: int = 0

    @property
    def feature_names(self) -> tuple[str, ...]:
        """x0, x1 …"""
        return tuple(f"x{at}" for at in range(self.features))

    @property
    def category_names(self) -> tuple[str, ...]:
        """As many as it has."""
        return tuple(CATEGORIES)[: self.categories]

    @property
    def segment_digits(self) -> int:
        """Digits of a segment's number."""
        return len(str(self.segments - 1))

    def segment_name(self, number: int) -> str:
        """As it stands in the event."""
        return f"s{number:0{self.segment_digits}d}"


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Rows of the stream, from number `first` on. score: the probability of class 1, in millionths."""

    first: int
    features: Floats
    categories: Integers
    segment: Integers
    score: Integers
    prediction: Integers
    label: Integers

    @property
    def row(self) -> Integers:
        """Their numbers."""
        return np.arange(self.first, self.first + len(self.label))


def columns(shape: Shape, events: int) -> Iterator[Columns]:
    """All rows of a stream of so many events, some thousands at a time."""
    shift_at = events * (np.arange(shape.features) + 1) // (shape.features + 2)
    sizes = list(CATEGORIES.values())[: shape.categories]
    rng = np.random.default_rng(SEED)
    for first in range(0, events, CHUNK_ROWS):
        rows = np.arange(first, min(first + CHUNK_ROWS, events))
        label = rng.integers(0, 2, len(rows))
        wrong = rng.random(len(rows)) < np.where(rows < events // 2, *ERROR_RATES)
        prediction = label ^ wrong
        features = rng.standard_normal((len(rows), shape.features)) + SHIFT_SD * (rows[:, None] >= shift_at)
        skewed = [(rng.random(len(rows)) ** 2 * size).astype(np.int64) for size in sizes]
        yield Columns(
            first=first,
            features=np.clip(features, -9.9, 9.9),
            categories=np.array(skewed, np.int64).reshape(len(sizes), len(rows)),
            segment=rng.integers(0, shape.segments, len(rows)),
            score=(prediction * 500_000 + rng.integers(0, 500_000, len(rows))),
            prediction=prediction,
            label=label,
        )


class Predictions:
    """The JSON of predictions of one shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        parts: list[bytes | tuple[str, int]] = [b'{"id":"e', ("id", 9), b'","ts":', ("ts", 13), b',"features":{']
        for at, name in enumerate(shape.feature_names):
            parts += [(b"," if at else b"") + f'"{name}":'.encode(), (name, FLOAT_DIGITS + 2)]
        parts.append(b"}")
        for name in shape.category_names:
            parts += [f',"{name}":"{name[0]}'.encode(), (name, 2), b'"']
        parts += [b',"score":0.', ("score", 6), b',"prediction":', ("prediction", 1)]
        parts += [b',"segment":"s', ("segment", shape.segment_digits), b'"']
        parts += [b',"pad":"' + b"x" * shape.pad + b'"}' if shape.pad else b"}"]
        self.text = Text(*parts)

    def rows(self, given: Columns) -> Octets:
        """(rows, bytes)."""
        codes = dict(zip(self.shape.category_names, given.categories, strict=True))
        made = self.text.rows(
            len(given.label),
            id=given.row,
            ts=START_MS + given.row * STEP_MS,
            score=given.score,
            prediction=given.prediction,
            segment=given.segment,
            **codes,
        )
        whole = digits_of(given.features)
        for at, name in enumerate(self.shape.feature_names):
            made[:, self.text.places[name]] = whole[:, at]
        return made


def digits_of(values: Floats) -> Octets:
    """Numbers below 10 as JSON of one width: a sign or a blank, a digit, a point, fifteen digits."""
    scaled = np.rint(np.abs(values) * 10 ** (FLOAT_DIGITS - 1)).astype(np.int64)
    shown = digits(scaled, FLOAT_DIGITS)
    out = np.empty((*values.shape, FLOAT_DIGITS + 2), np.uint8)
    out[..., 0] = np.where(values < 0, ord("-"), ord(" "))
    out[..., 1] = shown[..., 0]
    out[..., 2] = ord(".")
    out[..., 3:] = shown[..., 1:]
    return out


LABELS = Text(b'{"id":"e', ("id", 9), b'","ts":', ("ts", 13), b',"label":', ("label", 1), b"}")


def label_rows(given: Columns) -> Octets:
    """(rows, bytes)."""
    return LABELS.rows(
        len(given.label), id=given.row, ts=START_MS + LABEL_DELAY_MS + given.row * STEP_MS, label=given.label
    )


def batches(shape: Shape, events: int, partitions: int, *, labels: bool) -> Iterator[tuple[int, bytes]]:
    """Partition and record batch; rows are dealt to the partitions in turn."""
    texts, delay_ms = Predictions(shape), LABEL_DELAY_MS if labels else 0
    for chunk in columns(shape, events):
        rows = label_rows(chunk) if labels else texts.rows(chunk)
        for partition in range(partitions):
            begin = (partition - chunk.first) % partitions
            for at in range(begin, len(rows), BATCH_ROWS * partitions):
                first_ms = START_MS + delay_ms + (chunk.first + at) * STEP_MS
                part = rows[at : at + BATCH_ROWS * partitions : partitions]
                yield partition, record_batch(part, first_ms, STEP_MS * partitions)
