"""How records come out of the consumer: as Chunks through the raw reader, or, where that does not fit, one by one."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from kafka import KafkaConsumer
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError
from kafka.structs import TopicPartition

from streamcheck.adapters.kafka import batches
from streamcheck.adapters.kafka.batches import Chunk
from streamcheck.adapters.kafka.bounded import Bound
from streamcheck.adapters.kafka.client import connect
from streamcheck.adapters.kafka.codecs import BatchFault
from streamcheck.adapters.kafka.headers import headings
from streamcheck.adapters.kafka.wire import Records
from streamcheck.core.types import SourcePartition

log = logging.getLogger(__name__)

POLL_KIB_MAX = 8 << 10
"""Of decompressed records per poll, plus one batch at most: what a loop handles in some tenths of a second. Twice as
much takes 2 to 5 % less CPU per event and 20 MB more."""

POLL_RECORDS_MAX = 10_000
"""The same for records that come one by one."""

PROBE_MS = 2_000
"""How long one partition alone may take to answer while the one with the bad record is looked for."""

FETCH_SETTINGS: dict[str, object] = {
    "fetch_min_bytes": 65_536,
    "fetch_max_wait_ms": 500,
    "fetch_max_bytes": 8 << 20,  # the client holds an answer twice while it takes it apart
    "max_partition_fetch_bytes": 2 << 20,
    "retry_backoff_ms": 50,  # as long it waits for leaders at its start, and again where it did not know them
}

_OWN: dict[str, object] = {
    "group_id": None,  # positions are the store's; progress for lag tools goes another way (watch.py)
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "check_crcs": True,
    "allow_auto_create_topics": False,
}


class Fetch:
    """A consumer of assigned partitions that delivers Chunks; see `open_fetch`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def assign(self, positions: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets; what is buffered for one already there is kept."""
        there = self.positions()
        self._consumer.assign([TopicPartition(*source) for source in positions])
        for source, offset in positions.items():
            if there.get(source) != offset:
                self._consumer.seek(TopicPartition(*source), offset)

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these, of those assigned; replaces the former set."""
        assigned = self._consumer.assignment()
        wanted = {TopicPartition(*source) for source in sources} & assigned
        paused = self._consumer.paused()
        self._consumer.pause(*(wanted - paused))
        self._consumer.resume(*(paused - wanted))

    def poll(self, timeout_ms: int) -> dict[SourcePartition, list[Chunk]]:
        """What came in within the time. Raises what the client raises."""
        raise NotImplementedError

    def _let_parked_in(self) -> None:
        """Make way for what the client has kept of a partition while that was paused.

        It takes such records up again only where nothing is in line, and takes something that has been read to its end
        for something in line (kafka-python 3.0.12): with all other partitions paused, it would wait for ever.
        """
        fetcher = self._consumer._fetcher  # noqa: SLF001 - there is no public way
        if not fetcher._next_partition_records:  # noqa: SLF001
            fetcher._next_partition_records = None  # noqa: SLF001

    def positions(self) -> dict[SourcePartition, int]:
        """The next offset to read of each assigned partition, control records stepped over."""
        raise NotImplementedError

    def high_watermark(self, source: SourcePartition) -> int | None:
        """As the newest fetch response said."""
        at: int | None = self._consumer.highwater(TopicPartition(*source))
        return at

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)


class RawFetch(Fetch):
    """Chunks straight from the record batches."""

    def __init__(self, consumer: Any, reader: type[batches.RawPartitionRecords]) -> None:
        super().__init__(consumer)
        consumer._fetcher.PartitionRecords = reader  # noqa: SLF001 - the hook; `batches.fits` has looked at it

    def poll(self, timeout_ms: int) -> dict[SourcePartition, list[Chunk]]:
        """What came in within the time. Raises what the client raises."""
        self._let_parked_in()
        return {SourcePartition(*where): chunks for where, chunks in self._consumer.poll(timeout_ms).items()}

    def positions(self) -> dict[SourcePartition, int]:
        """The next offset to read of each assigned partition, control records stepped over."""
        state = self._consumer._subscription.all_consumed_offsets()  # noqa: SLF001 - position() is one by one
        return {SourcePartition(*where): at.offset for where, at in state.items()}


class StockFetch(Fetch):
    """The client's own records, put into Chunks. Slow; what a compressed batch expands to is bounded from outside.

    A record that the client cannot unpack makes its poll raise, then hang at that offset for ever (kafka-python
    3.0.12), and the exception does not say where. So each partition is read alone, and where that raises, one offset is
    stepped over.
    """

    def __init__(self, consumer: Any, bound: Bound, *, headers: bool = False) -> None:
        super().__init__(consumer)
        self._bound = bound
        self._headers = headers

    def close(self) -> None:
        """Release the connection, and kafka-python."""
        super().close()
        self._bound.release()

    def poll(self, timeout_ms: int) -> dict[SourcePartition, list[Chunk]]:
        """What came in within the time. Raises what the client raises, but for records that it cannot unpack."""
        try:
            self._let_parked_in()
            return _grouped(self._consumer.poll(timeout_ms), headers=self._headers)
        except Exception as error:
            if _concerns_cluster(error):
                raise
            return self._apart()

    def positions(self) -> dict[SourcePartition, int]:
        """The next offset to read of each assigned partition, control records stepped over."""
        found = {where: self._consumer.position(where, timeout_ms=0) for where in self._consumer.assignment()}
        return {SourcePartition(*where): at for where, at in found.items() if at is not None}

    def _apart(self) -> dict[SourcePartition, list[Chunk]]:
        positions, paused = self.positions(), self._consumer.paused()
        taken: dict[SourcePartition, list[Chunk]] = {}
        for source, at in positions.items():
            where = TopicPartition(*source)
            if where in paused:
                continue
            self._consumer.unsubscribe()
            self._consumer.poll(0)  # throws away the dead iterator, now that its partition is nobody's
            self._consumer.assign([where])
            self._consumer.seek(where, at)
            try:
                chunks = _grouped(self._consumer.poll(PROBE_MS), headers=self._headers).get(source, [])
                positions[source] = self._consumer.position(where, timeout_ms=0)
            except Exception as error:
                if _concerns_cluster(error):
                    raise
                chunks = [Chunk(batches.empty(), at + 1, ((at, _reason(error)),))]
                positions[source] = at + 1
            if chunks:
                taken[source] = chunks
        self._consumer.unsubscribe()
        self._consumer.poll(0)
        self.assign(positions)
        self._consumer.pause(*paused)
        return taken


def _concerns_cluster(error: Exception) -> bool:
    """Whether an exception of poll() is about brokers, rights or positions, and not about a record's bytes."""
    if isinstance(error, CorruptRecordError | UnsupportedCodecError):
        return False
    return isinstance(error, KafkaError)


def _reason(error: Exception) -> str:
    if isinstance(error, BatchFault):
        return str(error)
    if isinstance(error, UnsupportedCodecError):
        return "unknown codec"
    return "corrupt batch" if "crc" in str(error) else "malformed batch"


def _grouped(taken: Mapping[TopicPartition, list[Any]], *, headers: bool) -> dict[SourcePartition, list[Chunk]]:
    # the client hands out one object per record; there is nothing columnar to take them from
    return {
        SourcePartition(*where): [
            Chunk(
                Records(
                    np.array([record.offset for record in found], np.int64),
                    np.array([record.timestamp for record in found], np.int64),
                    [record.key for record in found],
                    [record.value for record in found],
                    sum(len(record.value or b"") for record in found),
                    headings(record.headers for record in found) if headers else None,
                ),
                found[-1].offset + 1,
            )
        ]
        for where, found in taken.items()
        if found
    }


def open_fetch(settings: Mapping[str, object], decompressed_bytes_max: int, *, headers: bool = False) -> Fetch:
    """A connected consumer, raw where kafka-python fits, else stock with a warning. Raises what the client raises.

    headers: whether those of records are wanted.
    """
    reader = batches.raw_reader(decompressed_bytes_max, headers=headers)
    if batches.fits(reader):
        return RawFetch(_consumer(settings, POLL_KIB_MAX), reader)
    bound = Bound(decompressed_bytes_max)
    log.warning(
        "this version of kafka-python is not the one whose record reader streamcheck knows: reading record by record, "
        "a fraction as fast%s; install kafka-python>=3.0.12,<3.1",
        "" if bound.holds else ", and without a bound on decompression",
    )
    try:
        return StockFetch(_consumer(settings, POLL_RECORDS_MAX), bound, headers=headers)
    except BaseException:
        bound.release()
        raise


def _consumer(settings: Mapping[str, object], max_poll_records: int) -> Any:
    return connect(KafkaConsumer, {**FETCH_SETTINGS, **settings}, **_OWN, max_poll_records=max_poll_records)
