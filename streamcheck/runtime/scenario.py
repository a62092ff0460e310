"""Rows of a scenario test as events, and what the engine makes of them: seeded, without any clock."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from scipy.special import ndtri

from streamcheck.config.draws import Draw
from streamcheck.config.scenarios import LABEL, Block, FieldPath, Scenario
from streamcheck.core.alerts import Alert, iso
from streamcheck.core.engine import Engine
from streamcheck.core.journal import Advanced
from streamcheck.core.plan import Plan, Role, Schema, TimeUnit
from streamcheck.core.types import FloatArray, SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

BATCH_ROWS = 5_000
_PER_MS = {TimeUnit.MS: 1, TimeUnit.US: 1_000, TimeUnit.NS: 1_000_000}

Event = tuple[int, bytes]
"""Record timestamp (-1: none) and value."""


def run_scenario(scenario: Scenario, plan: Plan) -> tuple[list[Alert], Engine]:
    """All transitions, in order, and the engine as it was left."""
    predictions, labels, end_ms = events(scenario, plan)
    streams = [(plan.predictions, predictions), *([(plan.labels, labels)] if plan.labels is not None else [])]
    engine = Engine(plan, "test")
    engine.open({SourcePartition(schema.topics[0], 0): 0 for schema, _ in streams})
    alerts: list[Alert] = []
    for schema, made in streams:
        decode = Decoder(schema, plan.task).decode
        for batch in _batches(SourcePartition(schema.topics[0], 0), made):
            alerts += engine.feed(decode(batch)).alerts
    silent = bool(scenario.predictions) and scenario.predictions[-1].silence_ms > 0
    if not silent:
        engine.end_of_predictions()
    for source in list(engine.partitions):
        alerts += engine.end(source).alerts
    alerts += engine.finish([Advanced(end_ms)] if silent else ()).alerts
    return alerts, engine


def _batches(source: SourcePartition, made: Sequence[Event]) -> Iterable[RawBatch]:
    for start in range(0, len(made), BATCH_ROWS):
        part = made[start : start + BATCH_ROWS]
        stamps = np.array([stamp for stamp, _ in part], np.int64)
        offsets = np.arange(start, start + len(part), dtype=np.int64)
        values = [value for _, value in part]
        yield RawBatch(source, offsets, stamps, [None] * len(part), values, start + len(part))


def events(scenario: Scenario, plan: Plan) -> tuple[list[Event], list[Event], int]:
    """Events of both streams, and the moment at which the test ends."""
    maker = _Maker(scenario, plan)
    for number, block in enumerate(scenario.predictions):
        maker.add(number, block)
    labels = _Stream(plan.labels, scenario) if plan.labels is not None else None
    if labels is not None:
        for number, block in enumerate(scenario.labels):
            labels.add(number, block)
        made = [*maker.labels, *labels.made]
        return maker.stream.made, sorted(made, key=lambda event: event[0]), maker.stream.now_ms
    return maker.stream.made, [], maker.stream.now_ms


class _Stream:
    """Rows of one stream, block by block: what a block does not name goes on as before."""

    def __init__(self, schema: Schema, scenario: Scenario) -> None:
        self.schema, self._seed = schema, scenario.seed
        self.now_ms = scenario.start_ms
        self.made: list[Event] = []
        self.numbered = 0
        self._fields: dict[FieldPath, Draw] = {}

    def add(
        self, number: int, block: Block, finish: Callable[[list[dict[FieldPath, Any]], int, int], None] | None = None
    ) -> None:
        """The rows of a block. finish: may change them before they become events (number of block, first time)."""
        self.now_ms += block.silence_ms
        if block.file is not None:
            self.made += [(-1, line) for line in block.file.read_bytes().splitlines() if line.strip()]
            return
        if block.fields is not None:
            self._fields |= block.fields
        rows = self._given(block) if block.fields is None else self._drawn(number, block.count)
        if finish is not None:
            finish(rows, number, block.step_ms)
        for at, row in enumerate(rows):
            time_ms = self.now_ms + at * block.step_ms
            if self.schema.time is not None:
                row.setdefault(self.schema.time.path, written(time_ms, self.schema.time.unit))
            self.made.append((time_ms, _json(row)))
        self.now_ms += block.count * block.step_ms

    def _given(self, block: Block) -> list[dict[FieldPath, Any]]:
        known = {column.name: column.path for column in self.schema.columns}
        rows = [{known.get(name, tuple(name.split("."))): each for name, each in row.items()} for row in block.rows]
        self._identify(rows)
        return rows

    def _drawn(self, number: int, count: int) -> list[dict[FieldPath, Any]]:
        rows: list[dict[FieldPath, Any]] = [{} for _ in range(count)]
        for path, draw in self._fields.items():
            if draw.kind in ("right", "noise"):
                continue  # they follow the prediction, once it is there
            rng = self.random(number, path)
            values = made(draw, count, self.numbered, rng)
            lacks = rng.random(count) < draw.missing if draw.missing else None
            for at, (row, value) in enumerate(zip(rows, values, strict=True)):
                if lacks is None or not lacks[at]:
                    row[path] = value
        self._identify(rows)
        return rows

    def _identify(self, rows: list[dict[FieldPath, Any]]) -> None:
        for row in rows:
            if self.schema.id_path is not None:
                row.setdefault(self.schema.id_path, f"e{self.numbered}")
            self.numbered += 1

    def follows(self, path: FieldPath) -> Draw | None:
        """How a field follows the prediction; None where it does not."""
        draw = self._fields.get(path)
        return draw if draw is not None and draw.kind in ("right", "noise") else None

    def random(self, number: int, path: FieldPath) -> np.random.Generator:
        """A generator of its own for each field of each block: changing one changes no other."""
        name = "\n".join([str(self._seed), str(number), *path]).encode()
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little"))


class _Maker:
    """Predictions, with the labels that are declared beside them."""

    def __init__(self, scenario: Scenario, plan: Plan) -> None:
        self.stream = _Stream(plan.predictions, scenario)
        self.labels: list[Event] = []
        self._labels, self._after_ms = plan.labels, scenario.label_after_ms
        paths = {column.role: column.path for column in plan.predictions.columns}
        self._prediction, self._inline = paths.get(Role.PREDICTION), paths.get(Role.LABEL)

    def add(self, number: int, block: Block) -> None:
        """One block."""
        self.stream.add(number, block, self._label)

    def _label(self, rows: list[dict[FieldPath, Any]], number: int, step_ms: int) -> None:
        path = self._inline if self._labels is None else (LABEL,)
        follows = self.stream.follows((LABEL,)) or (self.stream.follows(path) if path else None)
        if follows is not None and self._prediction is not None:
            rng = self.stream.random(number, (LABEL,))
            draws = rng.random(len(rows))
            noise = self._noise(follows, draws)
            for at, row in enumerate(rows):
                said = row.get(self._prediction)
                if said is not None:
                    row[LABEL,] = _wrong(said) if noise is None and draws[at] >= follows.numbers[0] else said
                    if noise is not None:
                        row[LABEL,] = said + float(noise[at])
        for at, row in enumerate(rows):
            if (LABEL,) not in row:
                continue
            truth = row.pop((LABEL,))
            if self._labels is None:
                if self._inline is not None:
                    row[self._inline] = truth
                continue
            self._send(row, truth, self.stream.now_ms + at * step_ms + self._after_ms)

    def _noise(self, follows: Draw, draws: FloatArray) -> FloatArray | None:
        if follows.kind == "right":
            return None
        return np.asarray(follows.numbers[0] + follows.numbers[1] * ndtri(np.clip(draws, 1e-12, 1 - 1e-12)))

    def _send(self, row: Mapping[FieldPath, Any], truth: object, time_ms: int) -> None:
        labels, id_path = self._labels, self.stream.schema.id_path
        assert labels is not None
        assert labels.id_path is not None
        assert id_path is not None
        event: dict[FieldPath, Any] = {labels.id_path: row[id_path], labels.columns[0].path: truth}
        if labels.time is not None:
            event[labels.time.path] = written(time_ms, labels.time.unit)
        self.labels.append((time_ms, _json(event)))


def made(draw: Draw, count: int, first: int, rng: np.random.Generator) -> list[Any]:
    """Values of one field for `count` rows, of which the first is the `first` of the stream.

    Everything is drawn from uniform numbers, so that other releases of numpy draw the same.

    >>> made(Draw("cycle", values=("a", "b")), 3, 1, np.random.default_rng(1))
    ['b', 'a', 'b']
    """
    if draw.kind in ("constant", "cycle"):
        return [draw.values[(first + at) % len(draw.values)] for at in range(count)]
    if draw.kind == "linear":
        low, high = draw.numbers
        return [low + (high - low) * at / max(count - 1, 1) for at in range(count)]
    shares = rng.random(count)
    if draw.kind == "choice":
        ends = np.cumsum(draw.weights) / sum(draw.weights)
        places = np.minimum(np.searchsorted(ends, shares, "right"), len(ends) - 1)
        return [draw.values[at] for at in places.tolist()]
    values: list[Any] = _numbers(draw, shares).tolist()
    return values


def _numbers(draw: Draw, shares: FloatArray) -> Any:
    low, *rest = draw.numbers
    match draw.kind:
        case "chance":
            return (shares < low).astype(np.int64)
        case "uniform":
            return low + (rest[0] - low) * shares
        case "integer":
            return int(low) + np.floor(shares * (int(rest[0]) - int(low) + 1)).astype(np.int64)
    normal = low + rest[0] * ndtri(np.clip(shares, 1e-12, 1 - 1e-12))
    return np.exp(normal) if draw.kind == "lognormal" else normal


def written(time_ms: int, unit: TimeUnit) -> int | float | str:
    """An event time as events carry it."""
    if unit is TimeUnit.ISO8601:
        return iso(time_ms)
    return time_ms / 1000 if unit is TimeUnit.S else time_ms * _PER_MS[unit]


def _wrong(said: object) -> object:
    """A class that is not the one that was said."""
    if isinstance(said, bool):
        return not said
    return 1 - said if said in (0, 1) and isinstance(said, int | float) else "__wrong__"


def _json(row: Mapping[FieldPath, Any]) -> bytes:
    event: dict[str, Any] = {}
    for path, value in row.items():
        holder = event
        for part in path[:-1]:
            holder = holder.setdefault(part, {})
        holder[path[-1]] = value
    return orjson.dumps(event)
