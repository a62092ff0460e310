"""How long does the decoder take per event, on one core, columns included? Prints one JSON line per case.

python -m bench decode [--events 200000] [--rounds 5]
"""

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from streamcheck.core.plan import Column, Kind, Role, Schema, Task, TimeField, TimeUnit
from streamcheck.core.types import SourcePartition, StreamRole
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch

START_MS = 1_772_359_200_000
BATCH_ROWS = 10_000
FEATURES = tuple(f"f{at}" for at in range(10))


@dataclass(frozen=True, slots=True)
class Result:
    """Best of the rounds; the baseline is orjson.loads alone, per value, without columns."""

    case: str
    events: int
    bytes_per_event: float
    decoder_us_per_event: float
    orjson_loads_us_per_event: float
    rejects: int


def schema(unit: TimeUnit) -> Schema:
    """Ten nested numeric features, two categories, a binary prediction."""
    features = tuple(Column(name, ("features", name), Kind.NUMERIC, Role.FEATURE) for name in FEATURES)
    others = (
        Column("segment", ("segment",), Kind.CATEGORICAL, Role.SEGMENT),
        Column("version", ("model", "version"), Kind.CATEGORICAL, Role.MODEL_VERSION),
        Column("prediction", ("prediction",), Kind.BINARY, Role.PREDICTION),
    )
    time_field = TimeField(("ts",), unit)
    return Schema(StreamRole.PREDICTIONS, ("p",), ("id",), time_field, features + others, 2**20, 300_000)


def values(events: int, case: str) -> list[bytes]:
    """About 370 bytes each; `hostile`: every hundredth is no JSON, every fiftieth has a text for a number."""
    rng = np.random.default_rng(7)
    numbers = rng.normal(0.0, 10.0, (events, len(FEATURES))).tolist()
    made = []
    for row in range(events):
        features: dict[str, object] = dict(zip(FEATURES, numbers[row], strict=True))
        if case == "hostile" and row % 50 == 0:
            features["f3"] = "n/a"
        moment = START_MS + row
        iso = f"{np.datetime64(moment, 'ms')}Z"
        event = {
            "id": f"e{row:09d}",
            "ts": iso if case == "iso8601" else moment,
            "features": features,
            "prediction": row % 2,
            "segment": ("premium", "general")[row % 3 == 0],
            "model": {"version": "v3"},
            "label": 0,
        }
        text = orjson.dumps(event)
        made.append(text[:-2] if case == "hostile" and row % 100 == 0 else text)
    return made


def batches(documents: list[bytes]) -> list[RawBatch]:
    """The documents as polls of BATCH_ROWS."""
    cut = []
    for start in range(0, len(documents), BATCH_ROWS):
        part = documents[start : start + BATCH_ROWS]
        offsets = np.arange(start, start + len(part))
        cut.append(
            RawBatch(SourcePartition("p", 0), offsets, START_MS + offsets, [None] * len(part), part, start + len(part))
        )
    return cut


def best(rounds: int, work: Callable[[], object], events: int) -> float:
    """Microseconds of processor time per event, of the fastest round."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return round(min(taken) / events * 1e6, 3)


def measure(case: str, events: int, rounds: int) -> Result:
    documents = values(events, case)
    polls = batches(documents)
    decoder = Decoder(schema(TimeUnit.ISO8601 if case == "iso8601" else TimeUnit.MS), Task.BINARY)
    rejects = sum(len(decoder.decode(poll).rejects.offsets) for poll in polls)

    def decode() -> None:
        for poll in polls:
            decoder.decode(poll)

    def parse_only() -> None:
        for document in documents:
            try:
                orjson.loads(document)
            except orjson.JSONDecodeError:
                continue

    size = sum(map(len, documents)) / events
    return Result(case, events, size, best(rounds, decode, events), best(rounds, parse_only, events), rejects)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench decode", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    for case in ("plain", "iso8601", "hostile"):
        print(orjson.dumps(dataclasses.asdict(measure(case, asked.events, asked.rounds))).decode())
