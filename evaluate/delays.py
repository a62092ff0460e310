"""How soon is a change seen, at one false alarm per 100,000 rows? 200 trials of each change.

10,000 stationary rows, of which the first half is the reference; then the change, and at most 10,000 rows more. Each
trial is a config of its own: one feature with its monitors, or one accuracy. Features of many trials run as one config
with as many times the budget (as in nulls.py). A trial whose alert is already open when the change comes is counted
apart, in neither recall nor delay.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from evaluate import changes, configs, figures
from evaluate.cells import Cell, Found, added
from evaluate.changes import Change
from evaluate.contenders import DEPENDENCE, Monitors, Own
from evaluate.feed import Alarm, Panes, Run, plan_of
from evaluate.nulls import LAYOUT_PANES, ROWS, chunks, judged
from evaluate.settings import PROMISED_ROWS, settings
from evaluate.streams import CATEGORIES, NUMBERS, RATES, Categories, Floats, Ints, Purpose, Rng, Stream, rng

REFERENCE = 100
QUIET = 100
"""Panes between the reference and the change."""
CAP = 200
"""Panes after the change."""
TRIALS, PARTS = 200, 4
BEFORE = LAYOUT_PANES + REFERENCE + QUIET
CHANGE_ROW = BEFORE * ROWS


class Changed:
    """A stream that changes from a row on."""

    def __init__(self, stream: Stream, change: Change, at_row: int, generator: Rng) -> None:
        self.stream, self.change, self.at_row, self.rng = stream, change, at_row, generator
        self.row = 0

    def rows(self, sizes: Ints) -> Floats:
        """The next panes."""
        values = self.stream.rows(sizes)
        since = self.row + np.arange(values.shape[1]) - self.at_row
        self.row += values.shape[1]
        new = int(np.searchsorted(since, 0))
        if new < values.shape[1]:
            values[:, new:] = self.change(values[:, new:], since[new:], self.rng)
        return values


def trial(alarms: Sequence[Alarm], resolved: Sequence[Alarm]) -> Found:
    """One trial's alarms: false ones before the change, and the first after it."""
    false = [a for a in alarms if a.pane < BEFORE]
    open_monitors = {a.monitor for a in false} - {a.monitor for a in resolved if a.pane < BEFORE}
    hits = sorted((a for a in alarms if a.pane >= BEFORE), key=lambda a: (a.pane, a.monitor))
    found: Found = {"trials": 1, "false": len(false), "spoiled": 0, "hits": 0, "delays": [], "starts": [], "by": {}}
    if open_monitors:
        return found | {"spoiled": 1}
    if not hits:
        return found
    first = hits[0]
    return found | {
        "hits": 1,
        "delays": [(first.pane + 1 - BEFORE) * ROWS],
        "starts": [(first.since - BEFORE) * ROWS],
        "by": {first.monitor.removeprefix(f"{first.column}-"): 1},
    }


def total(trials: Sequence[Found], cpu_s: float) -> Found:
    """All trials of a part."""
    return added(trials) | {"cpu_s": cpu_s, "rows_before": len(trials) * QUIET * ROWS}


def numbers_part(own: Own, promised: float, stream: str, change: Change, name: str, number: int) -> Found:
    """Trials side by side, a column each."""
    assert own.features is not None
    count = TRIALS // PARTS
    generator = rng(Purpose.REPORTING, f"change {name}", number)
    source = Changed(NUMBERS[stream](count, generator), change, CHANGE_ROW, generator)
    plan = plan_of(_config(configs.numbers(count), own.features, promised, count))
    run, alarms = Run(plan), list[Alarm]()
    for sizes in chunks(BEFORE + CAP):
        alarms += run.feed(Panes(sizes, dict(zip(configs.columns(count), source.rows(sizes), strict=True))))
    alarms += run.finish()
    return total(by_column(alarms, configs.columns(count)), run.cpu_s)


def pairs_part(own: Own, promised: float, change: Change, name: str, number: int) -> Found:
    """Trials one after the other, a config of two columns each: an alarm of either, or of both together, counts."""
    assert own.features is not None
    found, cpu_s, names = [], 0.0, configs.columns(2)
    plan = plan_of(_config(configs.numbers(2), own.features, promised, 1))
    for at in range(TRIALS // PARTS):
        generator = rng(Purpose.REPORTING, f"change {name}", number * (TRIALS // PARTS) + at)
        source = Changed(NUMBERS["iid"](2, generator), change, CHANGE_ROW, generator)
        run, alarms = Run(plan), list[Alarm]()
        for sizes in chunks(BEFORE + CAP):
            alarms += run.feed(Panes(sizes, dict(zip(names, source.rows(sizes), strict=True))))
        alarms += run.finish()
        found.append(trial([a for a in alarms if not a.resolved], [a for a in alarms if a.resolved]))
        cpu_s += run.cpu_s
    return total(found, cpu_s)


def categories_part(own: Own, promised: float, change: Change, name: str, number: int) -> Found:
    """Trials side by side, a categorical column each."""
    assert own.features is not None
    count = TRIALS // PARTS
    generator = rng(Purpose.REPORTING, f"change {name}", number)
    source = Changed(Categories(count, generator), change, CHANGE_ROW, generator)
    names = configs.columns(count)
    plan = plan_of(_config({"features": dict.fromkeys(names, "categorical")}, own.features, promised, count))
    texts = [f"k{code}" for code in range(len(CATEGORIES))]
    run, alarms = Run(plan, dict.fromkeys(names, texts)), list[Alarm]()
    for sizes in chunks(BEFORE + CAP):
        alarms += run.feed(Panes(sizes, dict(zip(names, source.rows(sizes), strict=True))))
    alarms += run.finish()
    return total(by_column(alarms, names), run.cpu_s)


def errors_part(own: Own, promised: float, stream: str, change: Change, name: str, number: int) -> Found:
    """Trials one after the other: each has an accuracy of its own."""
    assert own.labelled is not None
    found, cpu_s = [], 0.0
    plan = plan_of(_config(configs.labelled(), own.labelled, promised, 1))
    for at in range(TRIALS // PARTS):
        generator = rng(Purpose.REPORTING, f"change {name}", number * (TRIALS // PARTS) + at)
        source = Changed(RATES[stream](1, generator), change, CHANGE_ROW, generator)
        run, alarms = Run(plan), list[Alarm]()
        for sizes in chunks(BEFORE + CAP):
            alarms += run.feed(Panes(sizes, judged(source.rows(sizes)[0], generator)))
        alarms += run.finish()
        found.append(trial([a for a in alarms if not a.resolved], [a for a in alarms if a.resolved]))
        cpu_s += run.cpu_s
    return total(found, cpu_s)


def by_column(alarms: Sequence[Alarm], names: Sequence[str]) -> list[Found]:
    """A trial for each column."""
    fired: dict[str, list[Alarm]] = {name: [] for name in names}
    ended: dict[str, list[Alarm]] = {name: [] for name in names}
    for alarm in alarms:
        (ended if alarm.resolved else fired)[alarm.column].append(alarm)
    return [trial(fired[name], ended[name]) for name in names]


def _config(streams: configs.Config, monitors: Monitors, promised: float, trials: int) -> configs.Config:
    budget = configs.budget(promised / ROWS, configs=trials)
    return configs.config(streams, monitors, configs.first(REFERENCE), budget)


def summary(found: Found) -> dict[str, Any]:
    """False alarms per 100,000 rows before the change; recall, delay in rows, error of the estimated start in rows."""
    usable = found["trials"] - found["spoiled"]
    starts = np.abs(np.asarray(found["starts"]))
    return {
        "trials": found["trials"],
        "spoiled": found["spoiled"],
        "false_per_100k": figures.rate(found["false"], found["rows_before"], PROMISED_ROWS).record(),
        "recall": figures.share(found["hits"], usable).record(),
        "delay_rows": figures.median(found["delays"], usable).record(),
        "start_error_rows": figures.median(starts.tolist(), len(starts)).record() if len(starts) else None,
        "by": dict(sorted(found["by"].items())),
    }


def still(own: Own, stream: str, promised: float, columns: int, panes: int, purpose: Purpose) -> tuple[int, float]:
    """Alarms of so many trials in which nothing changes, and rows (of one trial) in which they could come."""
    generator, alarms, rows = rng(purpose, f"still {stream}", 0), 0, 0.0
    names, texts = configs.columns(columns), [f"k{code}" for code in range(len(CATEGORIES))]
    if stream == "errors":
        assert own.labelled is not None
        runs = [Run(plan_of(_config(configs.labelled(), own.labelled, promised, 1))) for _ in names]
        sources: list[Stream] = [RATES[stream](1, generator) for _ in names]
    else:
        assert own.features is not None
        kind = "categorical" if stream == "categories" else "numeric"
        plan = plan_of(_config({"features": dict.fromkeys(names, kind)}, own.features, promised, columns))
        runs = [Run(plan, dict.fromkeys(names, texts))]
        sources = [Categories(columns, generator) if stream == "categories" else NUMBERS[stream](columns, generator)]
    for run, source in zip(runs, sources, strict=True):
        for sizes in chunks(LAYOUT_PANES + REFERENCE + panes):
            values = source.rows(sizes)
            fed = judged(values[0], generator) if stream == "errors" else dict(zip(names, values, strict=True))
            alarms += sum(not alarm.resolved for alarm in run.feed(Panes(sizes, fed)))
        rows += run.exposure.at_risk * ROWS * columns / len(runs)
    return alarms, rows


def cells(owns: tuple[Own, ...]) -> Iterator[Cell]:
    """Every contender of the engine on every change, at the promise, and at the actual rate of the promise."""
    for own in (*owns, DEPENDENCE):
        for change, tuned_on, run in _changes(own):
            for how, setting in settings(own.key, tuned_on):
                promised = PROMISED_ROWS if setting is None else setting
                about = {"contender": own.key, "change": change, "promised_rows": promised, "rows_per_pane": ROWS}
                about |= {"reference": REFERENCE, "panes_quiet": QUIET, "panes_after": CAP, "trials": TRIALS}
                key = f"{own.key}, {change}" if setting is None else f"{own.key}, {how}, {change}"
                yield Cell("changes", key, about, PARTS, partial(run, own, promised), summary)


def _changes(own: Own) -> Iterator[tuple[str, str, Callable[..., Found]]]:
    """Name of the change, the stream on which a promise was tuned, and what runs a part."""
    if own.features is not None:
        for name, change in changes.PAIRS.items():
            yield name, "iid", partial(_swapped, pairs_part, (change, name))
    if own.features is not None and own is not DEPENDENCE:
        for name, (stream, change) in changes.NUMERIC.items():
            yield name, "iid", partial(_swapped, numbers_part, (stream, change, name))
        if own.categories:
            for name, change in changes.CATEGORY.items():
                yield name, "categories", partial(_swapped, categories_part, (change, name))
    if own.labelled is not None:
        for name, (stream, change) in changes.ERRORS.items():
            yield name, "errors", partial(_swapped, errors_part, (stream, change, name))


def _swapped(part: Callable[..., Found], change: tuple[Any, ...], own: Own, promised: float, number: int) -> Found:
    return part(own, promised, *change, number)
