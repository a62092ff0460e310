"""Files as source partitions: each a log of rows, read once from its beginning to its end."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from streamcheck.adapters.files.log import FileLog, open_reader
from streamcheck.adapters.files.sections import Ahead
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import GapError, PartitionStatus, Polled, Reader, Records, Section

__all__ = ["FileLog", "FilesSource"]

POLL_BLOCKS = 4
"""Blocks that one poll hands over at most: 16 MiB of lines, however many files there are."""


class FilesSource:
    """Source partitions out of files; implements ports.Source.

    Offsets are row numbers (of JSON Lines: line numbers), counted on from file to file. Reading may begin at any row;
    of text, what lies before it is read again. Polls take a block of each partition that is not paused, in turn.

    """

    def __init__(self, logs: Sequence[FileLog]) -> None:
        self._unread = False
        self._logs = {log.source: log for log in sorted(logs, key=lambda log: log.source)}
        assert len(self._logs) == len(logs), "one log for each source partition"
        self._readings: dict[SourcePartition, _Reading | Ahead] = {}
        self._turns: deque[SourcePartition] = deque()
        self._paused: frozenset[SourcePartition] = frozenset()
        self.total_bytes = sum(path.stat().st_size for log in logs for path in log.paths)

    @property
    def done_bytes(self) -> int:
        """How much of `total_bytes` has been read, about."""
        return sum(reading.done_bytes for reading in self._readings.values())

    @property
    def rows(self) -> int:
        """Rows that have been read."""
        return sum(reading.rows for reading in self._readings.values())

    @property
    def first_offsets(self) -> dict[SourcePartition, int]:
        """Where each partition begins."""
        return {source: log.first_offset for source, log in self._logs.items()}

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions, ascending."""
        return tuple(self._logs)

    def topic_ids(self) -> Mapping[str, str]:
        """Files have none."""
        return {}

    def leave_unread(self) -> None:
        """From the next start on, hand over where blocks are instead of what is in them: who decodes reads.

        (A log that begins behind its first row, or whose rows have their time by their number, is read here.)
        """
        self._unread = True

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Begin reading at these rows."""
        self.close()
        for source, position in positions.items():
            log = self._logs.get(source)
            if log is None:
                raise SourceError(f"{source}: no file was named for it; there are {', '.join(map(str, self._logs))}")
            if position < log.first_offset:
                raise GapError(source, position, (log.first_offset, log.first_offset))
            ahead = self._unread and log.step_ms is None and position == log.first_offset
            self._readings[source] = Ahead(log) if ahead else _Reading(log, position)
        self._turns = deque(sorted(self._readings))
        self._paused = frozenset()

    def poll(self, timeout_s: float) -> list[Polled]:  # noqa: ARG002 - files never make one wait
        """A block of each of those whose turn it is: not paused, not at their end."""
        found: list[Polled] = []
        for _ in range(len(self._turns)):
            source = self._turns[0]
            self._turns.rotate(-1)
            reading = self._readings[source]
            records = reading.read() if source not in self._paused and not reading.ended else None
            if records is not None:
                found.append(records)
            if len(found) == POLL_BLOCKS:
                break
        return found

    def status(self) -> Mapping[SourcePartition, PartitionStatus]:
        """Next row of every partition; where it ends is known at the end."""
        return {
            source: PartitionStatus(
                reading.position,
                reading.position if reading.ended else None,
                self._logs[source].first_offset,
                ended=reading.ended,
            )
            for source, reading in self._readings.items()
        }

    def trouble(self) -> str | None:
        """Never any: what cannot be read raises."""
        return None

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise."""
        self._paused = sources

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Nobody watches."""

    def close(self) -> None:
        """Release the files."""
        for reading in self._readings.values():
            reading.close()


class _Reading:
    """How far one log has been read."""

    def __init__(self, log: FileLog, position: int) -> None:
        self._log = log
        self.position = position
        self.ended = False
        self.rows = 0
        self._base = log.first_offset
        """The offset of the current file's row 0."""
        self._at = 0
        self._before_bytes = 0
        self._reader: Reader | None = None

    @property
    def done_bytes(self) -> int:
        return self._before_bytes + (self._reader.done_bytes if self._reader is not None else 0)

    def read(self) -> Records | None:
        """The next records; None at the end of the last file."""
        while self._at < len(self._log.paths):
            path = self._log.paths[self._at]
            if self._reader is None:
                section = Section(str(path), skip=max(self.position - self._base, 0))
                self._reader = open_reader(section, self._log.source, self._log.schema)
            records = self._reader.read()
            if records is not None:
                self.position = self._base + records.next_offset
                self.rows += len(records.offsets)
                return self._placed(records)
            self._base += self._reader.rows
            self._before_bytes += self._reader.done_bytes
            self.close()
            self._at += 1
        self.ended = True
        return None

    def _placed(self, records: Records) -> Records:
        offsets = records.offsets + self._base
        timestamps = records.timestamps
        if self._log.step_ms is not None:
            timestamps = (offsets - self._log.first_offset) * np.int64(self._log.step_ms)
        faults = tuple((self._base + number, reason) for number, reason in records.faults)
        return replace(records, offsets=offsets, timestamps=timestamps, next_offset=self.position, faults=faults)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None

