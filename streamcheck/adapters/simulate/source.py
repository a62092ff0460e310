"""The payments stream as a source of the loop, with a clock that goes as fast as the events."""

from collections import deque
from collections.abc import Mapping

from streamcheck.adapters.simulate.payments import STEP_MS, PaymentsStream, cut
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import PartitionStatus, RawBatch

HELD_RECORDS_MAX = 1_000_000
"""Records kept for paused partitions, about 400 MB; beyond them the simulation stands still until they are wanted."""


class SimulatedClock:
    """A clock that the simulation moves, so that silence and commits keep their place in event time; a ports.Clock.

    >>> clock = SimulatedClock(5_000)
    >>> clock.sleep(1.5)
    >>> clock.now_ms(), clock.monotonic()
    (6500, 1.5)
    """

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC, in the simulation."""
        return self._now_ms

    def monotonic(self) -> float:
        """Simulated seconds since the start."""
        return (self._now_ms - self._start_ms) / 1_000

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass, at once."""
        self._now_ms += round(seconds * 1_000)

    def reach(self, time_ms: int) -> None:
        """Go on to this time, unless it has passed."""
        self._now_ms = max(self._now_ms, time_ms)


class SimulatedSource:
    """Reads a PaymentsStream as if it were being published; implements ports.Source.

    Each poll lets `step_ms` of simulated time pass and returns what was published in it. `clock` shows that time: a
    loop that takes it sees a stopped producer fall silent. The high watermark is what was published so far, or with
    `complete` (topics that were filled before) what there will be in the end, which costs a pass at construction. After
    the end (`exhausted`) polls return nothing and time goes on.
    """

    def __init__(self, stream: PaymentsStream, step_ms: int = STEP_MS, *, complete: bool = False) -> None:
        self.stream = stream
        self.clock = SimulatedClock(stream.start_ms)
        self._step_ms = step_ms
        self._ends = _ends(stream) if complete else None
        self.start(dict.fromkeys(stream.partitions(), 0))

    @property
    def exhausted(self) -> bool:
        """Whether everything has been read."""
        return self._finished and not any(self._held.values())

    def topic_ids(self) -> Mapping[str, str]:
        """None: a simulation has no other life that it could be taken for."""
        return {}

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions of both topics, ascending."""
        return self.stream.partitions()

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Read from these offsets. The stream begins anew; what lies before them is passed over, and its time too."""
        unknown = sorted(positions.keys() - set(self.partitions()))
        if unknown:
            known = ", ".join(map(str, self.partitions()))
            raise SourceError(f"the simulation has no partition {unknown[0]}; it has {known}")
        self._steps = self.stream.steps(self._step_ms)
        self._finished = False
        self._passing_over = any(positions.values())
        self._position = dict(positions)
        self._published = dict.fromkeys(self.partitions(), 0)
        self._held: dict[SourcePartition, deque[RawBatch]] = {source: deque() for source in positions}
        self._paused: frozenset[SourcePartition] = frozenset()

    def poll(self, timeout_s: float) -> list[RawBatch]:
        """What the next step publishes or was held back; after the end nothing, `timeout_s` simulated seconds later."""
        if not self._finished and self._held_records() < HELD_RECORDS_MAX:
            self._publish()
            while self._passing_over and not self._finished:
                self._publish()
        found = self._deliver()
        if not found and self._finished:
            self.clock.sleep(timeout_s)
        return found

    def status(self) -> dict[SourcePartition, PartitionStatus]:
        """Position and high watermark of every partition that is read."""
        ends = self._ends or self._published
        return {source: PartitionStatus(at, max(ends[source], at), 0) for source, at in self._position.items()}

    def trouble(self) -> str | None:
        """A simulation is always there."""
        return None

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise; replaces the former set."""
        self._paused = sources

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Nobody watches the lag of a simulation."""

    def close(self) -> None:
        """There is nothing to release."""

    def _publish(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._finished = True
            return
        self.clock.reach(step.end_ms)
        for batch in cut(step.records, self._published):
            wanted = self._position.get(batch.source)
            if wanted is not None and batch.next_offset > wanted:
                self._held[batch.source].append(_from(batch, wanted))
                self._passing_over = False

    def _deliver(self) -> list[RawBatch]:
        found = []
        for source in sorted(self._held.keys() - self._paused):
            while self._held[source]:
                batch = self._held[source].popleft()
                self._position[source] = batch.next_offset
                found.append(batch)
        return found

    def _held_records(self) -> int:
        return sum(len(batch.values) for batches in self._held.values() for batch in batches)


def _from(batch: RawBatch, offset: int) -> RawBatch:
    """The batch without what lies before `offset`."""
    skip = max(0, offset - int(batch.offsets[0]))
    if not skip:
        return batch
    return RawBatch(
        batch.source,
        batch.offsets[skip:],
        batch.timestamps[skip:],
        batch.keys[skip:],
        batch.values[skip:],
        batch.next_offset,
    )


def _ends(stream: PaymentsStream) -> dict[SourcePartition, int]:
    ends = dict.fromkeys(stream.partitions(), 0)
    for batch in stream.batches():
        ends[batch.source] = batch.next_offset
    return ends
