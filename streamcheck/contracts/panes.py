"""Panes of every kind that measures read, stable or changed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from streamcheck.core.measures.base import Needs
from streamcheck.core.plan import Task
from streamcheck.core.summaries import (
    CategoricalSummary,
    FeaturesSummary,
    LabelledRows,
    Layout,
    Moment,
    NumericSummary,
    StreamSummary,
    TopSummary,
    ValuesSummary,
    fold_categorical,
    fold_features,
    fold_numeric,
    fold_top,
)
from streamcheck.core.summaries.estimated import BINS, FINE, EstimateSummary, fold_estimated
from streamcheck.core.summaries.stream import Form, Silence
from streamcheck.core.types import BoolArray, FloatArray, SourcePartition

MakePane = Callable[[np.random.Generator, int, bool], Any]
"""Randomness, rows, changed: a summary (or labelled rows)."""

LAYOUT = Layout.build(np.random.default_rng(0).normal(0.0, 1.0, 1_000))


def numeric(rng: np.random.Generator, rows: int, changed: bool) -> NumericSummary:  # noqa: FBT001 - as MakePane
    """A column of numbers, some missing or of a wrong type; changed: moved, wider, more missing."""
    status = rng.choice(3, rows, p=[0.5, 0.3, 0.2] if changed else [0.9, 0.06, 0.04]).astype(np.uint8)
    values = rng.normal(1.5, 2.5, rows) if changed else rng.normal(0.0, 1.0, rows)
    return fold_numeric(np.where(status == 0, values, 0.0), status, LAYOUT, (-2.5, 2.5)).summary(0)


def one_by_one(rng: np.random.Generator, rows: int, changed: bool) -> ValuesSummary:  # noqa: FBT001 - as MakePane
    """Some values repeat the one before, some are zero: more of both after the change."""
    values = rng.normal(1.5, 2.5, rows) if changed else rng.normal(0.0, 1.0, rows)
    values[rng.random(rows) < (0.5 if changed else 0.05)] = 0.0
    folded = fold_numeric(values, np.zeros(rows, np.uint8), LAYOUT).summary(0)
    sources = SourcePartition("p", 0), SourcePartition("p", 1)
    return ValuesSummary(folded, values, sources, np.array([rows // 2, rows]))


def categorical(rng: np.random.Generator, rows: int, changed: bool) -> CategoricalSummary:  # noqa: FBT001 - as MakePane
    """Some frequent categories and a tail so long that a reference never sees the end of it."""
    names = [f"c{k}" for k in range(2_000)]
    share = np.arange(1.0, 2_001.0) ** -1.5
    codes = rng.choice(2_000, rows, p=share / share.sum())
    if changed:
        names += [f"new{k}" for k in range(5)]
        codes = np.where(rng.random(rows) < 0.4, rng.integers(2_000, 2_005, rows), codes)
    return fold_categorical(codes.astype(np.int32), np.zeros(rows, np.uint8), tuple(names)).summary(0)


def codes(rng: np.random.Generator, rows: int, changed: bool) -> CategoricalSummary:  # noqa: FBT001 - as MakePane
    """Answers with a code; changed: more failures."""
    names = ("200", "404", "503", "timeout")
    share = [0.5, 0.1, 0.3, 0.1] if changed else [0.85, 0.1, 0.03, 0.02]
    return fold_categorical(rng.choice(4, rows, p=share).astype(np.int32), np.zeros(rows, np.uint8), names).summary(0)


def top(rng: np.random.Generator, rows: int, changed: bool) -> TopSummary:  # noqa: FBT001 - as MakePane
    """Keys of which one in five rows has the most frequent; changed: one key bursts."""
    keys = np.where(rng.random(rows) < 0.2, 0, rng.integers(1, 5_000, rows)).astype(np.int32)
    keys = np.where(rng.random(rows) < (0.6 if changed else 0.0), 5_000, keys)
    return fold_top(keys, rng.random(rows) < 0.5, [f"k{k}" for k in range(5_001)])


def hostile_tops() -> list[TopSummary]:
    """No row, no value, one value, the same one twice."""
    none, two = np.full(3, -1, np.int32), np.array([0, 0], np.int32)
    return [fold_top(held, np.arange(len(held)) > 0, ("a",)) for held in (none[:0], none, two[:1], two)]


def features(rng: np.random.Generator, rows: int, changed: bool) -> FeaturesSummary:  # noqa: FBT001 - as MakePane
    """Four columns with the same margins always; two of them hang together after the change."""
    columns = rng.normal(0.0, 1.0, (4, rows))
    if changed:
        columns[1] = 0.9 * columns[0] + np.sqrt(1 - 0.81) * columns[1]
    return together(columns, np.ones(rows, bool))


def together(columns: FloatArray, usable: BoolArray) -> FeaturesSummary:
    """The summary of four columns (4, n) of which some rows are usable (n,)."""
    return fold_features(("a", "b", "c", "d"), list(columns), usable, [LAYOUT] * 4)


def stream(rng: np.random.Generator, rows: int, changed: bool) -> StreamSummary:  # noqa: FBT001 - as MakePane
    """How many rows there were; changed: fewer, more of them late, rejected or repeated, a field gone, a silence."""
    came = int(rng.poisson(rows * (0.3 if changed else 1.0)))
    late, rejected, repeated = (int(rng.binomial(came, 0.5 if changed else 0.05)) for _ in range(3))
    forms = (("a", Form.PRESENT), ("b", Form.ABSENT if changed else Form.PRESENT)) if came else ()
    silence = Silence(SourcePartition("p", 0), 900_000 if changed else 0, 10_000, 100)
    made = StreamSummary(came, late, rejected, came, repeated, forms, (silence,))
    usable = (came, 0 if changed else came) if came else ()
    return replace(made, labelled=came - late, unlabelled=late, usable=usable)


def classes(rng: np.random.Generator, rows: int, changed: bool) -> LabelledRows:  # noqa: FBT001 - as MakePane
    """Labelled rows of a binary task with a score; changed: mostly wrong."""
    score = rng.beta(2.0, 2.0, rows)
    label = (rng.random(rows) < score).astype(float)
    if changed:
        label = np.where(rng.random(rows) < 0.9, 1.0 - label, label)
    return LabelledRows((score > 0.5).astype(float), label, score, Task.BINARY)


def numbers(rng: np.random.Generator, rows: int, changed: bool) -> LabelledRows:  # noqa: FBT001 - as MakePane
    """Labelled rows of a regression; changed: biased and less exact."""
    label = rng.normal(100.0, 10.0, rows)
    error = rng.normal(2.0, 3.0, rows) if changed else rng.normal(0.0, 1.0, rows)
    return LabelledRows(label + error, label, None, Task.REGRESSION)


def estimated(rng: np.random.Generator, rows: int, changed: bool) -> EstimateSummary:  # noqa: FBT001 - as MakePane
    """The sure predictions become rare."""
    chance = np.rint(rng.beta(*((4.0, 4.0) if changed else (0.5, 0.5)), rows) * FINE) / FINE
    bins = (chance * (BINS - 1)).astype(np.int64)
    return fold_estimated(np.arange(rows), (chance > 0.5).astype(float), chance, bins).summaries(None, 1)[0]


def gaps(rng: np.random.Generator, rows: int, changed: bool) -> Moment:  # noqa: FBT001 - as MakePane
    """The difference between two means."""
    return Moment.of(rng.normal(1.5 if changed else 0.0, 1.0, rows))


KINDS: dict[Needs, MakePane] = {
    Needs.NUMERIC: numeric,
    Needs.FIELD: numeric,
    Needs.VALUES: one_by_one,
    Needs.CATEGORICAL: categorical,
    Needs.CODES: codes,
    Needs.TOP: top,
    Needs.FEATURES: features,
    Needs.STREAM: stream,
    Needs.ESTIMATED: estimated,
    Needs.DIFFERENCE: gaps,
    Needs.LABELLED_CLASS: classes,
    Needs.LABELLED_BINARY: classes,
    Needs.LABELLED_SCORE: classes,
    Needs.LABELLED_NUMBER: numbers,
}
