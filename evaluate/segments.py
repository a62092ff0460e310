"""A change in one segment with a tenth of the traffic: how soon is it seen, and is that segment alone named?

Delays count all rows. 20,000 stationary rows, then errors of segment `a` rise from 10 to 20 %, and at most 20,000 rows
more. Blocks of labelled rows hold 50, so that the segment's chart makes a step every 500 rows.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from evaluate import configs, figures
from evaluate.cells import Cell, Found
from evaluate.contenders import OWN, ROWS_BY_KEY, Own, Rows
from evaluate.delays import total
from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.nulls import ROWS, chunks, judged
from evaluate.settings import PROMISED_ROWS, settings
from evaluate.streams import ERRORS, Floats, Purpose, Rng, rng

TIERS = ("a", "b", "c", "d")
SHARES = (0.1, 0.3, 0.3, 0.3)
AFTER = 0.20
REFERENCE, BEFORE, CAP = 200, 400, 400
"""Panes of 50 rows: of the reference, before the change, and after it."""
TRIALS, PARTS = 200, 10
CHANGE_ROW = BEFORE * ROWS


def drawn(count: int, first_row: int, generator: Rng) -> tuple[Floats, Floats]:
    """Tiers as codes, and errors, of the next rows."""
    tiers = np.searchsorted(np.cumsum(SHARES)[:-1], generator.random(count), side="right")
    after = first_row + np.arange(count) >= CHANGE_ROW
    share = np.where(after & (tiers == 0), AFTER, ERRORS)
    return tiers.astype(np.float64), (generator.random(count) < share).astype(np.float64)


def own_part(own: Own, number: int) -> Found:
    """Trials one after the other, accuracy of all rows and by tier."""
    assert own.labelled is not None
    by = [{**monitor, "name": "by", "by": ["tier"]} for monitor in own.labelled]
    promised = configs.budget(PROMISED_ROWS / ROWS)
    streams, reference = configs.labelled(segments=True), configs.first(REFERENCE)
    plan = plan_of(configs.config(streams, [*own.labelled, *by], reference, promised))
    found, cpu_s = [], 0.0
    for at in range(TRIALS // PARTS):
        generator = rng(Purpose.REPORTING, "segments", number * (TRIALS // PARTS) + at)
        run, alarms = Run(plan, {"tier": TIERS}), list[Alarm]()
        for sizes in chunks(BEFORE + CAP):
            tiers, errors = drawn(int(sizes.sum()), run.pane * ROWS, generator)
            alarms += run.feed(Panes(sizes, judged(errors, generator) | {"tier": tiers}))
        alarms += run.finish()
        named = [(dict(a.segment).get("tier", ""), (a.pane + 1) * ROWS) for a in alarms if not a.resolved]
        found.append(trial(named))
        cpu_s += run.cpu_s
    return total(found, cpu_s) | {"rows_before": len(found) * (BEFORE - REFERENCE) * ROWS}


def rows_part(rows: Rows, setting: float | None, number: int) -> Found:
    """A river detector on all rows and on each tier's."""
    found = []
    for at in range(TRIALS // PARTS):
        generator = rng(Purpose.REPORTING, "segments", number * (TRIALS // PARTS) + at)
        parts: list[tuple[Floats, Floats]] = []
        for sizes in chunks(BEFORE + CAP):
            parts.append(drawn(int(sizes.sum()), sum(len(tiers) for tiers, _ in parts), generator))
            judged(parts[-1][1], generator)  # draws what the trial of a config draws, so that both see the same rows
        tiers, errors = (np.concatenate(each) for each in zip(*parts, strict=True))
        named = [("", int(row) + 1) for row in rows.alarms(errors, setting)]
        for code, tier in enumerate(TIERS):
            where = np.flatnonzero(tiers == code)
            named += [(tier, int(where[row]) + 1) for row in rows.alarms(errors[where], setting)]
        found.append(trial([(tier, row) for tier, row in named if row > REFERENCE * ROWS]))
    return total(found, 0.0) | {"rows_before": len(found) * (BEFORE - REFERENCE) * ROWS}


def trial(named: list[tuple[str, int]]) -> Found:
    """One trial. named: tier ("" for all rows) and row of each alarm."""
    after = sorted((row, tier) for tier, row in named if row > CHANGE_ROW)
    right = [row for row, tier in after if tier == TIERS[0]]
    found: Found = {"trials": 1, "false": len(named) - len(after), "hits": len(right[:1])}
    found["alone"] = int(bool(right) and all(tier in ("", TIERS[0]) for _, tier in after))
    found["delays"] = [row - CHANGE_ROW for row in right[:1]]
    found["any_delays"] = [row - CHANGE_ROW for row, _ in after[:1]]
    return found


def summary(found: Found) -> dict[str, Any]:
    """Recall and delay of the segment's own alarm; how often no other segment was named up to the end."""
    return {
        "trials": found["trials"],
        "false_per_100k": figures.rate(found["false"], found["rows_before"], PROMISED_ROWS).record(),
        "recall": figures.share(found["hits"], found["trials"]).record(),
        "alone": figures.share(found["alone"], found["trials"]).record(),
        "delay_rows": figures.median(found["delays"], found["trials"]).record(),
        "any_delay_rows": figures.median(found["any_delays"], found["trials"]).record(),
    }


def cells() -> Iterator[Cell]:
    """Our detectors and ADWIN."""
    about = {"promised_rows": PROMISED_ROWS, "trials": TRIALS, "shares": list(SHARES), "after": AFTER}
    about |= {"panes": [REFERENCE, BEFORE, CAP]}
    for own in OWN:
        if own.labelled is not None:
            yield Cell("segments", own.key, about | {"contender": own.key}, PARTS, partial(own_part, own), summary)
    adwin = ROWS_BY_KEY["adwin"]
    for how, setting in settings(adwin.key, "errors"):
        known = about | {"contender": "adwin", "how": how, "setting": setting}
        yield Cell("segments", f"adwin, {how}", known, PARTS, partial(rows_part, adwin, setting), summary)
