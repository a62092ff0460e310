"""What does a pane cost, in CPU time, as the monitors become more?"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from bench.charts import joined, signals, timed
from evaluate import configs
from evaluate.cells import Cell, Found
from evaluate.contenders import OWN, Own
from evaluate.feed import Panes, Run, plan_of
from evaluate.nulls import LAYOUT_PANES, ROWS, chunks
from evaluate.streams import NUMBERS, Purpose, rng
from streamcheck.core.detectors._bank import Bank
from streamcheck.core.detectors._steps import columns

REFERENCE, PANES = 40, 200
FEATURES = (3, 20, 200)
CHARTS, SETS = 1_000, 16
"""As in `python -m bench charts`: half of the charts judge shares."""


def part(own: Own, features: int, number: int) -> Found:
    """Panes of 50 rows, the reference being ready; generating rows is not counted."""
    assert own.features is not None
    source = NUMBERS["iid"](features, rng(Purpose.REPORTING, f"cost {features}", number))
    plan = plan_of(configs.config(configs.numbers(features), own.features, configs.first(REFERENCE), "1 per week"))
    run, names, before_s = Run(plan), configs.columns(features), 0.0
    for sizes in (*chunks(LAYOUT_PANES + REFERENCE), *chunks(PANES)):
        before_s = run.cpu_s if run.pane == LAYOUT_PANES + REFERENCE else before_s
        run.feed(Panes(sizes, dict(zip(names, source.rows(sizes), strict=True))))
    return {"panes": PANES, "monitors": len(plan.monitors) * PANES, "cpu_s": run.cpu_s - before_s}


def charts_part(number: int) -> Found:
    """Charts of scan alone: a step of all as numpy, and with a signal before and a verdict behind each of them."""
    panes = [signals(CHARTS, 0.5, rng(Purpose.REPORTING, "charts", number * SETS + at)) for at in range(SETS)]
    bank, given = Bank(), [columns(pane) for pane in panes]
    charts = np.array([chart.chart[1] for chart in joined(CHARTS, bank)], np.int64)
    bank_us = timed(lambda at: bank.judge(charts, given[at % SETS], at), PANES)
    signals_us = timed(lambda at: bank.step(charts, panes[at % SETS], PANES + at), PANES)
    return {"panes": 1, "monitors": CHARTS, "cpu_s": bank_us / 1e6, "with_signals_s": signals_us / 1e6}


def charts_summary(found: Found) -> dict[str, Any]:
    """As of panes, and CPU time with signals and verdicts."""
    return summary(found) | {"ms_with_signals": round(found["with_signals_s"] / found["panes"] * 1e3, 3)}


def summary(found: Found) -> dict[str, Any]:
    """CPU time of a pane, and for each monitor of it."""
    return {
        "monitors": found["monitors"] // found["panes"],
        "ms_per_pane": round(found["cpu_s"] / found["panes"] * 1e3, 3),
        "us_per_monitor": round(found["cpu_s"] / found["monitors"] * 1e6, 2),
    }


def cells() -> Iterator[Cell]:
    """The charts of the default alone; then whole configs, and what its detectors are compared with."""
    about: dict[str, Any] = {"charts": CHARTS, "shares": 0.5, "steps": PANES}
    yield Cell("cost", f"scan, {CHARTS:,} charts", about, 3, charts_part, charts_summary)
    for own in OWN:
        if own.features is not None:
            for features in FEATURES:
                about = {"contender": own.key, "features": features, "rows_per_pane": ROWS}
                yield Cell("cost", f"{own.key}, {features} features", about, 3, partial(part, own, features), summary)
