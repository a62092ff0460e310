"""What does the service read while it is harmed? A seeded stream of events with drifts, and the config that watches it.

    world = World(bootstrap, folder, name, seed=1)   # names of topics, config, state directory
    world.make_topics()
    with Feeder(world) as feeder:                    # a thread that produces `pace` ticks a second
        feeder.reach(2_000)                          # ... harm the service ...
    # leaving the block sends the marker events that close every pane

One tick is one prediction, TICK_MS of event time, and its label some ticks later. The stream has what makes recovery
hard: rows out of order and late, events that are no JSON, clocks a day ahead, duplicates, corrected and orphaned
labels, partitions that fall silent while others go on, and drifts that come and go, so that alerts fire and resolve.
"""

import heapq
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions
from kafka.errors import KafkaError

START_MS = 1_767_225_600_000
TICK_MS = 50
MARKER_MS = 3_600_000
"""How far beyond the last event the markers lie: closes every pane, and is no implausible jump."""
PREDICTION_PARTITIONS, LABEL_PARTITIONS = 3, 2
DRIFT_TICKS = 600
SPELL_TICKS = 3_000
"""In each such stretch one partition of each topic is silent for a third of it."""
KEPT_MS = 20_000
"""How old the event is that a producer brings after its silence: older than what a poll may hold back (a second)."""
PACE = 400
WAIT_S = 120.0

CONFIG = """
version: 1
name: {name}
workers: {workers}
kafka: {{bootstrap_servers: "{bootstrap}"{client}}}
start: earliest
on_gap: {on_gap}
streams:
  predictions:
    topic: {predictions}
    id: id
    time: {{field: ts, unit: ms}}
    prediction: fraud
    score: p
    task: binary
    features: {{amount: {{kind: numeric, range: [0, 500]}}, country: categorical}}
    segments: [tier]
  labels: {{topic: {labels}, id: id, label: fraud, time: {{field: known, unit: ms}}, horizon: {horizon}}}
time: {{pane: 1s, lateness: 1s, idle_after: {idle_after}}}
reference: {{first: 40s}}
alarm_budget: 1 per hour
monitors:
  - on: defaults
  - {{name: amount-adwin, on: amount, by: [tier], detector: {{adwin: {{delta: 0.01}}}}, alert: {{cooldown: 5s}}}}
  - {{name: amount-ph, on: amount, detector: {{page_hinkley: {{threshold: 200}}}}, alert: {{cooldown: 5s}}}}
  - {{name: error-ddm, on: error, by: [tier], detector: {{ddm: {{}}}}, alert: {{cooldown: 5s}}}}
alerts: {{topic: {alerts}, owner: me}}
dead_letter: {{topic: {dead_letters}}}
late: {{topic: {late}}}
journal: {{topic: {journal}}}
state: {{dir: {state}, commit_every: 200ms}}
prometheus: {{listen: "127.0.0.1:0"}}
{limits}
"""
CROWD = 9
"""Further predictions of each tick, in a crowded world: 14,000 fill the least memory that a join can be given."""
CROWD_HORIZON = "30m"
CROWD_LIMITS = "limits: {join_memory: 1MiB}"
CROWD_DELAY_TICKS = (1_500, 2_400)
"""Their labels come when they have long been on disk."""


@dataclass(frozen=True)
class World:
    """Names of one scenario: topics, config file, state directory."""

    bootstrap: str
    folder: Path
    name: str
    seed: int
    on_gap: str = "refuse"
    idle_after: str = "1s"
    client: str = ""
    """More options of the config's `kafka`, as YAML: `, client_id: x`."""
    workers: int = 1
    """Processes that decode."""
    through: str = ""
    """The address that the service is given instead of `bootstrap`: that of a proxy, for one."""
    state: Path | None = None
    """The state directory, where it is to lie elsewhere."""
    crowded: bool = False
    """So many predictions wait that the join puts them on disk."""

    @property
    def predictions(self) -> str:
        return f"{self.name}.predictions"

    @property
    def labels(self) -> str:
        return f"{self.name}.labels"

    @property
    def alerts(self) -> str:
        return f"{self.name}.alerts"

    @property
    def positions(self) -> str:
        return f"{self.name}.alerts.positions"

    @property
    def journal(self) -> str:
        return f"{self.name}.journal"

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.rejects"

    @property
    def late(self) -> str:
        return f"{self.name}.late"

    @property
    def state_dir(self) -> Path:
        return self.state or self.folder / "state"

    @property
    def config(self) -> Path:
        """The config file, written anew."""
        path = self.folder / "config.yaml"
        path.write_text(
            CONFIG.format(
                name=self.name, bootstrap=self.through or self.bootstrap, client=self.client, on_gap=self.on_gap,
                predictions=self.predictions, labels=self.labels, alerts=self.alerts, dead_letters=self.dead_letters,
                late=self.late, journal=self.journal, state=self.state_dir, idle_after=self.idle_after,
                workers=self.workers, horizon=CROWD_HORIZON if self.crowded else "2m",
                limits=CROWD_LIMITS if self.crowded else "",
            )
        )  # fmt: skip
        return path

    def make_topics(self, replicas: int = 1) -> None:
        """The topics that the service reads; those that it writes it makes itself."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            for topic, partitions in ((self.predictions, PREDICTION_PARTITIONS), (self.labels, LABEL_PARTITIONS)):
                settings = {"num_partitions": partitions, "replication_factor": replicas}
                admin.create_topics({topic: {**settings, "configs": {"retention.ms": "-1"}}}, wait_for_metadata=True)
        finally:
            admin.close()


@dataclass(frozen=True, slots=True)
class Event:
    """One record to be produced."""

    topic: str
    partition: int
    value: bytes


class Stream:
    """The events of a world, tick by tick, the same for the same seed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = np.random.default_rng(world.seed)
        self._crowd_rng = np.random.default_rng([world.seed, 1])
        self.ticks = 0
        self.prediction_partitions = PREDICTION_PARTITIONS
        self._labels: list[tuple[int, int, int, dict[str, object]]] = []
        self._count = 0

    def next_tick(self) -> Iterator[Event]:
        """One prediction, the labels that are due, and what goes wrong now and then."""
        tick, rng, world = self.ticks, self._rng, self._world
        self.ticks += 1
        now_ms = START_MS + tick * TICK_MS
        chance = rng.random(12)
        phase, drifting = (tick // DRIFT_TICKS) // 2 % 4, (tick // DRIFT_TICKS) % 2 == 1 and tick > 3 * DRIFT_TICKS
        premium = chance[0] < 0.3
        truth = int(chance[1] < 0.3)
        wrong = int(chance[2] < (0.6 if drifting and phase == 3 and premium else 0.05))
        ts = now_ms + int((chance[3] - 0.5) * 600)
        if chance[4] < 0.02:
            ts -= 8_000
        elif chance[4] < 0.023:
            ts += 2 * 86_400_000
        amount: float | None = float(np.exp(3.0 + 0.4 * rng.standard_normal())) * (3.0 if drifting and not phase else 1)
        if chance[5] < (0.4 if drifting and phase == 2 else 0.01):
            amount = None
        country = "XX" if drifting and phase == 1 and chance[6] < 0.3 else ("DE", "FR", "ES")[int(chance[6] * 3)]
        event = {
            "id": f"e{tick if chance[7] > 0.01 else max(0, tick - 3)}", "ts": ts, "amount": amount, "country": country,
            "tier": "premium" if premium else "general", "fraud": truth ^ wrong, "p": round(float(chance[8]), 3),
        }  # fmt: skip
        spell, within = divmod(tick, SPELL_TICKS)
        if (
            spell and not within
        ):  # a producer that comes back sends what it has kept: only the journal's floor makes it late
            kept = json.dumps(event | {"id": f"kept{tick}", "ts": now_ms - KEPT_MS}).encode()
            yield Event(world.predictions, (spell - 1) % self.prediction_partitions, kept)
        partition = self._speaking(int(rng.integers(self.prediction_partitions)), self.prediction_partitions, tick)
        value = json.dumps(event).encode()
        yield Event(world.predictions, partition, b"{broken " + value if chance[9] < 0.01 else value)
        if chance[10] < 0.9:
            self._label(tick + int(rng.integers(1, 160)), f"e{tick}", truth)
        if chance[11] < 0.05:
            self._label(tick + int(rng.integers(1, 200)), f"e{tick}", truth ^ int(chance[8] < 0.5))
        if chance[11] > 0.99:
            self._label(tick + 5, f"orphan{tick}", truth)
        if world.crowded:
            yield from self._crowd(tick, now_ms)
        while self._labels and self._labels[0][0] <= tick:
            _, _, at, label = heapq.heappop(self._labels)
            data = json.dumps(label | {"known": now_ms}).encode()
            yield Event(world.labels, self._speaking(at, LABEL_PARTITIONS, tick + SPELL_TICKS // 2), data)

    def markers(self, ticks_ahead_ms: int = MARKER_MS) -> Iterator[Event]:
        """One event for each partition, far ahead of all others: every pane before it closes."""
        at_ms = START_MS + self.ticks * TICK_MS + ticks_ahead_ms
        for partition in range(self.prediction_partitions):
            event = {"id": f"marker{partition}", "ts": at_ms, "amount": 20, "country": "DE", "tier": "general"}
            value = json.dumps(event | {"fraud": 0, "p": 0.1}).encode()
            yield Event(self._world.predictions, partition, value)
        for partition in range(LABEL_PARTITIONS):
            label = {"id": f"marked{partition}", "fraud": 0, "known": at_ms}
            yield Event(self._world.labels, partition, json.dumps(label).encode())

    def _crowd(self, tick: int, now_ms: int) -> Iterator[Event]:
        """Predictions beside that of the tick. Most get a label; some have an id that lies on disk by then."""
        rng = self._crowd_rng
        for number in range(CROWD):
            chance = rng.random(5)
            of = tick if chance[0] > 0.02 else max(0, tick - CROWD_DELAY_TICKS[0])
            event = {
                "id": f"c{of}.{number}", "ts": now_ms + int(chance[1] * 300), "country": "DE", "amount": 20.0,
                "tier": "general", "fraud": int(chance[2] < 0.3), "p": round(float(chance[3]), 3),
            }  # fmt: skip
            partition = self._speaking(int(rng.integers(self.prediction_partitions)), self.prediction_partitions, tick)
            yield Event(self._world.predictions, partition, json.dumps(event).encode())
            for share in (0.8, 0.1):
                if chance[4] < share:
                    self._label(tick + int(rng.integers(*CROWD_DELAY_TICKS)), event["id"], int(chance[2] < 0.3 * share))

    def _label(self, due: int, about: str, truth: int) -> None:
        self._count += 1
        partition = int(self._rng.integers(LABEL_PARTITIONS))
        heapq.heappush(self._labels, (due, self._count, partition, {"id": about, "fraud": truth}))

    @staticmethod
    def _speaking(partition: int, of: int, tick: int) -> int:
        """The partition itself, or its neighbour while it is silent."""
        spell, within = divmod(tick, SPELL_TICKS)
        silent = within >= SPELL_TICKS * 2 // 3 and partition == spell % of
        return (partition + 1) % of if silent else partition


@dataclass
class Feeder:
    """A thread that produces the stream, whatever happens to the brokers; a context manager.

    What could not be sent for sure is sent again, so an event may stand in a topic twice: the topics, as they are in
    the end, are the truth that the verdict starts from.
    """

    world: World
    pace: int = PACE
    stream: Stream = field(init=False)
    failures: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _hushed_until: float = 0.0
    _outdated: bool = False
    _producer: KafkaProducer | None = None
    _error: BaseException | None = None

    def __post_init__(self) -> None:
        self.stream = Stream(self.world)
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(WAIT_S)
        try:
            if kind is None:
                assert not self._thread.is_alive(), "the feeder does not come to an end"
                self.check()
                self._deliver(list(self.stream.markers()), time.monotonic() + WAIT_S)
        finally:
            self._let_go()

    @property
    def ticks(self) -> int:
        """How many ticks have been produced."""
        return self.stream.ticks

    def check(self) -> None:
        """Raise what has ended the feeder before its time."""
        if self._error is not None:
            raise self._error

    def reach(self, ticks: int) -> None:
        """Wait until so many ticks have been produced."""
        deadline = time.monotonic() + WAIT_S + ticks / self.pace
        while self.ticks < ticks:
            self.check()
            assert time.monotonic() < deadline, f"{self.ticks} of {ticks} ticks in time"
            time.sleep(0.05)

    def grow(self, partitions: int) -> None:
        """Add partitions to the predictions' topic; from now on they get their share."""
        admin = KafkaAdminClient(bootstrap_servers=self.world.bootstrap)
        try:
            admin.create_partitions({self.world.predictions: NewPartitions(total_count=partitions)})
        finally:
            admin.close()
        self._outdated = True
        self.stream.prediction_partitions = partitions

    def hush(self, seconds: float) -> None:
        """Produce nothing for a while: all partitions fall silent."""
        self._hushed_until = time.monotonic() + seconds

    def _run(self) -> None:
        try:
            began, before = time.monotonic(), 0
            while not self._stopping.wait(0.05):
                now = time.monotonic()
                if now < self._hushed_until:
                    began, before = now, self.ticks
                    continue
                due = min(int((now - began) * self.pace) + before - self.ticks, self.pace // 4)
                events = [event for _ in range(due) for event in self.stream.next_tick()]
                if not self._deliver(events, now + WAIT_S):
                    return
                if time.monotonic() - now > 1.0:  # the brokers were away: go on at the same pace, without catching up
                    began, before = time.monotonic(), self.ticks
        except BaseException as error:  # noqa: BLE001 - raised again where the block is left
            self._error = error

    def _deliver(self, events: list[Event], deadline: float) -> bool:
        """Send, until all has arrived or the deadline has passed; False when told to stop before."""
        while events:
            if self._outdated:
                self._let_go()
                self._outdated = False
            try:
                self._producer = self._producer or KafkaProducer(
                    bootstrap_servers=self.world.bootstrap, acks="all", enable_idempotence=False, linger_ms=5,
                    max_block_ms=5_000, delivery_timeout_ms=6_000, request_timeout_ms=5_000,
                )  # fmt: skip
                sent = [self._producer.send(each.topic, each.value, partition=each.partition) for each in events]
                self._producer.flush(8)
                for future in sent:
                    future.get(timeout=0)
            except (KafkaError, AssertionError):  # the client asserts that it knows a partition: it may be too new
                self.failures += 1
                self._let_go()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return True
        return True

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=1)
            except KafkaError:
                producer._sender.force_close()
