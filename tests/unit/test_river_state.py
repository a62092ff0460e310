"""Detectors that do river's arithmetic themselves: is each of their numbers river's, bit for bit, after any cut?"""

import random
from typing import Any

import numpy as np
import pytest
from river import drift
from river.drift import binary

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.detectors.river_base import exported
from streamcheck.core.types import FloatArray

assert streamcheck.core.detectors

CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("page_hinkley", drift.PageHinkley, {}),
    ("page_hinkley", drift.PageHinkley, {"threshold": 5.0, "min_instances": 1, "delta": 0.0, "alpha": 0.99}),
    ("page_hinkley", drift.PageHinkley, {"threshold": 8.0, "min_instances": 200, "mode": "up"}),
    ("page_hinkley", drift.PageHinkley, {"threshold": 3.0, "mode": "down"}),
    ("ddm", binary.DDM, {}),
    ("ddm", binary.DDM, {"warm_start": 1, "warning_threshold": 1.1, "drift_threshold": 1.5}),
    ("ddm", binary.DDM, {"warm_start": 300, "warning_threshold": 2.0, "drift_threshold": 2.0}),
]


def rows_of(name: str, rng: np.random.Generator, n: int) -> FloatArray:
    level = np.repeat(rng.permutation([0.0, 0.05, 0.3, 0.6, 1.0, 0.2]), n // 6)
    return rng.normal(4 * level, 1.0) if name == "page_hinkley" else (rng.random(n) < level).astype(np.float64)


@pytest.mark.parametrize(("name", "river", "params"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_number_is_rivers(name: str, river: Any, params: dict[str, Any], seed: int) -> None:
    rows = rows_of(name, np.random.default_rng(seed), 6_000)
    cuts = sorted({*random.Random(seed).sample(range(1, 6_000), 30), 1, 2, 3})
    theirs, ours, drifts, warned = river(**params), build("detector", name, params), 0, 0
    for chunk in np.split(rows, cuts):
        for value in chunk.tolist():
            theirs.update(value)
            drifts += theirs.drift_detected
            warned = warned + 1 if getattr(theirs, "warning_detected", False) else 0
        ours.step(chunk)
        assert repr(exported(ours.river, river(**params))) == repr(exported(theirs, river(**params)))
        assert name != "ddm" or ours.export()["warned"] == warned
    assert drifts
