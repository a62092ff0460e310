"""Topics as they were when reading began: an input that ends, of which nothing is changed."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.ports import PartitionStatus, RawBatch

log = logging.getLogger(__name__)

STUCK_S = 45.0
"""A partition that gives nothing for so long, short of its end: a transaction is open there (see marker.py)."""


class TopicHistory:
    """Reads partitions up to the high watermarks of the beginning; implements ports.Source.

    No progress is shown to lag tools, no group is joined, nothing is written. A transaction that stays open before a
    high watermark ends its partition there, with a warning: what it holds is not decided yet.
    """

    def __init__(
        self, source: KafkaSource, stuck_s: float = STUCK_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._stuck_s, self._now = stuck_s, now
        self._all = source.partitions()
        self._ends: dict[SourcePartition, int] = dict(source.offsets_at("latest"))
        self._first: dict[SourcePartition, int] = {}
        self._moved: dict[SourcePartition, tuple[int, float]] = {}
        self._ended: set[SourcePartition] = set()
        self._paused: frozenset[SourcePartition] = frozenset()
        self.rows = 0
        """Records handed over, records met again included."""

    # ------------------------------------------------------------------ where to begin
    def starts(self, from_ms: int | None) -> dict[SourcePartition, int]:
        """The first offset that each partition holds, or of the first record stamped from_ms or later."""
        found = self._source.offsets_at("earliest" if from_ms is None else from_ms)
        return {source: min(found[source], self._ends[source]) for source in self._all}

    # ------------------------------------------------------------------ how far it is
    @property
    def total(self) -> int:
        """Offsets to be read, about: control records and gaps among them."""
        return sum(max(0, self._ends[source] - first) for source, first in self._first.items())

    @property
    def done(self) -> int:
        """How many of `total` lie behind."""
        status = self.status()
        return sum(
            (self._ends[source] if source in self._ended else min(at.position, self._ends[source])) - first
            for source, first in self._first.items()
            if (at := status.get(source)) is not None
        )

    def enough(self, source: SourcePartition) -> None:
        """Read this partition no further."""
        self._ended.add(source)
        self.pause(self._paused)

    # ------------------------------------------------------------------ ports.Source
    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions there were at the beginning."""
        return self._all

    def topic_ids(self) -> Mapping[str, str]:
        """What the cluster calls each topic besides its name."""
        return self._source.topic_ids()

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Begin reading at these offsets. Raises GapError where retention has removed one."""
        self._source.start(positions)
        self._first = {source: self._first.get(source, at) for source, at in positions.items()}
        self._moved = dict.fromkeys(positions, (-1, self._now()))
        self._source.pause(self._paused | self._ended)

    def poll(self, timeout_s: float) -> list[RawBatch]:
        """The next records, none from beyond the ends."""
        found = [
            batch
            for batch in (self._cut(each) for each in self._source.poll(timeout_s))
            if len(batch.offsets) or batch.faults
        ]
        self.rows += sum(len(batch.offsets) for batch in found)
        self._mind_ends()
        return found

    def _cut(self, batch: RawBatch) -> RawBatch:
        end = self._ends[batch.source]
        if batch.next_offset <= end:
            return batch
        kept = int(np.searchsorted(batch.offsets, end))
        faults = tuple(fault for fault in batch.faults if fault[0] < end)
        return batch.cut(slice(kept), end, faults)

    def _mind_ends(self) -> None:
        now_s, ended = self._now(), len(self._ended)
        away = self._source.trouble() is not None
        for source, status in self._source.status().items():
            at, since_s = self._moved[source]
            if status.position >= self._ends[source]:
                self._ended.add(source)
            elif status.position != at or source in self._paused or away:
                self._moved[source] = (status.position, now_s)
            elif now_s - since_s > self._stuck_s and source not in self._ended:
                log.warning(
                    "%s: a transaction is open at offset %d of %d: reading ends there",
                    source, status.position, self._ends[source],
                )  # fmt: skip
                self._ended.add(source)
        if len(self._ended) != ended:
            self._source.pause(self._paused | self._ended)

    def status(self) -> Mapping[SourcePartition, PartitionStatus]:
        """Position of every partition; its high watermark is that of the beginning."""
        return {
            source: PartitionStatus(
                min(at.position, self._ends[source]), self._ends[source], at.log_start, ended=source in self._ended
            )
            for source, at in self._source.status().items()
        }

    def trouble(self) -> str | None:
        """Why nothing can be read at the moment; None while all is well."""
        return self._source.trouble()

    def pause(self, sources: Iterable[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise."""
        self._paused = frozenset(sources)
        self._source.pause(self._paused | self._ended)

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Nobody is told: progress is the live run's."""

    def close(self) -> None:
        """Release the connections."""
        self._source.close()
