"""Is the promise kept where nothing changes? Whole configs of 14 features on stationary streams.

Several configs run as one with as many times the features and the budget: shares are equal per feature, so that each
chart has the threshold that it has in a config of 14 (tests/evaluate proves it).
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from evaluate import configs, figures
from evaluate.cells import Cell, Found
from evaluate.contenders import Own
from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.streams import NUMBERS, RATES, Floats, Ints, Purpose, Rng, rng, sizes_fixed, sizes_varying

MONITORS = 14
ROWS = 50
PROMISED = 1_000
PANES = 3_000
CONFIGS = 1
"""Per part."""
PARTS = 50
LAYOUT_PANES = 25
"""Panes of 50 rows before a reference begins: the first thousand values lay out a column's histogram."""
CHUNK = 100


def chunks(panes: int, varying: Rng | None = None, rows: int = ROWS) -> Iterator[Ints]:
    """Sizes of the panes, some at a time."""
    for start in range(0, panes, CHUNK):
        count = min(CHUNK, panes - start)
        yield sizes_fixed(count, rows) if varying is None else sizes_varying(count, varying)


def part(own: Own, stream: str, reference: int, number: int, *, varying: bool = False) -> Found:
    """Some configs, from their first row on."""
    assert own.features is not None
    generator = rng(Purpose.REPORTING, f"null {stream} {reference} {varying}", number)
    count = MONITORS * CONFIGS
    source = NUMBERS[stream](count, generator)
    promised = configs.budget(PROMISED, configs=CONFIGS)
    plan = plan_of(configs.config(configs.numbers(count), own.features, configs.first(reference), promised))
    run, alarms = Run(plan), list[Alarm]()
    for sizes in chunks(LAYOUT_PANES + reference + PANES, generator if varying else None):
        values = dict(zip(configs.columns(count), source.rows(sizes), strict=True))
        alarms += run.feed(Panes(sizes, values))
    return counted(run, alarms, CONFIGS)


def rates_part(own: Own, stream: str, reference: int, number: int) -> Found:
    """Configs with accuracy alone, each over an error stream of its own."""
    assert own.labelled is not None
    found = []
    for config in range(CONFIGS):
        generator = rng(Purpose.REPORTING, f"null {stream} {reference}", number * CONFIGS + config)
        source = RATES[stream](1, generator)
        promised = configs.budget(PROMISED)
        plan = plan_of(configs.config(configs.labelled(), own.labelled, configs.first(reference), promised))
        run, alarms = Run(plan), list[Alarm]()
        for sizes in chunks(reference + PANES):
            alarms += run.feed(Panes(sizes, judged(source.rows(sizes)[0], generator)))
        found.append(counted(run, alarms, 1))
    return {name: sum((each[name] for each in found), type(found[0][name])()) for name in found[0]}


def judged(errors: Floats, generator: Rng) -> dict[str, Floats]:
    """Predictions and labels of a balanced problem that differ where there is an error."""
    said = (generator.random(len(errors)) < 0.5).astype(np.float64)
    return {"prediction": said, "label": np.abs(said - errors)}


def counted(run: Run, alarms: list[Alarm], groups: int) -> Found:
    """Alarms of several configs that ran as one. exposure: panes of a config in which its monitors could alarm."""
    fired = [a for a in alarms if not a.resolved]
    per_group: dict[int, list[int]] = {}
    for alarm in fired:
        group = int(alarm.column[1:]) // MONITORS if groups > 1 else 0
        per_group.setdefault(group, []).append(alarm.pane)
    measures = Counter(a.monitor.removeprefix(f"{a.column}-") for a in fired)
    return {
        "panes": run.exposure.panes * groups,
        "ready": run.exposure.ready * groups,
        "exposure": run.exposure.at_risk * groups,
        "alarms": len(fired),
        "incidents": sum(figures.incidents(panes) for panes in per_group.values()),
        "by": measures,
        "cpu_s": run.cpu_s,
    }


def summary(found: Found, promised: float = PROMISED) -> dict[str, Any]:
    """Ratio of alarms and of incidents, with the interval; how much of the time monitors were ready, and at risk."""
    kept = figures.ratio(found["alarms"], found["exposure"], promised)
    grouped = figures.ratio(found["incidents"], found["exposure"], promised)
    return {
        "expected": round(found["exposure"] / promised, 1),
        "alarms": found["alarms"],
        "incidents": found["incidents"],
        "ratio": kept.record(),
        "ratio_incidents": grouped.record(),
        "ready": round(found["ready"] / found["panes"], 3),
        "by": dict(sorted(found["by"].items())),
        "ms_per_pane": round(found["cpu_s"] / found["panes"] * 1e3, 2),
    }


GRID: tuple[tuple[str, int, bool], ...] = (
    ("iid", 100, False),
    ("iid", 300, False),
    ("lognormal", 100, False),
    ("t3", 100, False),
    ("iid", 100, True),
    ("ar-.5", 100, False),
    ("ar-.5", 300, False),
    ("pane-effects", 300, False),
    ("ar-.95", 100, False),
    ("flags", 100, True),
    ("zeros", 100, True),
)
"""Stream, panes of the reference, whether the number of rows varies from 5 to 99."""
RATE_GRID: tuple[tuple[str, int], ...] = (
    ("errors", 100),
    ("rare", 100),
    ("errors-sticky", 100),
    ("errors-beta", 100),
)


def cells(owns: tuple[Own, ...]) -> Iterator[Cell]:
    """Every contender of the engine on every stream."""
    for own in owns:
        if own.features is not None:
            for stream, reference, varying in GRID:
                about: dict[str, Any] = {"contender": own.key, "stream": stream, "reference": reference}
                about["varying_n"] = varying
                key = f"{own.key}, {stream}{', 5 to 99 rows' if varying else ''}, {reference}"
                run = partial(part, own, stream, reference, varying=varying)
                yield Cell("null", key, about | _common(CONFIGS * PARTS), PARTS, run, summary)
        if own.labelled is not None:
            for stream, reference in RATE_GRID:
                about = {"contender": own.key, "stream": stream, "reference": reference}
                run = partial(rates_part, own, stream, reference)
                yield Cell("null-rates", f"{own.key}, {stream}, {reference}", about | _common(50), PARTS, run, summary)


def _common(count: int) -> dict[str, Any]:
    return {"promised_panes": PROMISED, "panes": PANES, "rows_per_pane": ROWS, "configs": count}
