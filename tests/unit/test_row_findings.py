"""What does an alert of a row detector say: which way, from where to where, of which rows?"""

import numpy as np
import pytest

from streamcheck import replay

T0 = 1_772_323_200_000
PANE_ROWS = 20
STEP_MS = 500
DETECTORS = [{"adwin": {"delta": 1e-4}}, {"hddm_a": {"drift_confidence": 1e-3}}, {"fhddm": {"confidence_level": 1e-6}}]


def config(monitors, **more):
    predictions = {"topic": "t", "id": "id", "time": {"field": "ts", "unit": "ms"}, "features": {"x": "numeric"}}
    predictions |= {"prediction": "said", "label": "truth", "task": "binary"}
    return {"version": 1, "name": "rows", "streams": {"predictions": predictions}, "monitors": monitors, **more}


def found(made, x, wrong=None, step_ms=STEP_MS):
    """The alerts that fire, of panes of 20 rows (of ten seconds)."""
    wrong = np.zeros(len(x), int) if wrong is None else wrong
    at = range(T0, T0 + step_ms * len(x), step_ms)
    rows = (
        {"id": t, "ts": t, "x": v, "said": 1, "truth": 1 - w}
        for t, v, w in zip(at, x.tolist(), wrong.tolist(), strict=True)
    )
    return [alert for alert in replay(made, rows) if alert["state"] == "firing"]


@pytest.mark.parametrize("detector", DETECTORS, ids=[next(iter(one)) for one in DETECTORS])
def test_the_value_is_the_mean_of_the_rows_since_the_change(detector):
    """Where the change lies panes back as well: those before it are told apart from those since."""
    rng = np.random.default_rng(1)
    name, on = next(iter(detector)), "x" if "adwin" in detector else "error"
    values = rng.normal(np.repeat([10.0, 10.5], [3_010, 990]))
    wrong = (rng.random(4_000) < np.repeat([0.1, 0.3], [3_010, 990])).astype(int)
    first = found(config([{"name": "it", "on": on, "detector": detector}]), values, wrong)[0]
    seen = values if on == "x" else wrong
    end = round((pane_end(first) - T0) / STEP_MS)
    rows, since = first["rows"], first["evidence"]["rows_since_change"]
    assert since <= rows < since + PANE_ROWS, name
    assert rows > PANE_ROWS
    assert first["value"] == pytest.approx(seen[end - rows : end].mean())
    assert first["reference"] == pytest.approx(seen[: end - rows].mean())
    newest = first["evidence"]["newest"]
    assert newest == {"rows": PANE_ROWS, "mean": pytest.approx(seen[end - PANE_ROWS : end].mean())}
    assert f"(mean of {rows} rows, {newest['mean']:.4g} of the newest 20)" in first["summary"]


def test_values_that_return_from_above_fell():
    """They are back at what the reference says, and so lie a little above or below it; both drifts are told as such."""
    rng = np.random.default_rng(3)
    x = rng.normal(np.repeat([100.0, 110.0, 100.0], [12_000, 4_000, 4_000]), 10.0)
    monitors = [{"name": name, "on": "x", "detector": {name: "auto"}} for name in ("adwin", "page_hinkley")]
    alerts = found(config(monitors, reference={"first": "30m"}, alarm_budget="1 per week"), x)
    for name in ("adwin", "page_hinkley"):
        rose, fell = (alert for alert in alerts if alert["monitor"] == name)
        assert rose["summary"].startswith("x rose from 9" if rose["reference"] < 100 else "x rose from 100")
        assert fell["summary"].startswith("x fell from 1")
        assert fell["reference"] > 106
        assert fell["value"] < 106


def test_a_one_sided_detector_never_says_the_other_way():
    """The newest rows may lie below all those before; it is more rows that have risen."""
    x = np.repeat([0.0, 4.0, -99.0], [100, 14, 1])
    made = config([{"name": "up", "on": "x", "detector": {"page_hinkley": {"mode": "up"}}}])
    (up,) = found(made, x, step_ms=2_000)
    assert up["evidence"]["rows_since_change"] > 5
    assert up["value"] < up["reference"]
    said = f"(seen by page_hinkley; mean of the newest 5 rows {up['value']:.4g}, {up['reference']:.4g} before)"
    assert up["summary"] == f"x rose since about 2026-03-01 00:03:20 {said}"


def test_without_a_direction_values_have_changed():
    rng = np.random.default_rng(2)
    x = rng.normal(np.repeat([0.0, 3.0], [500, 200]))
    first = found(config([{"name": "it", "on": "x", "detector": {"kswin": {"alpha": 1e-6}}}]), x)[0]
    assert first["summary"].startswith("x changed from ")


def test_of_two_drifts_in_a_pane_the_last_one_is_told():
    """From where the one before it has left the rows."""
    x = np.tile([0.0, 0.1], 60)
    x[90:94], x[94:] = 40.0, 90.0
    made = config([{"name": "it", "on": "x", "detector": {"page_hinkley": {"min_instances": 3, "threshold": 20.0}}}])
    first = found(made, x)[0]
    assert first["evidence"]["drift_rows"] > 1
    assert (first["reference"], first["value"]) == (40.0, 90.0)


def pane_end(alert):
    return int(np.datetime64(alert["pane_end"][:-1], "ms").astype(np.int64))
