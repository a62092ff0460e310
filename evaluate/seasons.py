"""Is the promise kept where all features share a daily cycle? With slot means, and with the default config as it is.

The default config has panes of 10 s, `reference: auto` and one false alarm a week. Over weeks of event time it is fed
thinly (a row every 40 s on average, at random) and, for as many rows as real traffic has, with 50 rows in every pane:
what a slot's mean leaves of the cycle shows only there. A part is a week of thin traffic, or a day of the other (a
minute each). Monitors of what never happens in these streams cannot alarm (a test says so); they are left out, half of
the time, while the others keep their shares of the budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from evaluate import configs, nulls
from evaluate.cells import Cell, Found
from evaluate.contenders import DEFAULT
from evaluate.feed import Alarm, Exposure, Panes, Run, plan_of
from evaluate.nulls import MONITORS, ROWS, chunks, counted, summary
from evaluate.streams import DAY_PANES, NUMBERS, Independent, Ints, Purpose, Rng, Season, Stream, rng
from streamcheck.core.plan import Plan

DAY_MS = 86_400_000
SLOT_PANE_MS = 600_000
SLOT_DAYS = 7
ALIKE, ALIKE_DAYS = "pane-effects", 14
"""Panes that resemble the pane before, which lies in another slot where they last an hour or half of one."""
WEEK_PANES = 60_480
DAY = WEEK_PANES // 7
"""Panes of 10 s."""
AMPLITUDES = (0.0, 0.1, 0.5)
IDLE = ("stuck", "zeros", "missing_rate", "wrong_type_rate")
"""Measures of what never happens here: continuous values, none of them missing."""
THIN_ROWS = 0.25
"""Rows in a pane, on average."""
CHUNK = 720


def slots_part(amplitude: float, number: int) -> Found:
    """Configs of 14 features with hour-of-day means over seven days, panes of ten minutes."""
    generator = rng(Purpose.REPORTING, f"slots {amplitude}", number)
    source = Season(MONITORS * nulls.CONFIGS, generator, amplitude, DAY_PANES)
    return _slots(source, SLOT_DAYS, SLOT_PANE_MS)


def alike_part(pane_ms: int, number: int) -> Found:
    """The same over fourteen days, panes that resemble their neighbours."""
    generator = rng(Purpose.REPORTING, f"slots {ALIKE} {pane_ms}", number)
    return _slots(NUMBERS[ALIKE](MONITORS * nulls.CONFIGS, generator), ALIKE_DAYS, pane_ms)


def _slots(source: Stream, days: int, pane_ms: int) -> Found:
    assert DEFAULT.features is not None
    count = MONITORS * nulls.CONFIGS
    reference = {"season": "hour_of_day", "over": f"{days}d"}
    promised = configs.budget(nulls.PROMISED, configs=nulls.CONFIGS)
    written = configs.config(configs.numbers(count), DEFAULT.features, reference, promised, pane_ms=pane_ms)
    run, alarms = Run(plan_of(written), pane_ms=pane_ms), list[Alarm]()
    for sizes in chunks(nulls.LAYOUT_PANES + days * DAY_MS // pane_ms + nulls.PANES):
        alarms += run.feed(Panes(sizes, dict(zip(configs.columns(count), source.rows(sizes), strict=True))))
    return counted(run, alarms, nulls.CONFIGS)


def default_config() -> configs.Config:
    """What is left when everything is left out."""
    streams = {"predictions": {"topic": "evaluate", **configs.numbers(MONITORS)}}
    return {"version": 1, "name": "evaluate", "streams": streams}


def default_plan(*, idle: bool = False) -> Plan:
    """Its plan. idle: with those that cannot alarm."""
    plan = plan_of(default_config())
    watching = [spec for spec in plan.monitors if spec.measure is None or spec.measure.name not in IDLE]
    return plan if idle else replace(plan, monitors=tuple(watching))


@dataclass(slots=True)
class Going:
    """A default config between two spans (weeks, or days), and what each so far has found."""

    run: Run
    source: Stream
    generator: Rng
    rows: int | None
    spans: list[Found] = field(default_factory=list)

    def span(self) -> None:
        """One more."""
        self.run.exposure, self.run.cpu_s, alarms = Exposure(), 0.0, list[Alarm]()
        for _ in range((WEEK_PANES if self.rows is None else DAY) // CHUNK):
            sizes = _sizes(self.rows, self.generator)
            values = dict(zip(configs.columns(MONITORS), self.source.rows(sizes), strict=True))
            alarms += self.run.feed(Panes(sizes, values))
        self.spans.append(counted(self.run, alarms, 1))


_GOING: dict[tuple[float, int | None, int], Going] = {}
"""By amplitude, rows and config: those of which a span is still to come."""


def default_part(amplitude: float, spans: int, rows: int | None, number: int) -> Found:
    """One span of so many of a default config; the first ones are run before, where that was not in this process.

    rows: in every pane; None for thin traffic.
    """
    config, at = divmod(number, spans)
    key = amplitude, rows, config
    going = _GOING.pop(key, None) or _begun(amplitude, rows, config)
    while len(going.spans) <= at:
        going.span()
    if at + 1 < spans:
        _GOING[key] = going
    return going.spans[at]


def _begun(amplitude: float, rows: int | None, config: int) -> Going:
    generator = rng(Purpose.REPORTING, f"default {amplitude} {rows}", config)
    source: Stream = Season(MONITORS, generator, amplitude, DAY) if amplitude else Independent(
        MONITORS, generator, lambda drawn, shape: drawn.standard_normal(shape)
    )  # fmt: skip
    return Going(Run(default_plan()), source, generator, rows)


def _sizes(rows: int | None, generator: Rng) -> Ints:
    return np.full(CHUNK, rows, np.int64) if rows is not None else generator.poisson(THIN_ROWS, CHUNK)


def cells() -> Iterator[Cell]:
    """Slot means, then the default config with thin and with full traffic."""
    common: dict[str, Any] = {"contender": DEFAULT.key, "features": MONITORS}
    for amplitude in AMPLITUDES[1:]:
        about = common | {"amplitude": amplitude, "panes": nulls.PANES, "promised_panes": nulls.PROMISED}
        about |= {"reference": f"hour of day, {SLOT_DAYS} days", "rows_per_pane": ROWS}
        run = partial(slots_part, amplitude)
        yield Cell("seasons", f"slot means, cycle of {amplitude} sd", about, nulls.PARTS, run, summary)
    for minutes in (60, 30):
        about = common | {"stream": ALIKE, "panes": nulls.PANES, "promised_panes": nulls.PROMISED}
        about |= {"reference": f"hour of day, {ALIKE_DAYS} days", "rows_per_pane": ROWS, "minutes": minutes}
        run = partial(alike_part, minutes * 60_000)
        yield Cell("seasons", f"slot means, {ALIKE}, panes of {minutes} min", about, nulls.PARTS, run, summary)
    for words, rows, weeks, number in (("thin traffic", None, 4, 10), (f"{ROWS} rows a pane", ROWS, 3, 4)):
        for amplitude in AMPLITUDES:
            about = common | {"amplitude": amplitude, "weeks": weeks, "rows": rows or THIN_ROWS, "configs": number}
            about |= {"promised_panes": WEEK_PANES, "reference": "auto"}
            key = f"default config, {words}, cycle of {amplitude} sd"
            of_week = partial(summary, promised=WEEK_PANES)
            spans = weeks if rows is None else 7 * weeks
            run = partial(default_part, amplitude, spans, rows)
            yield Cell("seasons", key, about, spans * number, run, of_week)
