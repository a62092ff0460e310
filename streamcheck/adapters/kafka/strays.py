"""Dead letters and late events to Kafka: at least once, the original bytes, keyed by where they came from."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streamcheck.adapters.kafka.admin import STRAY_TOPIC, Cluster
from streamcheck.adapters.kafka.client import check_settings, explain, quieten, told
from streamcheck.adapters.kafka.codecs import MalformedBatch
from streamcheck.adapters.kafka.headers import headers_of
from streamcheck.adapters.kafka.outgoing import DELIVERY_MS, OVERHEAD_BYTES, abandon, open_producer
from streamcheck.adapters.kafka.watchdog import Watchdog
from streamcheck.core.types import SourcePartition
from streamcheck.core.wording import counted
from streamcheck.errors import DeliveryError
from streamcheck.runtime.ports import StrayRecord

WAITING_BYTES_MAX = 16 << 20
"""Handed over and not yet known to have arrived; beyond it `send` flushes."""

BATCH_BYTES = 256 << 10
"""Of one request to a partition: strays may come in masses, and sixteen times the default costs a third less each."""

KEY_BYTES_MAX = 4_096
"""Of the original key, which travels in a header."""

HEADERS_BYTES_MAX = 32 << 10
"""Of the original headers; more, or larger ones, are left behind, and a header says so."""

REASON, TOPIC, PARTITION, OFFSET = "reason", "source-topic", "source-partition", "source-offset"
ORIGINAL_KEY, TRUNCATED_FROM, NO_VALUE = "source-key", "truncated-from", "no-value"
LEFT_BEHIND = "source-headers-left-out"

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class KafkaStraySink:
    """A runtime.ports.StraySink. The topic is made when it is missing; nothing is connected before the first flush.

    Record: key "topic/partition/offset", value the original bytes; the original headers, and behind them those that are
    named above. An original larger than the topic takes is cut, and a header says how long it was. What could not be
    sent stays here for the next flush. Strays of one partition go to one partition, in order: the client's own choice,
    a hash in Python, costs a sixth of sending.
    """

    def __init__(self, settings: Mapping[str, object], topic: str, *, watchdog: Watchdog | None = None) -> None:
        check_settings(settings)
        quieten()
        self._settings = dict(settings)
        self._topic = topic
        self._watchdog = watchdog or Watchdog()
        self._record_bytes_max = 0
        self._partitions = 1
        self._producer: Any = None
        self._waiting: list[StrayRecord] = []
        self._waiting_bytes = 0

    def send(self, records: Sequence[StrayRecord]) -> None:
        """Hand over; flushes where much is waiting, and raises DeliveryError when that fails."""
        self._waiting += records
        self._waiting_bytes += sum(map(_size, records))
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Return once everything handed over has arrived. Raises DeliveryError; what has not arrived is kept."""
        if not self._waiting:
            return
        try:
            with self._watchdog.stage(f"sending to {self._topic}"):
                if self._producer is None:
                    self._connect()
                failed = self._deliver(self._waiting, self._record_bytes_max)
                too_large = [record for record, error in failed if isinstance(error, _TOO_LARGE)]
                failed = [(record, error) for record, error in failed if not isinstance(error, _TOO_LARGE)]
                failed += self._deliver(too_large, 0)  # the topic's limit has been lowered since
        except Exception as error:
            self.close()
            raise self._failure(explain(error, self._settings, f"sending to topic {self._topic!r}")) from error
        self._waiting = [record for record, _ in failed]
        self._waiting_bytes = sum(map(_size, self._waiting))
        if failed:
            self.close()
            raise self._failure(told(failed[0][1])) from failed[0][1]

    def close(self) -> None:
        """Release the connection. What is still waiting stays in memory only: flush first."""
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)

    def _deliver(self, records: Sequence[StrayRecord], bytes_max: int) -> list[tuple[StrayRecord, Exception]]:
        """Those that have not arrived, each with the reason."""
        sent, send, partitions = [], self._producer.send, self._partitions
        for record in records:  # one by one, as the client takes them
            key, value, headers = encode(record, bytes_max)
            at = record.source.partition % partitions
            sent.append((record, send(self._topic, key=key, value=value, headers=headers, partition=at)))
        with suppress(KafkaError):  # raises where a batch had to be split; the futures tell what became of it
            self._producer.flush(DELIVERY_MS / 1000)
        failed: list[tuple[StrayRecord, Exception]] = []
        for record, future in sent:
            try:
                future.get(timeout=DELIVERY_MS / 1000)
            except KafkaError as error:
                failed.append((record, error))
        return failed

    def _connect(self) -> None:
        with Cluster(self._settings) as cluster:
            cluster.ensure(self._topic, -1, STRAY_TOPIC)
            self._record_bytes_max = int(cluster.topic_settings(self._topic)["max.message.bytes"])
        # not idempotent: else one record that the broker refuses would end the producer for good
        settings = {"batch_size": BATCH_BYTES, **self._settings}
        self._producer = open_producer(settings, self._record_bytes_max, enable_idempotence=False)
        self._partitions = len(self._producer.partitions_for(self._topic))

    def _failure(self, cause: object) -> DeliveryError:
        waiting = counted(len(self._waiting), "record waits", "records wait")
        return DeliveryError(f"{waiting} to be sent to {self._topic!r}: {cause}")


def _size(record: StrayRecord) -> int:
    return len(record.value or b"") + len(record.key or b"") + len(record.headers or b"") + OVERHEAD_BYTES


def encode(record: StrayRecord, bytes_max: int) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of a stray, the value cut so that all of it fits into `bytes_max` where that can be."""
    place, shared, size = _shared(record.source, record.reason)
    value, offset = record.value or b"", b"%d" % record.offset
    original = _original(record.headers, min(HEADERS_BYTES_MAX, bytes_max // 4))
    key, headers = place + offset, [*original, *shared, (OFFSET, offset)]
    size += len(key) + _header_bytes(*headers[-1]) + sum(_header_bytes(*header) for header in original)
    if record.value is None:
        headers.append((NO_VALUE, b"1"))
        size += _header_bytes(*headers[-1])
    if record.key is not None:
        headers.append((ORIGINAL_KEY, record.key[: min(KEY_BYTES_MAX, bytes_max // 4)]))
        size += _header_bytes(*headers[-1])
    room = max(0, bytes_max - OVERHEAD_BYTES - size)
    if len(value) > room:
        headers.append((TRUNCATED_FROM, b"%d" % len(value)))
    return key, value[:room], headers


def _original(written: bytes | None, bytes_max: int) -> list[tuple[str, bytes]]:
    """The headers that the record came with; what is absent is empty, as the client takes no other."""
    if written is None or written == b"\0":
        return []
    if len(written) > bytes_max:
        return [(LEFT_BEHIND, b"%d bytes" % len(written))]
    try:
        return [(name, value or b"") for name, value in headers_of(written)]
    except MalformedBatch:
        return [(LEFT_BEHIND, b"malformed")]


@lru_cache(maxsize=1_024)
def _shared(source: SourcePartition, reason: str) -> tuple[bytes, tuple[tuple[str, bytes], ...], int]:
    """What strays of one partition and one reason have in common: how keys begin, headers, bytes of these."""
    place = f"{source.topic}/{source.partition}/".encode()
    headers = (
        (REASON, reason.encode()),
        (TOPIC, source.topic.encode()),
        (PARTITION, str(source.partition).encode()),
    )
    return place, headers, sum(_header_bytes(*header) for header in headers)


def _header_bytes(name: str, text: bytes) -> int:
    return len(name) + len(text) + 10
