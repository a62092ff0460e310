"""Records through librdkafka (the extra `streamcheck[fast]`): fetched and expanded by its own threads, beside ours.

It promises less than the other client: gzip, lz4 and snappy batches expand without a limit, what is wrong with a batch
is told vaguely or not at all, and where the batch ends is not. So it reads what it can, and a stretch that it cannot
is read by the careful client (`fetch.RawFetch`), whose bounds and reasons hold there; docs/decisions/0014.
"""

import logging
import operator
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place
from kafka.errors import (
    KafkaConnectionError,
    LogTruncationError,
    OffsetOutOfRangeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka.batches import Chunk
from streamcheck.adapters.kafka.client import SECRETS, said
from streamcheck.adapters.kafka.fetch import POLL_KIB_MAX, Fetch, open_fetch
from streamcheck.adapters.kafka.headers import Unwritten
from streamcheck.adapters.kafka.librdkafka_options import options
from streamcheck.adapters.kafka.wire import Records
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError

log = logging.getLogger(__name__)

STEP_RECORDS = 8_192
"""Taken from the queue at once; a poll takes several steps, up to POLL_KIB_MAX."""

STALL_S, STALL_BESIDE_OTHERS_S = 3.0, 15.0
"""A partition that is behind and delivers nothing for so long is looked at by the careful client: of a malformed batch
librdkafka says nothing, it asks for it again and again. While others deliver, it may only be waiting for its turn."""

TICK_S = 0.5
"""What one poll counts for that, at most: nobody asked for records between two polls."""

CAREFUL_MS = 500
"""How long one poll waits for the careful client."""

CAREFUL_S = 5.0
"""After so long without anything it had nothing to find: what is there belongs to an open transaction."""

IGNORED = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.COORDINATOR_NOT_AVAILABLE})
"""Of the consumer group, to which only progress for lag tools goes, and another way (watch.py)."""

CLUSTER = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: lambda where: TopicAuthorizationFailedError({where.topic}),
    KafkaError.UNKNOWN_TOPIC_OR_PART: UnknownTopicOrPartitionError,
    KafkaError._UNKNOWN_TOPIC: UnknownTopicOrPartitionError,  # noqa: SLF001 - so it is called
    KafkaError._UNKNOWN_PARTITION: UnknownTopicOrPartitionError,  # noqa: SLF001
}


class _Notices:
    """What the client says beside records: its log, and errors of brokers; no secret gets through."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._secrets = [str(settings[name]) for name in sorted(SECRETS & settings.keys())]
        self.error: Exception | None = None

    def text(self, words: object) -> str:
        """The client's words, on one line, without secrets."""
        found = said(words)
        for secret in self._secrets:
            found = found.replace(secret, "(a secret)")
        return found

    def log(self, _level: int, pattern: str, *args: object) -> None:
        """One line of the client's log, for those who want to see everything."""
        log.debug("librdkafka: %s", self.text(pattern % args))

    def failed(self, error: KafkaError) -> None:
        """An error that is of no partition."""
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001
            self.error = SaslAuthenticationFailedError(self.text(error.str()))
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self.error = KafkaConnectionError(self.text(error.str()))

    def raised(self) -> None:
        """Raise what was told since, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


class LibrdkafkaFetch(Fetch):
    """A consumer of assigned partitions that delivers Chunks.

    careful: opens the client that reads what this one cannot. headers: whether those of records are wanted.
    """

    def __init__(
        self, consumer: Consumer, notices: _Notices, careful: Callable[[], Fetch], *, headers: bool = False
    ) -> None:
        self._headers = headers
        self._consumer = consumer
        self._notices = notices
        self._open_careful = careful
        self._other: Fetch | None = None
        self._positions: dict[SourcePartition, int] = {}
        self._moved_s: dict[SourcePartition, float] = {}  # by the time that was spent polling
        self._polling_s, self._polled_at_s = 0.0, time.monotonic()
        self._quiet_at: dict[SourcePartition, int] = {}
        self._careful: dict[SourcePartition, tuple[int, float]] = {}  # up to and with this offset, since when
        self._paused: frozenset[SourcePartition] = frozenset()
        self._raise_next: Exception | None = None
        self._names: dict[tuple[str, int], SourcePartition] = {}

    # ------------------------------------------------------------------ what to read
    def assign(self, positions: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets; what is buffered for one already there is kept."""
        there = self._positions
        gone = [source for source, at in there.items() if positions.get(source) != at]
        new = [source for source, at in positions.items() if there.get(source) != at]
        self._drop(gone)
        self._raise_next = None
        for source in gone:
            del there[source]
        self._add({source: positions[source] for source in new})

    def _drop(self, sources: list[SourcePartition]) -> None:
        ours = [Place(*source) for source in sources if source not in self._careful]
        if ours:
            self._consumer.incremental_unassign(ours)
        for source in sources:
            self._careful.pop(source, None)

    def _add(self, positions: Mapping[SourcePartition, int]) -> None:
        if not positions:
            return
        self._positions.update(positions)
        self._names = {(source.topic, source.partition): source for source in self._positions}
        self._moved_s.update(dict.fromkeys(positions, self._polling_s))
        self._consumer.incremental_assign([Place(*source, at) for source, at in positions.items()])
        paused = [Place(*source) for source in positions if source in self._paused]
        if paused:
            self._consumer.pause(paused)

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these, of those assigned; replaces the former set."""
        ours = self._positions.keys() - self._careful.keys()
        pause, resume = (sources - self._paused) & ours, (self._paused - sources) & ours
        if pause:
            self._consumer.pause([Place(*source) for source in sorted(pause)])
        if resume:
            self._consumer.resume([Place(*source) for source in sorted(resume)])
        self._moved_s.update(dict.fromkeys(resume, self._polling_s))
        self._paused = sources

    def positions(self) -> dict[SourcePartition, int]:
        """The next offset to read of each assigned partition; behind control records once the end is reached."""
        return dict(self._positions)

    def high_watermark(self, source: SourcePartition) -> int | None:
        """As the newest fetch response said."""
        try:
            at: int = self._consumer.get_watermark_offsets(Place(*source), cached=True)[1]
        except KafkaException:  # nothing has been fetched of it
            return None
        return at if at >= 0 else None

    def close(self) -> None:
        """Release the connections."""
        self._consumer.close()
        if self._other is not None:
            self._other.close()

    # ------------------------------------------------------------------ reading
    def poll(self, timeout_ms: int) -> dict[SourcePartition, list[Chunk]]:
        """What came in within the time. Raises kafka-python's exceptions for the same facts."""
        self._notices.raised()
        error, self._raise_next = self._raise_next, None
        if error is not None:
            raise error
        taken = self._read_carefully(timeout_ms) if self._careful else {}
        size, limit = 0, POLL_KIB_MAX << 10
        messages = self._consumer.consume(STEP_RECORDS, 0)
        if not messages and not taken and timeout_ms:
            messages = self._consumer.consume(1, timeout_ms / 1000)
            messages += self._consumer.consume(STEP_RECORDS - 1, 0) if messages else []
        while messages:
            size += self._take(messages, taken)
            full = len(messages) == STEP_RECORDS and size < limit and self._raise_next is None
            messages = self._consumer.consume(STEP_RECORDS, 0) if full else []
        now_s = time.monotonic()
        self._polling_s += min(now_s - self._polled_at_s, TICK_S)
        self._polled_at_s = now_s
        self._mind_stalls(STALL_BESIDE_OTHERS_S if taken else STALL_S)
        if not taken and self._raise_next is not None:
            error, self._raise_next = self._raise_next, None
            raise error
        return taken

    def _take(self, messages: list[Message], taken: dict[SourcePartition, list[Chunk]]) -> int:
        """Sort messages into chunks by partition; bytes of them."""
        size = 0
        for source, run in self._runs(messages):
            if source not in self._positions or source in self._careful:
                continue  # it was taken away from this client meanwhile
            error = run[0].error()
            if error is not None:
                self._told(source, run[0], error)
                continue
            records = _records(run, with_headers=self._headers)
            self._moved_s[source] = self._polling_s
            if not self._plausible(source, records):
                self._hand_over(source, self._positions[source])
                continue
            records = records.since(self._positions[source])
            if len(records.offsets):
                end = int(records.offsets[-1]) + 1
                self._positions[source] = end
                taken.setdefault(source, []).append(Chunk(records, end))
                size += records.size
        return size

    def _plausible(self, source: SourcePartition, records: Records) -> bool:
        """Whether offsets rise and are there: librdkafka checks no length in a batch, and may read on anywhere."""
        offsets, high = records.offsets, self.high_watermark(source)
        rising = bool((offsets[1:] > offsets[:-1]).all())
        return rising and (high is None or int(offsets[-1]) < high)

    def _runs(self, messages: list[Message]) -> Iterator[tuple[SourcePartition, list[Message]]]:
        """Stretches of one partition's records; an error is a stretch of its own."""
        partitions = np.fromiter(map(Message.partition, messages), np.int64, len(messages))
        errors = [at for at, error in enumerate(map(Message.error, messages)) if error is not None]
        topics = (
            [str(topic) for topic in map(Message.topic, messages)]
            if self._several_topics
            else [str(messages[0].topic())]
        )
        cuts = {0, len(messages), *errors, *(at + 1 for at in errors)}
        cuts.update((np.flatnonzero(np.diff(partitions)) + 1).tolist())
        if len(topics) > 1:
            cuts.update(at for at, (a, b) in enumerate(pairwise(topics), 1) if a != b)
        for begin, end in pairwise(sorted(cuts)):
            name = (topics[begin if len(topics) > 1 else 0], int(partitions[begin]))
            yield self._names.get(name, SourcePartition(*name)), messages[begin:end]

    @property
    def _several_topics(self) -> bool:
        return len({topic for topic, _ in self._names}) > 1

    def _told(self, source: SourcePartition, message: Message, error: KafkaError) -> None:
        """What the client says of a partition in the place of a record."""
        code, where = error.code(), TopicPartition(*source)
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001
            self._positions[source] = max(self._positions[source], message.offset() or 0)
            self._moved_s[source] = self._polling_s
            self._quiet_at[source] = self.high_watermark(source) or 0
        elif code == KafkaError._AUTO_OFFSET_RESET and message.offset() == self._positions[source]:  # noqa: SLF001
            self._raise_next = OffsetOutOfRangeError({where: message.offset()})
        elif code == KafkaError._LOG_TRUNCATION:  # noqa: SLF001
            self._raise_next = LogTruncationError({where: None})
        elif code in CLUSTER:
            self._raise_next = CLUSTER[code](where)
        elif code not in IGNORED:
            log.debug("librdkafka cannot read %s: %s", source, self._notices.text(error.str()))
            self._hand_over(source, max(self._positions[source], message.offset() or 0))

    # ------------------------------------------------------------------ what this client cannot read
    def _hand_over(self, source: SourcePartition, until: int) -> None:
        """Have the careful client read the partition until this offset is behind it."""
        self._consumer.incremental_unassign([Place(*source)])
        self._careful[source] = (until, time.monotonic())

    def _mind_stalls(self, patience_s: float) -> None:
        """Hand over what is behind, could be read, and does not move."""
        before_s = self._polling_s - patience_s
        for source, at in self._positions.items():
            if source in self._careful or source in self._paused or self._moved_s[source] > before_s:
                continue
            high = self.high_watermark(source)
            if high is not None and at < high != self._quiet_at.get(source):
                log.debug("librdkafka delivers nothing of %s at %d", source, at)
                self._hand_over(source, at)

    def _read_carefully(self, timeout_ms: int) -> dict[SourcePartition, list[Chunk]]:
        if self._other is None:
            self._other = self._open_careful()
        self._other.assign({source: self._positions[source] for source in self._careful})
        self._other.pause(self._paused)
        taken = self._other.poll(min(timeout_ms, CAREFUL_MS))
        reached = {source: at for source, at in self._other.positions().items() if source in self._careful}
        now_s, back = time.monotonic(), {}
        for source, at in reached.items():
            until, since_s = self._careful[source]
            moved = at > self._positions[source]
            self._positions[source] = at
            if moved:
                self._careful[source] = (until, now_s)
            clean = not any(chunk.faults for chunk in taken.get(source, ()))
            if (clean and at > until) or (not moved and now_s - since_s > CAREFUL_S):
                back[source] = at
                self._quiet_at[source] = (self._other.high_watermark(source) or 0) if not moved else 0
        for source in back:
            del self._careful[source]
        self._add(back)
        return taken


def _records(messages: list[Message], *, with_headers: bool) -> Records:
    """Columns of one partition's records."""
    n = len(messages)
    offsets = np.fromiter(map(Message.offset, messages), np.int64, n)
    stamps = np.fromiter(map(operator.itemgetter(1), map(Message.timestamp, messages)), np.int64, n)
    values = list(map(Message.value, messages))
    keys = list(map(Message.key, messages))
    size = sum(map(len, filter(None, values))) + sum(map(len, filter(None, keys)))
    headers = Unwritten(list(map(Message.headers, messages))) if with_headers else None  # type: ignore[arg-type]  # received ones are lists
    return Records(offsets, stamps, keys, values, size + (headers.size if headers is not None else 0), headers)


def open_librdkafka(
    settings: Mapping[str, object], group: str, decompressed_bytes_max: int, *, headers: bool = False
) -> LibrdkafkaFetch:
    """A consumer through librdkafka. Connects by and by; raises SourceError for settings that it does not take."""
    notices = _Notices(settings)
    try:
        consumer = Consumer({**options(settings, group), "error_cb": notices.failed}, logger=notices)
    except (KafkaException, ValueError, TypeError) as error:
        text = notices.text(error.args[0].str() if isinstance(error, KafkaException) else error)
        raise SourceError(f"the settings under kafka: cannot be used by librdkafka ({text})") from None
    careful = partial(open_fetch, settings, decompressed_bytes_max, headers=headers)
    return LibrdkafkaFetch(consumer, notices, careful, headers=headers)
