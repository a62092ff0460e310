"""The engine within your own program: any iterable of events or any table in, alerts out, without Kafka."""

import heapq
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from streamcheck.config.load import Loaded, load, loads
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.partitions import NEVER
from streamcheck.core.plan import Schema
from streamcheck.core.readings import Reading
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch, Records

LINEAGE = "library"
BLOCK_ROWS = 10_000
"""Rows that are taken from one stream before the other one is looked at."""

Alert = dict[str, Any]
"""One transition as it would be published; docs/concepts.md describes its fields."""
Rows = Any
"""An iterable of mappings (one an event), or a table: pandas, polars, pyarrow, anything with `__arrow_c_stream__`."""


class Watch:
    """Watches predictions, and labels where there are any, as `streamcheck run` would; the same rows, the same alerts.

    config: a path, the text of a config, or the config as a mapping; without `kafka`. Raises ConfigError with every
    mistake. One thread at a time.

    >>> watch = Watch({"version": 1, "name": "doc", "streams": {"predictions": {"topic": "p",
    ...     "time": {"field": "ts", "unit": "s"}, "features": {"x": "numeric"}}}, "reference": {"first": "10m"}})
    >>> quiet = ({"ts": 1_772_323_200 + i, "x": (i * 7 % 13) / 13} for i in range(3_600))
    >>> moved = ({"ts": 1_772_326_800 + i, "x": (i * 7 % 13) / 13 + 1} for i in range(600))
    >>> list(watch.run(quiet)), any(alert["column"] == "x" for alert in watch.predictions(moved))
    ([], True)
    """

    def __init__(self, config: str | Path | Mapping[str, Any]) -> None:
        self.loaded = _loaded(config)
        plan = self.loaded.plan
        self.engine = Engine(plan, LINEAGE)
        self._decoders = {schema.role: _Input(schema, self.loaded) for schema in plan.schemas}
        self.engine.open({each.source: 0 for each in self._decoders.values()})
        self._idle_after_ms = self.loaded.settings.idle_after_ms
        self._began = NEVER

    # ------------------------------------------------------------------ rows as they come
    def predictions(self, rows: Rows) -> list[Alert]:
        """Take predictions in, in about the order of their time; the alerts of the panes that have closed."""
        return list(self._feed(StreamRole.PREDICTIONS, rows))

    def labels(self, rows: Rows) -> list[Alert]:
        """Take labels in. Raises StreamcheckError where the config has no labels stream."""
        return list(self._feed(StreamRole.LABELS, rows))

    def kpi(self, rows: Rows) -> list[Alert]:
        """Take values of the KPI in. Raises StreamcheckError where the config has no stream of one."""
        return list(self._feed(StreamRole.KPI, rows))

    def shadow(self, rows: Rows) -> list[Alert]:
        """Take a challenger's predictions in. Raises StreamcheckError where the config has no stream of them."""
        return list(self._feed(StreamRole.SHADOW, rows))

    def finish(self) -> list[Alert]:
        """The input has ended: the panes that are open close, and their alerts come."""
        found: list[Alert] = []
        self.engine.end_of_predictions()
        for source in list(self.engine.partitions):
            found += _alerts(self.engine.end(source))
        return found + _alerts(self.engine.finish())

    # ------------------------------------------------------------------ a whole history
    def run(
        self, predictions: Rows, labels: Rows | None = None, kpi: Rows | None = None, shadow: Rows | None = None
    ) -> Iterator[Alert]:
        """All of a history, the streams kept in step by event time, in bounded memory; `finish` is up to you.

        Yields each alert once its pane has closed. Predictions that end while labels go on are not silent, but over.
        """
        yield from self._run(predictions, labels, kpi, shadow, self.engine.set_idle)

    def _run(
        self,
        predictions: Rows,
        labels: Rows | None,
        kpi: Rows | None,
        shadow: Rows | None,
        over: Callable[[SourcePartition], Outcome],
    ) -> Iterator[Alert]:
        """over: what becomes of a stream that has no more rows: it is idle, or has ended for good."""
        given = {StreamRole.PREDICTIONS: predictions, StreamRole.LABELS: labels}
        given |= {StreamRole.KPI: kpi, StreamRole.SHADOW: shadow}
        streams = [(role, self._input(role).batches(rows)) for role, rows in given.items() if rows is not None]
        for role in (StreamRole.KPI, StreamRole.SHADOW):
            if given[role] is None and role in self._decoders:
                yield from _alerts(self.engine.set_idle(self._decoders[role].source))
        waiting = [(self._newest(role), at, role, batches) for at, (role, batches) in enumerate(streams)]
        heapq.heapify(waiting)
        while waiting:
            _, at, role, batches = heapq.heappop(waiting)
            batch = next(batches, None)
            if batch is None:
                if waiting:  # others go on: this one holds nothing back any more
                    if role is StreamRole.PREDICTIONS:
                        self.engine.end_of_predictions()
                    yield from _alerts(over(self._decoders[role].source))
                continue
            yield from _alerts(self.engine.feed(batch))
            heapq.heappush(waiting, (self._newest(role), at, role, batches))

    def monitors(self) -> tuple[Reading, ...]:
        """Every monitor with its value, score, threshold and state, as gauges show them."""
        return self.engine.reading().monitors

    def rejected(self) -> dict[str, int]:
        """How many events could not become rows, by reason."""
        counts: dict[str, int] = {}
        for partition in self.engine.reading().partitions:
            for reason, count in partition.rejected:
                counts[reason] = counts.get(reason, 0) + count
        return counts

    def _input(self, role: StreamRole) -> "_Input":
        if role not in self._decoders:
            raise StreamcheckError(f"the config has no streams.{role}")
        return self._decoders[role]

    def _feed(self, role: StreamRole, rows: Rows) -> Iterator[Alert]:
        for batch in self._input(role).batches(rows):
            yield from _alerts(self.engine.feed(batch))
        yield from self._pass_by_the_silent(role)

    def _pass_by_the_silent(self, role: StreamRole) -> Iterator[Alert]:
        """The other stream holds panes back no longer than `time.idle_after`, here by event time."""
        if self._began == NEVER:
            self._began = self._newest(role)
        for other, its in self._decoders.items():
            partition = self.engine.partitions[its.source]
            if (
                other is not role
                and not partition.idle
                and self._newest(role) - self._newest(other) > self._idle_after_ms
            ):
                yield from _alerts(self.engine.set_idle(its.source))

    def _newest(self, role: StreamRole) -> int:
        return self.engine.partitions[self._decoders[role].source].newest


class _Input:
    """One stream: rows into batches, with offsets that go on from call to call."""

    def __init__(self, schema: Schema, loaded: Loaded) -> None:
        self.source = SourcePartition(schema.topics[0], 0)
        self._schema = schema
        self._decode = Decoder(schema, loaded.plan.task).decode
        self._step_ms = loaded.settings.steps_ms.get(schema.role)
        self._next = 0
        if schema.time is None and self._step_ms is None:
            raise StreamcheckError(
                f"streams.{schema.role.value}.time: rows have no record timestamp here; name the field with their "
                "time, or {step: 1s} for one row every second"
            )

    def batches(self, rows: Rows) -> Iterator[Batch]:
        """The rows decoded, block by block. Raises StreamcheckError for what is neither a table nor mappings."""
        made = self._of_table(rows) if hasattr(rows, "__arrow_c_stream__") else self._of_events(iter(rows))
        for records in made:
            self._next = records.next_offset
            yield self._decode(records)

    def _of_events(self, events: Iterator[Any]) -> Iterator[Records]:
        while block := list(islice(events, BLOCK_ROWS)):
            values = [self._json(event, self._next + at) for at, event in enumerate(block)]
            offsets = np.arange(self._next, self._next + len(block), dtype=np.int64)
            stamps = np.full(len(block), -1, np.int64) if self._step_ms is None else offsets * self._step_ms
            yield RawBatch(self.source, offsets, stamps, [None] * len(block), values, self._next + len(block))

    def _of_table(self, table: Any) -> Iterator[Records]:
        from streamcheck.adapters.files.tables import batches_of  # noqa: PLC0415 - pyarrow, an extra

        return batches_of(table, self.source, self._schema, self._next, BLOCK_ROWS)

    def _json(self, event: Any, row: int) -> bytes:
        if isinstance(event, bytes):
            return event
        if not isinstance(event, Mapping):
            raise StreamcheckError(f"expected mappings, one an event, or a table; got {type(event).__name__}")
        told = _dumped(event)
        if told is None or b"null" in told:  # null may stand for NaN
            told = _dumped(_spelled(event))
        if told is None:
            where, what = _unspeakable(_spelled(event)) or ("", event)
            raise StreamcheckError(
                f"streams.{self._schema.role.value}: row {row}, field {where}: expected a number, a text, true, false, "
                f"None, a time, or lists and mappings of those; got {type(what).__name__}"
            )
        return told


def _dumped(event: Any) -> bytes | None:
    """The event as JSON; None where something in it is no value of JSON."""
    try:
        return orjson.dumps(event, default=_decimal, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return None


def _decimal(value: Any) -> orjson.Fragment:
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    return _token(value) if value.is_finite() else _token(float(str(value).replace("sN", "N")))


def _token(number: Any) -> orjson.Fragment:
    """As Python's json writes it, also what is no JSON: NaN, Infinity, an integer of any size."""
    text = str(number)
    return orjson.Fragment({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text))


def _spelled(value: Any) -> Any:
    """The same with numbers written out that orjson has no words for, and mappings of any kind as dicts."""
    if isinstance(value, float | np.floating):
        return value if math.isfinite(value) else _token(float(value))
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else _token(value)
    if isinstance(value, Mapping):
        return {name: _spelled(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(inner) for inner in value]
    return [_spelled(inner) for inner in value.tolist()] if isinstance(value, np.ndarray) and value.ndim else value


def _unspeakable(value: Any, where: str = "") -> tuple[str, Any] | None:
    """Which field holds what JSON has no word for?"""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        paths = ((f"{where}.{name}" if where else str(name), inner) for name, inner in items)
        return next((found for path, inner in paths if (found := _unspeakable(inner, path))), None)
    return (where, value) if _dumped(value) is None else None


def _alerts(outcome: Outcome) -> list[Alert]:
    return [orjson.loads(alert.record) for alert in outcome.alerts]


def _loaded(config: str | Path | Mapping[str, Any]) -> Loaded:
    if isinstance(config, Mapping):
        return loads(json.dumps(config), os.environ, "config")
    if isinstance(config, str) and "\n" in config:
        return loads(config, os.environ, "config")
    return load(config)


def replay(
    config: str | Path | Mapping[str, Any],
    predictions: Rows,
    labels: Rows | None = None,
    kpi: Rows | None = None,
    shadow: Rows | None = None,
) -> Iterable[Alert]:
    """Every alert of a history, from its beginning to its end, as `streamcheck backtest` gives them."""
    watch = Watch(config)
    yield from watch._run(predictions, labels, kpi, shadow, watch.engine.end)  # noqa: SLF001 - of this module
    yield from watch.finish()
