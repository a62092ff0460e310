"""What would have fired? The same loop as ever, over an input that ends; one config or several, in one pass.

The wall clock decides nothing here: a partition is out of the minimum once it has been read to its end, and the end of
all closes the panes that are open. How predictions went on behind the end of their files nobody knows, so their volume
counts no longer while labels go on. With the journal of a life, that life is lived again: its name, its floors, how far
its time went in silence.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamcheck.core import saving
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.journal import Floored
from streamcheck.core.plan import Plan
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.errors import SourceError
from streamcheck.runtime.bounds import Reach, Windows
from streamcheck.runtime.decoding import Decoding
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.limits import UNCOMMITTED_MAX
from streamcheck.runtime.loop import Listener, Loop, LoopRules
from streamcheck.runtime.opening import Opened, match_topics, new_lineage, refuse_fewer, resume
from streamcheck.runtime.past import Life
from streamcheck.runtime.ports import Clock, Commit, GapError, Polled, Saved, Source, Store
from streamcheck.runtime.telemetry import Tally, Telemetry

log = logging.getLogger(__name__)


class Lane:
    """One config more, over the same input as the first: its engine, what counts for it, who hears of it."""

    def __init__(self, opened: Opened, windows: Windows, listener: Listener, store: Store) -> None:
        self.engine: Engine = opened.engine
        self._store = store
        self._saver = opened.saver
        self._windows = windows
        self._listener = listener

    def feed(self, batch: Batch) -> None:
        """Take one batch in."""
        self.hear(self.engine.feed(self._windows.cut(batch)))

    def hear(self, outcome: Outcome) -> None:
        """Something has come of it."""
        self._listener(outcome)

    def forget(self) -> None:
        """Let go of what the store of a run would have been given."""
        change = self._saver.take()
        self._store.commit(Commit(change.put, change.delete))


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes whose streams are declared in another way than the first config's: their records are decoded anew."""

    decoding: Decoding
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the input counts, and for whom.

    windows: of the first config; alike: lanes with the same streams; groups: others; reach: where reading may stop;
    enough: tells the source so.
    """

    windows: Windows
    reach: Reach = field(default_factory=lambda: Reach({}))
    enough: Callable[[SourcePartition], None] = lambda _: None
    alike: tuple[Lane, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All but the first config's."""
        return (*self.alike, *(lane for group in self.groups for lane in group.lanes))


class Backtest(Loop):
    """A loop over sources that end. store: for what the label join has no memory for.

    gaps: what retention had removed before it was read.
    """

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
        scope: Scope,
        store: Store,
    ) -> None:
        strays = StrayPost(None, None)
        super().__init__(opened, source, store, outbox, strays, decoding, clock, telemetry, rules, listener)
        self._life = life
        self._scope = scope
        self._polled: Sequence[Polled] = ()
        self._over: frozenset[SourcePartition] = frozenset()
        self.gaps: list[tuple[SourcePartition, int, int]] = []
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
            entries = self._life.entries if self._life is not None else ()
            self._take(self.engine.finish(entries))
            for lane in self._scope.lanes:
                lane.hear(lane.engine.finish(entries))
            self._commit(force=True)
            self._publish(None)
        return self.tally

    # ------------------------------------------------------------------ reading
    def _begin(self) -> None:
        """Who was silent in a state counts again: of a file only its end tells that nothing more comes."""
        super()._begin()
        for engine, take in ((self.engine, self._take), *((lane.engine, lane.hear) for lane in self._scope.lanes)):
            for source, partition in engine.partitions.items():
                if partition.idle and source not in self._over:
                    take(engine.wake(source))

    def _poll(self, timeout_s: float) -> Sequence[Polled]:
        self._polled = super()._poll(timeout_s)
        return self._polled

    def _feed(self, batches: Iterable[Batch]) -> None:
        super()._feed(self._shared(batches))

    def _shared(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches as they count for the first config; all others see them, too."""
        scope = self._scope
        for number, whole in enumerate(batches):
            batch = scope.reach.cut(whole)
            for lane in scope.alike:
                lane.feed(batch)
            for group in scope.groups:
                [same] = group.decoding.through([self._polled[number]])
                for lane in group.lanes:
                    lane.feed(scope.reach.until(same))
            yield scope.windows.cut(batch)

    def _turn(self) -> None:
        super()._turn()
        for source, status in self._source.status().items():
            if source in self._over:
                continue
            fed = not self._decoding.pending or self.engine.partitions[source].next_offset >= status.position
            if source in self._scope.reach.stopped:
                self._scope.enough(source)
                self._end(source, self._scope.reach.stopped[source])
            elif status.ended and fed:
                self._end(source, status.position)

    def _end(self, source: SourcePartition, position: int) -> None:
        self._over |= {source}
        for engine in self._engines():
            _pass_what_holds_no_events(engine, source, position)
        silent = self._life is None and self._predictions <= self._over
        for lane in self._scope.lanes:
            if silent:
                lane.engine.end_of_predictions()
            lane.hear(lane.engine.end(source))
        if silent:
            self.engine.end_of_predictions()
        self._take(self.engine.end(source))

    def _at_end(self) -> bool:
        return self._over >= self.engine.partitions.keys()

    def _skip(self, error: GapError) -> None:
        """What retention has removed cannot be had any more; but a run that had read it cannot be lived again."""
        first = error.available[0]
        if self._life is not None and self._life.skipped(error.source, error.wanted) != first:
            raise SourceError(
                f"{error.source}: the run began at offset {error.wanted}, but the topic holds {first} to "
                f"{error.available[1]} (exclusive) now: it cannot be lived again from the topic. Leave --journal out, "
                "or go on from a snapshot of its state with --state"
            ) from error
        if first < error.wanted:
            raise error
        log.warning("%s: retention has removed offsets %d to %d meanwhile", error.source, error.wanted, first)
        self.gaps.append((error.source, error.wanted, first))
        outcome = self.engine.skip_gap(error.source, first)
        if self._life is not None:
            outcome.journal.clear()  # the journal says so already
        self._take(outcome)
        for lane in self._scope.lanes:
            lane.hear(lane.engine.skip_gap(error.source, first))

    # ------------------------------------------------------------------ several configs
    def _engines(self) -> tuple[Engine, ...]:
        return (self.engine, *(lane.engine for lane in self._scope.lanes))

    @property
    def _uncommitted(self) -> bool:
        return any(engine.closing.uncommitted >= UNCOMMITTED_MAX for engine in self._engines())

    def _commit(self, *, force: bool) -> None:
        super()._commit(force=force)
        for lane in self._scope.lanes:
            lane.forget()

    # ------------------------------------------------------------------ not in a backtest
    def _limits(self) -> tuple[tuple[str, int], ...]:
        """Files wait for one another all the time, which is nothing to be told."""
        return tuple((name, hits) for name, hits in super()._limits() if name != "open_memory")

    def _settle(self) -> None:
        """Those who decode go on meanwhile: nothing here is judged by silence."""

    def _admit_new(self) -> None:
        """What is to be read is named once and for all."""

    def _mind_silence(self, now_s: float) -> None:
        """Nobody is silent here: who has nothing more to say has ended."""


def _pass_what_holds_no_events(engine: Engine, source: SourcePartition, position: int) -> None:
    """Behind the last event there may be marks of transactions, which a state has counted as read.

    Raises SourceError where the input ends before what a state has read.
    """
    partition = engine.partitions[source]
    if partition.reading_again and partition.read_until <= position:
        partition.pass_over(partition.read_until)
    if partition.reading_again:
        raise SourceError(
            f"{source}: the state was made from events up to offset {partition.read_until}, the input ends at "
            f"{position}: name all of it, and no --to before the moment of the snapshot"
        )


def open_backtest(
    plan: Plan,
    first_offsets: Mapping[SourcePartition, int],
    life: Life | None,
    saved: Saved | None,
    source: Source,
    store: Store,
) -> Opened:
    """A new engine at the beginning of the input: that of a life whose journal is known, else one of its own.

    saved: a state to go on from instead; nothing is ever written to it. store: for what the label join has no memory
    for. Raises SourceError where the life has read other partitions than there are, StateError for a state that is none
    of this config's.
    """
    if saved is not None:
        return _resumed(plan, first_offsets, life, replace(saved, read=store.read), source)
    lineage = new_lineage(plan.name, first_offsets, b"backtest") if life is None else life.lineage
    engine = Engine(plan, lineage)
    saving.attach(engine, store.read)
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


def _resumed(
    plan: Plan, first_offsets: Mapping[SourcePartition, int], life: Life | None, saved: Saved, source: Source
) -> Opened:
    opened = resume(plan, saved)
    for monitor in opened.restarted:
        log.warning("monitor %s is another one than in the state: it starts afresh, its reference included", monitor)
    match_topics(opened, source)
    refuse_fewer(opened, source)
    engine = opened.engine
    if life is not None:
        engine.replay_journal(life.entries)
    for partition in sorted(first_offsets.keys() - engine.partitions.keys()):
        engine.add_partition(partition, first_offsets[partition])
    opened.outbox = ()
    opened.fresh = True
    return opened
