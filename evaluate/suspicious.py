"""`python -m evaluate.suspicious`: how often do `top_share` and `edge_rate` alarm where nothing happens?

Configs of ten columns with one monitor each, over streams whose keys and values are as unruly as those of real clients:
many keys of which few come often, keys that stick, sessions with heavy tails. Budget: one alarm in so many panes.
Arguments: text in the names of cells ("": all), seeds, promises, text in sizes, as: sticky 4 1000 "50 rows".
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from evaluate import configs, figures
from evaluate.feed import Panes, Run, plan_of
from evaluate.nulls import LAYOUT_PANES
from evaluate.streams import CATEGORIES, NUMBERS, Floats, Rng

COLUMNS, TOGETHER = 10, 5
"""Of a config, and configs that run as one: shares of the budget are equal, so that thresholds are the same."""
REFERENCE, PANES = 100, 3_000
KEYS = 2_000
Draw = Callable[[Rng, int], Floats]
"""So many rows of one column."""


# ---------------------------------------------------------------------- keys
def _zipf(rng: Rng, rows: int, exponent: float = 1.1) -> Floats:
    shares = 1.0 / np.arange(1, KEYS + 1) ** exponent
    return np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random(rows)).astype(np.float64)


def _even(rng: Rng, rows: int) -> Floats:
    return rng.integers(0, KEYS, rows).astype(np.float64)


def _few(rng: Rng, rows: int) -> Floats:
    return np.searchsorted(np.cumsum(CATEGORIES)[:-1], rng.random(rows), side="right").astype(np.float64)


def _sticky(rng: Rng, rows: int, stay: float) -> Floats:
    """A row has the key of the one before with this chance."""
    fresh = np.where(rng.random(rows) < stay, 0, np.arange(rows))
    return _zipf(rng, rows)[np.maximum.accumulate(fresh)]


def _together(rng: Rng, rows: int, sessions: int, stay: float) -> Floats:
    """So many sessions at once, in any order; each goes on with this chance."""
    slot, found = rng.integers(0, sessions, rows), np.empty(rows)
    for each in range(sessions):
        mine = slot == each
        found[mine] = _sticky(rng, int(mine.sum()), stay)
    return found


def _bursts(rng: Rng, rows: int) -> Floats:
    """Sessions one after the other whose lengths have a heavy tail: Pareto's of 1.5, 100 at most."""
    lengths = np.minimum(1 + rng.pareto(1.5, rows), 100.0).astype(np.int64)
    return np.repeat(_zipf(rng, rows), lengths)[:rows]


TOPS: dict[str, Draw] = {
    "Zipf 1.1, 2,000 keys": _zipf,
    "even, 2,000 keys": _even,
    "8 values": _few,
    "sticky .5": partial(_sticky, stay=0.5),
    "sticky .9": partial(_sticky, stay=0.9),
    "20 sessions at once": partial(_together, sessions=20, stay=0.95),
    "sessions, heavy tail": _bursts,
}


# ---------------------------------------------------------------------- values
def _made(rng: Rng, rows: int, stream: str) -> Floats:
    return np.asarray(NUMBERS[stream](1, rng).rows(np.array([rows]))[0])


EDGES: dict[str, Draw] = {
    "normal": partial(_made, stream="iid"),
    "lognormal": partial(_made, stream="lognormal"),
    "t3": partial(_made, stream="t3"),
    "Pareto 1.5": lambda rng, rows: rng.pareto(1.5, rows),
    "ar-.5": partial(_made, stream="ar-.5"),
    "counts": lambda rng, rows: rng.poisson(1.4, rows).astype(np.float64),
    "a tenth at the top": lambda rng, rows: np.minimum(rng.normal(0.0, 1.0, rows), 1.28),
}
DECLARED: dict[str, Draw] = {
    "declared, even": lambda rng, rows: 1_000.0 * rng.random(rows),
    "declared, rare": lambda rng, rows: np.minimum(rng.gamma(2.0, 120.0, rows), 1_000.0),
    "declared, never": lambda rng, rows: np.clip(rng.normal(500.0, 60.0, rows), 0.0, 1_000.0),
}


# ---------------------------------------------------------------------- runs
def run(
    draw: Draw, features: dict[str, Any], monitor: str, promised: float, seed: int, sizes: Sequence[int]
) -> tuple[int, float]:
    """Alarms of some configs that run as one, and the panes in which there could be one. sizes: rows, least, most."""
    count, generator = COLUMNS * TOGETHER, np.random.default_rng([2_001, seed])
    names = configs.columns(count)
    monitors = [{"on": name, "measure": monitor} for name in names]
    streams = {"features": dict.fromkeys(names, features)}
    budget = configs.budget(promised, configs=TOGETHER)
    plan = plan_of(configs.config(streams, monitors, configs.first(REFERENCE), budget))
    held = Run(plan, dict.fromkeys(names, tuple(map(str, range(KEYS)))))
    fired = 0
    rows = generator.integers(sizes[0], sizes[1] + 1, LAYOUT_PANES + REFERENCE + PANES)
    columns = [draw(generator, int(rows.sum())) for _ in names]
    ends = np.cumsum(rows)
    for at in range(0, len(rows), 100):
        begin, end = (int(ends[at - 1]) if at else 0), int(ends[min(at + 100, len(rows)) - 1])
        part = {name: column[begin:end] for name, column in zip(names, columns, strict=True)}
        fired += sum(not alarm.resolved for alarm in held.feed(Panes(rows[at : at + 100], part)))
    return fired, held.exposure.at_risk * TOGETHER


def cells() -> Iterator[tuple[str, str, Draw, dict[str, Any]]]:
    """Monitor, stream, and what the config says of a column."""
    for name, draw in TOPS.items():
        yield "top_share", name, draw, {"kind": "categorical"}
    for name, draw in EDGES.items():
        yield "edge_rate", name, draw, {"kind": "numeric"}
    for name, draw in DECLARED.items():
        yield "edge_rate", name, draw, {"kind": "numeric", "range": [0, 1_000]}


SIZES = {"50 rows": (50, 50), "5 to 99 rows": (5, 99), "500 rows": (500, 500)}


def main(wanted: str = "", seeds: str = "4", promises: str = "1000,10000", sizes: str = "") -> None:
    """A line for each cell whose name holds the text."""
    for monitor, name, draw, features in cells():
        for size, rows in SIZES.items():
            if wanted not in f"{monitor}, {name}" or sizes not in size:
                continue
            for promised in map(float, promises.split(",")):
                found = [run(draw, features, monitor, promised, seed, rows) for seed in range(int(seeds))]
                alarms, exposure = sum(each[0] for each in found), sum(each[1] for each in found)
                kept = figures.ratio(alarms, exposure, promised)
                expected = exposure / promised
                told = f"{alarms} alarms where {expected:.1f} may be, ratio {kept.value} ({kept.low}..{kept.high})"
                print(f"{monitor}, {name}, {size}, 1 in {promised:g}: {told}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
