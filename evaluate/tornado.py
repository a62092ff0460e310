"""Concept changes of published streams, seen through the errors of a tree that was trained once and then frozen.

A Hoeffding tree learns the first 5,000 rows of each file; the errors that it makes on all others are watched. A change
is found by an alarm within 1,000 rows after it; alarms elsewhere are false.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluate import configs, figures, sets
from evaluate.cells import Cell, Found
from evaluate.contenders import DUMMIES, OWN, ROWS, Monitors, Own, Rows
from evaluate.feed import Panes, Run, plan_of
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


def own_part(monitors: Monitors, folder: Path, number: int, *, restarts: bool) -> Found:
    """One file through a config with accuracy alone.

    restarts: after each alarm all is begun anew at the row to which it dates the change, as after `state reset`, so
    that the way back is a change as well.
    """
    name = FILES[number]
    wrong, generator = errors(folder / name), rng(Purpose.REPORTING, "tornado", number)
    plan = plan_of(configs.config(configs.labelled(), monitors, configs.first(REFERENCE), configs.budget(PROMISED)))
    first, at, ended, cpu_s = 0, list[list[int]](), list[int](), 0.0
    while first < len(wrong):
        run, restart = Run(plan), len(wrong)
        for sizes in chunks((len(wrong) - first) // PANE_ROWS):
            begin = first + run.pane * PANE_ROWS
            for alarm in run.feed(Panes(sizes, judged(wrong[begin : begin + int(sizes.sum())], generator))):
                row = FITTED_ROWS + first + (alarm.pane + 1) * PANE_ROWS
                if alarm.resolved:
                    ended.append(row)
                elif restart == len(wrong):
                    at.append([row, FITTED_ROWS + first + round(alarm.since * PANE_ROWS)])
                    restart = at[-1][1] - FITTED_ROWS if restarts else restart
            if restart < len(wrong):
                break
        cpu_s += run.cpu_s
        first = max(restart, first + PANE_ROWS)
    found = scored(at, TORNADO[name])
    ends = sum(any(drift < row <= drift + WITHIN_ROWS for row in ended) for drift in found["missed"])
    return found | {"ends": ends, "panes": len(wrong) // PANE_ROWS, "cpu_s": cpu_s}


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
            run = partial(own_part, own.labelled, where, restarts=False)
            yield Cell("tornado", own.key, known, len(FILES), run, summary, FILES[0])
            both = [{**own.labelled[0], "measure": "accuracy", "detector": {_detector(own): {"side": "both"}}}]
            run = partial(own_part, both, where, restarts=True)
            key = f"{own.key}, both sides, restarted at each change"
            yield Cell("tornado", key, known | {"restarts": True}, len(FILES), run, summary, FILES[0])
    yield from _others(where, about)


def _detector(own: Own) -> str:
    """Which detector watches its accuracy."""
    assert own.labelled is not None
    plan = plan_of(configs.config(configs.labelled(), own.labelled, configs.first(REFERENCE), configs.budget(PROMISED)))
    return plan.monitors[0].detector.name


def _others(where: Path, about: Mapping[str, Any]) -> Iterator[Cell]:
    takers: list[Rows | str] = [*(rows for rows in ROWS if rows.errors), *DUMMIES]
    for rows in takers:
        key = rows if isinstance(rows, str) else f"{rows.key}, default"
        run = partial(rows_part, rows, where)
        yield Cell("tornado", key, {**about, "contender": key}, len(FILES), run, summary, FILES[0])
