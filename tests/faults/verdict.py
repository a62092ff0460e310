"""Has a fault left a trace? Compares what the service published with a replay that nothing has interrupted.

    verdict = judge(world)
    assert verdict.good, verdict

To be called when no process of the service runs and everything produced has been read (`Service.finish`). The replay is
an engine in memory, fed with the topics, partition by partition, and with the journal out of its topic. The state that
the service has left is taken up, too, and led to the end of its input: whatever it lost shows there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register their components
from streamcheck.adapters.sqlite.store import SqliteStore
from streamcheck.config.load import load
from streamcheck.core import alerts
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.journal import Advanced, JournalEntry, Opened, Silent, Skipped, from_bytes
from streamcheck.core.partitions import LATE_REASON
from streamcheck.core.plan import Plan
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StreamcheckError
from streamcheck.runtime import opening
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.journal_log import PREFIX
from streamcheck.runtime.ports import RawBatch
from tests.faults.topics import Record, read
from tests.faults.world import World

Logs = Mapping[SourcePartition, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scenario has left. transitions: alert records that stand in the topic; all others must be 0 or empty."""

    transitions: int
    duplicates: int
    missing: int
    differing_bytes: int
    broken: tuple[str, ...]
    """Equations that do not hold, and other promises, in words."""
    records: int = 0

    @property
    def good(self) -> bool:
        return not (self.duplicates or self.missing or self.differing_bytes or self.broken)


@dataclass
class _Life:
    """An engine and what it has brought about."""

    engine: Engine
    alerts: list[bytes] = field(default_factory=list)
    strays: dict[bytes, str] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        self.alerts += [alert.record for alert in outcome.alerts]
        for stray in outcome.strays:
            source = stray.source
            self.strays[f"{source.topic}/{source.partition}/{stray.offset}".encode()] = stray.reason


def input_logs(world: World, known: Logs | None = None) -> dict[SourcePartition, list[Record]]:
    """All events by source partition. known: read earlier, before retention removed some of them."""
    merged = {source: {record.offset: record for record in records} for source, records in (known or {}).items()}
    for topic in (world.predictions, world.labels):
        for record in read(world.bootstrap, topic):
            merged.setdefault(SourcePartition(topic, record.partition), {})[record.offset] = record
    return {source: [merged[source][offset] for offset in sorted(merged[source])] for source in sorted(merged)}


def judge(world: World, known: Logs | None = None) -> Verdict:
    """The verdict on a world whose service has ended. known: see `input_logs`."""
    plan = load(str(world.config)).plan
    logs = input_logs(world, known)
    published = read(world.bootstrap, world.alerts)
    broken: list[str] = []
    entries = _journal(world, broken)
    opened = next((entry for entry in entries if isinstance(entry, Opened)), None)
    with _taken_up(world, plan, broken) as left:
        if opened is None or left is None:
            return Verdict(len(published), 0, 0, 0, (*broken, *(() if opened else ("no journal in its topic",))))
        wanted = left.engine.sequence
        replay = _replay(plan, opened, entries, logs)
        broken += _books(replay.engine, logs, entries, "replay")
        broken += _strays(world, replay)
        broken += _marker(world, plan, published, opened.lineage)
        _state(left, plan, logs, entries, replay, broken)
    sequences = [json.loads(record.value or b"{}").get("sequence") for record in published]
    if sequences != sorted(sequences):
        broken.append("the alerts stand in the topic out of order")
    return Verdict(
        transitions=len(published),
        duplicates=len(sequences) - len(set(sequences)),
        missing=len(set(range(1, wanted + 1)) - set(sequences)),
        differing_bytes=sum(
            _differing(record.value or b"", replay.alerts[sequence - 1] if sequence <= len(replay.alerts) else b"")
            for sequence, record in zip(sequences, published, strict=True)
        ),
        broken=tuple(broken),
        records=sum(map(len, logs.values())),
    )


# ---------------------------------------------------------------------- what the service has left
def _journal(world: World, broken: list[str]) -> list[JournalEntry]:
    """The journal as its topic tells it: the last line of each number; silence that goes on replaces itself."""
    lines: dict[int, bytes] = {}
    for record in read(world.bootstrap, world.journal):
        number = int(record.key or b"-1")
        before = lines.get(number)
        if before is not None and before != record.value:
            kinds = {type(from_bytes(before)), type(from_bytes(record.value or b""))}
            if kinds not in ({Advanced}, {Silent}):
                broken.append(f"journal entry {number} stands in its topic as two different ones")
        lines[number] = record.value or b""
    if sorted(lines) != list(range(len(lines))):
        broken.append("the journal's topic has gaps")
    return [from_bytes(lines[number]) for number in sorted(lines)]


@contextmanager
def _taken_up(world: World, plan: Plan, broken: list[str]) -> Iterator[opening.Opened | None]:
    """The state as the next run would take it up; its store stays open, for what lies on the join's shelf."""
    store, left = None, None
    try:
        store = SqliteStore(world.state_dir, world.name)
        saved = store.load()
        if saved is None:
            broken.append("there is no state")
        else:
            left = opening.resume(plan, saved)
    except (StreamcheckError, AssertionError) as error:
        broken.append(f"the state cannot be taken up: {error}")
    try:
        yield left
    finally:
        if store is not None:
            store.close()


def _state(
    left: opening.Opened, plan: Plan, logs: Logs, entries: Sequence[JournalEntry], replay: _Life, broken: list[str]
) -> None:
    """The state must lead where the replay came to."""
    in_store = [from_bytes(left.saved_journal[key]) for key in sorted(left.saved_journal) if key.startswith(PREFIX)]
    if in_store != list(entries):
        broken.append(f"the journal has {len(in_store)} entries in the state, {len(entries)} in its topic")
    if left.outbox:
        broken.append(f"{len(left.outbox)} transitions wait in the outbox")
    life, published = _Life(left.engine), left.engine.sequence
    try:
        for source in sorted(left.engine.partitions):
            _feed(life, source, logs.get(source, ()), plan, entries)
        life.take(left.engine.finish(entries))
    except (StreamcheckError, AssertionError) as error:
        broken.append(f"the state does not fit the topics: {error}")
        return
    broken += _books(left.engine, logs, entries, "state")
    if left.engine.digest != replay.engine.digest:
        broken.append("the state leads to other alerts than the replay")
    if life.alerts != replay.alerts[published:]:
        broken.append("the alerts that are still to come differ")
    for source, mine in left.engine.partitions.items():
        other = replay.engine.partitions.get(source)
        counts = (mine.accepted, mine.late, dict(mine.rejected))
        if other is None or counts != (other.accepted, other.late, dict(other.rejected)):
            broken.append(f"{source}: the state counts {counts}, the replay other numbers")
    if left.engine.closing.join_reading() != replay.engine.closing.join_reading():
        broken.append("the join's books differ from the replay's")


# ---------------------------------------------------------------------- the replay
def _replay(plan: Plan, opened: Opened, entries: Sequence[JournalEntry], logs: Logs) -> _Life:
    """One life without any interruption."""
    life = _Life(Engine(plan, opened.lineage))
    life.engine.open(dict(opened.positions))
    life.engine.replay_journal(entries)
    for source in sorted(logs.keys() - life.engine.partitions.keys()):
        life.engine.add_partition(source)
    for source in sorted(logs):
        _feed(life, source, logs[source], plan, entries)
    life.take(life.engine.finish(entries))
    return life


def _feed(
    life: _Life, source: SourcePartition, records: Iterable[Record], plan: Plan, entries: Sequence[JournalEntry]
) -> None:
    """Everything of one source partition from where the engine stands, gaps that were skipped left out."""
    partition = life.engine.partitions[source]
    gaps = [(e.offset, e.resumed_at) for e in entries if isinstance(e, Skipped) and e.source == source]
    mine = [
        record
        for record in records
        if record.offset >= partition.next_offset and not any(a <= record.offset < b for a, b in gaps)
    ]
    if not mine:
        return
    schema = plan.predictions if source.topic in plan.predictions.topics else plan.labels
    assert schema is not None
    raw = RawBatch(
        source,
        np.array([record.offset for record in mine], np.int64),
        np.array([record.timestamp_ms for record in mine], np.int64),
        [record.key for record in mine],
        [record.value for record in mine],
        mine[-1].offset + 1,
    )
    life.take(life.engine.feed(Decoder(schema, plan.task).decode(raw)))


# ---------------------------------------------------------------------- equations
def _books(engine: Engine, logs: Logs, entries: Sequence[JournalEntry], whose: str) -> list[str]:
    """Rows in = on time + late + rejected, and both sides of the join."""
    broken = []
    for source, partition in engine.partitions.items():
        gaps = [(e.offset, e.resumed_at) for e in entries if isinstance(e, Skipped) and e.source == source]
        read_in = sum(not any(a <= record.offset < b for a, b in gaps) for record in logs.get(source, ()))
        counted = partition.accepted + partition.late + partition.rejected.total()
        if read_in != counted:
            broken.append(f"{whose}: {source} has {read_in} records, {counted} are accounted for")
    j = engine.closing.join_reading()
    assert j is not None, "a world without labels"
    ended = j.predictions_matched + j.predictions_pending + j.predictions_expired
    if j.predictions != ended + j.predictions_evicted + j.predictions_duplicate:
        broken.append(f"{whose}: predictions do not add up: {j}")
    ended = j.labels_matched + j.labels_corrections + j.labels_duplicate + j.labels_pending
    if j.labels != ended + j.labels_expired + j.labels_evicted or j.labels_matched != j.predictions_matched:
        broken.append(f"{whose}: labels do not add up: {j}")
    return broken


def _strays(world: World, replay: _Life) -> list[str]:
    """Each rejected and each late event must stand in its topic at least once, and no other."""
    broken = []
    for topic, is_late in ((world.dead_letters, False), (world.late, True)):
        wanted = {key for key, reason in replay.strays.items() if (reason == LATE_REASON) == is_late}
        found = {record.key for record in read(world.bootstrap, topic)}
        if wanted != found:
            missing, extra = len(wanted - found), len(found - wanted)
            broken.append(f"{topic}: {missing} of {len(wanted)} are missing, {extra} too many")
    return broken


def _marker(world: World, plan: Plan, published: Sequence[Record], lineage: str) -> list[str]:
    """The newest marker must say what stands in the alerts topic: how many, and their digest."""
    broken = []
    lineages = {json.loads(record.value or b"{}").get("lineage") for record in published}
    if lineages - {lineage}:
        broken.append(f"alerts of other lineages: {sorted(lineages - {lineage})}")
    newest: dict[str, object] = {}
    for record in read(world.bootstrap, world.positions):
        if record.key == world.name.encode():
            newest = json.loads(record.value or b"{}")
    digest = alerts.digest(plan.name, lineage)
    for record in published:
        digest = alerts.digest(digest, (record.value or b"").decode())
    expected = {"lineage": lineage, "sequence": len(published), "digest": digest}
    if newest != expected and (newest or published):
        broken.append(f"the marker says {newest}, the topic {expected}")
    return broken


def _differing(found: bytes, wanted: bytes) -> int:
    """How many bytes differ."""
    return sum(a != b for a, b in zip(found, wanted, strict=False)) + abs(len(found) - len(wanted))
