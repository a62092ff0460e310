"""Columns into the engine that `run` drives, and what came out: alarms, and for how long an alarm was possible.

Batches are built directly; nothing is written or parsed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import yaml

from evaluate.streams import Floats, Ints
from streamcheck.config.load import loads
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Kind, Plan
from streamcheck.core.readings import AlertState
from streamcheck.core.types import Batch, CodeArray, Dictionary, FieldStatus, SourcePartition, StreamRole

SOURCE = SourcePartition("evaluate", 0)
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z, a Sunday
PANE_MS = 10_000
BINARY = ("0", "1")


@dataclass(frozen=True, slots=True)
class Panes:
    """Consecutive panes of rows: sizes (panes,) and for every column its values.

    values: by column, (rows,) each; numbers (NaN: missing) for numeric and binary columns, codes for categorical ones.
    """

    sizes: Ints
    values: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that fired: its monitor, column, segment, the pane in which it fired (from 0 on), and where it dates the
    change, in panes from the first one on.

    resolved: an alert that ended, instead.
    """

    monitor: str
    column: str
    segment: tuple[tuple[str, str], ...]
    pane: int
    since: float
    incident: str
    resolved: bool = False


@dataclass(slots=True)
class Exposure:
    """Panes times monitors, as a share of all monitors: those that were ready, and those without an open alert."""

    panes: float = 0.0
    ready: float = 0.0
    at_risk: float = 0.0


@dataclass(slots=True)
class Run:
    """One config over one stream, pane after pane."""

    plan: Plan
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    pane_ms: int = PANE_MS
    cpu_s: float = 0.0
    pane: int = 0
    offset: int = 0
    exposure: Exposure = field(default_factory=Exposure)

    engine: Engine = field(init=False)
    dictionaries: tuple[Dictionary, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Open the engine, with the dictionaries of the coded columns."""
        assert self.plan.time.pane_ms == self.pane_ms, "the config's pane is another"
        self.engine = Engine(self.plan, "evaluate")
        self.engine.open({SOURCE: 0})
        self.dictionaries = tuple(
            Dictionary(BINARY if c.kind is Kind.BINARY else tuple(self.categories[c.name]))
            for c in self.plan.predictions.coded
        )

    def feed(self, panes: Panes) -> list[Alarm]:
        """The next panes; alarms of those that closed (the newest stays open until a later row comes)."""
        batch = self._batch(panes)
        began = time.process_time()
        outcome = self.engine.feed(batch)
        self.cpu_s += time.process_time() - began
        self._expose(len(panes.sizes))
        return list(self._alarms([alert.record for alert in outcome.alerts]))

    def finish(self) -> list[Alarm]:
        """Close what is open."""
        return list(self._alarms([alert.record for alert in self.engine.finish().alerts]))

    def _batch(self, panes: Panes) -> Batch:
        sizes, rows = panes.sizes, int(panes.sizes.sum())
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        within = (np.arange(rows) - starts) * self.pane_ms // np.maximum(np.repeat(sizes, sizes), 1)
        first = START_MS // self.pane_ms * self.pane_ms
        times = first + (self.pane + np.repeat(np.arange(len(sizes)), sizes)) * self.pane_ms + within
        schema = self.plan.predictions
        numbers = [panes.values[c.name] for c in schema.numeric]
        coded = [panes.values[c.name] for c in schema.coded]
        missing = [np.isnan(column) for column in (*numbers, *coded)]
        status = np.zeros((len(missing), rows), np.uint8)
        for at, absent in enumerate(missing):
            status[at, absent] = FieldStatus.MISSING
        self.pane += len(sizes)
        self.offset += rows
        return Batch(
            SOURCE,
            StreamRole.PREDICTIONS,
            np.arange(self.offset - rows, self.offset),
            times,
            np.empty((0, 2), np.uint64),
            _numbers(numbers, rows),
            _codes(coded, rows),
            status,
            self.dictionaries,
            self.offset,
        )

    def _expose(self, panes: int) -> None:
        """Count panes by how many monitors are ready, and quiet, at their end: changes within a chunk are not seen."""
        shown = self.engine.reading().monitors
        ready = [each for each in shown if each.status == "ready"]
        quiet = sum(each.alert is AlertState.QUIET for each in ready)
        self.exposure.panes += panes
        self.exposure.ready += panes * len(ready) / max(len(shown), 1)
        self.exposure.at_risk += panes * quiet / max(len(shown), 1)

    def _alarms(self, records: Sequence[bytes]) -> Iterator[Alarm]:
        for record in map(orjson.loads, records):
            if record["state"] in ("firing", "resolved"):
                yield Alarm(
                    record["monitor"],
                    record["column"],
                    tuple(record["segment"].items()),
                    int(self._panes(record["pane_start"])),
                    self._panes(record["change_at"]),
                    record["incident"],
                    resolved=record["state"] == "resolved",
                )

    def _panes(self, moment: str) -> float:
        """Panes from the first one on."""
        ms = datetime.fromisoformat(moment).timestamp() * 1000
        return (ms - START_MS // self.pane_ms * self.pane_ms) / self.pane_ms


def _numbers(columns: Sequence[Floats], rows: int) -> Floats:
    return np.nan_to_num(np.stack(columns)) if columns else np.empty((0, rows))


def _codes(columns: Sequence[Floats], rows: int) -> CodeArray:
    if not columns:
        return np.empty((0, rows), np.int32)
    return np.nan_to_num(np.stack(columns), nan=-1.0).astype(np.int32)


def plan_of(config: Mapping[str, Any]) -> Plan:
    """The plan of a config, read as `streamcheck run` reads it."""
    return loads(yaml.safe_dump(dict(config), sort_keys=False), {}).plan
