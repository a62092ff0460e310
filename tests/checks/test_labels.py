"""Check 1: are there labels enough? A segment with few says how many more it takes."""

import pytest

from streamcheck import Watch

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
            "ts": 1_772_323_200 + k, "amount": k % 7, "said": k % 2, "truth": (k + (k // 4 % 10 == 0)) % 2,
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
