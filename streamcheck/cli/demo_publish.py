"""The simulated payments on a real broker: what came before now at once, then as time passes."""

from collections.abc import Callable

import click

from streamcheck.adapters.kafka.client import quieten
from streamcheck.adapters.kafka.publish import Publisher, holds_since, make_topics
from streamcheck.adapters.simulate import DEMO, QUIET, PaymentsStream, Scenario
from streamcheck.adapters.simulate.payments import PARTITIONS, RATE, START_MS
from streamcheck.adapters.simulate.traffic import HOUR_MS
from streamcheck.cli.service import Stop
from streamcheck.core.wording import moment
from streamcheck.runtime.clock import WallClock
from streamcheck.runtime.ports import SourceUnavailable

STEP_MS = 1_000
NUMBERS_PER_S = 10
"""Payments are numbered from the second of their start, faster than they come: a producer that starts again never says
an id twice."""
RETRY_S = 1.0

assert RATE < NUMBERS_PER_S, f"{RATE} payments a second"


def run(bootstrap: str, *, hours: float, history: float, seed: int, quiet: bool) -> None:
    """Be the payments service of the demo, until the stream's end or Ctrl-C.

    Where the topics hold records of the hours that have passed, of an earlier producer, the stream begins now.
    """
    quieten()
    clock, stop = WallClock(), Stop()
    settings: dict[str, object] = {"bootstrap_servers": bootstrap}
    start_ms = clock.now_ms() - int(min(history, hours) * HOUR_MS)
    with stop.on_signals():
        known = _patiently(lambda: _prepare(settings, start_ms), stop)
        if stop():
            return
        start_ms = clock.now_ms() if known else start_ms
        stream = live_stream(start_ms, hours=hours, seed=seed, scenario=QUIET if quiet else DEMO)
        click.echo(
            f"payments since {moment(start_ms)} go to {bootstrap}, until {moment(stream.end_ms)}; Ctrl-C ends it"
        )
        sent = _publish(stream, settings, clock, stop)
    click.echo(f"{sent:,} records sent")


def live_stream(start_ms: int, *, hours: float, seed: int, scenario: Scenario) -> PaymentsStream:
    """The stream that begins at start_ms and lasts `hours`, in ids that no earlier one has used."""
    first = (start_ms - START_MS) // 1_000 * NUMBERS_PER_S
    return PaymentsStream(seed, scenario, start_ms, RATE, int(hours * HOUR_MS), first=first)


def _prepare(settings: dict[str, object], start_ms: int) -> bool:
    make_topics(settings, PARTITIONS)
    return holds_since(settings, PARTITIONS, start_ms)


def _patiently(action: Callable[[], bool], stop: Stop) -> bool:
    """What `action` returns once a broker answers; False when told to stop meanwhile."""
    while not stop():
        try:
            return action()
        except SourceUnavailable as error:
            click.echo(f"{error}; trying again", err=True)
            stop.wait(RETRY_S)
    return False


def _publish(stream: PaymentsStream, settings: dict[str, object], clock: WallClock, stop: Stop) -> int:
    """Send each second of the stream once it has passed; how many records were sent."""
    sent = 0
    told: set[str] = set()
    with Publisher(settings) as publisher:
        for step in stream.steps(STEP_MS):
            while not stop() and (wait_ms := step.end_ms - clock.now_ms()) > 0:
                stop.wait(wait_ms / 1000)
            if stop():
                break
            publisher.send(step.records)
            sent += len(step.records)
            for incident in stream.happening(step.end_ms):
                if incident.name not in told:
                    told.add(incident.name)
                    click.echo(f"{moment(step.end_ms)}  {incident.name}: {incident.expected}")
    return sent
