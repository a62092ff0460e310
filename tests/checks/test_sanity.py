"""Check 3, sanity without truth: scores and predictions that move before any label comes; silent where they do not.

Estimated accuracy and its gap have tests of their own (tests/unit/test_estimates.py).
"""

import numpy as np

from tests.checks.harness import CONFIG, Stream, monitors, of, ordinary, with_fault

SCORED = CONFIG.replace("    prediction: said\n", "    prediction: said\n    score: chance\n")


def scored(k, event):
    """With a score that suits the verdict: fixed by the row's number."""
    chance = np.random.default_rng(k).beta(5.0, 2.0) if event["said"] else np.random.default_rng(k).beta(2.0, 8.0)
    return event | {"chance": round(float(chance), 4)}


def test_nothing_is_found_where_scores_stay_as_they_are():
    assert Stream(SCORED).feed([scored(k, event) for k, event in enumerate(ordinary(24_000, seed=7))]).end() == []


def test_a_class_that_is_said_more_often():
    fired = with_fault(lambda k, event: event | {"said": 1} if k % 5 == 0 else event)
    found = of(fired, "prediction-category_share")
    assert monitors(fired) == {"prediction-category_share"}
    assert found["reference"] < 0.12
    assert found["value"] > 0.2


def test_scores_that_move():
    fired = with_fault(
        lambda _, event: event | {"chance": min(event["chance"] + 0.1, 1.0)}, config=SCORED, events=scored, rows=2_400
    )
    assert "score-mean_shift" in monitors(fired)
    assert "prediction-category_share" not in monitors(fired)


def test_scores_that_are_stuck():
    fired = with_fault(lambda _, event: event | {"chance": 0.25}, config=SCORED, events=scored)
    assert of(fired, "score-stuck")["evidence"]["stuck_at"] == 0.25
