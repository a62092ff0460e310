"""Check 1: are there labels enough? A segment with few says how many more it takes."""

import numpy as np
import pytest

from streamcheck import Watch, replay
from streamcheck.config.load import loads

CONFIG = """version: 1
name: labels
streams:
  predictions:
    topic: p
    time: {field: ts, unit: s}
    prediction: said
    label: truth
    task: binary
    features: {amount: numeric}
    segments: [tier]
"""


@pytest.fixture(scope="module")
def readings():
    watch = Watch(CONFIG)
    rows = (
        {
            "ts": 1_772_323_200 + k,
            "amount": k % 7,
            "said": k % 2,
            "truth": (k + (k // 4 % 10 == 0)) % 2,
            "tier": "rare" if k % 20 == 0 else "many",
        }
        for k in range(4_000)
    )
    watch.predictions(rows)
    return {dict(one.segment).get("tier", "all"): one for one in watch.monitors() if one.column == "accuracy"}


def test_a_segment_with_few_labels_says_how_many_more_it_takes(readings):
    rare, many = readings["rare"], readings["many"]
    assert rare.rows < 250
    half = (rare.high - rare.low) / 2
    assert rare.rows_needed == pytest.approx(rare.rows * ((half / 0.02) ** 2 - 1), abs=1)
    assert rare.rows_needed > 500
    assert many.rows == 1_000
    assert many.rows_needed < rare.rows_needed


COVERED = """version: 1
name: covered
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: s}
    prediction: said
    task: binary
    features: {amount: numeric}
  labels: {topic: l, id: id, label: truth, time: {field: ts, unit: s}, horizon: 10m}
reference: {first: 40m}
monitors:
  - {on: label_coverage}
  - {on: volume}
"""


def covered(lost_from_s):
    """Two rows a second for two hours; labels a minute or two later, of 92 %; then none any more for 3 of 10 ids."""
    rng = np.random.default_rng(4)
    n = 2 * 7_200
    ts, delay = 1_772_323_200 + np.arange(n) // 2, rng.integers(30, 150, n)
    got = rng.random(n) < 0.92
    got &= ~((np.arange(n) // 2 >= lost_from_s) & (np.arange(n) % 10 < 3))
    rows = ({"id": k, "ts": int(ts[k]), "amount": float(k % 7), "said": k % 2} for k in range(n))
    known = sorted((int(ts[k] + delay[k]), k) for k in np.flatnonzero(got).tolist())
    labels = ({"id": k, "ts": at, "truth": k % 2} for at, k in known if at < ts[-1])
    return [alert for alert in replay(COVERED, rows, labels) if alert["state"] == "firing"]


def test_labels_that_stop_for_a_part_of_the_ids_are_noticed():
    (alert,) = [alert for alert in covered(5_000) if alert["column"] == "label_coverage"]
    assert alert["monitor"] == "label_coverage-scan"
    assert alert["value"] < alert["reference"]
    assert alert["reference"] == pytest.approx(0.92, abs=0.02)
    assert "2026-03-01T01:2" in alert["pane_start"] or "2026-03-01T01:3" in alert["pane_start"]


def test_coverage_is_quiet_where_labels_come_as_ever():
    assert covered(10**6) == []


def test_coverage_shares_with_late_and_rejected_events():
    config = COVERED + "  - {on: [late_rate, reject_rate]}\n"
    plan = loads(config, {}).plan
    shares = {spec.column: spec.share for spec in plan.monitors}
    together = shares["label_coverage"] + shares["late_rate"] + shares["reject_rate"]
    assert together == pytest.approx(shares["volume"])
