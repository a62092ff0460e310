"""What would have fired? The same loop as ever, over an input that ends.

The wall clock decides nothing here: a partition is out of the minimum once it has been read to its end, and the end of
all closes the panes that are open. How predictions went on behind the end of their files nobody knows, so their volume
counts no longer while labels go on. With the journal of a life, that life is lived again: its name, its floors, how far
its time went in silence.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from streamcheck.core import saving
from streamcheck.core.engine import Engine
from streamcheck.core.journal import Floored
from streamcheck.core.plan import Plan
from streamcheck.core.readings import EngineReading
from streamcheck.core.types import Batch, IntArray, SourcePartition, StreamRole
from streamcheck.errors import SourceError
from streamcheck.runtime.decoding import Decoding
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.loop import Listener, Loop, LoopRules, Tally
from streamcheck.runtime.memory import ForgetfulStore
from streamcheck.runtime.opening import Opened, new_lineage
from streamcheck.runtime.past import Life
from streamcheck.runtime.ports import Clock, Records, Source
from streamcheck.runtime.telemetry import Telemetry


class Backtest(Loop):
    """A loop over sources that end."""

    def __init__(
        self,
        life: Life | None,
        opened: Opened,
        source: Source,
        outbox: Outbox,
        decoding: Decoding,
        clock: Clock,
        telemetry: Telemetry,
        rules: LoopRules,
        listener: Listener,
    ) -> None:
        store, strays = ForgetfulStore(), StrayPost(None, None)
        super().__init__(opened, source, store, outbox, strays, decoding, clock, telemetry, rules, listener)
        self._life = life
        self._over: frozenset[SourcePartition] = frozenset()
        held = self.engine.partitions.items()
        self._predictions = {source for source, partition in held if partition.role is StreamRole.PREDICTIONS}

    @property
    def complete(self) -> bool:
        """Whether everything has been read."""
        return self._at_end()

    def run(self, stopping: Callable[[], bool]) -> Tally:
        """Go on to the end, or until told to stop: then panes that are open stay so."""
        super().run(stopping)
        if self._at_end():
            self._take(self.engine.finish(self._life.entries if self._life is not None else ()))
            self._commit(force=True)
            self._publish(None)
        return self.tally

    def _turn(self) -> None:
        super()._turn()
        for source, status in self._source.status().items():
            fed = self.engine.partitions[source].next_offset >= status.position
            if status.ended and fed and source not in self._over:
                self._over |= {source}
                if self._life is None and self._predictions <= self._over:
                    self.engine.end_of_predictions()
                self._take(self.engine.end(source))

    def _at_end(self) -> bool:
        return self._over >= self.engine.partitions.keys()

    # ------------------------------------------------------------------ not in a backtest
    def _limits(self, reading: EngineReading) -> tuple[tuple[str, int], ...]:
        """Files wait for one another all the time, which is nothing to be told."""
        return tuple((name, hits) for name, hits in super()._limits(reading) if name != "open_memory")

    def _admit_new(self) -> None:
        """Files are named once and for all."""

    def _mind_silence(self, now_s: float) -> None:
        """Nobody is silent here: who has nothing more to say has ended."""


def open_backtest(plan: Plan, first_offsets: Mapping[SourcePartition, int], life: Life | None) -> Opened:
    """A new engine at the beginning of the input: that of a life whose journal is known, else one of its own.

    Raises SourceError where the life has read other partitions than there are.
    """
    lineage = new_lineage(plan.name, first_offsets, b"backtest") if life is None else life.lineage
    engine = Engine(plan, lineage)
    engine.open(first_offsets)
    if life is not None:
        engine.replay_journal(life.entries)
        floored = {entry.source for entry in life.entries if isinstance(entry, Floored)}
        strangers = sorted((life.positions.keys() | floored) ^ first_offsets.keys())
        if strangers:
            raise SourceError(
                f"the journal is of a run with other partitions: {', '.join(map(str, strangers))} stand on one side "
                "only. Name one file (or folder, or pattern) for each partition, in the order of their numbers"
            )
    return Opened(engine, saving.Saver(engine))


class Window:
    """Rows with an event time from first_ms on and before end_ms (None: no bound); others were never there.

    seen_ms: the first and the last time among those that were let through; None before any.
    """

    def __init__(self, first_ms: int | None = None, end_ms: int | None = None) -> None:
        self._first_ms, self._end_ms = first_ms, end_ms
        self.seen_ms: tuple[int, int] | None = None

    def cut(self, batch: Batch) -> Batch:
        """The batch without what lies outside."""
        batch = self._cut(batch)
        if len(batch):
            first, last = self.seen_ms or (int(batch.times[0]), int(batch.times[0]))
            self.seen_ms = min(first, int(batch.times.min())), max(last, int(batch.times.max()))
        return batch

    def _cut(self, batch: Batch) -> Batch:
        kept = np.ones(len(batch), np.bool_)
        if self._first_ms is not None:
            kept &= batch.times >= self._first_ms
        if self._end_ms is not None:
            kept &= batch.times < self._end_ms
        return batch if kept.all() else _only(batch, np.flatnonzero(kept))


class Within:
    """A Decoding that keeps to the windows of topics."""

    def __init__(self, decoding: Decoding, windows: Mapping[str, Window]) -> None:
        self._decoding, self._windows = decoding, windows

    @property
    def pending(self) -> bool:
        """Whether records have been handed over that have not come back."""
        return self._decoding.pending

    def through(self, polled: Iterable[Records]) -> Iterator[Batch]:
        """Hand over records; yields batches that are ready, of earlier records first."""
        return map(self._cut, self._decoding.through(polled))

    def drain(self) -> Iterator[Batch]:
        """Whatever is pending."""
        return map(self._cut, self._decoding.drain())

    def close(self) -> None:
        """Release what decodes."""
        self._decoding.close()

    def _cut(self, batch: Batch) -> Batch:
        return self._windows[batch.source.topic].cut(batch)


def _only(batch: Batch, kept: IntArray) -> Batch:
    return dataclasses.replace(
        batch,
        offsets=batch.offsets[kept],
        times=batch.times[kept],
        keys=batch.keys[kept] if len(batch.keys) else batch.keys,
        numeric=batch.numeric[:, kept],
        codes=batch.codes[:, kept],
        status=batch.status[:, kept],
    )
