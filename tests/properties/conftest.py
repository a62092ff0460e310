"""A small world for property tests: topics with drift, late rows, wrong clocks, labels.

And ways to run an engine over it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from streamcheck.core import saving
from streamcheck.core.alerts import alert_id
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.ids import keys_of
from streamcheck.core.journal import JournalEntry
from streamcheck.core.orders import Acknowledge, Order, Rebaseline
from streamcheck.core.plan import Plan
from streamcheck.core.types import Batch, Dictionary, Rejects, SourcePartition, StreamRole
from streamcheck.core.undeclared import joined
from tests.properties.plans import PANE_MS, checks, plan, tiny

CRASHES_MAX = 15
START_MS = 1_772_323_200_000
TIERS = ("general", "premium", "trial", "partner")
KPI = SourcePartition("k", 0)
COUNTRIES = ("DE", "FR", "ES", "IT")


@dataclass(slots=True)
class World:
    """Topics as logs: for each source partition the rows in offset order, as columns, and rejected offsets."""

    logs: dict[SourcePartition, Batch]

    @property
    def ends(self) -> dict[SourcePartition, int]:
        return {source: log.next_offset for source, log in self.logs.items()}

    def cut(self, source: SourcePartition, start: int, stop: int) -> Batch:
        """The records from offset start to stop, with dictionaries of their own, as if from another decoder."""
        log = self.logs[source]
        a, b = np.searchsorted(log.offsets, (start, stop))
        ra, rb = np.searchsorted(log.rejects.offsets, (start, stop))
        codes = log.codes[:, a:b].copy()
        dictionaries = []
        for column, dictionary in enumerate(log.dictionaries):
            fresh = Dictionary(("0", "1")) if dictionary.values == ["0", "1"] else Dictionary()
            codes[column] = [c if c < 0 else fresh.encode(dictionary.values[c]) for c in codes[column].tolist()]
            dictionaries.append(fresh)
        rejects = Rejects(log.rejects.offsets[ra:rb], log.rejects.reasons[ra:rb])
        return Batch(
            source,
            log.stream,
            log.offsets[a:b],
            log.times[a:b],
            log.keys[a:b].copy(),
            log.numeric[:, a:b],
            codes,
            log.status[:, a:b],
            tuple(dictionaries),
            stop,
            rejects,
        )


def _log(
    source: SourcePartition,
    stream: StreamRole,
    times: np.ndarray,
    ids: list[str],
    numeric: np.ndarray,
    coded: list[list[str | None]],
    missing: np.ndarray,
    rng: np.random.Generator,
) -> Batch:
    """A log with some rejected records strewn in."""
    n = len(times)
    offsets = np.cumsum(1 + rng.binomial(1, 0.03, n)) - 1
    rejected = np.setdiff1d(np.arange(int(offsets[-1]) + 1), offsets)
    dictionaries, codes = [], np.empty((len(coded), n), np.int32)
    for column, values in enumerate(coded):
        dictionary = Dictionary(("0", "1")) if set(values) <= {"0", "1"} else Dictionary()
        codes[column] = [-1 if v is None else dictionary.encode(v) for v in values]
        dictionaries.append(dictionary)
    status = np.concatenate([missing.astype(np.uint8), (codes < 0).astype(np.uint8)])
    return Batch(
        source,
        stream,
        offsets,
        times,
        keys_of(ids),
        np.where(missing, 0.0, numeric),
        codes,
        status,
        tuple(dictionaries),
        int(offsets[-1]) + 1,
        Rejects(rejected, ("not JSON",) * len(rejected)),
    )


def make_world(seed: int, n: int = 2_600) -> World:
    """Predictions, labels, a KPI, a challenger: a shift, a new country, missing values, a tier in error, bad clocks."""
    rng = np.random.default_rng(seed)
    span = 150 * PANE_MS
    time = np.sort(rng.integers(0, span, n))
    time[time > 0.85 * span] += 7 * PANE_MS  # a gap of empty panes
    time += START_MS
    late = rng.random(n) < 0.04
    seen = np.where(late, time - rng.integers(0, 6 * PANE_MS, n), time)
    jump = rng.random(n) < 0.003
    seen = np.where(jump, seen + rng.integers(30_000, 10**9, n), seen)
    progress = np.arange(n) / n
    amount = rng.lognormal(3.0, 0.4, n) * np.where(progress > 0.75, 3.0, 1.0)
    score = rng.random(n)
    label = (rng.random(n) < score).astype(int)
    tier = rng.choice(TIERS, n, p=(0.6, 0.3, 0.06, 0.04))
    flipped = (tier == "premium") & (progress > 0.5) & (rng.random(n) < 0.6)
    prediction = np.where(flipped, 1 - label, np.where(rng.random(n) < 0.05, 1 - label, label))
    country = np.where((progress > 0.7) & (rng.random(n) < 0.1), "XX", rng.choice(COUNTRIES, n))
    missing = np.stack([(rng.random(n) < np.where(progress > 0.7, 0.25, 0.01)), np.zeros(n, bool)])
    ids = [f"e{i if rng.random() > 0.01 else max(0, i - 3)}" for i in range(n)]
    names = _names(seed, progress)
    of = rng.integers(0, 3, n)
    logs: dict[SourcePartition, Batch] = {}
    for partition in range(3):
        at = np.flatnonzero(of == partition)
        coded: list[list[str | None]] = [
            [str(country[i]) for i in at],
            [None if rng.random() < 0.01 else str(tier[i]) for i in at],
            [str(prediction[i]) for i in at],
            [names[i] for i in at],
        ]
        source = SourcePartition("p", partition)
        logs[source] = _log(
            source,
            StreamRole.PREDICTIONS,
            seen[at],
            [ids[i] for i in at],
            np.stack([amount[at], score[at]]),
            coded,
            missing[:, at],
            rng,
        )
    known = time + rng.integers(-3 * PANE_MS, 20 * PANE_MS, n)
    extra = rng.choice(n, n // 15)
    events = [(int(known[i]), ids[i], int(label[i])) for i in range(n) if rng.random() < 0.9]
    events += [
        (int(known[i]) + int(rng.integers(0, 9_000)), ids[i], int(label[i] if rng.random() < 0.5 else 1 - label[i]))
        for i in extra
    ]
    events += [(int(known[i]), f"orphan{i}", 1) for i in extra[:10]]
    events.sort()
    side = rng.integers(0, 2, len(events))
    for partition in range(2):
        mine = [e for e, s in zip(events, side, strict=True) if s == partition]
        source = SourcePartition("l", partition)
        logs[source] = _log(
            source,
            StreamRole.LABELS,
            np.array([e[0] for e in mine]),
            [e[1] for e in mine],
            np.empty((0, len(mine))),
            [[str(e[2]) for e in mine]],
            np.empty((0, len(mine)), bool),
            rng,
        )
    logs[KPI] = _kpi(KPI, span, rng)
    return World({**logs, **_challenger(np.random.default_rng((seed, 8)), time, ids, label)})


def _challenger(
    rng: np.random.Generator, time: np.ndarray, ids: list[str], label: np.ndarray
) -> dict[SourcePartition, Batch]:
    """What another model says of most ids: at once or later, sometimes twice; and of some that nobody knows."""
    n = len(ids)
    said = np.where(rng.random(n) < 0.1, 1 - label, label)
    known = time + rng.integers(-2 * PANE_MS, np.where(rng.random(n) < 0.2, 30, 3) * PANE_MS)
    events = [(int(known[i]), ids[i], str(said[i])) for i in range(n) if rng.random() < 0.85]
    events += [(int(known[i]) + 4_000, ids[i], "1") for i in rng.choice(n, n // 20)]
    events += [(int(known[i]), f"alone{i}", "0") for i in range(0, n, 50)]
    events.sort()
    side, logs = rng.integers(0, 2, len(events)), {}
    for partition in range(2):
        mine = [event for event, s in zip(events, side, strict=True) if s == partition]
        of_events = np.array([e[0] for e in mine]), [e[1] for e in mine]
        nothing = np.empty((0, len(mine)))
        source = SourcePartition("s", partition)
        coded: list[list[str | None]] = [[e[2] for e in mine]]
        logs[source] = _log(source, StreamRole.SHADOW, *of_events, nothing, coded, nothing.astype(bool), rng)
    return logs


def _names(seed: int, progress: np.ndarray) -> list[str | None]:
    """Undeclared fields of one row in six: one comes, one goes, one is there now and then, one is never the same."""
    rng = np.random.default_rng((seed, 6))
    looked, now_and_then = rng.random(len(progress)) < 0.16, rng.random(len(progress)) < 0.5
    return [
        joined([*["fee"] * (at > 0.6), *["note"] * (at < 0.8), *["rare"] * bool(some), f"u{i}"]) if look else None
        for i, (at, look, some) in enumerate(zip(progress.tolist(), looked, now_and_then, strict=True))
    ]


def _kpi(source: SourcePartition, span: int, rng: np.random.Generator) -> Batch:
    """A value every other pane or so, that falls in the end; some come late, some out of order."""
    n = span // (2 * PANE_MS)
    known = np.sort(rng.integers(0, span + 7 * PANE_MS, n))
    value = rng.normal(100.0, 3.0, n) - np.where(known > 0.6 * span, 30.0, 0.0)
    late = rng.random(n) < 0.2
    seen = START_MS + np.where(late, known - rng.integers(0, 6 * PANE_MS, n), known)
    missing = np.zeros((1, n), bool)
    return _log(source, StreamRole.KPI, seen, [f"k{i}" for i in range(n)], value[None], [], missing, rng)


@dataclass(slots=True)
class Run:
    """What came out of one run."""

    alerts: list[bytes] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    engine: Engine | None = None
    crashes: int = 0
    wakes: int = 0

    def take(self, outcome: Outcome) -> None:
        self.alerts += [a.record for a in outcome.alerts]
        self.journal += outcome.journal


def orders_of(engine: Engine, number: int, rng: np.random.Generator) -> tuple[str, Order]:
    """What somebody might order now: of all monitors, some, one segment, or of an alert that is open (or is not)."""
    open_alerts = [
        alert_id(engine.plan.name, each.spec.id, each.segment, each.tracker.opened_ms)
        for each in engine.board.instances()
        if each.tracker.finding is not None
    ]
    since = None if rng.random() < 0.6 else START_MS + int(rng.integers(0, 160)) * PANE_MS
    found: list[Order] = [
        Rebaseline(("amount-mean_shift", "amount-scale-by-tier"), None, since, "new prices"),
        Rebaseline((), (("tier", "premium"),), since),
        Acknowledge("no such alert", "kim", rebaseline=True),
        *(Acknowledge(alert, "kim", rebaseline=bool(rng.random() < 0.5)) for alert in open_alerts),
    ]
    return f"order-{number}", found[int(rng.integers(0, len(found)))]


def uninterrupted(world: World, made: Plan, journal: list[JournalEntry] | None = None) -> Run:
    """One engine, each partition in a single batch, one after the other.

    With a live run's journal where there is one.
    """
    run, engine = Run(), Engine(made, "lineage")
    run.take(engine.open(dict.fromkeys(world.logs, 0)))
    engine.replay_journal(journal or [])
    for source, end in world.ends.items():
        run.take(engine.feed(world.cut(source, 0, end)))
    run.take(engine.finish(journal or []))
    run.engine = engine
    return run


def scheduled(world: World, made: Plan, seed: int, *, idle: bool, crashes: bool, orders: bool = False) -> Run:
    """A live run under a random schedule: cuts, interleavings, idle spells with wake-ups, silence, crashes, resumes.

    orders: people order things meanwhile; what a crash forgets is met again, as in the folder where orders wait.
    """
    waiting: dict[str, Order] = {}
    rng = np.random.default_rng(seed)
    run, engine = Run(), Engine(made, "lineage")
    run.take(engine.open(dict.fromkeys(world.logs, 0)))
    saver, stored, committed = saving.Saver(engine), {}, (len(run.alerts), len(run.journal))
    uncommitted_panes = 0
    pace = rng.choice([40, 200, 900])
    while True:
        left = [s for s in world.logs if engine.partitions[s].next_offset < world.ends[s]]
        if not left:
            break
        source = _next(rng, left, engine)
        start = engine.partitions[source].next_offset
        stop = min(world.ends[source], start + 1 + int(rng.integers(0, pace)))
        was_idle = engine.partitions[source].idle
        outcome = engine.feed(world.cut(source, start, stop))
        run.wakes += was_idle
        run.take(outcome)
        uncommitted_panes += outcome.panes
        kpi = engine.partitions[source]
        if idle and source.topic == "k" and not kpi.idle and not kpi.reading_again and rng.random() < 0.7:
            outcome = engine.set_idle(source)  # a loop does so as soon as all is read
            run.take(outcome)
            uncommitted_panes += outcome.panes
        if idle and rng.random() < 0.15:
            uncommitted_panes += _fall_silent(rng, engine, run)
        if orders and engine.open_from is not None and (rng.random() < 0.1 or not waiting):
            name, order = orders_of(engine, len(waiting), rng)
            waiting[name] = order
        if engine.open_from is not None:
            for name, order in waiting.items():
                run.take(engine.obey(name, order))
        if uncommitted_panes and rng.random() < 0.3:
            change = saver.take()
            stored = {k: v for k, v in (stored | dict(change.put)).items() if k not in change.delete}
            committed, uncommitted_panes = (len(run.alerts), len(run.journal)), 0
        if crashes and stored and run.crashes < CRASHES_MAX and rng.random() < 0.15:
            run.alerts, run.journal = run.alerts[: committed[0]], run.journal[: committed[1]]
            engine = saving.restore(made, stored).engine
            saver = saving.Saver(engine)
            saver.resume(stored)
            uncommitted_panes, run.crashes = 0, run.crashes + 1
    run.take(engine.finish(run.journal))
    run.engine = engine
    return run


def _next(rng: np.random.Generator, left: list[SourcePartition], engine: Engine) -> SourcePartition:
    """Partitions roughly in step most of the time, idle ones less often."""
    weights = np.array([0.2 if engine.partitions[s].idle else 1.0 for s in left])
    if rng.random() < 0.5:
        return min(left, key=lambda s: (engine.partitions[s].idle, engine.partitions[s].newest))
    return left[int(rng.choice(len(left), p=weights / weights.sum()))]


def _fall_silent(rng: np.random.Generator, engine: Engine, run: Run) -> int:
    """Some partitions fall idle; when all have, event time goes on a little. The number of panes that closed."""
    outcomes = []
    for source, partition in engine.partitions.items():
        if not partition.idle and not partition.reading_again and rng.random() < 0.4:
            outcomes.append(engine.set_idle(source))
    if not any(p.holds for p in engine.partitions.values()):
        newest = max(p.newest for p in engine.partitions.values())
        if newest > 0:
            outcomes.append(engine.advance(newest + int(rng.integers(0, 8_000))))
    for outcome in outcomes:
        run.take(outcome)
    return sum(outcome.panes for outcome in outcomes)


@dataclass(frozen=True)
class Lab:
    """What tests of this folder use."""

    plan: Callable[..., Plan] = plan
    tiny: Callable[..., Plan] = tiny
    checks: Callable[..., Plan] = checks
    make_world: Callable[..., World] = make_world
    uninterrupted: Callable[..., Run] = uninterrupted
    scheduled: Callable[..., Run] = scheduled


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
