"""Watches the service beside the loop: a thread that reads what is shown, says what is wrong, and waits for nobody."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Self

import msgspec

from streamcheck.config.settings import Operations as Rules
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError, StateError
from streamcheck.runtime.notices import Notebook
from streamcheck.runtime.operational import Operational
from streamcheck.runtime.ports import Clock, OperationsSink
from streamcheck.runtime.telemetry import OperationsReading, Telemetry
from streamcheck.runtime.troubles import NAMES

log = logging.getLogger(__name__)

TURN_S = 1.0
STOP_S = 5.0
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0
WAITING_MAX = 1_000
"""Records, about 1 KB each, that may wait for their topic; beyond it the oldest are let go, and the log says so."""
TOPIC = "operations topic"


class _Saved(msgspec.Struct):
    """The content of the notebook."""

    alerts: bytes
    waiting: list[bytes]


class Operations:
    """Judges once a second, publishes transitions at least once; a context manager.

    sink: where records go, None for nowhere but pages and messages. others: who delivers nothing at present, and why,
    beside what is shown.
    """

    def __init__(
        self,
        rules: Rules,
        telemetry: Telemetry,
        clock: Clock,
        notebook: Notebook,
        sink: OperationsSink | None = None,
        others: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._telemetry, self._clock, self._notebook = telemetry, clock, notebook
        self._sink, self._others = sink, others
        self._judge = Operational(telemetry.read().config, rules)
        self._waiting: deque[bytes] = deque(maxlen=WAITING_MAX)
        self._wait_s, self._retry_at_s, self._trouble = 0.0, 0.0, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operations", daemon=True)
        self._load()
        self._show()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(STOP_S)  # what has not arrived by then is sent by the next process
        if self._sink is not None and not self._thread.is_alive():
            self._sink.close()

    def _run(self) -> None:
        while not self._stop.wait(TURN_S):
            self.turn()

    def turn(self) -> None:
        """Judge what is shown, keep and publish what is new."""
        now_s = self._clock.monotonic()
        records = self._judge.turn(self._telemetry.read(), now_s, self._clock.now_ms(), self._undelivered())
        for record in records:
            said = msgspec.json.decode(record)
            log.warning("operational alert %s: %s", said["state"], said["summary"])
        if records:
            self._keep(records)
            self._show()
        self._deliver(now_s)

    def _undelivered(self) -> Mapping[str, str]:
        own = ((TOPIC, self._trouble),)
        return {name: why for name, why in (*self._telemetry.read().undelivered, *self._others(), *own) if why}

    def _keep(self, records: Iterable[bytes]) -> None:
        for record in records if self._sink is not None else ():
            if len(self._waiting) == WAITING_MAX:
                log.warning("an operational alert is let go: %s wait", counted(WAITING_MAX, "record"))
            self._waiting.append(record)
        self._save()

    def _show(self) -> None:
        self._telemetry.operations = OperationsReading(NAMES, self._judge.book)

    def _deliver(self, now_s: float) -> None:
        """Send what waits; a failure is tried again, later each time."""
        if self._sink is None or not self._waiting or now_s < self._retry_at_s:
            return
        records = tuple(self._waiting)
        try:
            self._sink.send([(msgspec.json.decode(record)["id"].encode(), record) for record in records])
        except DeliveryError as error:
            self._wait_s = min(max(2 * self._wait_s, RETRY_FIRST_S), RETRY_MAX_S)
            self._retry_at_s = self._clock.monotonic() + self._wait_s
            if not self._trouble:
                log.warning("operational alerts wait for their topic (tried again; said once): %s", error)
            self._trouble = str(error)
            return
        self._wait_s, self._trouble = 0.0, ""
        self._waiting.clear()
        self._save()

    # ------------------------------------------------------------------ across restarts
    def _load(self) -> None:
        saved = self._notebook.load()
        if saved is None:
            return
        try:
            kept = msgspec.msgpack.decode(saved, type=_Saved)
            self._judge.restore(kept.alerts)
        except (msgspec.DecodeError, StateError) as error:
            log.warning("operational alerts begin anew, for those of the last process cannot be read: %s", error)
            return
        self._waiting.extend(kept.waiting)

    def _save(self) -> None:
        try:
            self._notebook.save(msgspec.msgpack.encode(_Saved(self._judge.export(), list(self._waiting))))
        except OSError as error:
            log.warning("operational alerts could not be kept for the next process: %s", error)
