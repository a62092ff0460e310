"""Alert transitions to Kafka, each exactly once for a read_committed reader.

One transaction holds the alert records and a marker that says how far they go. Whatever goes wrong, the producer is
thrown away: a new one is made, which fences the old, and the marker tells what is still to be sent. No exception is
told from another, because after any of them only the marker knows whether the transaction was committed.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streamcheck.adapters.kafka.admin import POSITIONS_SUFFIX, Cluster, prepare_alerts
from streamcheck.adapters.kafka.client import BrokerUnavailable, ForeignMarker, check_settings, explain, quieten, told
from streamcheck.adapters.kafka.marker import Marker, read_marker
from streamcheck.adapters.kafka.outgoing import DELIVERY_MS, OVERHEAD_BYTES, abandon, open_producer
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.core import alerts
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError, SourceError
from streamcheck.runtime.ports import Arrived, OutboxEntry, SinkLost, SinkUnavailable

log = logging.getLogger(__name__)

ATTEMPTS = 3
BACK_OFF_S = 0.5

TRANSACTION_MS = 30_000
"""The broker aborts an orphaned transaction after it; longer than the watchdog lets a call of ours take."""

SENT_AT = "streamcheck-sent-at"


class KafkaAlertSink:
    """A runtime.ports.AlertSink. `marker`: what had arrived when last known; its digest is for the caller to compare.

    name: the config's; the transactional id and the marker's key come from it. replace_lineage: take a marker of
    another lineage for none (`--new-lineage`), until one of our own has been written.

    Raises DeliveryError when alerts could not be sent, ForeignMarker (a DeliveryError) when the topic belongs to
    another lineage.
    """

    def __init__(
        self,
        settings: Mapping[str, object],
        topic: str,
        name: str,
        *,
        replace_lineage: bool = False,
        watchdog: Watchdog | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        check_settings(settings)
        quieten()
        self.marker: Marker | None = None
        self._settings = dict(settings)
        self._topic = topic
        self._positions_topic = f"{topic}{POSITIONS_SUFFIX}"
        self._name = name
        self._replace_lineage = replace_lineage
        self._watchdog = watchdog or Watchdog()
        self._attempts = attempts
        self._lineage = ""
        self._record_bytes_max = 0
        self._producer: Any = None

    def open(self, lineage: str) -> Arrived | None:
        """Fence predecessors and tell what has arrived of this lineage; None where it has never been here."""
        self._lineage, self.marker = lineage, None
        try:
            self._prepare()
            self._renew()
        except Exception as error:
            self._abandon()
            if isinstance(error, DeliveryError):
                raise
            explained = explain(error, self._settings, "opening the alerts topic")
            kind = SinkUnavailable if isinstance(explained, BrokerUnavailable) else DeliveryError
            raise kind(f"alerts topic {self._topic!r}: {explained}") from error
        return Arrived(self.marker.sequence, self.marker.digest) if self.marker else None

    def claim(self, arrived: Arrived) -> None:
        """Write a marker without alerts: from now on the topic belongs to this lineage."""
        self._surely("claiming the alerts topic", lambda: self._claim(arrived))

    def send(self, entries: Sequence[OutboxEntry], digest: str, before: Arrived | None = None) -> None:
        """Deliver all entries, once; those that have arrived already are left out, where it is they that have."""
        assert self._lineage, "open() comes first"
        if not entries:
            return
        self._check_sizes(entries)
        self._surely(f"sending {counted(len(entries), 'alert')}", lambda: self._deliver(entries, digest, before))

    def close(self) -> None:
        """Release the connection."""
        self._abandon()

    def _surely(self, doing: str, action: Callable[[], None]) -> None:
        """Do it once, however often it is tried: each time with a new producer, which learns what has arrived."""
        for attempt in range(1, self._attempts + 1):
            try:
                if self._producer is None:
                    self._renew()
                action()
            except DeliveryError:
                self._abandon()
                raise
            except Exception as error:  # all alike: only the marker knows what became of it
                self._abandon()
                log.warning("%s, attempt %d of %d: %s", doing, attempt, self._attempts, told(error))
                if attempt == self._attempts:
                    raise DeliveryError(
                        f"{doing} to {self._topic!r} failed in {attempt} attempts ({told(error)}); "
                        "alerts stay in the outbox"
                    ) from error
                time.sleep(BACK_OFF_S * attempt)
            else:
                return

    def _claim(self, arrived: Arrived) -> None:
        if self.marker is None:
            self._transact((), Marker(self._lineage, arrived.sequence, arrived.digest))

    def _deliver(self, entries: Sequence[OutboxEntry], digest: str, before: Arrived | None) -> None:
        marker, last = self.marker, entries[-1].sequence
        arrived = marker.sequence if marker else 0
        expected = digest if arrived == last else _digest_at(arrived, entries, before)
        if arrived > last or (marker and expected not in (None, marker.digest)):
            raise SinkLost(
                f"the alerts topic holds transitions up to {arrived}, which this process did not send: another process "
                f"runs config {self._name!r} with a copy of this state. Stop one of them"
            )
        rest = [entry for entry in entries if entry.sequence > arrived]
        if rest:
            self._transact(rest, Marker(self._lineage, last, digest))

    def _transact(self, entries: Sequence[OutboxEntry], marker: Marker) -> None:
        headers = [(SENT_AT, datetime.now(UTC).isoformat(timespec="milliseconds").encode())]
        producer, watch = self._producer, self._watchdog
        with watch.stage("handing alerts to the producer"):
            producer.begin_transaction()
            futures = [producer.send(self._topic, key=e.key, value=e.value, headers=headers) for e in entries]
            key = self._name.encode()
            futures.append(producer.send(self._positions_topic, key=key, value=marker.encode(), partition=0))
        with watch.stage("flushing alerts"):
            producer.flush(DELIVERY_MS / 1000)
            for future in futures:
                future.get(timeout=0)  # flush proves nothing: a record that expired is done as well
        with watch.stage("committing the transaction of alerts"):
            producer.commit_transaction()
        self.marker = marker
        self._replace_lineage = False  # whoever comes after us has taken the topic over from us

    def _renew(self) -> None:
        """A new producer, which fences every older one of this name, and what has arrived by then."""
        self._abandon()
        known = self.marker
        with self._watchdog.stage("connecting the producer of alerts"):
            producer = open_producer(
                self._settings,
                self._record_bytes_max,
                transactional_id=f"{self._name}-alerts",
                transaction_timeout_ms=TRANSACTION_MS,
            )
        self._producer = producer
        with self._watchdog.stage("fencing earlier producers of alerts"):
            producer.init_transactions()
        with Cluster(self._settings) as cluster:
            found = read_marker(self._settings, cluster, self._positions_topic, self._name.encode())
        if found and found.lineage != self._lineage:
            if not self._replace_lineage:
                raise ForeignMarker(found, self._lineage)
            log.warning("starting lineage %s over %s, as asked for", self._lineage, found)
            found = None
        if known and known.lineage == self._lineage and (found is None or found.sequence < known.sequence):
            raise SinkLost(
                f"the alerts topic says that transitions up to {found.sequence if found else 0} have arrived, after "
                f"{known.sequence} had: another cluster, or one that has lost records? `streamcheck state rebuild "
                "CONFIG` makes the missing ones again"
            )
        self.marker = found

    def _prepare(self) -> None:
        with Cluster(self._settings) as cluster:
            self._record_bytes_max = prepare_alerts(cluster, self._topic, self._positions_topic)

    def _check_sizes(self, entries: Sequence[OutboxEntry]) -> None:
        largest = max(entries, key=_size)
        if _size(largest) <= self._record_bytes_max:
            return
        known = self._record_bytes_max
        try:
            self._prepare()  # somebody may have raised it
        except SourceError as error:
            raise SinkUnavailable(f"alerts topic {self._topic!r}: {error}") from error
        if self._record_bytes_max != known:
            self._abandon()  # the producer has a limit of its own
        if _size(largest) > self._record_bytes_max:
            raise DeliveryError(
                f"alert with sequence {largest.sequence} needs {_size(largest)} bytes, but topic {self._topic!r} takes "
                f"{self._record_bytes_max}: raise its max.message.bytes, no restart is needed"
            )

    def _abandon(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)


def _size(entry: OutboxEntry) -> int:
    return len(entry.key) + len(entry.value) + OVERHEAD_BYTES


def _digest_at(sequence: int, entries: Sequence[OutboxEntry], before: Arrived | None) -> str | None:
    """The chained digest up to a transition among these entries, or right before them; None where it is not known."""
    if before is None or sequence < before.sequence or entries[0].sequence != before.sequence + 1:
        return None
    digest = before.digest
    for entry in entries[: sequence - before.sequence]:
        digest = alerts.digest(digest, entry.value.decode())
    return digest
