"""Outgoing records: alerts through the outbox, strays before the position that covers them (DESIGN section 5)."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

from streamcheck.core.partitions import LATE_REASON
from streamcheck.core.types import Stray
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError, StateError
from streamcheck.runtime.opening import Opened, digest_at
from streamcheck.runtime.ports import AlertSink, Arrived, OutboxEntry, RawBatch, SinkLost, Store, StrayRecord, StraySink

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
OUTBOX_MAX = 10_000
"""Undelivered transitions, about 1 KB each, at which reading stops: 10 MB."""


class Outbox:
    """Alert transitions that are committed and not yet delivered. Delivery is tried again with back-off, in order.

    arrived: how far they have come, None where nobody knows. claimed: called once the sink is known to be ours.
    """

    def __init__(self, sink: AlertSink | None, store: Store, claimed: Callable[[], None] = lambda: None) -> None:
        self._sink = sink
        self._store = store
        self._claimed = claimed
        self._unclaimed = False
        self._pending: deque[OutboxEntry] = deque()
        self._wait_s = 0.0
        self._retry_at_s = 0.0
        self.arrived: Arrived | None = None
        self.delivered = 0
        self.trouble = ""

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def full(self) -> bool:
        """Whether reading must wait for delivery."""
        return len(self._pending) >= OUTBOX_MAX

    def open(self, opened: Opened) -> None:
        """Fence predecessors, learn what has arrived, keep the rest.

        Raises DeliveryError; StateError where what has arrived is not what this state has sent.
        """
        held, engine = opened.outbox, opened.engine
        before = held[0].sequence - 1 if held else engine.sequence
        known = Arrived(engine.sequence, engine.digest)
        arrived = self._sink.open(engine.lineage) if self._sink is not None else known
        if arrived is not None:
            refuse_other(opened, arrived)
            self._claimed()
        elif before:
            log.warning("the alerts topic is new to this state: it will not hold transitions 1 to %d", before)
        self._unclaimed = arrived is None
        self.delivered = before if arrived is None else arrived.sequence
        digest = digest_at(opened, self.delivered)
        self.arrived = None if digest is None else Arrived(self.delivered, digest)
        self._pending = deque(entry for entry in held if entry.sequence > self.delivered)
        if len(self._pending) < len(held):
            self._store.delivered(self.delivered)

    def add(self, entries: Sequence[OutboxEntry]) -> None:
        """Entries that have just been committed."""
        self._pending.extend(entries)

    def deliver(self, digest: str, now_s: float) -> None:
        """Send what is pending. A failure is remembered in `trouble`, and tried again later; SinkLost is raised.

        digest: of all transitions up to the last pending one.
        """
        if not (self._pending or self._unclaimed) or now_s < self._retry_at_s:
            return
        entries = tuple(self._pending)
        last = entries[-1].sequence if entries else self.delivered
        try:
            self._hand_over(entries, Arrived(last, digest))
        except SinkLost:
            raise
        except DeliveryError as error:
            self._wait_s = min(max(2 * self._wait_s, RETRY_FIRST_S), RETRY_MAX_S)
            self._retry_at_s = now_s + self._wait_s
            self.trouble = str(error)
            log.warning(
                "%s in the outbox, next try in %.1f s: %s",
                counted(len(entries), "alert transition waits", "alert transitions wait"),
                self._wait_s,
                error,
            )
            return
        if self._unclaimed:
            self._unclaimed = False
            self._claimed()
        self._wait_s, self.trouble = 0.0, ""
        self.arrived, self.delivered = Arrived(last, digest), last
        if entries:
            self._pending.clear()
            self._store.delivered(last)

    def _hand_over(self, entries: tuple[OutboxEntry, ...], then: Arrived) -> None:
        if self._sink is None:
            return
        if entries:
            self._sink.send(entries, then.digest, self.arrived)
        else:
            self._sink.claim(then)


def refuse_other(opened: Opened, arrived: Arrived) -> None:
    """Raise StateError where what has arrived of this lineage was not sent by this state, or is more, or too little."""
    engine, held = opened.engine, opened.outbox
    before = held[0].sequence - 1 if held else engine.sequence
    if arrived.sequence > engine.sequence:
        raise StateError(
            f"the alerts topic holds transition {arrived.sequence} of this lineage, the saved state only "
            f"{engine.sequence}: an older copy of the state was put back. Restore the newest one, or let it catch up "
            "with `streamcheck state rebuild CONFIG`, which sends nothing twice"
        )
    if arrived.sequence < before:
        raise StateError(
            f"the alerts topic holds transitions up to {arrived.sequence} of this lineage, but {before} were "
            "delivered: another cluster, or one that has lost records? `streamcheck state rebuild CONFIG` makes the "
            "missing ones again; to go on without them, `streamcheck state reset CONFIG` begins a new life"
        )
    expected = digest_at(opened, arrived.sequence)
    if expected is not None and expected != arrived.digest:
        raise StateError(
            f"the alerts topic and the saved state differ in transitions 1 to {arrived.sequence} (digest "
            f"{arrived.digest} there, {expected} here): two runs with copies of one state, or a damaged one. Stop the "
            "other run; then `streamcheck state rebuild CONFIG` makes the state again that the topic was written from"
        )


class StrayPost:
    """Rejected and late events on their way to their topics; only counted where no topic is named.

    full: so many wait that a sink has tried to deliver them and could not; reading must wait until `flush` succeeds.
    """

    def __init__(self, dead_letters: StraySink | None, late: StraySink | None) -> None:
        self._dead_letters = dead_letters
        self._late = late
        self.trouble = ""
        self.full = False
        self.sent = 0

    def send(self, strays: Sequence[Stray]) -> None:
        """Hand events over to the topic of their kind."""
        for sink, members in (
            (self._late, [s for s in strays if s.reason == LATE_REASON]),
            (self._dead_letters, [s for s in strays if s.reason != LATE_REASON]),
        ):
            if sink is not None and members:
                self.sent += len(members)
                try:
                    sink.send([_record(stray) for stray in members])
                except DeliveryError as error:
                    self.full = True
                    self._note(error)

    def flush(self) -> bool:
        """Whether all have arrived now; what has not is kept, and why is logged once."""
        for sink in (self._dead_letters, self._late):
            if sink is not None:
                try:
                    sink.flush()
                except DeliveryError as error:
                    self._note(error)
                    return False
        if self.trouble:
            log.info("dead letters and late events arrive again")
        self.full, self.trouble = False, ""
        return True

    def _note(self, error: DeliveryError) -> None:
        if not self.trouble:
            log.warning("commits wait for dead letters and late events (tried again; said once): %s", error)
        self.trouble = str(error)

    def close(self) -> None:
        """Release the connections."""
        for sink in (self._dead_letters, self._late):
            if sink is not None:
                sink.close()


def _record(stray: Stray) -> StrayRecord:
    assert isinstance(stray.raw, RawBatch), stray
    return StrayRecord(stray.source, stray.offset, stray.reason, *stray.raw.record(stray.offset))
