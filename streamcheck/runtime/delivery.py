"""Outgoing records: alerts through the outbox, strays before the position that covers them (DESIGN section 5)."""

import logging
from collections import deque
from collections.abc import Sequence

from streamcheck.core.partitions import LATE_REASON
from streamcheck.core.types import Stray
from streamcheck.errors import DeliveryError, StateError
from streamcheck.runtime.ports import AlertSink, OutboxEntry, RawBatch, Store, StrayRecord, StraySink

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
OUTBOX_MAX = 10_000
"""Undelivered transitions, about 1 KB each, at which reading stops: 10 MB."""


class Outbox:
    """Alert transitions that are committed and not yet delivered. Delivery is tried again with back-off, in order."""

    def __init__(self, sink: AlertSink | None, store: Store) -> None:
        self._sink = sink
        self._store = store
        self._pending: deque[OutboxEntry] = deque()
        self._wait_s = 0.0
        self._retry_at_s = 0.0
        self.delivered = 0
        self.trouble = ""

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def full(self) -> bool:
        """Whether reading must wait for delivery."""
        return len(self._pending) >= OUTBOX_MAX

    def open(self, lineage: str, pending: Sequence[OutboxEntry], last_sequence: int) -> None:
        """Fence predecessors, learn what has arrived, keep the rest. Raises DeliveryError, StateError."""
        arrived = self._sink.open(lineage) if self._sink is not None else last_sequence
        if arrived > last_sequence:
            raise StateError(
                f"the alerts topic holds transition {arrived} of this lineage, the saved state only {last_sequence}: "
                "an older copy of the state was put back; restore the newest one, or reset it with --reset-state"
            )
        self._pending = deque(entry for entry in pending if entry.sequence > arrived)
        if pending and pending[0].sequence <= arrived:
            self._store.delivered(arrived)
        self.delivered = arrived

    def add(self, entries: Sequence[OutboxEntry]) -> None:
        """Entries that have just been committed."""
        self._pending.extend(entries)

    def deliver(self, digest: str, now_s: float) -> None:
        """Send what is pending. A failure is remembered in `trouble`, and tried again later.

        digest: of all transitions up to the last pending one.
        """
        if not self._pending or now_s < self._retry_at_s:
            return
        entries = tuple(self._pending)
        if self._sink is not None:
            try:
                self._sink.send(entries, digest)
            except DeliveryError as error:
                self._wait_s = min(max(2 * self._wait_s, RETRY_FIRST_S), RETRY_MAX_S)
                self._retry_at_s = now_s + self._wait_s
                self.trouble = str(error)
                log.warning(
                    "%d alert transitions wait in the outbox, next try in %.1f s: %s", len(entries), self._wait_s, error
                )
                return
        self._pending.clear()
        self._wait_s, self.trouble = 0.0, ""
        self.delivered = entries[-1].sequence
        self._store.delivered(self.delivered)


class StrayPost:
    """Rejected and late events on their way to their topics; only counted where no topic is named."""

    def __init__(self, dead_letters: StraySink | None, late: StraySink | None) -> None:
        self._dead_letters = dead_letters
        self._late = late
        self.sent = 0

    def send(self, strays: Sequence[Stray]) -> None:
        """Hand events over to the topic of their kind."""
        for sink, members in (
            (self._late, [s for s in strays if s.reason == LATE_REASON]),
            (self._dead_letters, [s for s in strays if s.reason != LATE_REASON]),
        ):
            if sink is not None and members:
                sink.send([_record(stray) for stray in members])
                self.sent += len(members)

    def flush(self) -> None:
        """Return once all have arrived. Raises DeliveryError."""
        for sink in (self._dead_letters, self._late):
            if sink is not None:
                sink.flush()

    def close(self) -> None:
        """Release the connections."""
        for sink in (self._dead_letters, self._late):
            if sink is not None:
                sink.close()


def _record(stray: Stray) -> StrayRecord:
    assert isinstance(stray.raw, RawBatch), stray
    key, value = stray.raw.record(stray.offset)
    return StrayRecord(stray.source, stray.offset, stray.reason, key, value)
