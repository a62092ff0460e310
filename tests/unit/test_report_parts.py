"""What charts are made of: columns over time as JSON has them; bounded, and right."""

import numpy as np

from streamcheck.core.plan import Column, Kind, Role
from streamcheck.core.summaries import Layout, fold_categorical, fold_numeric
from streamcheck.report import as_json
from streamcheck.report.record import bins
from streamcheck.report.record.columns import ColumnHistory


def test_the_history_of_a_number_merges_to_the_same_sums(monkeypatch) -> None:
    monkeypatch.setattr(bins, "BINS_MAX", 8)
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, (40, 50))
    layout, status = Layout.build(values[0]), np.zeros(50, np.uint8)
    status[:3] = 1
    history = ColumnHistory(Column("x", ("x",), Kind.NUMERIC, Role.FEATURE), 1_000)
    for pane, row in enumerate(values):
        summary = fold_numeric(row, status, layout if pane else None).summary(0)
        history.add_numbers(pane * 1_000, (pane + 1) * 1_000, (), summary)
    found = as_json.column(history)
    assert found["span_ms"] == 8_000
    assert found["t"] == [0, 8_000, 16_000, 24_000, 32_000]
    assert found["rows"] == [400] * 5
    assert found["missing"] == [24] * 5
    for span, mean in enumerate(found["mean"]):
        assert abs(mean - values[8 * span : 8 * span + 8, 3:].mean()) < 1e-9
    assert [sum(bins) for bins in found["bins"]] == [7 * 47, *[8 * 47] * 4]
    assert len(found["edges"]) == len(found["bins"][0]) - 1
    inside = np.searchsorted(found["edges"], values[8:16, 3:].ravel(), side="right")
    assert np.bincount(inside, minlength=len(found["bins"][1])).tolist() == found["bins"][1]


def test_the_history_of_categories_names_the_frequent_ones() -> None:
    history = ColumnHistory(Column("c", ("c",), Kind.CATEGORICAL, Role.FEATURE), 1_000)
    names = tuple(f"v{at:02}" for at in range(30))
    for pane in range(3):
        codes = np.concatenate([np.arange(30), np.zeros(10, np.int64), np.full(5, 29)]).astype(np.int32)
        summary = fold_categorical(codes, np.zeros(45, np.uint8), names).summary(0)
        history.add_categories(pane * 1_000, (pane + 1) * 1_000, (), summary)
    found = as_json.column(history)
    assert found["categories"][:3] == ["v00", "v29", "v01"]
    assert len(found["categories"]) == as_json.CATEGORIES_SHOWN
    assert found["counts"][1][:3] == [11, 6, 1]
    assert found["other"] == [10] * 3
