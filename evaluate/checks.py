"""The checks of a model in production on seeded faults: `python -m evaluate checks` prints what came out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.streams import Floats

PANE_ROWS = 100
BEFORE = 20_000
"""Rows of accuracy's streams before the change: scores are calibrated, and references ready."""
Config = dict[str, Any]


def config(streams: Config, monitors: list[Config] | None, reference_panes: int) -> Config:
    """One false alarm a week; panes of 10 s."""
    return {
        "version": 1,
        "name": "checks",
        "streams": {"predictions": {"topic": "evaluate", "prediction": "said", "label": "truth", **streams}},
        "time": {"lateness": "1ms"},
        "reference": {"first": f"{reference_panes * 10}s"},
        **({} if monitors is None else {"monitors": monitors}),
    }


def feed(run: Run, columns: dict[str, Floats]) -> list[Alarm]:
    """Rows in panes of PANE_ROWS."""
    rows = len(next(iter(columns.values())))
    assert rows % PANE_ROWS == 0, f"{rows} rows are no whole panes"
    return run.feed(Panes(np.full(rows // PANE_ROWS, PANE_ROWS), columns))


# ---------------------------------------------------------------------- accuracy before labels
@dataclass(frozen=True, slots=True)
class Estimated:
    """Of one stream: the mean absolute error over windows of 1,000 rows, how often the interval held, rows until the
    gap alarmed.
    """

    error: float
    windows: int
    accuracy: tuple[float, float]
    covered: float
    gap_rows: int | None


def scored(rng: np.random.Generator, rows: int, shift: float, *, concept: float = 0.0) -> dict[str, Floats]:
    """A model with scores too sure (a logit times 1.5) on a feature that shifts; concept: where the truth's line is."""
    x = rng.normal(shift, 1.0, rows)
    truth = rng.random(rows) < 1.0 / (1.0 + np.exp(-2.0 * (x - concept)))
    score = 1.0 / (1.0 + np.exp(-3.0 * x))
    return {"x": x, "score": score, "prediction": (score > 0.5).astype(float), "label": truth.astype(float)}


def estimate(seed: int, *, concept: float = 0.0, windows: int = 20) -> Estimated:
    """20,000 rows as they were, then windows of 1,000 that shift step by step (the last by 1.5 standard deviations).

    concept: where the truth's own line has gone meanwhile, in the windows.
    """
    rng = np.random.default_rng([1_001, seed])
    streams = {"task": "binary", "score": "score", "features": {"x": "numeric"}}
    run = Run(plan_of(config(streams, None, 80)))
    alarms = feed(run, scored(rng, BEFORE, 0.0))
    errors, accuracies, covered, right = [], [], 0, 0.0
    for window in range(windows + 1):
        rows = scored(rng, 1_000, 1.5 * (window + 1) / windows, concept=concept)
        alarms += feed(run, {name: column[:PANE_ROWS] for name, column in rows.items()})
        if window:  # the last pane of the window before has closed now
            shown = reading(run, "estimated_accuracy")
            errors.append(abs(shown.value - right))
            covered += shown.low <= right <= shown.high
            accuracies.append(right)
        alarms += feed(run, {name: column[PANE_ROWS:] for name, column in rows.items()})
        right = float(np.mean(rows["prediction"] == rows["label"]))
    found = [alarm.pane for alarm in alarms if alarm.column == "estimate_gap" and not alarm.resolved]
    gap = found[0] * PANE_ROWS - BEFORE if found else None
    return Estimated(float(np.mean(errors)), windows, (accuracies[0], accuracies[-1]), covered / windows, gap)


def reading(run: Run, column: str) -> Any:
    """What the engine shows of a column, for all rows."""
    return next(each for each in run.engine.reading().monitors if each.column == column and not each.segment)


def report() -> Iterator[str]:
    """What each check comes to, a line each."""
    quiet = [estimate(seed) for seed in range(20)]
    mean, worst = 100 * np.mean([each.error for each in quiet]), 100 * max(each.error for each in quiet)
    covered, false = 100 * np.mean([each.covered for each in quiet]), sum(each.gap_rows is not None for each in quiet)
    yield f"estimated accuracy, inputs shift: mean absolute error {mean:.2f} points, the worst of 20 {worst:.2f}"
    yield f"  realised within the interval in {covered:.0f} % of windows; the gap alarmed in {false} of 20 streams"
    delays = sorted(late for seed in range(20) if (late := estimate(seed, concept=0.5).gap_rows) is not None)
    rows = np.median(delays)
    yield f"the concept shifts: the gap alarmed in {len(delays)} of 20 streams, after {rows:,.0f} rows (median)"
