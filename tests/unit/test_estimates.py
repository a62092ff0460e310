"""Estimates before labels come: calibrated once, the same for any batching and restart, apart for each version."""

import numpy as np
import pytest

from evaluate.checks import BEFORE, PANE_ROWS, config, estimate, feed, reading, scored
from evaluate.feed import SOURCE, Run, plan_of
from streamcheck.core.chances import ROWS, Calibration
from streamcheck.core.estimates import estimated
from streamcheck.core.orders import Rebaseline
from streamcheck.core.saving import Saver, restore
from streamcheck.core.summaries.estimated import BINS, fold_estimated

STREAMS = {"task": "binary", "score": "score", "features": {"x": "numeric"}}


def run_of(streams=STREAMS, monitors=None, **more):
    return Run(plan_of(config(streams, monitors, 80)), **more)


@pytest.mark.parametrize("seed", [0, 1])
def test_inputs_shift_and_the_estimate_follows(seed):
    found = estimate(seed)
    assert found.error < 0.015
    assert found.accuracy[1] - found.accuracy[0] > 0.08, "there was something to follow"
    assert found.covered >= 0.9
    assert found.gap_rows is None


def test_the_concept_shifts_and_the_gap_alarms():
    found = estimate(0, concept=0.5)
    assert found.error > 0.03, "which no score shows"
    assert found.gap_rows is not None
    assert found.gap_rows < 10_000


def test_a_calibration_rises_and_holds_the_shares():
    rng = np.random.default_rng(3)
    score = rng.choice([0.0, 0.25, 0.25, 0.75, 1.0], ROWS)  # many equal scores
    label = (rng.random(ROWS) < 0.1 + 0.5 * score).astype(float)
    calibration = Calibration()
    for at in range(0, ROWS, 700):
        calibration.learn(score[at : at + 700], label[at : at + 700])
    known = calibration.chance(np.array([0.0, 0.25, 0.75, 1.0]))
    assert (np.diff(known) >= 0).all()
    shares = [label[score == value].mean() for value in (0.0, 0.25, 0.75, 1.0)]
    assert known == pytest.approx(shares, abs=1e-4)
    assert set(calibration.bin(score).tolist()) == {0, 1, 2, 3}


def test_the_interval_holds_what_the_labels_of_these_rows_say():
    rng, held = np.random.default_rng(5), np.zeros(3)
    for _ in range(400):
        chance = rng.beta(0.5, 1.0, 1_000)
        said, label = (chance > 0.5).astype(float), rng.random(1_000) < chance
        rows = fold_estimated(np.arange(1_000), said, chance, (chance * BINS).astype(int)).summaries(None, 1)[0]
        made = estimated(rows, np.full(BINS, 10**9))
        true = (said == label).mean(), label[said == 1].mean(), said[label].mean()
        shown = (made.accuracy, made.precision, made.recall)
        held += [each.low <= value <= each.high for each, value in zip(shown, true, strict=True)]
    assert (held / 400 > 0.92).all()
    assert (held / 400 < 0.98).all()


def test_ranking_is_estimated():
    rng = np.random.default_rng(6)
    chance = rng.beta(0.5, 1.0, 20_000)
    label = rng.random(20_000) < chance
    rows = fold_estimated(np.arange(20_000), chance > 0.5, chance, (chance * BINS).astype(int)).summaries(None, 1)[0]
    order = chance.argsort().argsort()
    auc = (order[label].sum() - label.sum() * (label.sum() - 1) / 2) / (label.sum() * (~label).sum())
    assert estimated(rows, np.full(BINS, 10**9)).auc.value == pytest.approx(auc, abs=0.01)


def test_it_says_for_what_it_waits():
    run = run_of()
    feed(run, scored(np.random.default_rng(1), 1_000, 0.0))
    assert reading(run, "estimated_accuracy").status == f"calibrating scores, 900 of {ROWS:,} labelled rows"
    assert reading(run, "estimated_accuracy").value is None


def shown(run):
    return [each for each in run.engine.reading().monitors if "estimate" in each.column]


def test_batches_and_restarts_change_nothing():
    rows = scored(np.random.default_rng(2), BEFORE, 0.0, concept=0.2)
    whole, parts, store = run_of(), run_of(), {}
    feed(whole, rows)
    for at in range(0, BEFORE, 2_000):
        feed(parts, {name: column[at : at + 2_000] for name, column in rows.items()})
        restart(parts, store, at + 2_000 - PANE_ROWS)
        parts.pane, parts.offset = (at + 2_000) // PANE_ROWS - 1, at + 2_000 - PANE_ROWS
        feed(parts, {name: column[at + 2_000 - PANE_ROWS : at + 2_000] for name, column in rows.items()})
    assert shown(parts) == shown(whole)
    assert len(shown(whole)) == 5
    assert all(each.value is not None for each in shown(whole))


def restart(run, store, offset):
    """From the bytes of its state; rows of the open pane are to be read again."""
    store |= dict(Saver(run.engine).take().put)
    run.engine = restore(run.plan, store).engine
    assert run.engine.partitions[SOURCE].next_offset == offset


def test_each_model_version_has_a_calibration_of_its_own():
    streams = STREAMS | {"model_version": "version", "segments": ["model_version"]}
    monitors = [{"on": ["estimated_accuracy", "estimate_gap"], "by": ["model_version"]}]
    run = run_of(streams, monitors, categories={"model_version": ("one", "two")})
    rng = np.random.default_rng(4)
    first = scored(rng, 10_000, 0.0) | {"model_version": np.zeros(10_000)}
    feed(run, first)
    second = scored(rng, 10_000, 0.0) | {"model_version": np.ones(10_000)}
    second["score"] = second["score"] ** 3  # another scale of scores
    feed(run, second)
    gaps = {each.segment[0][1]: each for each in shown(run) if each.column == "estimate_gap" and each.segment}
    assert set(gaps) == {"one", "two"}
    assert abs(gaps["two"].value) < 0.03
    assert gaps["two"].rows == 1_000
    assert run.engine.board.room.used > 0


def test_a_new_normal_calibrates_anew():
    run = run_of()
    feed(run, scored(np.random.default_rng(1), 10 * PANE_ROWS + ROWS, 0.0))
    assert reading(run, "estimated_accuracy").value is not None
    run.engine.obey("order", Rebaseline(("estimate_gap-scan",), None, None, "a new model"))
    assert reading(run, "estimated_accuracy").status.startswith("calibrating scores, 0 of")
