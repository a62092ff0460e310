"""Panes of every kind that measures read, stable or changed, for the contract suite."""

import numpy as np

from streamcheck.core.measures.base import Needs
from streamcheck.core.plan import Task
from streamcheck.core.summaries import (
    LabelledRows,
    Layout,
    StreamSummary,
    fold_categorical,
    fold_features,
    fold_numeric,
)

LAYOUT = Layout.build(np.random.default_rng(0).normal(0.0, 1.0, 1_000))


def numeric(rng, rows, changed):
    status = rng.choice(3, rows, p=[0.5, 0.3, 0.2] if changed else [0.9, 0.06, 0.04]).astype(np.uint8)
    values = rng.normal(1.5, 2.5, rows) if changed else rng.normal(0.0, 1.0, rows)
    return fold_numeric(np.where(status == 0, values, 0.0), status, LAYOUT, (-2.5, 2.5)).summary(0)


def categorical(rng, rows, changed):
    """Some frequent categories and a tail so long that a reference never sees the end of it."""
    names = [f"c{k}" for k in range(2_000)]
    share = np.arange(1.0, 2_001.0) ** -1.5
    codes = rng.choice(2_000, rows, p=share / share.sum())
    if changed:
        names += [f"new{k}" for k in range(5)]
        codes = np.where(rng.random(rows) < 0.4, rng.integers(2_000, 2_005, rows), codes)
    return fold_categorical(codes.astype(np.int32), np.zeros(rows, np.uint8), tuple(names)).summary(0)


def features(rng, rows, changed):
    """Four columns with the same margins always; two of them hang together after the change."""
    columns = rng.normal(0.0, 1.0, (4, rows))
    if changed:
        columns[1] = 0.9 * columns[0] + np.sqrt(1 - 0.81) * columns[1]
    return together(columns, np.ones(rows, bool))


def together(columns, usable):
    return fold_features(("a", "b", "c", "d"), columns, usable, [LAYOUT] * 4)


def stream(rng, rows, changed):
    return StreamSummary(int(rng.poisson(rows * (0.3 if changed else 1.0))))


def classes(rng, rows, changed):
    score = rng.beta(2.0, 2.0, rows)
    label = (rng.random(rows) < score).astype(float)
    if changed:
        label = np.where(rng.random(rows) < 0.9, 1.0 - label, label)
    return LabelledRows((score > 0.5).astype(float), label, score, Task.BINARY)


def numbers(rng, rows, changed):
    label = rng.normal(100.0, 10.0, rows)
    error = rng.normal(2.0, 3.0, rows) if changed else rng.normal(0.0, 1.0, rows)
    return LabelledRows(label + error, label, None, Task.REGRESSION)


KINDS = {
    Needs.NUMERIC: numeric,
    Needs.FIELD: numeric,
    Needs.CATEGORICAL: categorical,
    Needs.FEATURES: features,
    Needs.STREAM: stream,
    Needs.LABELLED_CLASS: classes,
    Needs.LABELLED_BINARY: classes,
    Needs.LABELLED_SCORE: classes,
    Needs.LABELLED_NUMBER: numbers,
}
