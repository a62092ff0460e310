"""Concept changes of published streams, seen through the errors of a tree that was trained once and then frozen.

A Hoeffding tree learns the first 5,000 rows of each file; the errors that it makes on all others are watched. A change
is found by an alarm within 1,000 rows after it; alarms elsewhere are false.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluate import configs, figures, sets
from evaluate.cells import Cell, Found
from evaluate.contenders import DUMMIES, OWN, ROWS, Own, Rows
from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.nulls import ROWS as PANE_ROWS
from evaluate.nulls import chunks, judged
from evaluate.sets import TORNADO
from evaluate.streams import Floats, Purpose, rng

FITTED_ROWS = 5_000
WITHIN_ROWS = 1_000
REFERENCE = 100
PROMISED = 10_000
FILES = tuple(TORNADO)


@lru_cache(maxsize=6)
def errors(path: Path) -> Floats:
    """1 where the frozen tree is wrong, from row 5,000 on."""
    from river.tree import HoeffdingTreeClassifier  # noqa: PLC0415 (takes a second: only when needed)

    rows, classes = sets.tornado(path)
    tree: Any = HoeffdingTreeClassifier()
    for row, known in zip(rows[:FITTED_ROWS], classes[:FITTED_ROWS].tolist(), strict=True):
        tree.learn_one(row, known)
    said = [tree.predict_one(row) for row in rows[FITTED_ROWS:]]
    return np.array([given != known for given, known in zip(said, classes[FITTED_ROWS:], strict=True)], np.float64)


def own_part(own: Own, folder: Path, number: int) -> Found:
    """One file through a config with accuracy alone."""
    assert own.labelled is not None
    name = FILES[number]
    wrong = errors(folder / name)
    promised = configs.budget(PROMISED)
    plan = plan_of(configs.config(configs.labelled(), own.labelled, configs.first(REFERENCE), promised))
    run, alarms, generator = Run(plan), list[Alarm](), rng(Purpose.REPORTING, "tornado", number)
    for sizes in chunks(len(wrong) // PANE_ROWS):
        part = wrong[run.pane * PANE_ROWS :][: int(sizes.sum())]
        alarms += run.feed(Panes(sizes, judged(part, generator)))
    alarms += run.finish()
    rows = [FITTED_ROWS + (a.pane + 1) * PANE_ROWS for a in alarms]
    starts = [FITTED_ROWS + round(a.since * PANE_ROWS) for a in alarms]
    at = [[row, start] for row, start, a in zip(rows, starts, alarms, strict=True) if not a.resolved]
    ended = [row for row, a in zip(rows, alarms, strict=True) if a.resolved]
    found = scored(at, TORNADO[name])
    ends = sum(any(drift < row <= drift + WITHIN_ROWS for row in ended) for drift in found["missed"])
    return found | {"ends": ends, "panes": run.pane, "cpu_s": run.cpu_s}


def rows_part(rows: Rows | str, folder: Path, number: int) -> Found:
    """One file through a river detector at its defaults, or a dummy."""
    name = FILES[number]
    wrong = errors(folder / name)
    at = DUMMIES[rows](wrong) if isinstance(rows, str) else rows.alarms(wrong)
    found = scored([[FITTED_ROWS + row + 1, None] for row in at.tolist()], TORNADO[name])
    return found | {"ends": 0, "panes": len(wrong) // PANE_ROWS, "cpu_s": 0.0}


def scored(at: Sequence[Sequence[Any]], drifts: Sequence[int]) -> Found:
    """Alarms as [row, estimated start] against the rows of the changes."""
    delays, starts, missed, used = [], [], [], 0
    for drift in drifts:
        hits = [(row, start) for row, start in at if drift < row <= drift + WITHIN_ROWS]
        used += len(hits)
        if not hits:
            missed.append(drift)
            continue
        delays.append(hits[0][0] - drift)
        starts += [abs(hits[0][1] - drift)] if hits[0][1] is not None else []
    return {
        "drifts": len(drifts),
        "hits": len(delays),
        "delays": delays,
        "starts": starts,
        "missed": missed,
        "false": len(at) - used,
    }


def summary(found: Found) -> dict[str, Any]:
    """Found of all changes, delay, error of the start, false alarms; and how many of the missed ones ended an alert."""
    return {
        "drifts": found["drifts"],
        "hits": found["hits"],
        "ended": found["ends"],
        "delay_mean": round(float(np.mean(found["delays"])), 1) if found["delays"] else None,
        "delay_median": figures.median(found["delays"], len(found["delays"])).value if found["delays"] else None,
        "start_error_max": max(found["starts"], default=None),
        "start_error_median": float(np.median(found["starts"])) if found["starts"] else None,
        "false": found["false"],
        "expected": round(found["panes"] / PROMISED, 2),
    }


def cells(folder: Path | None) -> Iterator[Cell]:
    """Everyone who can watch errors; a part is a file."""
    where = folder or sets.FOLDER
    about = {"fitted_rows": FITTED_ROWS, "within_rows": WITHIN_ROWS}
    for own in OWN:
        if own.labelled is not None:
            known = about | {"contender": own.key, "promised_panes": PROMISED, "rows_per_pane": PANE_ROWS}
            yield Cell("tornado", own.key, known, len(FILES), partial(own_part, own, where), summary, FILES[0])
    takers: list[Rows | str] = [*(rows for rows in ROWS if rows.errors), *DUMMIES]
    for rows in takers:
        key = rows if isinstance(rows, str) else f"{rows.key}, default"
        run = partial(rows_part, rows, where)
        yield Cell("tornado", key, about | {"contender": key}, len(FILES), run, summary, FILES[0])
