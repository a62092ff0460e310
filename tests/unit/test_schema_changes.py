"""Forms of declared fields: chance makes no change of a field that only some rows have; a true change is told."""

import numpy as np
import pytest

import streamcheck.core.measures  # noqa: F401 - registers its components
from streamcheck.core.components import build
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.panes import PaneRows
from streamcheck.core.plan import Column, Kind, Role, Schema
from streamcheck.core.rows import Rows
from streamcheck.core.summaries import StreamSummary
from streamcheck.core.types import FieldStatus, SourcePartition, StreamRole

FIELDS = 40
COLUMNS = tuple(Column(f"x{k}", (f"x{k}",), Kind.NUMERIC, Role.FEATURE) for k in range(FIELDS))
SCHEMA = Schema(StreamRole.PREDICTIONS, ("p",), None, None, COLUMNS, 1_024, 0)
MEASURE = build("measure", "schema_changes", {})


def pane(rng, rows, share, otherwise=FieldStatus.MISSING):
    """As many fields as there are, each in this share of the rows."""
    status = np.where(rng.random((FIELDS, rows)) < share, FieldStatus.OK, otherwise).astype(np.uint8)
    held = Rows(
        np.arange(rows), np.zeros(rows, np.int64), NO_KEYS, np.zeros((FIELDS, rows)), np.zeros((0, rows), np.int32),
        status, (),
    )  # fmt: skip
    forms, usable = PaneRows(SCHEMA, [(SourcePartition("p", 0), held)]).forms()
    return StreamSummary(rows, forms=forms, usable=usable)


def learned(rng, rows, share, panes=60):
    reference = MEASURE.accumulator()
    for _ in range(panes):
        reference.add(pane(rng, rows, share))
    return reference


def told(summary, reference):
    return 0.0 if (signal := MEASURE.signal(summary, reference)) is None else signal.value


@pytest.mark.parametrize("share", [0.0, 0.03, 0.08, 0.3, 0.5, 0.7, 0.92, 0.97, 1.0])
@pytest.mark.parametrize("learnt", [60, 400])
@pytest.mark.parametrize("rows", [10, 12, 20, 60])
def test_chance_is_no_change(share, learnt, rows):
    """Learned by day, judged by night: 40 fields over 250 panes of few rows."""
    rng = np.random.default_rng(0)
    reference = learned(rng, learnt, share)
    assert sum(told(pane(rng, rows, share), reference) for _ in range(250)) == 0


@pytest.mark.parametrize(
    ("before", "rows", "now", "otherwise"),
    [
        (1.0, 10, 0.0, FieldStatus.MISSING),
        (1.0, 10, 0.0, FieldStatus.WRONG_TYPE),
        (0.98, 12, 0.0, FieldStatus.MISSING),
        (0.7, 20, 0.0, FieldStatus.MISSING),
        (0.7, 20, 0.0, FieldStatus.WRONG_TYPE),
        (0.3, 132, 0.0, FieldStatus.MISSING),
        (0.0, 10, 1.0, FieldStatus.MISSING),
        (0.0, 200, 0.5, FieldStatus.MISSING),
        (0.02, 60, 1.0, FieldStatus.MISSING),
    ],
)
def test_a_change_is_told(before, rows, now, otherwise):
    rng = np.random.default_rng(1)
    assert told(pane(rng, rows, now, otherwise), learned(rng, 200, before)) == FIELDS


def test_what_has_become_of_a_field_is_said_in_three_words():
    rng = np.random.default_rng(2)
    fields, words = MEASURE.told(pane(rng, 200, 0.5), learned(rng, 60, 0.0))
    assert fields["fields"][0] == {"field": "x0", "form": "present"}
    assert words.startswith("x0 appeared in ")
