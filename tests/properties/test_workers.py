"""The constitution for workers: runs with labels, drifts and wrong clocks, and one log of alerts for any number."""

import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest

from streamcheck.adapters.files import sections
from streamcheck.adapters.files.source import FileLog, FilesSource
from streamcheck.adapters.simulate import DEMO, PaymentsStream, SimulatedSource
from streamcheck.cli import service
from streamcheck.cli.service import Wiring, run_service
from streamcheck.config.load import loads
from streamcheck.core.alerts import Alert
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Plan
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.decoding import Decoding, Inline
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.ports import Arrived, OutboxEntry, Polled, RawBatch
from streamcheck.runtime.telemetry import Telemetry
from streamcheck.runtime.workers import Pool, pool
from streamcheck.testing import raw_batch

HOUR_MS = 3_600_000


@dataclass
class Kept:
    """An alert sink that keeps what it is given."""

    records: list[bytes] = field(default_factory=list)

    def open(self, _lineage: str) -> Arrived | None:
        return None

    def claim(self, _arrived: Arrived) -> None:
        pass

    def send(self, entries: Sequence[OutboxEntry], _digest: str, _before: Arrived | None = None) -> None:
        self.records += [entry.value for entry in entries]

    def close(self) -> None:
        pass


def alerts(workers: int, step_ms: int) -> list[bytes]:
    """Of the demo, its panes longer: the same rows and incidents by the same ways, in a quarter of the steps."""
    text = resources.files("streamcheck.cli").joinpath("demo.yaml").read_text("utf-8")
    loaded = loads(text.replace("pane: 30s", "pane: 2m"), {})
    source = SimulatedSource(
        PaymentsStream(7, DEMO, rate=6.0, duration_ms=9 * HOUR_MS), step_ms=step_ms, complete=True
    )
    kept = Kept()
    wiring = Wiring(
        source, MemoryStore(), lambda: dict.fromkeys(source.partitions(), 0), alerts=kept, workers=workers
    )
    rules = LoopRules(commit_every_s=600.0, idle_after_s=1e9, until_end=True)
    telemetry = Telemetry(service.first_snapshot(loaded.plan, source.clock))
    run_service(loaded.plan, wiring, rules, source.clock, telemetry, service.Stop())
    return kept.records


@pytest.mark.first
def test_any_number_of_workers_gives_the_same_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.secrets, "token_bytes", bytes)
    found = [alerts(workers, step_ms) for workers, step_ms in ((1, 240_000), (2, 240_000), (3, 1_000_000))]
    assert len(found[0]) >= 10
    for one, other in itertools.pairwise(found):
        assert one == other


# ------------------------------------------------------------------ every way in
START_MS = 1_772_359_200_000
ROWS = 4_000
CONFIG = """
version: 1
name: ways
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    prediction: fraud
    score: score
    task: binary
    features: {amount: numeric, country: categorical}
    segments: [tier, [tier, country]]
  labels: {topic: l, id: id, label: truth, time: {field: known, unit: ms}, horizon: 1h}
time: {pane: 1s, lateness: 500ms}
reference: {first: 20s}
monitors:
  - {name: shift, on: amount, by: [tier], measure: mean_shift, alert: {cooldown: 3s}}
  - {name: mix, on: country, measure: category_shift, detector: {cusum: {h: 4.0}}, alert: {cooldown: 3s}}
  - {name: psi, on: amount, measure: psi, detector: {cusum: {h: 4.0}}, alert: {cooldown: 3s}}
  - {name: adwin, on: amount, detector: {adwin: {delta: 0.01}}, alert: {cooldown: 3s}}
  - {name: floor, on: accuracy, by: [tier], window: {rows: 100}, detector: {threshold: {below: 0.8}}}
alerts: {owner: nobody}
"""


def events_of(seed: int) -> dict[SourcePartition, list[dict[str, Any]]]:
    """Two partitions of predictions and two of labels: late rows, wrong clocks, events that are none, a drift."""
    rng = random.Random(seed)
    made: dict[SourcePartition, list[dict[str, Any]]] = {SourcePartition(t, n): [] for t in "pl" for n in range(2)}
    for at in range(ROWS):
        drifted = at > ROWS * 2 // 3
        time_ms = START_MS + at * 25 + rng.randrange(200) - (rng.randrange(60_000) if rng.random() < 0.02 else 0)
        event = {
            "id": f"event-{at:08}" if at % 2 else f"e{at}",
            "ts": time_ms + (10**9 if rng.random() < 0.002 else 0),
            "amount": None if rng.random() < 0.03 else rng.gauss(12 if drifted else 10, 1),
            "country": rng.choice(["DE", "FR", "Österreich", None, f"c{at % 97}"] if drifted else ["DE", "FR", "IT"]),
            "tier": rng.choice(["premium", "general", "trial", "staff", None]),
            "fraud": rng.random() < 0.3,
            "score": rng.random(),
        }
        wrong = rng.random() < (0.4 if drifted else 0.1)
        known = {"id": event["id"], "known": time_ms + rng.randrange(20_000), "truth": event["fraud"] != wrong}
        spoilt = rng.random()
        if spoilt < 0.02:
            event["id" if spoilt < 0.01 else "ts"] = None
        made[SourcePartition("p", at % 2)].append(event)
        made[SourcePartition("l", rng.randrange(2))].append(known | ({"truth": None} if spoilt > 0.98 else {}))
    return made


def raw_batches(events: dict[SourcePartition, list[dict[str, Any]]], seed: int) -> list[RawBatch]:
    """Every event as polls may bring them: cut anywhere, partitions in any order."""
    rng, made = random.Random(seed), []
    begun = dict.fromkeys(events, 0)
    while any(begun[source] < len(held) for source, held in events.items()):
        source = rng.choice([source for source, held in events.items() if begun[source] < len(held)])
        cut = events[source][begun[source] : begun[source] + rng.choice([1, 30, 700])]
        stamps = [START_MS + 2 * 10**9] * len(cut)  # nothing lies ahead of it
        made.append(raw_batch(*source, cut, first_offset=begun[source], times_ms=stamps))
        begun[source] += len(cut)
    return made


def file_logs(
    events: dict[SourcePartition, list[dict[str, Any]]], form: str, folder: Path, plan: Plan
) -> list[FileLog]:
    """The same events as files, two for each partition."""
    logs = []
    for source, held in events.items():
        paths = []
        for number, part in enumerate((held[: len(held) // 3], held[len(held) // 3 :])):
            paths.append(folder / f"{source.topic}{source.partition}-{number}.{form}")
            if form == "jsonl":
                paths[-1].write_text("".join(json.dumps(event) + "\n" for event in part))
            else:
                table = pa.Table.from_pylist(part)
                papq.write_table(table, paths[-1]) if form == "parquet" else pacsv.write_csv(table, paths[-1])
        schema = plan.labels if source.topic == "l" else plan.predictions
        assert schema is not None
        logs.append(FileLog(source, tuple(paths), schema))
    return logs


def fed(
    plan: Plan, decoding: Decoding, polls: Iterable[Sequence[Polled]], sources: Iterable[SourcePartition]
) -> Any:
    """Everything that an engine says of an input."""
    engine = Engine(plan, "lineage")
    engine.open(dict.fromkeys(sources, 0))
    said: list[Alert] = []
    for polled in polls:
        for batch in decoding.through(polled) if polled else decoding.drain():
            said += engine.feed(batch).alerts
    for batch in decoding.drain():
        said += engine.feed(batch).alerts
    said += engine.finish().alerts
    books = [(p.source, p.accepted, p.late, dict(p.rejected), p.newest) for p in engine.partitions.values()]
    return [alert.record for alert in said], books, engine.digest, engine.closing.join_reading()


def polls_of(source: FilesSource) -> Iterator[Sequence[Polled]]:
    source.start(source.first_offsets)
    with closing(source):
        while not all(status.ended for status in source.status().values()):
            yield source.poll(0)


@pytest.mark.first
@pytest.mark.parametrize("seed", range(2))
def test_every_way_in_with_any_number_of_workers_gives_the_same_bytes(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SECTION_BYTES", 9_000)
    monkeypatch.setattr(pool, "PART_ROWS", 300)
    plan, events = loads(CONFIG, {}).plan, events_of(seed)
    schemas = [plan.predictions, *([plan.labels] if plan.labels else [])]
    expected = fed(plan, Inline(service.decoders(plan)), [[raw] for raw in raw_batches(events, seed)], events)
    alerts, books, *_ = expected
    assert {json.loads(record)["monitor"] for record in alerts} >= {"shift-by-tier", "floor-by-tier", "adwin", "psi"}
    assert all(rejected for _, _, _, rejected, _ in books)
    assert all(late > 10 for source, _, late, _, _ in books if source.topic == "p")
    logs = {form: file_logs(events, form, tmp_path, plan) for form in ("jsonl", "csv", "parquet")}
    for workers in (1, 2, 3):
        inline = service.decoders(plan)
        with closing(Pool(workers, schemas, plan.task, inline, "streamcheck.cli.worker")) as several:
            polls = [[raw] for raw in raw_batches(events, 100 + workers)]
            assert fed(plan, several, polls, events) == expected
            for form, of in logs.items():
                source = FilesSource(of)
                assert fed(plan, Inline(inline), polls_of(source), events) == expected, form
                source.leave_unread()
                assert fed(plan, several, polls_of(source), events) == expected, (form, workers)
