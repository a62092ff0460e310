"""Puts a service together: engine, source, store, sinks, pages. The only place where adapters meet the loop."""

import logging
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from streamcheck import __version__
from streamcheck.adapters.prometheus.exposition import Exposition
from streamcheck.adapters.web.desk import Desk
from streamcheck.adapters.web.routes import Routes
from streamcheck.adapters.web.server import WebServer
from streamcheck.cli.registry_wiring import open_registry
from streamcheck.config.settings import SchemaRegistry, Settings
from streamcheck.core.plan import Plan
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.decoding import Decode, Decoding, Inline
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.garbage import settled
from streamcheck.runtime.loop import Listener, Loop, LoopRules
from streamcheck.runtime.opening import open_engine
from streamcheck.runtime.ports import (
    AlertSink,
    Clock,
    JournalSink,
    OrderBox,
    SinkUnavailable,
    Source,
    SourceUnavailable,
    Store,
    StraySink,
)
from streamcheck.runtime.telemetry import BrokerReading, HealthRules, Ownership, Phase, Snapshot, Tally, Telemetry
from streamcheck.runtime.workers import Pool

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 5.0
NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Wiring:
    """The outer world of one run. start: positions of a new life, asked for only when the store is fresh.

    workers: processes that decode. registry: of the schemas that events are written by. opened: called once the state
    is open and earlier runs are fenced off. claimed: once the alerts topic is known to be this life's.
    """

    source: Source
    store: Store
    start: Callable[[], Mapping[SourcePartition, int]]
    alerts: AlertSink | None = None
    dead_letters: StraySink | None = None
    late: StraySink | None = None
    journal: JournalSink | None = None
    orders: OrderBox | None = None
    workers: int = 1
    registry: SchemaRegistry | None = None
    opened: Callable[[], None] = lambda: None
    claimed: Callable[[], None] = lambda: None


class Stop:
    """Set by the first SIGINT or SIGTERM; the second ends the process at once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Stop as soon as the loop turns."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until told to stop."""
        self._event.wait(seconds)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to signals for as long as this lasts."""

        def heard(number: int, _frame: object) -> None:
            if self._event.is_set():
                raise KeyboardInterrupt
            log.info("%s: stopping after a last commit; once more stops at once", signal.Signals(number).name)
            self._event.set()

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def decoding(plan: Plan, workers: int, registry: SchemaRegistry | None) -> Decoding:
    """Who decodes: this process, or so many workers beside it (which can read files as well)."""
    if workers == 1:
        return Inline(decoders(plan, registry))
    inline = decoders(plan, registry)
    return Pool(workers, plan.schemas, plan.task, inline, "streamcheck.cli.worker", registry=registry)


def decoders(plan: Plan, registry: SchemaRegistry | None = None) -> dict[str, Decode]:
    """A decoder for each topic."""
    known = open_registry(registry) if registry is not None else None
    made = [(schema, Decoder(schema, plan.task, known)) for schema in plan.schemas]
    return {topic: decoder.decode for schema, decoder in made for topic in schema.topics}


@contextmanager
def pages(
    settings: Settings, telemetry: Telemetry, clock: Clock, health: HealthRules | None = None, desk: Desk | None = None
) -> Iterator[str | None]:
    """Serve gauges and the status page for as long as this lasts. desk: who takes the page's orders.

    Yields their address, None where none is configured.
    """
    if settings.listen is None:
        yield None
        return
    server = WebServer(*settings.listen, Routes(telemetry, Exposition(telemetry).render, clock, health, desk))
    server.start()
    try:
        yield server.url
    finally:
        server.close()


def first_snapshot(plan: Plan, clock: Clock) -> Snapshot:
    """What is shown before anything is known."""
    owners = tuple(Ownership(m.id, m.rule.severity, m.rule.owner, m.rule.runbook) for m in plan.monitors)
    return Snapshot(plan.name, __version__, started_ms=clock.now_ms(), beat_s=clock.monotonic(), owners=owners)


def run_service(
    plan: Plan,
    wiring: Wiring,
    rules: LoopRules,
    clock: Clock,
    telemetry: Telemetry,
    stop: Stop,
    listener: Listener | None = None,
) -> Tally:
    """Open everything in the order that makes a restart safe, run the loop, close everything."""
    outbox, strays = Outbox(wiring.alerts, wiring.store, wiring.claimed), StrayPost(wiring.dead_letters, wiring.late)
    decoder = decoding(plan, wiring.workers, wiring.registry)
    try:
        opening = partial(_open, plan, wiring, decoder, rules, clock, telemetry, outbox, strays, listener)
        loop = patiently(opening, telemetry, clock, stop)
        if loop is None:
            return Tally()
        with settled():
            return loop.run(stop)
    finally:
        for port in (decoder, wiring.source, wiring.alerts, strays, wiring.journal, wiring.store):
            if port is not None:
                port.close()


def _open(
    plan: Plan,
    wiring: Wiring,
    decoder: Decoding,
    rules: LoopRules,
    clock: Clock,
    telemetry: Telemetry,
    outbox: Outbox,
    strays: StrayPost,
    listener: Listener | None,
) -> Loop:
    telemetry.publish(replace(telemetry.read(), phase=Phase.RESTORING))
    opened = open_engine(plan, wiring.store, wiring.source, wiring.start, secrets.token_bytes(NONCE_BYTES))
    outbox.open(opened)
    wiring.opened()
    return Loop(
        opened,
        wiring.source,
        wiring.store,
        outbox,
        strays,
        decoder,
        clock,
        telemetry,
        rules,
        listener=listener,
        journal=wiring.journal,
        orders=wiring.orders,
    )


def patiently(action: Callable[[], Loop], telemetry: Telemetry, clock: Clock, stop: Stop) -> Loop | None:
    """Try until a broker answers; None when told to stop meanwhile."""
    wait_s = RETRY_FIRST_S
    while not stop():
        try:
            return action()
        except (SourceUnavailable, SinkUnavailable) as error:
            if not telemetry.read().broker.message:
                log.error("%s; trying again until it answers", error)
                broker = BrokerReading(connected=False, message=str(error))
                telemetry.publish(replace(telemetry.read(), broker=broker))
            telemetry.beat(clock.monotonic())
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)
    return None


class NotRunnable(StreamcheckError):  # noqa: N818 - a fact about a config
    """A config that is right but cannot be run on Kafka."""
