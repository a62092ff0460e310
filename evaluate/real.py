"""Public data: sets in random order, where nothing can have changed; and known changes in their true order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluate import configs, figures, nulls, sets
from evaluate.cells import Cell, Found
from evaluate.contenders import DEFAULT
from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.nulls import CHUNK, ROWS, counted
from evaluate.sets import BANK, ELEC2, NOAA, NOAA_DRIFTED, READERS, Table
from evaluate.streams import Purpose, rng

PERMUTATIONS = 8
PROMISED_TRUE = 10_000
"""Panes between false alarms where rows stand in their true order."""
HALF_HOUR_MS = 1_800_000
GO_LIVE = {"vicprice": 17_424, "vicdemand": 17_424, "transfer": 17_424}
NOAA_DRIFT = 12_000
NOAA_YEARS_ROWS = 3_650


def follow(
    table: Table, reference: configs.Config, promised: float, rows: int, pane_ms: int
) -> tuple[Run, list[Alarm]]:
    """The default monitors of every column of a table, so many rows a pane."""
    assert DEFAULT.features is not None
    features = dict.fromkeys(table.numbers, "numeric") | dict.fromkeys(table.codes, "categorical")
    budget = configs.budget(promised)
    written = configs.config({"features": features}, DEFAULT.features, reference, budget, pane_ms=pane_ms)
    run, alarms = Run(plan_of(written), table.texts, pane_ms), list[Alarm]()
    for start in range(0, len(table), CHUNK * rows):
        part = {name: column[start : start + CHUNK * rows] for name, column in table.columns.items()}
        count = len(next(iter(part.values())))
        sizes = np.array([min(rows, count - at) for at in range(0, count, rows)], np.int64)
        alarms += run.feed(Panes(sizes, part))
    return run, alarms + run.finish()


def permuted(name: str, folder: Path, number: int) -> Found:
    """One permutation, with the budget of the other nulls."""
    table = READERS[name](folder / name)
    order = rng(Purpose.REPORTING, f"permuted {name}", number).permutation(len(table))
    run, alarms = follow(table.shuffled(order), configs.first(100), nulls.PROMISED, ROWS, 10_000)
    return counted(run, alarms, 1) | {"by": Counter(a.column for a in alarms if not a.resolved)}


def ordered(name: str, folder: Path, reference: configs.Config, rows: int, pane_ms: int, number: int) -> Found:  # noqa: ARG001
    """Rows in their true order: every alarm, by column, as [end of its pane, estimated start] in rows."""
    table = READERS[name](folder / name)
    run, alarms = follow(table, reference, PROMISED_TRUE, rows, pane_ms)
    fired = [a for a in alarms if not a.resolved]
    at = [[a.column, (a.pane + 1) * rows, round(a.since * rows)] for a in fired]
    found = {"at": at, "monitors": Counter(a.monitor for a in fired)}
    return found | {"incidents": figures.incidents([a.pane for a in fired]), "panes": run.pane}


def ordered_summary(found: Found, changed: dict[str, int]) -> dict[str, Any]:
    """Alarms before and after known changes. changed: by column, its first changed row."""
    before, first = Counter[str](), dict[str, Sequence[int]]()
    for column, row, since in found["at"]:
        if column in changed and row <= changed[column]:
            before[column] += 1
        elif column in changed and column not in first:
            first[column] = [row, since]
    every = Counter(column for column, _, _ in found["at"])
    return {
        "panes": found["panes"],
        "expected": round(found["panes"] / PROMISED_TRUE, 2),
        "alarms": len(found["at"]),
        "incidents": found["incidents"],
        "columns": dict(sorted(every.items())),
        "before": dict(sorted(before.items())),
        "first": {name: {"row": first[name][0], "start": first[name][1]} for name in sorted(first)},
    }


def cells(folder: Path | None) -> Iterator[Cell]:
    """Cells of the sets; they are there whether the files are or not."""
    where = folder or sets.FOLDER
    for name in (BANK, ELEC2, NOAA):
        about = {"set": name, "promised_panes": nulls.PROMISED, "rows_per_pane": ROWS, "reference": 100}
        run = partial(permuted, name, where)
        yield Cell("permuted", name.split(".")[0], about, PERMUTATIONS, run, nulls.summary, name)
    noaa_changes = dict.fromkeys(sets.NOAA_FEATURES, NOAA_DRIFT)
    first_year = configs.first(NOAA_YEARS_ROWS // 30, 10_000)
    day = 48 * HALF_HOUR_MS
    prices = {**GO_LIVE, "nswprice": 17_424, "nswdemand": 17_424}
    season = {"season": "hour_of_week", "over": "16w"}
    plans: tuple[tuple[str, str, configs.Config, int, int, dict[str, int]], ...] = (
        ("NOAA, drifted", NOAA_DRIFTED, first_year, 30, 10_000, noaa_changes),
        ("NOAA, twin", NOAA, first_year, 30, 10_000, noaa_changes),
        ("elec2, a day a pane", ELEC2, configs.first(100, day), 48, day, prices),
        ("elec2, hour of week", ELEC2, season, 8, 8 * HALF_HOUR_MS, prices),
        ("bank", BANK, configs.first(100), 50, 10_000, {"emp_var_rate": 7_763}),
    )
    for key, name, reference, rows, pane_ms, changed in plans:
        about = {"set": name, "reference": reference, "rows_per_pane": rows, "promised_panes": PROMISED_TRUE}
        run = partial(ordered, name, where, reference, rows, pane_ms)
        yield Cell("ordered", key, about, 1, run, partial(ordered_summary, changed=changed), name)
