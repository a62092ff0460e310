"""What does a pane cost, in CPU time, as the monitors become more?"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from evaluate import configs
from evaluate.cells import Cell, Found
from evaluate.contenders import OWN, Own
from evaluate.feed import Panes, Run, plan_of
from evaluate.nulls import LAYOUT_PANES, ROWS, chunks
from evaluate.streams import NUMBERS, Purpose, rng

REFERENCE, PANES = 40, 200
FEATURES = (3, 20, 200)


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


def summary(found: Found) -> dict[str, Any]:
    """CPU time of a pane, and for each monitor of it."""
    return {
        "monitors": found["monitors"] // found["panes"],
        "ms_per_pane": round(found["cpu_s"] / found["panes"] * 1e3, 3),
        "us_per_monitor": round(found["cpu_s"] / found["monitors"] * 1e6, 2),
    }


def cells() -> Iterator[Cell]:
    """The default, and what its detectors are compared with."""
    for own in OWN:
        if own.features is not None:
            for features in FEATURES:
                about = {"contender": own.key, "features": features, "rows_per_pane": ROWS}
                yield Cell("cost", f"{own.key}, {features} features", about, 3, partial(part, own, features), summary)
