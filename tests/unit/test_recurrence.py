"""Are recurrences over many rows at once those of one row after the other, in every bit, and is giving up harmless?"""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from river import drift
from river.drift import binary

import streamcheck.core.detectors
from streamcheck.core.components import build
from streamcheck.core.detectors import _recurrence, page_hinkley
from streamcheck.core.detectors._recurrence import PATH_ROWS_MAX, decaying_sums, running_means
from streamcheck.core.detectors.river_base import exported
from streamcheck.core.types import FloatArray

assert streamcheck.core.detectors

Make = Callable[[np.random.Generator, int], FloatArray]
STREAMS: dict[str, Make] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "steps": lambda rng, n: rng.normal(np.repeat(rng.normal(0, 3, n // 500 + 1), 500)[:n]),
    "far from zero": lambda rng, n: rng.normal(1e9, 1.0, n),
    "constant": lambda _, n: np.full(n, 0.1),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, -0.0),
    "shares": lambda rng, n: (rng.random(n) < 0.1).astype(np.float64),
    "sizes": lambda rng, n: rng.normal(size=n) * 10.0 ** rng.integers(-100, 100, n),
    "denormal": lambda rng, n: rng.integers(-3, 4, n) * 5e-324,
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("n", "mean"), [(0.0, 0.0), (3.0, -7.25), (1e6 - 1, 1e-3), (2.0**40, 0.5)])
def test_means_are_those_of_one_row_after_the_other(name: str, n: float, mean: float) -> None:
    for seed, rows in enumerate((1, 2, 300, PATH_ROWS_MAX)):
        values = STREAMS[name](np.random.default_rng(seed), rows)
        found, expected, at = running_means(values, n, mean), [], mean
        for place, value in enumerate(values.tolist()):
            at += 1.0 / (n + 1.0 + place) * (value - at)
            expected.append(at)
        assert found.tobytes() == np.array(expected).tobytes()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("alpha", "delta"), [(1.0, 0.1), (0.9999, 0.005), (0.99, 0.0), (0.9, 1.0), (1e-3, 0.1)])
def test_sums_are_those_of_one_row_after_the_other(name: str, alpha: float, delta: float) -> None:
    for seed, (rows, start) in enumerate(itertools.product((1, 300, PATH_ROWS_MAX), (0.0, -1023.9, 1e-9))):
        values = STREAMS[name](np.random.default_rng(seed), rows)
        found, expected, at = decaying_sums(values, start, alpha, delta), [], start
        for value in values.tolist():
            at = alpha * at + value - delta
            expected.append(at)
        assert found is not None
        assert found.tobytes() == np.array(expected).tobytes()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "params",
    [
        {"delta": 0.1, "threshold": 50.0},
        {"delta": 0.1, "threshold": 60.0, "alpha": 1.0, "min_instances": 100},
        {"delta": 0.0, "threshold": 8.0, "alpha": 0.99, "min_instances": 600, "mode": "down"},
        {"delta": 0.5, "threshold": 3.0, "min_instances": 1, "mode": "up"},
    ],
)
def test_page_hinkley_is_rivers_in_every_number(name: str, params: dict[str, float]) -> None:
    rows = STREAMS[name](np.random.default_rng(1), 20_000)
    theirs, ours, one_by_one = drift.PageHinkley(**params), *(build("detector", "page_hinkley", params) for _ in "ab")
    one_by_one._at_once = lambda *_: 0
    for chunk in np.split(rows, [700, 701, 5_000, 5_300, 12_000]):
        drifts = [at for at, value in enumerate(chunk.tolist()) if _drifts(theirs, value)]
        verdict = ours.step(chunk)
        assert verdict.drifts.tolist() == drifts
        assert repr(exported(ours.river, drift.PageHinkley(**params))) == repr(
            exported(theirs, drift.PageHinkley(**params))
        )
        assert repr(verdict) == repr(one_by_one.step(chunk)), "since, score and threshold as well"
        assert ours.export() == one_by_one.export()


def _drifts(river: drift.PageHinkley | binary.DDM, value: float) -> bool:
    river.update(value)
    return bool(river.drift_detected)


def test_usual_rows_are_taken_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind 1e6 rows, where the sums stand near -delta / (1 - alpha)."""
    detector = build("detector", "page_hinkley", {"delta": 0.1, "threshold": 1e4})
    monkeypatch.setattr(page_hinkley.PageHinkley, "_one_by_one", lambda *_: pytest.fail("one by one"))
    monkeypatch.setattr(_recurrence, "_means_one_by_one", lambda *_: pytest.fail("one by one"))
    rng = np.random.default_rng(0)
    for _ in range(20):
        detector.step(rng.normal(size=10 * PATH_ROWS_MAX))


def test_ddm_is_rivers_in_every_number() -> None:
    rng = np.random.default_rng(2)
    rows = (rng.random(30_000) < np.repeat([0.1, 0.2, 0.12], 10_000)).astype(np.float64)
    theirs, ours = binary.DDM(), build("detector", "ddm", {})
    for chunk in np.split(rows, [5_000, 5_001, 14_000]):
        drifts = [at for at, value in enumerate(chunk.tolist()) if _drifts(theirs, value)]
        assert ours.step(chunk).drifts.tolist() == drifts
        assert repr(exported(ours.river, binary.DDM())) == repr(exported(theirs, binary.DDM()))


def test_where_blas_rounds_otherwise_rows_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(3).normal(size=5_000)
    before, after = (build("detector", "page_hinkley", {"delta": 0.1}) for _ in "ab")
    before.step(rows)
    solved = _recurrence._solved
    monkeypatch.setattr(_recurrence, "_solved", lambda band, right: np.nextafter(solved(band, right), np.inf))
    assert _recurrence._means(rows[:10], np.ones(10), 0.0) is None
    assert decaying_sums(rows[:10], 0.0, 1.0, 0.1) is None
    after.step(rows)
    assert repr(after.export()) == repr(before.export())
