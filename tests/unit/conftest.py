"""A rig for tests of the loop: one config, scripted topics, a store, sinks that fail on command, all in memory."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streamcheck.config.load import loads
from streamcheck.core import calibration
from streamcheck.core.journal import from_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.errors import DeliveryError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decoding import Inline
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.loop import Loop, LoopRules
from streamcheck.runtime.opening import open_engine
from streamcheck.runtime.ports import Arrived, SinkLost
from streamcheck.runtime.telemetry import Snapshot, Telemetry
from streamcheck.testing import Aborted, ManualClock, MemoryStore, ScriptedSource, raw_batch
from tests.unit.row_streams import CALIBRATION_PANES, recording

CONFIG = """
version: 1
name: rig
streams:
  predictions:
    topic: p
    id: id
    time: {field: at, unit: ms}
    prediction: said
    task: binary
    features: {amount: numeric}
    segments: [tier]
  labels: {topic: l, id: id, label: truth, time: {field: at, unit: ms}, horizon: 1h}
time: {pane: 1s, lateness: 500ms, idle_after: 30s}
reference: {first: 20s}
monitors:
  - {name: amount-adwin, on: amount, by: [tier], detector: {adwin: {delta: 0.01, clock: 4}}, alert: {cooldown: 5s}}
  - {name: amount-ph, on: amount, detector: {page_hinkley: {threshold: 15}}, alert: {for: 2s, cooldown: 5s}}
  - {name: floor, on: accuracy, window: {rows: 40}, detector: {threshold: {below: 0.7}}, alert: {cooldown: 3s}}
alerts: {owner: nobody}
"""
START_MS = 1_772_359_200_000
BATCHES, ROWS = 24, 30
PARTITIONS = (SourcePartition("l", 0), SourcePartition("p", 0), SourcePartition("p", 1))


class Tap:
    """Passes calls on and writes them down, in one log for all ports."""

    def __init__(self, name: str, inner: Any, log: list[Any], watched: tuple[str, ...]) -> None:
        self._name, self._inner, self._log, self._watched = name, inner, log, watched

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._watched:
            return found

        def tapped(*args: Any) -> Any:
            self._log.append((f"{self._name}.{name}", args))
            return found(*args)

        return tapped


@dataclass
class AlertTopic:
    """Implements ports.AlertSink over a list that outlives runs. `faults`: what the n-th sending (from 1) does."""

    records: list[Any] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    sendings: int = 0
    lineage: str | None = None
    marker: Arrived | None = None
    claim_faults: int = 0

    def open(self, lineage: str) -> Arrived | None:
        assert self.lineage in (None, lineage), "another life of the state"
        self.lineage = lineage
        return self.marker

    def claim(self, arrived: Arrived) -> None:
        if self.claim_faults:
            self.claim_faults -= 1
            raise DeliveryError("scripted: the alerts topic does not answer")
        assert self.marker is None, "claimed already"
        self.marker = arrived

    def send(self, entries: Any, digest: str, before: Arrived | None = None) -> None:
        self.sendings += 1
        fault = self.faults.get(self.sendings)
        if fault == "lost":
            raise SinkLost("scripted: another run has taken the topic over")
        if fault == "refuse":
            raise DeliveryError("scripted: the alerts topic does not answer")
        if fault == "crash before":
            raise Aborted("scripted crash before sending")
        last = self.records[-1].sequence if self.records else 0
        assert [e.sequence for e in entries] == list(range(last + 1, last + 1 + len(entries))), "twice, or missing"
        self.records += entries
        self.digests.append(digest)
        self.marker = Arrived(entries[-1].sequence, digest)
        if fault == "crash after":
            raise Aborted("scripted crash after sending")

    def close(self) -> None:
        pass


@dataclass
class StrayTopic:
    """Implements ports.StraySink; `refusals`: how many flushes fail from now on."""

    sent: list[Any] = field(default_factory=list)
    arrived: list[Any] = field(default_factory=list)
    refusals: int = 0

    def send(self, records: Any) -> None:
        self.sent += records

    def flush(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("scripted: the dead-letter topic does not answer")
        self.arrived += self.sent
        self.sent = []

    def close(self) -> None:
        pass


@dataclass
class JournalTopic:
    """Implements ports.JournalSink over a list of (number, line) that outlives runs."""

    records: list[tuple[int, bytes]] = field(default_factory=list)

    def send(self, first: int, lines: Any) -> None:
        self.records += enumerate(lines, first)

    def close(self) -> None:
        pass


def script(seed: int = 1) -> list[Any]:
    """Two partitions of predictions, one of labels; amounts triple and errors rise on the way; some garbage."""
    rng, offsets, made = random.Random(seed), {("p", 0): 0, ("p", 1): 0, ("l", 0): 0}, []
    for batch in range(BATCHES):
        progress = batch / BATCHES
        events: dict[tuple[str, int], list[Any]] = {key: [] for key in offsets}
        for i in range(ROWS):
            at = START_MS + 2_000 * batch + 2_000 * i // ROWS
            name, truth = f"e{batch}-{i}", rng.random() < 0.5
            wrong = rng.random() < (0.6 if 0.3 < progress < 0.6 else 0.05)
            amount = rng.gauss(10, 1) * (3 if 0.4 < progress < 0.8 else 1)
            event = {"id": name, "at": at, "said": int(truth != wrong), "amount": amount, "tier": rng.choice("ab")}
            events["p", i % 2].append(event)
            events["l", 0].append({"id": name, "at": at + 300, "truth": int(truth)})
        events["p", 0].insert(rng.randrange(ROWS // 2), b"garbage")
        events["p", 1].append({"id": f"late{batch}", "at": START_MS + 2_000 * batch - 9_000, "said": 1, "amount": 1})
        for (topic, partition), values in events.items():
            first = offsets[topic, partition]
            stamps = [START_MS + 2_000 * batch] * len(values)
            made.append(raw_batch(topic, partition, values, first_offset=first, times_ms=stamps))
            offsets[topic, partition] += len(values)
    return made


@dataclass
class Rig:
    """One service and its world; a second `start` is a restart. `log`: all calls of ports, in order."""

    source: Any
    config: str = CONFIG
    store: Any = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=ManualClock)
    alerts: AlertTopic = field(default_factory=AlertTopic)
    dead: StrayTopic = field(default_factory=StrayTopic)
    late: StrayTopic = field(default_factory=StrayTopic)
    journal_topic: JournalTopic = field(default_factory=JournalTopic)
    orders: Any = None
    rules: LoopRules = field(default_factory=lambda: LoopRules(commit_every_s=0.0))
    log: list[Any] = field(default_factory=list)
    telemetry: Telemetry = field(default_factory=lambda: Telemetry(Snapshot("rig", "0", started_ms=0, beat_s=0.0)))
    loop: Loop | None = None

    def start(self, stopping: Callable[[], bool] | None = None) -> Loop:
        """Run until the script has ended (or as told)."""
        plan = loads(self.config, {}).plan
        store = Tap("store", self.store, self.log, ("commit", "delivered"))
        source = Tap("source", self.source, self.log, ("start", "committed", "pause"))
        sink = Tap("alerts", self.alerts, self.log, ("send",))
        dead = Tap("dead", self.dead, self.log, ("send", "flush"))
        late = Tap("late", self.late, self.log, ("send", "flush"))
        outbox = Outbox(sink, store)
        opened = open_engine(plan, store, source, lambda: dict.fromkeys(source.partitions(), 0), b"nonce")
        outbox.open(opened)
        schemas = [s for s in (plan.predictions, plan.labels) if s is not None]
        decoders = {topic: Decoder(s, plan.task).decode for s in schemas for topic in s.topics}
        strays = StrayPost(dead, late)
        ports = (opened, source, store, outbox, strays, Inline(decoders), self.clock, self.telemetry, self.rules)
        self.loop = Loop(*ports, journal=self.journal_topic, orders=self.orders)
        self.loop.run(stopping or (lambda: self.source.exhausted))
        return self.loop

    def survive(self) -> int:
        """Start, and start again after each crash, until the script has ended; how often that was."""
        for crashes in range(1_000):
            try:
                self.start()
            except Aborted:
                continue
            return crashes
        raise AssertionError("it crashes for ever")

    @property
    def records(self) -> list[bytes]:
        return [entry.value for entry in self.alerts.records]

    @property
    def journal(self) -> list[Any]:
        state = self.store.load().state
        return [from_bytes(state[key]) for key in sorted(state) if key.startswith("journal/")]


@dataclass(frozen=True)
class RigMaker:
    """What tests of the loop use."""

    def __call__(self, items: Any = None, **more: Any) -> Rig:
        source = ScriptedSource(script() if items is None else items, partitions=PARTITIONS)
        return Rig(source, **more)

    @property
    def script(self) -> Callable[..., list[Any]]:
        return script

    @property
    def start_ms(self) -> int:
        return START_MS

    def rules(self, **changes: Any) -> LoopRules:
        return replace(LoopRules(commit_every_s=0.0), **changes)


@pytest.fixture(scope="session")
def rig() -> RigMaker:
    return RigMaker()


@pytest.fixture(scope="session")
def undisturbed(rig: RigMaker) -> Rig:
    """The same script without a single disturbance."""
    made = rig()
    made.start()
    return made


@pytest.fixture
def recorded(monkeypatch):
    """Every row detector that an engine makes, by monitor and segment: what it got and said."""
    return recording(monkeypatch)


@pytest.fixture
def soon(monkeypatch):
    """Row detectors are calibrated after twenty panes."""
    monkeypatch.setattr(calibration, "PANES_MIN", CALIBRATION_PANES)
    monkeypatch.setattr(calibration, "ROWS_MIN", 100)
    monkeypatch.setattr(calibration, "EVENTS_MIN", 10)
