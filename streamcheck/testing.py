"""Twins of the outer world for tests, yours too: scripted topics with crashes, stores that fail, a clock by hand."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, Final, Literal

import numpy as np

from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError, StateError
from streamcheck.runtime.memory import MemoryStore
from streamcheck.runtime.ports import (
    Commit,
    GapError,
    PartitionStatus,
    RawBatch,
    Saved,
    SourceUnavailable,
    Store,
)


class ManualClock:
    """A clock that moves only when told to, or when someone sleeps on it; implements ports.Clock.

    >>> clock = ManualClock(now_ms=1000)
    >>> clock.advance(2.5)
    >>> clock.now_ms(), clock.monotonic()
    (3500, 2.5)
    """

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._start_ms = now_ms
        self._elapsed_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, f"time never goes back: {seconds} s"
        self._elapsed_s += seconds

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; by default 2026 has just begun."""
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.advance(seconds)


class Fault(StrEnum):
    """When a commit fails: with nothing done, or done but unknown to the caller (a crash right after)."""

    BEFORE = "before"
    AFTER = "after"


class FailingStore:
    """A store whose n-th commit (counted from 1, over all commits tried) fails as told.

    >>> store = FailingStore(MemoryStore(), {1: Fault.BEFORE})
    >>> store.commit(Commit(put={"engine": b"state"}))
    Traceback (most recent call last):
    ...
    streamcheck.errors.StateError: scripted failure before commit 1
    >>> store.load() is None
    True
    """

    def __init__(self, inner: Store, on_commit: Mapping[int, Fault]) -> None:
        self.inner = inner
        self.commits = 0
        self._on_commit = dict(on_commit)

    def load(self) -> Saved | None:
        """What was committed last."""
        return self.inner.load()

    def read(self, key: str) -> bytes:
        """Pass on."""
        return self.inner.read(key)

    def commit(self, commit: Commit) -> None:
        """Commit, unless the script says otherwise."""
        self.commits += 1
        fault = self._on_commit.get(self.commits)
        if fault is not Fault.BEFORE:
            self.inner.commit(commit)
        if fault is not None:
            raise StateError(f"scripted failure {fault.value} commit {self.commits}")

    def delivered(self, sequence: int) -> None:
        """Pass on."""
        self.inner.delivered(sequence)

    def close(self) -> None:
        """Pass on."""
        self.inner.close()


class Aborted(BaseException):
    """The scripted crash. No Exception: like SIGKILL, nothing that goes on after errors may go on after it."""


class Step(Enum):
    """What a script may hold besides batches: a crash, a poll that returns nothing, a broker that does not answer."""

    ABORT = "abort"
    SILENCE = "silence"
    AWAY = "away"


ABORT: Final = Step.ABORT
SILENCE: Final = Step.SILENCE
AWAY: Final = Step.AWAY
ScriptItem = RawBatch | Literal[Step.ABORT, Step.SILENCE, Step.AWAY] | Callable[[], object]


def raw_batch(
    topic: str,
    partition: int,
    values: Sequence[bytes | Mapping[str, Any] | None],
    *,
    first_offset: int,
    times_ms: Sequence[int] | None = None,
) -> RawBatch:
    """Records as a source would hand them over; mappings become JSON.

    times_ms: record timestamps, by default one second per offset.

    >>> raw_batch("predictions", 0, [{"amount": 1.5}, None], first_offset=7).next_offset
    9
    """
    offsets = np.arange(first_offset, first_offset + len(values), dtype=np.int64)
    timestamps = offsets * 1000 if times_ms is None else np.array(times_ms, np.int64)
    assert len(timestamps) == len(offsets), f"{len(values)} values with {len(timestamps)} times"
    encoded = [json.dumps(value).encode() if isinstance(value, Mapping) else value for value in values]
    source = SourcePartition(topic, partition)
    return RawBatch(source, offsets, timestamps, [None] * len(values), encoded, first_offset + len(values))


class ScriptedSource:
    """Topics in memory that grow as a script says; implements ports.Source.

    Each poll first delivers what the topics hold beyond the reader's positions (as after a restart), else it takes the
    next item: a RawBatch is appended to its topic and delivered; SILENCE returns nothing; AWAY raises SourceUnavailable
    and ABORT raises Aborted, once; a callable is called (advance a clock, stop the loop), and the poll returns nothing.
    After the last item polls return nothing and `on_end` is called each time. Use the same object for the run after a
    crash: its topics stay.

    >>> source = ScriptedSource([raw_batch("t", 0, [b"a", b"b"], first_offset=0), ABORT])
    >>> source.start({SourcePartition("t", 0): 0})
    >>> [batch.values for batch in source.poll(0.1)]
    [[b'a', b'b']]
    >>> source.start({SourcePartition("t", 0): 1})
    >>> [batch.values for batch in source.poll(0.1)]
    [[b'b']]
    """

    def __init__(
        self,
        script: Iterable[ScriptItem],
        *,
        partitions: Iterable[SourcePartition] = (),
        on_end: Callable[[], object] | None = None,
    ) -> None:
        self._script = list(script)
        self._next = 0
        self._on_end = on_end
        named = {item.source for item in self._script if isinstance(item, RawBatch)}
        self._log: dict[SourcePartition, list[RawBatch]] = {source: [] for source in sorted(named | set(partitions))}
        self._log_start = dict.fromkeys(self._log, 0)
        self._positions: dict[SourcePartition, int] = {}
        self._paused: frozenset[SourcePartition] = frozenset()
        self.shown: dict[SourcePartition, int] = {}
        self.ids: dict[str, str] = {}

    @property
    def exhausted(self) -> bool:
        """Whether every item of the script has been taken."""
        return self._next == len(self._script)

    def topic_ids(self) -> Mapping[str, str]:
        """As scripted by setting `ids`."""
        return self.ids

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions named by the script or to the constructor, ascending."""
        return tuple(self._log)

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Begin reading at these offsets. Raises SourceError for unknown partitions, GapError for removed offsets."""
        for source, position in positions.items():
            if source not in self._log:
                raise SourceError(f"{source} does not exist; the script has {', '.join(map(str, self._log))}")
            self._refuse_gap(source, position)
        self._positions = dict(positions)
        self._paused = frozenset()

    def forget(self, source: SourcePartition, log_start: int) -> None:
        """Remove offsets before `log_start`, as retention does."""
        self._log_start[source] = log_start

    def poll(self, timeout_s: float) -> list[RawBatch]:  # noqa: ARG002 - nothing is ever waited for
        """The next step of the script. Raises GapError where `forget` has overtaken reading."""
        waiting = self._waiting()
        if waiting:
            return waiting
        if self.exhausted:
            if self._on_end is not None:
                self._on_end()
            return []
        item = self._script[self._next]
        self._next += 1
        if item is ABORT:
            raise Aborted(f"scripted crash at item {self._next - 1}")
        if item is AWAY:
            raise SourceUnavailable(f"scripted absence at item {self._next - 1}")
        if isinstance(item, RawBatch):
            end = self._end(item.source)
            first = min([*item.offsets[:1].tolist(), *(offset for offset, _ in item.faults), item.next_offset])
            assert end <= first, f"{item.source} ends at {end}, the script appends {first}"
            self._log[item.source].append(item)
        elif callable(item):
            item()
        return self._waiting()

    def status(self) -> Mapping[SourcePartition, PartitionStatus]:
        """Position, high watermark and log start of every assigned partition."""
        return {
            source: PartitionStatus(position, self._end(source), self._log_start[source])
            for source, position in self._positions.items()
        }

    def trouble(self) -> str | None:
        """Nothing ever is, beyond what the script says."""
        return None

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise."""
        self._paused = sources

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Remember what was shown to lag tools, in `shown`."""
        self.shown.update(positions)

    def close(self) -> None:
        """Forget the reader; the topics stay."""
        self._positions = {}

    def _refuse_gap(self, source: SourcePartition, position: int) -> None:
        if position < self._log_start[source]:
            raise GapError(source, position, (self._log_start[source], self._end(source)))

    def _end(self, source: SourcePartition) -> int:
        log = self._log[source]
        return max(log[-1].next_offset if log else 0, self._log_start[source])

    def _waiting(self) -> list[RawBatch]:
        found: list[RawBatch] = []
        for source, position in self._positions.items():
            if source in self._paused:
                continue
            self._refuse_gap(source, position)
            found.extend(_tail(batch, position) for batch in self._log[source] if batch.next_offset > position)
            self._positions[source] = max(position, self._end(source))
        return found


def _tail(batch: RawBatch, position: int) -> RawBatch:
    """What is left of a batch from an offset on."""
    at = int(np.searchsorted(batch.offsets, position))
    faults = tuple(fault for fault in batch.faults if fault[0] >= position)
    return batch.cut(slice(at, None), batch.next_offset, faults)


__all__ = [
    "ABORT",
    "AWAY",
    "SILENCE",
    "Aborted",
    "FailingStore",
    "Fault",
    "ManualClock",
    "MemoryStore",
    "ScriptItem",
    "ScriptedSource",
    "Step",
    "raw_batch",
]
