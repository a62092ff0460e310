"""Tells people of incidents beside the loop: a thread that reads what is shown and waits for nobody."""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol, Self

from streamcheck.runtime.notices import Heard, Silences, Status
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import AlertBook, Phase, Telemetry

log = logging.getLogger(__name__)

TURN_S = 1.0
STOP_S = 5.0


class Teller(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def status(self) -> Status:
        """How it fares."""

    def turn(self, heard: Heard, now_s: float) -> None:
        """Tell what is due; failures are in its status."""


class Notifying:
    """Gives each teller its turn, every second; a context manager."""

    def __init__(self, tellers: Sequence[Teller], silences: Silences, telemetry: Telemetry, clock: Clock) -> None:
        self._tellers, self._silences = tellers, silences
        self._telemetry, self._clock = telemetry, clock
        self._stop = threading.Event()
        self._said: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def __enter__(self) -> Self:
        if self._tellers:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)  # a call under way may take longer; what it tells is told again

    def _run(self) -> None:
        while not self._stop.wait(TURN_S):
            self.turn()

    def turn(self) -> None:
        """Tell what is due: of alerts once the state has been restored, of the service itself at any time."""
        snapshot = self._telemetry.read()
        begun = snapshot.phase not in (Phase.STARTING, Phase.RESTORING)
        book = snapshot.alerts if begun else AlertBook()
        if not begun and not snapshot.operations.book.recent:
            return
        told = book.beside(snapshot.operations.book)
        heard = self._silences.heard(told, snapshot.config, self._clock.now_ms())
        self._say("silences", heard.trouble)
        for teller in self._tellers:
            teller.turn(heard, self._clock.monotonic())
            self._say(teller.name, teller.status.trouble)

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Who could tell nothing at the last attempt, and why."""
        return tuple((f"notify: {teller.name}", teller.status.trouble) for teller in self._tellers)

    def _say(self, name: str, trouble: str) -> None:
        """What is wrong, once, and once that it is no more."""
        if trouble == self._said.get(name, ""):
            return
        self._said[name] = trouble
        if trouble:
            log.warning("notify: %s: %s (tried again; said once)", name, trouble)
        else:
            log.info("notify: %s: all is well again", name)
