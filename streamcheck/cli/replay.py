"""Runs one config or several over an input that ends: for `backtest`, `calibrate` and `test`."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from streamcheck.adapters.sqlite.scratch import ScratchStore
from streamcheck.cli.backtest_input import Input
from streamcheck.cli.service import Stop, decoders, decoding, first_snapshot
from streamcheck.config.load import Loaded, load
from streamcheck.config.settings import SchemaRegistry
from streamcheck.core import saving
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.plan import Plan
from streamcheck.report.record.alerts import AlertHistory
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.record.rows import RowsInTime
from streamcheck.runtime.backtest import Backtest, Group, Lane, Scope, open_backtest
from streamcheck.runtime.bounds import Reach, Windows
from streamcheck.runtime.clock import WallClock
from streamcheck.runtime.decoding import Inline
from streamcheck.runtime.delivery import Outbox
from streamcheck.runtime.garbage import settled
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.memory import ForgetfulStore
from streamcheck.runtime.opening import Opened
from streamcheck.runtime.ports import AlertSink
from streamcheck.runtime.telemetry import Telemetry
from streamcheck.runtime.workers import Pool

log = logging.getLogger(__name__)

OPEN_BYTES_MAX = 8 << 20
"""Rows of open panes at which a partition that runs ahead waits: little, so that all keep in step by event time, and a
replay that is stopped has seen each stream up to about the same moment."""
COMMIT_EVERY_S = 5.0

Told = Callable[[int, int, int], object]
"""Hears how far it has come: done, of total, rows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A config to be tried. name: how tables call it; text: as it is written."""

    name: str
    text: str
    loaded: Loaded

    @property
    def plan(self) -> Plan:
        """What the engine runs."""
        return self.loaded.plan


@dataclass(slots=True)
class Course:
    """What became of one config."""

    candidate: Candidate
    engine: Engine
    windows: Windows
    history: AlertHistory
    rows: RowsInTime
    recorder: Recorder | None = None

    def hear(self, outcome: Outcome) -> None:
        """Something has come of an input."""
        for alert in outcome.alerts:
            self.history.add(alert)

    def record(self) -> None:
        """Remember from now on more than alerts."""
        self.recorder = Recorder(self.engine)
        self.engine.watch(self.recorder)


@dataclass(frozen=True, slots=True)
class Replayed:
    """All courses, the first config's first. positions: where reading began."""

    courses: tuple[Course, ...]
    complete: bool
    events: int
    seconds: float
    gaps: tuple[tuple[str, int, int], ...]
    positions: dict[str, int]


def replay(
    candidates: Sequence[Candidate],
    given: Input,
    bounds_ms: tuple[int | None, int | None],
    sink: AlertSink | None,
    told: Told,
    *,
    recorded: bool = False,
    watch: Callable[[Engine], object] | None = None,
) -> Replayed:
    """Everything up to the end of the input, or until told to stop. Closes the input.

    recorded: what charts need of the first config is kept; watch: may look on at its engine instead.
    """
    settings, clock, stop = candidates[0].loaded.settings, WallClock(), Stop()
    with closing(given.source), ExitStack() as scratch:
        below = given.saved.read if given.saved is not None else None
        stores = [scratch.enter_context(closing(ScratchStore(below))) for _ in candidates]
        opened = [
            open_backtest(each.plan, given.first_offsets, given.life, given.saved, given.source, store)
            for each, store in zip(candidates, stores, strict=True)
        ]
        courses = [_course(*each, bounds_ms) for each in zip(candidates, opened, strict=True)]
        if recorded:
            courses[0].record()
        if watch is not None:
            watch(courses[0].engine)
        outbox = Outbox(sink, ForgetfulStore())
        outbox.open(opened[0])
        positions = saving.positions(courses[0].engine)

        def listen(outcome: Outcome) -> None:
            courses[0].hear(outcome)
            told(given.done(), given.total(), given.rows())

        scope = _scope(given, courses, opened, stores, bounds_ms)
        plan, registry = candidates[0].plan, settings.registry
        decoder = _inline(plan, registry) if scope.groups else decoding(plan, settings.workers, registry)
        if isinstance(decoder, Pool):
            given.leave_unread()
        with closing(decoder):
            loop = Backtest(
                given.life,
                opened[0],
                given.source,
                outbox,
                decoder,
                clock,
                Telemetry(first_snapshot(plan, clock)),
                LoopRules(commit_every_s=COMMIT_EVERY_S, open_bytes_max=min(settings.open_bytes, OPEN_BYTES_MAX)),
                listen,
                scope,
                stores[0],
            )
            began = time.perf_counter()
            with stop.on_signals(), settled():
                loop.run(stop)
            seconds = time.perf_counter() - began
        gaps = tuple((str(source), wanted, first) for source, wanted, first in loop.gaps)
        where = {str(source): offset for source, offset in sorted(positions.items())}
        return Replayed(tuple(courses), loop.complete, loop.tally.events, seconds, gaps, where)


def _course(candidate: Candidate, opened: Opened, bounds_ms: tuple[int | None, int | None]) -> Course:
    plan = candidate.plan
    rows = RowsInTime(plan.time.pane_ms)
    windows = Windows(plan.predictions.topics, _later(plan), *bounds_ms, _horizon_ms(plan), rows.add)
    return Course(candidate, opened.engine, windows, AlertHistory(), rows)


def _later(plan: Plan) -> tuple[str, ...]:
    """Topics of what becomes known after a prediction: labels, a KPI."""
    return tuple(topic for schema in plan.schemas[1:] for topic in schema.topics)


def _horizon_ms(plan: Plan) -> int:
    return plan.join.horizon_ms if plan.join is not None else 0


def _scope(
    given: Input,
    courses: Sequence[Course],
    opened: Sequence[Opened],
    stores: Sequence[ScratchStore],
    bounds_ms: tuple[int | None, int | None],
) -> Scope:
    first = courses[0].candidate.plan
    alike: list[Lane] = []
    others: dict[tuple[object, ...], tuple[Plan, list[Lane]]] = {}
    for course, its, store in zip(courses[1:], opened[1:], stores[1:], strict=True):
        lane = Lane(its, course.windows, course.hear, store)
        plan = course.candidate.plan
        if _streams(plan) == _streams(first):
            alike.append(lane)
        else:
            others.setdefault(_streams(plan), (plan, []))[1].append(lane)
    registry = courses[0].candidate.loaded.settings.registry
    groups = tuple(Group(_inline(plan, registry), tuple(lanes)) for plan, lanes in others.values())
    plans = [course.candidate.plan for course in courses]
    reach = Reach(_ends(plans, bounds_ms[1]) if given.bounded else {})
    return Scope(courses[0].windows, reach, given.enough, tuple(alike), groups)


def _streams(plan: Plan) -> tuple[object, ...]:
    return (*plan.schemas, plan.task)


def _inline(plan: Plan, registry: SchemaRegistry | None) -> Inline:
    return Inline(decoders(plan, registry))


def _ends(plans: Sequence[Plan], end_ms: int | None) -> dict[str, int]:
    """Beyond which time no row of a topic counts for any of these plans, lateness included."""
    if end_ms is None:
        return {}
    first = plans[0]
    behind = end_ms + max(plan.time.lateness_ms + plan.time.pane_ms for plan in plans)
    waiting = max(_horizon_ms(plan) for plan in plans)
    return {**dict.fromkeys(_later(first), behind + waiting), **dict.fromkeys(first.predictions.topics, behind)}


def load_candidate(config: str, name: str | None = None) -> Candidate:
    """A config file; its warnings are shown. Raises ConfigError."""
    loaded = load(config)
    for warning in loaded.warnings:
        log.warning("%s: %s", config, warning)
    return Candidate(name or Path(config).stem, Path(config).read_text("utf-8-sig"), loaded)
