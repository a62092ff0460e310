"""The most sensitive setting with at most one false alarm per 100,000 rows, by bisection, on seeds for tuning.

Of a river detector its knob; of our own the promise itself: a budget that is not used up by stationary rows makes a
detector slower than it need be, and others are given theirs by trial, too.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from evaluate import delays
from evaluate.contenders import OWN, ROWS, Own, Rows
from evaluate.nulls import ROWS as PANE_ROWS
from evaluate.river import LENGTH, SLOW, stream_of
from evaluate.settings import PROMISED_ROWS
from evaluate.streams import NUMBERS, Floats, Purpose, rng, sizes_fixed

COLUMNS, STEPS = 40, 12
OWN_COLUMNS, OWN_STEPS = 20, 5
STREAMS = ("iid", "lognormal", "ar-.5", "errors", "rare")
OWN_STREAMS = ("iid", "categories", "errors")
PROMISES = (200_000.0, 5_000.0)
"""The strictest and the loosest promise, in rows."""
Count = Callable[[float], tuple[int, float]]
"""setting -> alarms, and the rows in which they could come."""


def bisect(count: Count, strict: float, loose: float, steps: int) -> dict[str, Any]:
    """The setting nearest to `loose` with at most one alarm per 100,000 rows; `reached` is false where there is none.

    >>> found = bisect(lambda setting: (int(setting), 1e6), strict=1, loose=100, steps=12)
    >>> round(found["setting"]), found["alarms"], found["reached"]
    (11, 10, True)
    """
    alarms, rows = count(strict)
    found: dict[str, Any] = {"setting": strict, "alarms": alarms, "rows": round(rows)}
    if alarms > rows / PROMISED_ROWS:
        return found | {"reached": False}
    ends = [math.log(strict), math.log(loose)]
    for _ in range(steps):
        middle = sum(ends) / 2
        setting = float(f"{math.exp(middle):.4g}")
        alarms, rows = count(setting)
        few = alarms <= rows / PROMISED_ROWS
        ends[0 if few else 1] = middle
        found = {"setting": setting, "alarms": alarms, "rows": round(rows)} if few else found
    return found | {"reached": True}


def tune_rows(rows: Rows, stream: str) -> dict[str, Any]:
    """A river detector's knob."""
    columns = max(2, round(COLUMNS * SLOW.get(rows.key, 1.0)))
    source = stream_of(stream, columns, rng(Purpose.TUNING, stream, 0))
    values = source.rows(sizes_fixed(LENGTH // PANE_ROWS, PANE_ROWS))
    return bisect(lambda setting: _alarms(rows, values, setting), rows.strict, rows.loose, STEPS)


def _alarms(rows: Rows, values: Floats, setting: float) -> tuple[int, float]:
    """Over all columns; no more are counted once there are far too many."""
    alarms, most = 0, 4 * values.size / PROMISED_ROWS
    for column in values:
        alarms += len(rows.alarms(column, setting))
        if alarms > most:
            break
    return alarms, float(values.size)


def tune_own(own: Own, stream: str) -> dict[str, Any]:
    """The promise of a config, in rows between false alarms."""

    def count(promised: float) -> tuple[int, float]:
        return delays.still(own, stream, promised, OWN_COLUMNS, LENGTH // PANE_ROWS, Purpose.TUNING)

    return bisect(count, *PROMISES, OWN_STEPS)


def tasks(only: str, streams: str = "") -> Iterator[tuple[str, str, Callable[[], dict[str, Any]]]]:
    """Contender, stream and what tunes the one on the other. only, streams: keys with commas between, or all."""
    for key, stream, tune in _tasks():
        if (not only or key in only.split(",")) and (not streams or stream in streams.split(",")):
            yield key, stream, tune


def _tasks() -> Iterator[tuple[str, str, Callable[[], dict[str, Any]]]]:
    for rows in ROWS:
        for stream in STREAMS:
            if rows.numbers if stream in NUMBERS else rows.errors:
                yield rows.key, stream, partial(tune_rows, rows, stream)
    for own in OWN:
        for stream in OWN_STREAMS:
            takes = own.labelled if stream == "errors" else own.features
            if takes is not None and (stream != "categories" or own.categories):
                yield own.key, stream, partial(tune_own, own, stream)
