"""Does a state that a release has written still load, and go on to the alerts that it went on to then?

`state/RELEASE/NAME/` holds a config, the state of a run that was stopped in the middle (with alerts that had not been
delivered), and the alerts of the rest. `pytest tests/golden --golden-update` writes those of this release anew;
those of earlier releases are never touched, and neither are the streams below: a state is only as good as its past.
"""

import json
import platform
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from streamcheck import __version__
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.config.load import loads
from streamcheck.core import codec
from streamcheck.core.components import components
from streamcheck.core.journal import Advanced, Floored, Opened, Silent, Skipped, from_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decoding import Inline
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.loop import Loop, LoopRules
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.opening import digest_at, open_engine
from streamcheck.runtime.ports import Arrived
from streamcheck.runtime.telemetry import AlertBook, Snapshot, Telemetry
from streamcheck.testing import ManualClock, ScriptedSource, raw_batch

STATES = Path(__file__).parent / "state"
NOW = [STATES / __version__ / name for name in ("binary", "regression", "business")]
ALL = sorted(path.parent for path in STATES.glob("*/*/config.yaml"))
START_MS = 1_772_323_200_000
MINUTE_MS = 60_000
ROWS, ROUND = 4_320, 20
STOPPED, AWAY = 160, 145
"""Rounds: after this one the run stopped; from this one on nobody took its alerts."""
SILENT, REMOVED = 120, 130
"""Rounds: after this one nothing came for half an hour; after this one retention removed what had not been read."""
P0, P1, LABELS, ONE, SHOP, KPI = (SourcePartition(*each) for each in zip("ppldsk", (0, 1, 0, 0, 0, 0), strict=True))
STATE_BYTES_MAX = 1_000_000


def each_round(number: int) -> range:
    return range(number * ROUND, (number + 1) * ROUND)


def binary(rng: random.Random) -> list[dict[SourcePartition, list[Any]]]:
    """Premium amounts triple, a country appears, the model fails; one partition is silent twice, once as it stops."""
    rounds: list[dict[SourcePartition, list[Any]]] = []
    due: list[tuple[int, dict[str, Any]]] = []
    for number in range(ROWS // ROUND):
        events: dict[SourcePartition, list[Any]] = {P0: [], P1: [], LABELS: []}
        silent = 85 <= number < 105 or 148 <= number < 172
        for i in each_round(number):
            at, progress = START_MS + i * MINUTE_MS, i / ROWS
            tier, truth = rng.choice(["premium", "general", "general"]), rng.random() < 0.3
            wrong = rng.random() < (0.5 if 0.55 < progress < 0.7 or progress > 0.85 else 0.04)
            said = truth != wrong
            amount = rng.gauss(50, 10) * (3 if tier == "premium" and (0.5 < progress < 0.6 or progress > 0.8) else 1)
            country = "XX" if progress > 0.9 and rng.random() < 0.4 else rng.choice(["DE", "FR"])
            event = {"id": f"e{i}", "at": at + rng.randrange(-60_000, 60_000), "said": int(said), "tier": tier}
            event |= {"p": 0.75 if said else 0.125, "age": 20 + rng.randrange(0, 40 if progress < 0.8 else 70)}
            event |= {"amount": None if rng.random() < 0.02 else round(amount * 8) / 8, "country": country}
            target = P0 if silent or i % 2 else P1
            events[target].append(b"{" if i % 211 == 0 else event)
            if i % 173 == 0:
                events[target].append(event | {"at": at - 7_200_000})
            due.append((i + rng.randrange(2, 300), {"id": f"e{i}", "truth": int(truth)}))
            if i % 31 == 0:
                due.append((i + rng.randrange(2, 300), {"id": f"e{i}", "truth": int(truth) ^ (i % 2)}))
            if i % 97 == 0:
                due.append((i + 1, {"id": f"nobody{i}", "truth": 1}))
            events[LABELS] += [label | {"at": at} for when, label in due if when <= i]
            due = [(when, label) for when, label in due if when > i]
        rounds.append(events)
    return rounds


def regression(rng: random.Random) -> list[dict[SourcePartition, list[Any]]]:
    """One city's deliveries take longer, for a while and again towards the end."""
    rounds = []
    for number in range(ROWS // ROUND):
        events = []
        for i in each_round(number):
            progress, city, distance = i / ROWS, rng.choice(["Bern", "Basel"]), rng.randrange(8, 72) / 8
            slower = 8 if city == "Bern" and (0.6 < progress < 0.72 or progress > 0.85) else 0
            took = round((10 + 3 * distance + slower + rng.gauss(0, 2)) * 8) / 8
            event = {"at": START_MS + i * MINUTE_MS, "eta": 10 + 3 * distance, "took": took, "distance": distance}
            events.append(event | {"city": city})
        rounds.append({ONE: events})
    return rounds


def business(rng: random.Random) -> list[dict[SourcePartition, list[Any]]]:
    """A new version errs more, answers are slow, labels stop for half of the ids, and revenue falls."""
    rounds: list[dict[SourcePartition, list[Any]]] = []
    due: list[tuple[int, dict[str, Any]]] = []
    for number in range(ROWS // ROUND):
        events: dict[SourcePartition, list[Any]] = {SHOP: [], LABELS: [], KPI: []}
        for i in each_round(number):
            at, progress, tier = START_MS + i * MINUTE_MS, i / ROWS, rng.choice(["premium", "general"])
            model = "v2" if progress > 0.45 and i % 2 else "v1"
            truth, bursts = rng.random() < 0.4, 0.55 < progress < 0.6 or progress > 0.9
            said = truth != (rng.random() < (0.3 if model == "v2" else 0.1))
            event = {"id": f"e{i}", "at": at, "said": int(said), "p": 0.875 if said else 0.125, "tier": tier}
            event |= {"model": model, "amount": round(rng.gauss(50, 10) * 8) / 8}
            event |= {"caller": 7 if bursts and i % 2 else int(500 * rng.random() ** 2)}
            slow = 8 if 0.6 < progress < 0.7 or progress > 0.85 else 1
            events[SHOP].append(event | {"latency_ms": round(rng.expovariate(1 / 60) * slow * 8) / 8})
            if i % 2 or progress < 0.65:
                due.append((i + rng.randrange(2, 200), {"id": f"e{i}", "truth": int(truth)}))
            events[LABELS] += [label | {"at": at} for when, label in due if when <= i]
            due = [(when, label) for when, label in due if when > i]
            if i % 60 == 30:
                eur = round(rng.gauss(100, 4) * (0.5 if 0.65 < progress < 0.75 or progress > 0.92 else 1) * 8) / 8
                events[KPI].append({"known": at, "eur": eur})
        rounds.append(events)
    return rounds


STREAMS = {"binary": binary, "regression": regression, "business": business}


@dataclass
class Sink:
    """Implements ports.AlertSink; `away`: nobody takes anything."""

    marker: Arrived | None = None
    away: bool = False
    records: list[bytes] = field(default_factory=list)

    def open(self, lineage: str) -> Arrived | None:
        return self.marker

    def claim(self, arrived: Arrived) -> None:
        self.marker = arrived

    def send(self, entries: Any, digest: str, before: Arrived | None = None) -> None:
        if self.away:
            raise DeliveryError("scripted: nobody answers")
        self.records += [entry.value for entry in entries]
        self.marker = Arrived(entries[-1].sequence, digest)

    def close(self) -> None:
        pass


def run(folder: Path, store: Any, sink: Sink, first: int, last: int) -> None:
    """The service over rounds `first` to `last` (exclusive) of its stream; what came before stands in the topics."""
    plan = loads((folder / "config.yaml").read_text(), {}).plan
    clock, rounds = ManualClock(), STREAMS[folder.name](random.Random(folder.name))
    ends = dict.fromkeys(rounds[0], 0)
    past, script = [], []
    for number, events in enumerate(rounds[:last]):
        (past if number < first else script).extend(batches(events, ends, number))
        steps = [lambda: clock.advance(1.5)] * 2
        if number == SILENT:
            steps += [lambda: clock.advance(40), lambda: clock.advance(3_000), lambda: clock.advance(1.5)]
        if number == REMOVED and P0 in ends:
            ends[P0] += 7
            steps.append(lambda end=ends[P0]: source.forget(P0, end))
        if number == AWAY and first == 0 and last == STOPPED:
            steps.append(lambda: setattr(sink, "away", True))
        script += steps if number >= first else []
    source = ScriptedSource(script, partitions=ends)
    for raw in past:
        source._log[raw.source].append(raw)
    opened = open_engine(plan, store, source, lambda: dict.fromkeys(ends, 0), b"nonce")
    outbox = Outbox(sink, store)
    if not opened.fresh:  # what the state does not hold any more has been delivered
        delivered = opened.outbox[0].sequence - 1
        digest = digest_at(opened, delivered)
        assert digest is not None
        sink.marker = Arrived(delivered, digest)
    outbox.open(opened)
    decoders = {topic: Decoder(schema, plan.task).decode for schema in plan.schemas for topic in schema.topics}
    rules = LoopRules(commit_every_s=0.0, idle_after_s=30.0, skip_gaps=True)
    telemetry = Telemetry(Snapshot("golden", "0", started_ms=0, beat_s=0.0))
    Loop(opened, source, store, outbox, StrayPost(None, None), Inline(decoders), clock, telemetry, rules).run(
        lambda: source.exhausted
    )
    if not sink.away:
        outbox.deliver(opened.engine.digest, clock.monotonic() + 3_600)


def batches(events: dict[SourcePartition, list[Any]], ends: dict[SourcePartition, int], number: int) -> list[Any]:
    """One round as records; `ends` moves on."""
    made = []
    for source, values in events.items():
        stamps = [START_MS + number * ROUND * MINUTE_MS] * len(values)
        made.append(raw_batch(source.topic, source.partition, values, first_offset=ends[source], times_ms=stamps))
        ends[source] += len(values)
    return [raw for raw in made if len(raw.offsets)]


def store_of(folder: Path) -> SqliteStore:
    return SqliteStore(folder, loads((folder / "config.yaml").read_text(), {}).plan.name)


def make(folder: Path) -> None:
    """Write the state of a run that is stopped, and the alerts of the rest."""
    for path in folder.glob("state.sqlite*"):
        path.unlink()
    store = store_of(folder)
    run(folder, store, Sink(), 0, STOPPED)
    store.close()
    for beside in ("lock", "commits"):
        (folder / beside).unlink()


def continued(folder: Path, tmp_path: Path) -> list[bytes]:
    """The alerts that come after those that had been delivered when the run was stopped."""
    copy = tmp_path / "state"
    shutil.copytree(folder, copy)
    store = store_of(copy)
    sink = Sink()
    run(folder, store, sink, STOPPED, ROWS // ROUND)
    store.close()
    return sink.records


def written_on() -> dict[str, object]:
    """Where exact bytes are promised: the same numpy on the same kind of processor."""
    return {"golden": 1, "numpy": np.__version__, "machine": platform.machine()}


def rounded(record: bytes) -> str:
    """The record as comparable on another machine: numbers to nine digits."""
    return json.dumps(json.loads(record, parse_float=lambda text: f"{float(text):.9g}"))


@pytest.mark.parametrize("folder", ALL, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_an_old_state_goes_on_to_the_same_alerts(folder: Path, tmp_path: Path, golden_update: bool) -> None:
    update = golden_update and folder in NOW
    if update:
        make(folder)
    found = continued(folder, tmp_path)
    path = folder / "alerts.jsonl"
    if update:
        path.write_bytes(b"\n".join([orjson.dumps(written_on()), *found, b""]))
    header, *expected = path.read_bytes().splitlines()
    if orjson.loads(header) == written_on():
        assert found == expected
    else:
        assert [rounded(record) for record in found] == [rounded(record) for record in expected]


@pytest.mark.parametrize("folder", NOW, ids=lambda folder: folder.name)
def test_the_rest_is_what_a_run_without_a_stop_gives(folder: Path, tmp_path: Path) -> None:
    sink = Sink()
    run(folder, MemoryStore(), sink, 0, ROWS // ROUND)
    rest = continued(folder, tmp_path)
    assert len(rest) < len(sink.records)
    assert sink.records[-len(rest) :] == rest


@pytest.mark.parametrize("folder", ALL, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_golden_state_is_small_and_goes_on_to_something(folder: Path) -> None:
    assert (folder / "state.sqlite").stat().st_size < STATE_BYTES_MAX
    _, *records = map(orjson.loads, (folder / "alerts.jsonl").read_bytes().splitlines())
    assert {"firing", "resolved"} <= {record["state"] for record in records}
    assert len({record["monitor"] for record in records}) >= 3


def parts(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Everything in the states of this release, decoded; keys of the runtime's own parts as bytes."""
    found: dict[str, Any] = {}
    for folder in NOW:
        copy = tmp_path / folder.name
        shutil.copytree(folder, copy)
        store = store_of(copy)
        saved = store.load()
        store.close()
        assert saved is not None
        assert saved.outbox, "alerts that were not delivered"
        for key, value in saved.state.items():
            name = f"{folder.name}:{key}"
            core = value.startswith(b"SCST")
            found[name] = codec.decode("streamcheck.state", value)[1] if core else {"bytes": value}
    return found


def test_the_states_of_this_release_hold_everything_there_is(tmp_path: Path) -> None:
    """A new component must enter them (--golden-update), or the next release could not be held to reading it."""
    found = parts(tmp_path)
    made_of = [state["made_of"] for key, state in found.items() if ":monitor/" in key]
    detectors, measures, references = (set(names) - {None} for names in zip(*made_of, strict=True))
    assert detectors == set(components("detector"))
    learning = {name for name, cls in components("reference").items() if cls.learns}
    assert references == learning, "one that does not learn has no state of its own: a profile is a file"
    absent = {"dependence"}
    """It needs panes of 20 rows of five features, and these have five."""
    assert set(components("measure")) - measures <= absent
    families = {key.split(":")[1].split("/")[0] for key in found}
    assert families >= {"engine", "join", "layout", "monitor", "segments", "window", "alert-book", "journal"}
    assert families >= {"kpi", "pool", "versus"}
    journal = [from_bytes(state["bytes"]) for key, state in found.items() if ":journal/" in key]
    assert {type(entry) for entry in journal} == {Opened, Floored, Advanced, Silent, Skipped}
    book = AlertBook.restore(found["binary:alert-book"]["bytes"])
    assert book.firing
    assert len(book.recent) > len(book.firing)
    core = found["binary:engine"]
    assert [p["idle_at"] is not None for p in core["partitions"]] == [False, False, True], "one partition is silent"
    counts = core["closing"]["join"]["counts"]
    assert all(counts[name] for name in ("predictions_pending", "labels_pending", "labels_corrections"))
    trackers = [state["instance"]["tracker"]["state"] for key, state in found.items() if ":monitor/" in key]
    assert {0, 2} <= set(trackers)
