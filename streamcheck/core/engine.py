"""The engine: batches in, closed panes' alerts out. A pure state machine (DESIGN section 3).

One input + start positions + config + journal = one alert log, whatever the batching, the interleaving, crashes and
restarts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamcheck.core import alerts, records
from streamcheck.core.alerts import Alert, Change
from streamcheck.core.board import Board
from streamcheck.core.buffers import Mark
from streamcheck.core.closing import Closing
from streamcheck.core.components import State
from streamcheck.core.explaining import explained
from streamcheck.core.incidents import Incidents
from streamcheck.core.instances import Span
from streamcheck.core.journal import Advanced, Floored, JournalEntry, Opened, Silent, Skipped
from streamcheck.core.orders import Order, Ordered, Orders, obey
from streamcheck.core.partitions import NEVER, Partition
from streamcheck.core.plan import Plan
from streamcheck.core.readings import EngineReading, Segment
from streamcheck.core.remembering import Memory
from streamcheck.core.showing import reading_of
from streamcheck.core.types import Batch, SourcePartition, Stray, StreamRole
from streamcheck.core.watching import Watcher
from streamcheck.core.watermarks import complete_until

EMPTY_PANES_MAX = 10_000
"""Empty panes after which silence has said all it can (28 hours of 10 s panes); longer gaps cost nothing."""


@dataclass(slots=True)
class Outcome:
    """What one input brought about, in order."""

    alerts: list[Alert] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What there is to be told beside alerts: a reference that was cut, an order that was obeyed."""
    panes: int = 0


class Engine:
    """All state of one config; the runtime, a backtest and a test drive the same object.

    >>> from streamcheck.core.plan import Schema, TimeRules
    >>> predictions = Schema(StreamRole.PREDICTIONS, ("p",), None, None, (), 1024, 0)
    >>> engine = Engine(Plan("demo", predictions, None, None, TimeRules(), None, (), ()), "lineage")
    >>> engine.open({SourcePartition("p", 0): 0}).journal
    [Opened(lineage='lineage', positions=((SourcePartition(topic='p', partition=0), 0),))]
    """

    def __init__(self, plan: Plan, lineage: str) -> None:
        self.plan = plan
        self.lineage = lineage
        self.board = Board(plan)
        self.closing = Closing(plan, self.board)
        self.partitions: dict[SourcePartition, Partition] = {}
        self.open_from: int | None = None
        """The first pane that is still open; None before any row."""
        self.last_rows_pane: int | None = None
        self.sequence = 0
        self.digest = alerts.digest(plan.name, lineage)
        self.behind = False
        """Whether panes are complete that have not closed yet (see `catch_up`)."""
        self._heard_until: int | None = None
        """The pane from which on nobody knows how the predictions went on (see `end_of_predictions`)."""
        self.incidents = Incidents(plan.name, plan.time.pane_ms)
        self.orders = Orders()

    def watch(self, watcher: Watcher) -> None:
        """Show every pane that closes from now on to a watcher."""
        self.board.watcher = watcher
        for instance in self.board.instances():
            instance.watcher = watcher

    # ------------------------------------------------------------------ partitions
    def open(self, positions: Mapping[SourcePartition, int]) -> Outcome:
        """Begin a new life at these offsets."""
        assert not self.partitions, "already open"
        for source in sorted(positions):
            self._add(source, Mark(positions[source], NEVER, NEVER))
        return Outcome(journal=[Opened(self.lineage, tuple((s, positions[s]) for s in sorted(positions)))])

    def add_partition(self, source: SourcePartition, offset: int = 0) -> Outcome:
        """A partition that was made while running joins; it cannot reach panes that have closed.

        The journal says so even where none has closed: a replay must know that it was there from then on.
        """
        floor = NEVER if self.open_from is None else self.open_from * self.plan.time.pane_ms
        self._add(source, Mark(offset, NEVER, NEVER)).raise_floor(offset, floor)
        return Outcome(journal=[Floored(source, offset, floor)])

    def skip_gap(self, source: SourcePartition, resumed_at: int) -> Outcome:
        """Retention has removed records before they were read (again); go on behind the gap.

        With them may have gone what the partition's clock stood on, so what has closed meanwhile is closed to all rows
        that have never been read; those that have are known by their pane.
        """
        partition = self.partitions[source]
        entry = Skipped(source, partition.next_offset, resumed_at)
        assert resumed_at >= partition.next_offset, (
            f"{source}: a gap that ends at {resumed_at}, before {partition.next_offset}"
        )
        partition.pass_over(resumed_at)
        if partition.idle and partition.idle_at is not None:
            partition.idle_at = max(partition.idle_at, resumed_at)
        return Outcome(journal=[entry, *self._floor(partition, max(resumed_at, partition.read_until)).journal])

    def replay_journal(self, entries: Iterable[JournalEntry]) -> None:
        """Make known beforehand what a live run's journal says: floors of partitions, orders of people."""
        for entry in entries:
            if isinstance(entry, Ordered):
                to_come = entry.at_ms >= self._open_from() * self.plan.time.pane_ms
                if to_come and self.orders.is_new(entry.name):
                    self.orders.foresee(entry)
            if isinstance(entry, Floored):
                partition = self.partitions.get(entry.source) or self._add(
                    entry.source, Mark(entry.offset, NEVER, NEVER)
                )
                partition.raise_floor(entry.offset, entry.floor_ms)

    def _add(self, source: SourcePartition, start: Mark) -> Partition:
        assert source not in self.partitions, f"{source} is known"
        role = self.plan.role_of(source.topic)
        self.partitions[source] = Partition(source, role, self.plan.time, start, self.plan.limits)
        self.partitions = dict(sorted(self.partitions.items()))
        return self.partitions[source]

    # ------------------------------------------------------------------ input
    def feed(self, batch: Batch, panes_max: int | None = None) -> Outcome:
        """Take one batch in and close every pane that it completes. panes_max: but no more at once; see `catch_up`."""
        partition = self.partitions[batch.source]
        outcome = Outcome()
        if partition.idle and (len(batch) or len(batch.rejects.offsets)):
            heard = self._overhear if partition.role is StreamRole.KPI else self._wake
            outcome.journal += heard(partition, batch)
        outcome.strays = partition.feed(batch, self._open_from())
        self._close_ready(outcome, panes_max)
        return outcome

    def catch_up(self, panes_max: int | None = None) -> Outcome:
        """Close what `feed` or `set_idle` has left, while `behind`; a state may be saved in between, and lead on."""
        outcome = Outcome()
        self._close_ready(outcome, panes_max)
        return outcome

    def set_idle(self, source: SourcePartition, panes_max: int | None = None) -> Outcome:
        """The partition has been read to its end and has been silent for long: it holds no pane back any more."""
        partition = self.partitions[source]
        assert not partition.reading_again, (
            f"{source} is silent at {partition.next_offset}, but {partition.read_until} had been reached"
        )
        partition.idle, partition.idle_at = True, partition.next_offset
        return self.catch_up(panes_max)

    def wake(self, source: SourcePartition) -> Outcome:
        """An idle partition has new records that are not read yet (met at a restart): it counts again."""
        partition = self.partitions[source]
        assert partition.idle_at is not None, f"{source} is not idle"
        partition.idle = False
        return self._floor(partition, max(partition.idle_at, partition.read_until, partition.next_offset))

    def ahead(self) -> frozenset[SourcePartition]:
        """Partitions that have brought all of the oldest open pane: what more they bring can only wait."""
        oldest = min((min(p.buffers) for p in self.partitions.values() if p.buffers), default=NEVER)
        end = (oldest + 1) * self.plan.time.pane_ms
        return frozenset(source for source, p in self.partitions.items() if p.watermark >= end > NEVER)

    def advance(self, until_ms: int) -> Outcome:
        """All partitions are silent: close what ends at `until_ms` or before (DESIGN section 4, rule 6)."""
        assert not any(p.holds for p in self.partitions.values()), (
            "a partition that is not idle decides by its own rows"
        )
        outcome = Outcome()
        if self.open_from is not None and until_ms // self.plan.time.pane_ms > self.open_from:
            self._close_until(until_ms, outcome)
            outcome.journal.append(Advanced(until_ms))
        return outcome

    def silence(self) -> list[JournalEntry]:
        """Up to where panes have closed without those who are silent; nothing where nobody is."""
        idle = tuple((s, p.idle_at) for s, p in self.partitions.items() if p.idle and p.idle_at is not None)
        return [Silent(self.open_from * self.plan.time.pane_ms, idle)] if idle and self.open_from is not None else []

    def end(self, source: SourcePartition) -> Outcome:
        """Nothing will ever follow from this partition (the end of a file): it holds no pane back any more.

        What it has set aside counts first, while the panes of these rows cannot have closed yet.
        """
        self.partitions[source].end_of_input(self._open_from())
        self.partitions[source].ended = True
        return self.set_idle(source)

    def end_of_predictions(self) -> None:
        """Predictions have ended and labels may go on: that is no silence, so monitors of the stream stop here.

        Should predictions come after all, they go on.
        """
        streams = [p.watermark for p in self.partitions.values() if p.role is StreamRole.PREDICTIONS]
        self._heard_until = max(streams, default=NEVER) // self.plan.time.pane_ms

    def finish(self, journal: Iterable[JournalEntry] = ()) -> Outcome:
        """The input has ended (a file).

        Open panes close, and event time goes no further than a journal says it went.
        """
        outcome = Outcome()
        for partition in self.partitions.values():
            partition.end_of_input(self._open_from())
        advanced = [entry.until_ms for entry in journal if isinstance(entry, Advanced)]
        reached = max([p.watermark for p in self.partitions.values()] + advanced, default=NEVER)
        if reached > NEVER:  # a live run may have closed up to here, had the others been idle
            self._close_until(reached, outcome)
        ends = [(max(p.buffers) + 1) * self.plan.time.pane_ms for p in self.partitions.values() if p.buffers]
        if ends:
            self._close_until(max(ends), outcome, complete=False)
        return outcome

    def obey(self, name: str, order: Order) -> Outcome:
        """Do what a person has ordered, before the first pane that is open; nothing where it was done before.

        name: tells it from all other orders. Some pane must have closed.
        """
        assert self.open_from is not None, "nothing has been seen that an order could concern"
        outcome = Outcome()
        if self.orders.is_new(name):
            outcome.journal.append(Ordered(self.open_from * self.plan.time.pane_ms, name, order))
            self._carry_out(name, order, outcome)
        return outcome

    def _carry_out(self, name: str, order: Order, outcome: Outcome) -> None:
        changed, note = obey(order, self.plan.name, self.board.instances())
        self.board.mark(changed)
        self.orders.obeyed(name)
        outcome.notes += [note, *self.board.notes]
        self.board.notes.clear()

    def _obey_due(self, pane: int, outcome: Outcome) -> None:
        for entry in self.orders.due(pane * self.plan.time.pane_ms):
            self._carry_out(entry.name, entry.order, outcome)

    def _wake(self, partition: Partition, batch: Batch) -> list[JournalEntry]:
        """A partition that was out of the minimum speaks again: what has closed meanwhile is closed to it.

        Rejects alone do not bring it back into the minimum, but where they count must be on record as well.
        """
        assert partition.idle_at is not None
        new = [int(o) for o in (*batch.offsets[:1], *batch.rejects.offsets[:1])]
        fresh = batch.next_offset > partition.idle_at
        if len(batch) and int(batch.offsets[-1]) >= partition.idle_at:
            partition.idle = False
            if partition.role is StreamRole.PREDICTIONS:
                self._heard_until = None
        if not fresh:
            return []
        return self._floor(partition, max(min(new), partition.idle_at)).journal

    def _overhear(self, partition: Partition, batch: Batch) -> list[JournalEntry]:
        """A KPI that has been read to its end goes on without being waited for.

        What it says of panes that have closed counts in the first that is open, and is on record.
        """
        assert partition.idle_at is not None
        since = max(partition.idle_at, partition.read_until)
        partition.idle_at = max(partition.idle_at, batch.next_offset)
        behind = partition.first_behind(batch, since, self._open_from() * self.plan.time.pane_ms)
        return [] if behind is None else self._floor(partition, behind).journal

    def _floor(self, partition: Partition, offset: int) -> Outcome:
        floor = self._open_from() * self.plan.time.pane_ms
        replayed = any(at >= offset and known >= floor for at, known in partition.floors)  # from a journal
        if self.open_from is None or floor <= partition.watermark or replayed:
            return Outcome()
        partition.raise_floor(offset, floor)
        return Outcome(journal=[Floored(partition.source, offset, floor)])

    # ------------------------------------------------------------------ panes
    def _open_from(self) -> int:
        return NEVER if self.open_from is None else self.open_from

    def _close_ready(self, outcome: Outcome, panes_max: int | None) -> None:
        until_ms = complete_until(self.partitions.values())
        if until_ms > NEVER:
            self._close_until(until_ms, outcome, panes_max=panes_max)

    def _close_until(
        self, until_ms: int, outcome: Outcome, *, complete: bool = True, panes_max: int | None = None
    ) -> None:
        """Close every pane that ends at `until_ms` or before, empty ones too."""
        target = until_ms // self.plan.time.pane_ms
        self.behind = False
        if self.open_from is not None and target <= self.open_from:
            return
        for pane in sorted({pane for p in self.partitions.values() for pane in p.buffers if pane < target}):
            if panes_max is not None and outcome.panes >= panes_max:
                self.behind = True
                return
            self._pass_empty_panes(pane, outcome)
            self._close(pane, outcome, complete=complete)
        self._pass_empty_panes(target, outcome)
        self.open_from = target

    def _pass_empty_panes(self, until: int, outcome: Outcome) -> None:
        """Panes without a single event, up to `until`: only monitors of the stream notice them."""
        if self.last_rows_pane is None or self.open_from is None or not self.closing.watches_silence:
            return
        heard = until if self._heard_until is None else min(until, self._heard_until)
        for pane in range(self.open_from, min(heard, self.last_rows_pane + 1 + EMPTY_PANES_MAX)):
            self._obey_due(pane, outcome)
            self._publish(self._explained(self.closing.step_empty(self._span(pane))), outcome)
            self._remember(pane)
            outcome.panes += 1

    def _close(self, pane: int, outcome: Outcome, *, complete: bool) -> None:
        self._obey_due(pane, outcome)
        buffers = [(p, buffer) for p in self.partitions.values() if (buffer := p.close(pane)) is not None]
        heard = self._heard_until is None or pane < self._heard_until
        changes = self.closing.step(self._span(pane), buffers, complete=complete and heard)
        self._publish(self._explained(changes), outcome)
        self._remember(pane)
        self.open_from = pane + 1
        self.last_rows_pane = pane
        outcome.panes += 1

    def _remember(self, pane: int) -> None:
        if self.closing.memory is not None:
            self.closing.memory.closed(self._span(pane), self.board.judged)
        self.board.judged.clear()

    def _span(self, pane: int) -> Span:
        return Span(pane * self.plan.time.pane_ms, (pane + 1) * self.plan.time.pane_ms)

    def _explained(self, changes: list[Change]) -> list[Change]:
        return explained(changes, self.board.instances(), self.plan.time.pane_ms)

    def _publish(self, changes: list[Change], outcome: Outcome) -> None:
        outcome.notes += self.board.notes
        self.board.notes.clear()
        for change in changes:
            self.sequence += 1
            key = alerts.alert_id(self.plan.name, change.spec.id, change.segment, change.transition.opened_ms)
            incident = self.incidents.of(key, change.transition.opened_ms)
            if self.board.watcher is not None:
                self.board.watcher.published(change, key, incident)
            record = records.record(self.plan.name, self.lineage, self.sequence, incident, change)
            self.digest = alerts.digest(self.digest, record.decode())
            if change.transition.state == "resolved":
                self.incidents.close(key)
            outcome.alerts.append(
                Alert(self.sequence, key, change.transition.state, change.transition.severity, change.spec.id, record)
            )

    # ------------------------------------------------------------------ shown
    def remember(self) -> None:
        """From now on remember for pages what happens; nothing that is judged depends on it."""
        self.closing.memory = Memory(self.plan)

    def compare(self, asked: Iterable[tuple[str, Segment]]) -> None:
        """Compare the newest rows with references, where something is remembered. asked: segments, by column."""
        if self.closing.memory is not None:
            self.closing.memory.compare(asked, self.board.instances())

    def reading(self) -> EngineReading:
        """Everything to show, as one immutable value."""
        return reading_of(self)

    # ------------------------------------------------------------------ state
    def core_state(self) -> State:
        """The engine's own part of the state (see saving.py)."""
        return {
            "sequence": self.sequence,
            "digest": self.digest,
            "open_from": self.open_from,
            "last_rows_pane": self.last_rows_pane,
            "incidents": self.incidents.export(),
            "orders": self.orders.export(),
        }

    def restore_core(self, state: State) -> None:
        """Continue where `core_state` stood."""
        self.sequence, self.digest = state["sequence"], state["digest"]
        self.open_from, self.last_rows_pane = state["open_from"], state["last_rows_pane"]
        self.incidents.restore(state["incidents"])
        self.orders.restore(state["orders"])
