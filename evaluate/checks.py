"""The checks of a model in production on seeded faults: `python -m evaluate checks` prints what came out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.streams import Floats
from streamcheck.core.readings import BiasedSegment, WeakSegment

PANE_ROWS = 100
BEFORE = 20_000
"""Rows of accuracy's streams before the change: scores are calibrated, and references ready."""
FIRST = 1_000
"""Seeds from here on: on earlier ones levels were chosen, and tests run."""
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


def feed(run: Run, columns: Mapping[str, Any]) -> list[Alarm]:
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


# ---------------------------------------------------------------------- segments
CATEGORIES = {
    "area": tuple(f"a{number}" for number in range(12)),
    "kind": ("flat", "house", "loft", "yard"),
    "tier": ("one", "two", "three"),
}
NORTH = 7
"""The area that a fault concerns."""


def weak_segments(seed: int, drop: float, rows: int = 20_000) -> list[WeakSegment]:
    """What is named up to so many labelled rows; in one area and kind, 2 % of them, accuracy is lower by `drop`."""
    rng = np.random.default_rng([1_002, seed])
    run = Run(plan_of(config({"task": "binary", "segments": ["area", "kind", "tier"]}, ACCURACY, 80)), CATEGORIES)
    named: list[WeakSegment] = []
    for at in range(0, rows + 1_000, 1_000):
        area, kind = rng.choice(12, 1_000), rng.choice(4, 1_000, p=[0.4, 0.24, 0.24, 0.12])
        weak = (area == NORTH) & (kind == 1)
        label = (rng.random(1_000) < 0.5).astype(float)
        wrong = rng.random(1_000) < np.where(weak, 0.1 + drop, 0.1)
        said = np.where(wrong, 1.0 - label, label)
        feed(run, {"area": area, "kind": kind, "tier": rng.choice(3, 1_000), "label": label, "prediction": said})
        if at <= rows:
            named += [each for each in run.engine.reading().weak if each not in named]
    return named


def _prices(rng: np.random.Generator, area: Any, bias: float) -> tuple[Floats, Floats]:
    price = np.exp(rng.normal(12.5, 0.5, len(area)) + 0.02 * (area - 6))
    noise = np.exp(rng.normal(-(0.12**2) / 2, 0.12, len(area)))
    return price, price * noise * np.where(area == NORTH, 1.0 + bias, 1.0)


def houses(seed: int, bias: float, rows: int = 20_000) -> list[BiasedSegment]:
    """House prices, predicted to 12 %, in one area too high by `bias`: what is named after so many rows."""
    rng = np.random.default_rng([1_003, seed])
    streams = {"task": "regression", "segments": ["area", "kind", "tier"]}
    run = Run(plan_of(config(streams, [{"on": "mae"}], 80)), CATEGORIES)
    for _ in range(0, rows + 1_000, 1_000):
        area = rng.choice(12, 1_000)
        price, said = _prices(rng, area, bias)
        kind, tier = rng.choice(4, 1_000), rng.choice(3, 1_000)
        feed(run, {"area": area, "kind": kind, "tier": tier, "prediction": said, "label": price})
    return list(run.engine.reading().biased)


ACCURACY: list[Config] = [{"on": "accuracy"}]
WEAK = (("area", f"a{NORTH}"), ("kind", "house"))
BIASED = (("area", f"a{NORTH}"),)


def removed(found: BiasedSegment, seed: int, bias: float) -> float:
    """Which part of the bias the correction removes on 20,000 rows of the area that come later."""
    price, said = _prices(np.random.default_rng([1_004, seed]), np.full(20_000, NORTH), bias)
    return 1.0 - abs(float(np.mean(found.scale * said + found.shift - price))) / abs(float(np.mean(said - price)))


def report() -> Iterator[str]:
    """What each check comes to, a line each."""
    quiet = [estimate(FIRST + seed) for seed in range(20)]
    mean, worst = 100 * np.mean([each.error for each in quiet]), 100 * max(each.error for each in quiet)
    covered, false = 100 * np.mean([each.covered for each in quiet]), sum(each.gap_rows is not None for each in quiet)
    yield f"estimated accuracy, inputs shift: mean absolute error {mean:.2f} points, the worst of 20 {worst:.2f}"
    yield f"  realised within the interval in {covered:.0f} % of windows; the gap alarmed in {false} of 20 streams"
    delays = sorted(late for seed in range(20) if (late := estimate(FIRST + seed, concept=0.5).gap_rows) is not None)
    rows = np.median(delays)
    yield f"the concept shifts: the gap alarmed in {len(delays)} of 20 streams, after {rows:,.0f} rows (median)"
    found = sum(any(each.segment == WEAK for each in weak_segments(FIRST + seed, 0.1)) for seed in range(100))
    clean = sum(not weak_segments(FIRST + 500 + seed, 0.0) for seed in range(100))
    yield f"weak segment of 2 %, 10 points: named in {found} of 100 streams; nothing in {clean} of 100 without one"
    biased = [houses(FIRST + seed, 0.08) for seed in range(20)]
    hits = {FIRST + seed: named[0] for seed, named in enumerate(biased) if named and named[0].segment == BIASED}
    parts = [100 * removed(hit, seed, 0.08) for seed, hit in hits.items() if hit.bias > 0.0]
    more = sum(len(named) > 1 for named in biased)
    yield f"an area biased by +8 %: named first in {len(hits)} of 20 streams, another with it in {more};"
    yield f"  the correction removes {np.mean(parts):.0f} % of it on later rows, {min(parts):.0f} % at least"
    quiet_houses = sum(not houses(FIRST + seed, 0.0) for seed in range(20, 40))
    yield f"  nothing is named in {quiet_houses} of 20 streams without one"
