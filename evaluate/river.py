"""river's detectors, row by row: how often do they alarm for nothing, how soon do they see a change?

At their defaults, and tuned to one false alarm per 100,000 rows: the knob is chosen on seeds for tuning, and all that
is reported comes from other seeds. Rows are standardised; a share is given as its 0/1 indicator.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from evaluate import changes, figures
from evaluate.cells import Cell, Found
from evaluate.changes import Change
from evaluate.contenders import DUMMIES, ROWS
from evaluate.delays import BEFORE, CAP, CHANGE_ROW, PARTS, QUIET, TRIALS, Changed, summary, total
from evaluate.nulls import MONITORS, chunks
from evaluate.nulls import ROWS as PANE_ROWS
from evaluate.settings import PROMISED_ROWS, settings
from evaluate.streams import (
    CATEGORIES,
    NUMBERS,
    RATES,
    Categories,
    Floats,
    Ints,
    Make,
    Purpose,
    Rng,
    Stream,
    rng,
    sizes_fixed,
)

LENGTH = 50_000
SLOW = {"kswin": 0.05}
"""What tests a window at every row gets so much of the others' rows."""
NULL_STREAMS = ("iid", "lognormal", "t3", "ar-.5", "season-.5")
NULL_RATES = ("errors", "rare", "errors-sticky", "errors-beta")

Signal = Callable[[Floats], Floats]
"""What of a changed column is given to a detector."""


def plain(values: Floats) -> Floats:
    """The rows themselves."""
    return values


def missing(values: Floats) -> Floats:
    """1 where there is none."""
    return np.isnan(values).astype(np.float64)


def rare(values: Floats) -> Floats:
    """1 for the rare category."""
    return np.asarray(values == len(CATEGORIES) - 1, np.float64)


def stream_of(name: str, columns: int, generator: Rng) -> Stream:
    """A stationary stream by name, numbers or a share."""
    return {**NUMBERS, **RATES}[name](columns, generator)


# ------------------------------------------------------------------ cells
def null_part(name: str, setting: float | None, stream: str, columns: int, number: int) -> Found:
    """False alarms of one detector, or dummy, on stationary rows."""
    values = stream_of(stream, MONITORS, rng(Purpose.REPORTING, f"rows {stream}", number))
    rows = values.rows(sizes_fixed(LENGTH // PANE_ROWS, PANE_ROWS))[:columns]
    return {"rows": rows.size, "alarms": sum(len(alarms_of(name, setting, column)) for column in rows)}


def null_summary(found: Found) -> dict[str, Any]:
    """False alarms per 100,000 rows of one column."""
    return {"alarms": found["alarms"], "per_100k": figures.rate(found["alarms"], found["rows"], PROMISED_ROWS).record()}


def alarms_of(name: str, setting: float | None, values: Floats) -> Ints:
    """Rows at which a detector or dummy alarms."""
    if name in DUMMIES:
        return DUMMIES[name](values)
    return next(rows for rows in ROWS if rows.key == name).alarms(values, setting)


def change_part(
    who: tuple[str, float | None], source: Make, change: tuple[str, Change], signal: Signal, number: int
) -> Found:
    """The trials of delays.py, with delays to the row."""
    generator = rng(Purpose.REPORTING, f"change {change[0]}", number)
    stream = Changed(source(TRIALS // PARTS, generator), change[1], CHANGE_ROW, generator)
    values = np.concatenate([stream.rows(sizes) for sizes in chunks(BEFORE + CAP)], axis=1)
    trials = []
    for column in values:
        at = alarms_of(*who, signal(column))
        hits = at[at >= CHANGE_ROW] - CHANGE_ROW + 1
        false = int(((at >= CHANGE_ROW - QUIET * PANE_ROWS) & (at < CHANGE_ROW)).sum())
        one: Found = {"trials": 1, "false": false, "spoiled": 0, "hits": int(len(hits) > 0), "starts": [], "by": {}}
        trials.append(one | {"delays": hits[:1].tolist()})
    return total(trials, 0.0)


def cells() -> Iterator[Cell]:
    """Every detector on every stream and every change; the dummies beside them."""
    for names, takes in ((NULL_STREAMS, "numbers"), (NULL_RATES, "errors")):
        for stream in names:
            for dummy in DUMMIES:
                yield _null(dummy, "default", None, stream)
            for rows in ROWS:
                if getattr(rows, takes):
                    for how, setting in settings(rows.key, "iid" if takes == "numbers" else "errors"):
                        yield _null(rows.key, how, setting, stream)
    yield from _changes()


def _null(name: str, how: str, setting: float | None, stream: str) -> Cell:
    about = {"contender": name, "how": how, "setting": setting, "stream": stream}
    columns = max(1, round(MONITORS * SLOW.get(name, 1.0)))
    run = partial(null_part, name, setting, stream, columns)
    return Cell("river-null", f"{name}, {how}, {stream}", about, PARTS, run, null_summary)


def _changes() -> Iterator[Cell]:
    for name, (stream, change) in (*changes.NUMERIC.items(), *changes.ERRORS.items()):
        numbers, signal, base = name in changes.NUMERIC, plain, stream
        if name.startswith("missing"):
            numbers, signal, base = False, missing, "rare"
        source = partial(stream_of, stream)
        yield from _change(name, change, source, signal, numbers, base)
    for name, change in changes.CATEGORY.items():
        yield from _change(name, change, Categories, rare, False, "rare")  # noqa: FBT003


def _change(
    name: str, change: Change, source: Make, signal: Signal, numbers: bool, base: str,  # noqa: FBT001
) -> Iterator[Cell]:  # fmt: skip
    who: list[tuple[str, str, float | None]] = [(dummy, "default", None) for dummy in DUMMIES]
    for rows in ROWS:
        if rows.numbers if numbers else rows.errors:
            who += [(rows.key, how, setting) for how, setting in settings(rows.key, base)]
    for key, how, setting in who:
        about = {"contender": key, "how": how, "setting": setting, "change": name, "trials": TRIALS}
        run = partial(change_part, (key, setting), source, (name, change), signal)
        yield Cell("river-changes", f"{key}, {how}, {name}", about, PARTS, run, summary)
