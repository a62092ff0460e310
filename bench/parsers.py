"""Which parser brings events to columns the fastest? `python -m bench parsers`: candidates on the same events.

Each takes the same JSON values and gives the same columns, which is checked: ids as text, times, ten nested numbers, a
binary prediction, two categories as codes. None judges what it finds, but the first, which is the product's own.
"""

import argparse
import importlib
import itertools
import json
import operator
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from bench.decode import BATCH_ROWS, FEATURES, batches, schema, values
from streamcheck.core.plan import Task, TimeUnit
from streamcheck.runtime.decode import Decoder

OWN, BASE = "streamcheck's decoder (judged)", "orjson.loads alone, no columns"
CHUNK = 2_048


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What every candidate gives for its rows."""

    ids: list[str]
    times: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    prediction: npt.NDArray[np.int64]
    categories: list[list[str]]


Parse = Callable[[Sequence[bytes]], Columns]


def from_dicts(loads: Callable[[bytes], Any]) -> Parse:
    """The way of a parser that gives dicts."""
    number = operator.itemgetter(*FEATURES)
    top = [operator.itemgetter(name) for name in ("id", "ts", "features", "prediction", "segment", "model")]
    version = operator.itemgetter("version")

    def parse(documents: Sequence[bytes]) -> Columns:
        events = list(map(loads, documents))
        ids, times, features, predictions, segments, models = (list(map(get, events)) for get in top)
        rows = map(number, features)
        return _columns(ids, times, rows, predictions, segments, list(map(version, models)))

    return parse


def _columns(
    ids: list[str],
    times: list[int],
    rows: Iterable[tuple[float, ...]],
    predictions: list[int],
    segments: list[str],
    versions: list[str],
) -> Columns:
    n = len(ids)
    flat = np.fromiter(itertools.chain.from_iterable(rows), np.float64, n * len(FEATURES))
    numbers = flat.reshape(n, len(FEATURES)).T
    return Columns(ids, np.array(times, np.int64), numbers, np.array(predictions, np.int64), [segments, versions])


def msgspec_typed() -> Parse:
    """Structs made from the config's fields: what is not named is skipped by the parser."""
    inner = msgspec.defstruct("Features", [(name, float) for name in FEATURES], gc=False)
    model = msgspec.defstruct("Model", [("version", str)], gc=False)
    fields = [("id", str), ("ts", int), ("features", inner), ("prediction", int), ("segment", str), ("model", model)]
    decode = msgspec.json.Decoder(msgspec.defstruct("Event", fields, gc=False)).decode
    number = operator.attrgetter(*FEATURES)
    top = [operator.attrgetter(name) for name, _ in fields[:5]]
    version = operator.attrgetter("model.version")

    def parse(documents: Sequence[bytes]) -> Columns:
        events = list(map(decode, documents))
        ids, times, features, predictions, segments = (list(map(get, events)) for get in top)
        return _columns(ids, times, map(number, features), predictions, segments, list(map(version, events)))

    return parse


def arrow() -> Parse:
    """pyarrow.json over the values as lines. Unsound for what others wrote: pieces of two values may make a third."""
    import pyarrow as pa  # noqa: PLC0415 (an extra)
    import pyarrow.json as paj  # noqa: PLC0415

    options = paj.ReadOptions(use_threads=False, block_size=64 << 20)

    def parse(documents: Sequence[bytes]) -> Columns:
        table = paj.read_json(pa.BufferReader(b"\n".join(documents)), read_options=options).combine_chunks()
        features, model = table["features"].combine_chunks(), table["model"].combine_chunks()
        numbers = np.stack([features.field(name).to_numpy(zero_copy_only=False) for name in FEATURES])
        return Columns(
            table["id"].to_pylist(),
            table["ts"].to_numpy(),
            numbers,
            table["prediction"].to_numpy(),
            [table["segment"].to_pylist(), model.field("version").to_pylist()],
        )

    return parse


def simdjson() -> Parse:
    """pysimdjson's documents, asked for what is wanted, the parser used again."""
    parser = importlib.import_module("simdjson").Parser()  # a peer, unknown to mypy
    paths = [f"/features/{name}" for name in FEATURES]

    def parse(documents: Sequence[bytes]) -> Columns:
        found: list[tuple[Any, ...]] = []
        for document in documents:
            event = parser.parse(document)
            at = event.at_pointer
            parts = (event["id"], event["ts"], event["prediction"], event["segment"], at("/model/version"))
            found.append((*parts, *map(at, paths)))
            del event, at  # the parser takes the next only when nothing holds on to this one
        ids, times, predictions, segments, versions, *numbers = zip(*found, strict=True)
        rows = zip(*numbers, strict=True)
        return _columns(list(ids), list(times), rows, list(predictions), list(segments), list(versions))

    return parse


CANDIDATES: dict[str, Callable[[], Parse]] = {
    "msgspec, typed structs": msgspec_typed,
    "msgspec, untyped": lambda: from_dicts(msgspec.json.Decoder().decode),
    "orjson": lambda: from_dicts(orjson.loads),
    "json": lambda: from_dicts(json.loads),
    "pyarrow.json (unsound)": arrow,
    "pysimdjson": simdjson,
}


def ready() -> dict[str, Parse]:
    """The candidates whose package is there."""
    found = {}
    for name, make in CANDIDATES.items():
        try:
            found[name] = make()
        except ImportError as error:
            print(f"WITHOUT {name}: {error}", file=sys.stderr)
    return found


def check(documents: list[bytes], candidates: dict[str, Parse]) -> None:
    """All give the same columns."""
    first, *others = (parse(documents) for parse in candidates.values())
    for name, other in zip(list(candidates)[1:], others, strict=True):
        assert first.ids == other.ids, name
        assert first.categories == other.categories, name
        for field in ("times", "numbers", "prediction"):
            assert np.array_equal(getattr(first, field), getattr(other, field)), (name, field)


def works(documents: list[bytes]) -> dict[str, Callable[[], None]]:
    """Everything that is measured, over all documents."""
    polls, decoder = batches(documents), Decoder(schema(TimeUnit.MS), Task.BINARY)
    parts = [documents[at : at + CHUNK] for at in range(0, len(documents), CHUNK)]

    def own() -> None:
        for poll in polls:
            decoder.decode(poll)

    def alone() -> None:
        for document in documents:
            orjson.loads(document)

    def through(parse: Parse) -> Callable[[], None]:
        def work() -> None:
            for part in parts:
                parse(part)

        return work

    candidates = ready()
    check(documents[:BATCH_ROWS], candidates)
    return {OWN: own, BASE: alone, **{name: through(parse) for name, parse in candidates.items()}}


def rounds(chosen: dict[str, Callable[[], None]], count: int) -> dict[str, list[float]]:
    """CPU seconds of each in each round, one after the other, so that a slow minute hits all."""
    taken: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(count):
        for name, work in chosen.items():
            began = time.thread_time()
            work()
            taken[name].append(time.thread_time() - began)
    return taken


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench parsers", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    documents = values(asked.events, "plain")
    taken = rounds(works(documents), asked.rounds)
    print(f"{'':32s} {'us/event':>9s}   x orjson.loads: min  median  max")
    for name, seconds in taken.items():
        ratios = sorted(base / own for base, own in zip(taken[BASE], seconds, strict=True))
        cost = statistics.median(seconds) / asked.events * 1e6
        print(f"{name:32s} {cost:9.2f} {ratios[0]:19.2f} {statistics.median(ratios):7.2f} {ratios[-1]:5.2f}")


if __name__ == "__main__":
    main()
