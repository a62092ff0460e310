"""Events from Kafka: all partitions of the named topics, from positions that the store remembers."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from kafka.errors import AuthorizationError, LogTruncationError, OffsetOutOfRangeError, SaslAuthenticationFailedError

from streamcheck.adapters.kafka.admin import Cluster, Topics
from streamcheck.adapters.kafka.batches import DECOMPRESSED_BYTES_MAX, Chunk
from streamcheck.adapters.kafka.client import BrokerUnavailable, address, check_settings, explain, may_pass
from streamcheck.adapters.kafka.fetch import Fetch, open_fetch
from streamcheck.adapters.kafka.headers import Headers, Unwritten
from streamcheck.adapters.kafka.watch import EVERY_S, View, Watch
from streamcheck.adapters.kafka.wire import Records
from streamcheck.core.pieces import Pieces
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import GapError, PartitionStatus, RawBatch

CLIENTS = ("kafka-python", "confluent")
"""Who reads: the careful client, or the fast one (the extra `streamcheck[fast]`)."""

log = logging.getLogger(__name__)

FAILURES_MAX = 5
"""Polls in a row that end in an exception nobody expects, each followed by a new consumer, before it is raised."""

FORGET_S = 60.0
"""Without records, and without another failure for so long, failures are no longer "in a row"."""

BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits after the 1st, 2nd … failure in a row; never longer than the poll was allowed to take."""


class KafkaSource:
    """A runtime.ports.Source over Kafka, one thread of control. Nothing is connected before the first question.

    settings: kafka-python's own names, whichever of CLIENTS reads. group: under which progress is shown to lag tools;
    the source is no member of that group and takes no positions from it. headers: whether those of records are wanted.

    Raised: ParameterError for a setting that is not the user's; SourceError for what only a person can mend (unknown
    topic, no right, damaged log); GapError for a position that is gone; BrokerUnavailable by `partitions`, `offsets_at`
    and `start` when no broker answers in time: ask again after a while. `poll` returns nothing then, goes on trying
    with back-off, and `trouble()` says why; it raises that only where it met a gap and cannot learn what is left.
    """

    def __init__(
        self,
        settings: Mapping[str, object],
        topics: Iterable[str],
        group: str,
        *,
        decompressed_bytes_max: int = DECOMPRESSED_BYTES_MAX,
        watch_every_s: float = EVERY_S,
        client: str = CLIENTS[0],
        headers: bool = False,
    ) -> None:
        check_settings(settings)
        assert client in CLIENTS, client
        self._client, self._group, self._headers = client, group, headers
        self._settings = dict(settings)
        self._topics = tuple(topics)
        self._decompressed_bytes_max = decompressed_bytes_max
        self._cluster = Cluster(settings)
        self._watch = Watch(settings, group, self._topics, watch_every_s)
        self._fetch: Fetch | None = None
        self._positions: dict[SourcePartition, int] = {}
        self._paused: frozenset[SourcePartition] = frozenset()
        self._failures = 0
        self._failed_at = float("-inf")
        self._trouble: str | None = None

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions of the topics, ascending; once started, as of the last look (at most half a minute ago)."""
        return self._described().partitions

    def topic_ids(self) -> Mapping[str, str]:
        """The ids of the topics, as of the last look."""
        return self._described().ids

    def _described(self) -> Topics:
        if not self._watch.running:
            return self._cluster.describe(self._topics)
        if self._watch.view.error:
            raise self._watch.view.error
        return self._watch.view.topics

    def offsets_at(self, start: str | int) -> dict[SourcePartition, int]:
        """Where to begin: "earliest", "latest", or the first record stamped at or after a time in ms since 1970."""
        sources = self.partitions()
        if start == "earliest":
            return self._cluster.log_starts(sources)
        if start == "latest":
            return self._cluster.high_watermarks(sources)
        return self._cluster.offsets_at(sources, int(start))

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Begin reading at these offsets; called again, replace the assignment, keeping what is unchanged.

        Raises GapError for the first position (ascending) that the topic does not have.
        """
        starts, ends = self._cluster.log_starts(positions), self._cluster.high_watermarks(positions)
        for source in sorted(positions):
            if not starts[source] <= positions[source] <= ends[source]:
                raise GapError(source, positions[source], (starts[source], ends[source]))
        self._positions = dict(positions)
        if self._fetch is None:
            self._connect()
        else:
            self._fetch.assign(positions)
            self._fetch.pause(self._paused)
        if not self._watch.running:
            known = self._cluster.describe(self._topics)
            self._watch.start(View(known, starts, ends, time.monotonic()))

    def poll(self, timeout_s: float) -> list[RawBatch]:
        """The next records, one RawBatch per source partition, ascending; empty when none came in time."""
        began = time.monotonic()
        try:
            if self._fetch is None:
                self._connect()
            assert self._fetch is not None
            taken = self._fetch.poll(max(0, round(timeout_s * 1000)))
            self._positions = self._fetch.positions()
        except Exception as error:  # noqa: BLE001 - sorted out by _failed, which raises what it cannot mend
            self._failed(error)
            left_s = max(0.0, began + timeout_s - time.monotonic())
            time.sleep(min(left_s, BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]))
            return []
        self._trouble = None
        if taken or began - self._failed_at > FORGET_S:
            self._failures = 0
        merged = (merge(source, taken[source]) for source in sorted(taken))
        return [batch for batch in merged if len(batch.offsets) or batch.faults]

    def status(self) -> Mapping[SourcePartition, PartitionStatus]:
        """Position and high watermark of every assigned partition; the watermark is None while no broker answers."""
        view, fresh = self._watch.view, self._watch.fresh
        status = {}
        for source, position in sorted(self._positions.items()):
            marks = [view.high_watermarks.get(source), self._fetch.high_watermark(source) if self._fetch else None]
            known = [mark for mark in marks if mark is not None]
            high = max(known) if fresh and known else None
            status[source] = PartitionStatus(position, high, view.log_starts.get(source))
        return status

    def trouble(self) -> str | None:
        """Why nothing can be read at the moment; None while all is well."""
        return self._trouble or self._watch.view.trouble

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise; replaces the former set."""
        self._paused = sources
        if self._fetch is not None:
            self._fetch.pause(sources)

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Show progress to lag tools, soon and by another thread; failures are logged, never raised."""
        if self._watch.running:
            self._watch.commit(positions)

    def close(self) -> None:
        """Release the connections; progress still on its way is given three seconds."""
        self._watch.close()
        self._disconnect()
        self._cluster.close()

    def _connect(self) -> None:
        try:
            fetch = self._open()
        except Exception as error:
            raise explain(error, self._settings, "connecting") from error
        fetch.assign(self._positions)
        fetch.pause(self._paused)
        self._fetch = fetch

    def _open(self) -> Fetch:
        if self._client == CLIENTS[0]:
            return open_fetch(self._settings, self._decompressed_bytes_max, headers=self._headers)
        try:
            from streamcheck.adapters.kafka.librdkafka import open_librdkafka  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise SourceError(
                "kafka.client: confluent takes confluent-kafka: pip install 'streamcheck[fast]'"
            ) from error
        return open_librdkafka(self._settings, self._group, self._decompressed_bytes_max, headers=self._headers)

    def _disconnect(self) -> None:
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            fetch.close()

    def _failed(self, error: Exception) -> None:
        """Raise what only others can mend; else note it, so that the next poll tries again."""
        if isinstance(error, OffsetOutOfRangeError | LogTruncationError):
            raise self._gap(error) from error
        if isinstance(error, SaslAuthenticationFailedError | AuthorizationError):
            raise explain(error, self._settings, f"reading {', '.join(self._topics)}") from error
        self._failures += 1
        self._failed_at = time.monotonic()
        self._trouble = str(error)
        if self._failures == 1:
            log.warning("reading from Kafka at %s: %s (trying again; said once)", address(self._settings), error)
        if isinstance(error, BrokerUnavailable) or may_pass(error):
            return
        if self._failures > FAILURES_MAX:
            raise SourceError(
                f"reading from Kafka at {address(self._settings)} failed {self._failures} times in a row, last with: "
                f"{error!r}. Where the log itself is damaged, start again behind it"
            ) from error
        self._disconnect()

    def _gap(self, error: Exception) -> SourceError:
        divergent = getattr(error, "divergent_offsets", None)
        wanted: Mapping[tuple[str, int], object] = divergent if divergent is not None else error.args[0]
        source = min(SourcePartition(*where) for where in wanted)
        starts, ends = self._cluster.log_starts([source]), self._cluster.high_watermarks([source])
        return GapError(source, self._positions[source], (starts[source], ends[source]))


def merge(source: SourcePartition, chunks: Sequence[Chunk]) -> RawBatch:
    """One RawBatch of a partition's consecutive chunks."""
    parts = [chunk.records for chunk in chunks]
    single = len(parts) == 1
    keys, values, headers = _bytes(parts)
    return RawBatch(
        source=source,
        offsets=parts[0].offsets if single else np.concatenate([part.offsets for part in parts]),
        timestamps=parts[0].timestamps if single else np.concatenate([part.timestamps for part in parts]),
        keys=keys,
        values=values,
        next_offset=chunks[-1].next_offset,
        faults=tuple(fault for chunk in chunks for fault in chunk.faults),
        headers=headers,
        encoded=True,
    )


def _bytes(parts: Sequence[Records]) -> tuple[Pieces, Pieces, Headers | None]:
    """Keys, values, and headers of parts that all have them, but for those without records."""
    plain = [(Pieces.of(part.keys), Pieces.of(part.values)) for part in parts]
    found = [part.headers for part in parts if len(part.offsets)]
    known = [each for each in found if each is not None]
    if not found or len(known) < len(found):
        keys, values = Pieces.beside(plain)
        return keys, values, None
    if len(known) == len(parts) and all(isinstance(each, Pieces) for each in known):
        keys, values, headers = Pieces.beside([(*two, Pieces.of(each)) for two, each in zip(plain, known, strict=True)])
        return keys, values, headers
    keys, values = Pieces.beside(plain)
    return keys, values, Unwritten.together(known)
