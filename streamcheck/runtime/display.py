"""What do gauges, pages and probes get to see, and when? Puts snapshots together for the loop."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from streamcheck.core.engine import Engine
from streamcheck.core.types import Stray
from streamcheck.runtime.limits import LimitLog
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.samples import Samples, Shown
from streamcheck.runtime.telemetry import Phase, Telemetry

log = logging.getLogger(__name__)

COMPARE_EVERY_S = 5.0
"""Newest rows are compared with references so often at most, and at once for who asks anew and in the end."""

Limits = tuple[tuple[str, int], ...]


class Display:
    """Shows one engine. pages: whether somebody may look at what happened lately; samples: of rejected events."""

    def __init__(self, engine: Engine, telemetry: Telemetry, clock: Clock, *, pages: bool, samples: Shown) -> None:
        self._engine, self._telemetry, self._clock = engine, telemetry, clock
        self._samples = Samples(samples) if pages else None
        self._limit_log: LimitLog | None = None
        self._compared_s: float | None = None
        if pages:
            engine.remember()

    def strays(self, strays: Sequence[Stray]) -> None:
        """Events that did not count."""
        if self._samples is not None and strays:
            self._samples.add(strays)

    def publish(self, phase: Phase, trouble: str | None, own: Limits, **rest: Any) -> None:
        """A snapshot of now. trouble: why the broker does not answer; own: limits that are not the engine's."""
        now_s = self._clock.monotonic()
        before = self._telemetry.read()
        broker = before.broker.after(trouble, self._clock.now_ms())
        if broker.connected and before.broker.message:
            log.info("the broker answers again")
        self._compare(now_s, ending=phase is Phase.STOPPING)
        reading = self._engine.reading()
        limits = (*reading.limits, *own)
        if self._limit_log is not None:
            self._limit_log.look(limits, now_s)
        samples = () if self._samples is None else self._samples.newest()
        shown = replace(before, phase=phase, beat_s=now_s, broker=broker, samples=samples, **rest)
        self._telemetry.publish(replace(shown, engine=replace(reading, limits=limits)))

    def known(self, own: Limits) -> None:
        """How often limits have bitten so far is no news."""
        self._limit_log = LimitLog((*self._engine.reading().limits, *own))

    def _compare(self, now_s: float, *, ending: bool) -> None:
        asked = self._telemetry.asked()
        due = self._compared_s is None or now_s - self._compared_s >= COMPARE_EVERY_S
        if due or ending or self._telemetry.asked_anew:
            self._telemetry.asked_anew = False
            self._engine.compare(asked)
            self._compared_s = now_s
