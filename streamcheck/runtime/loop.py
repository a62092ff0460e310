"""The loop: poll, decode, feed, commit, deliver. One thread of control; everything it decides is in the core.

The order of a commit, which a crash may cut anywhere:
1. dead letters and late events have arrived (the position to be committed covers them);
2. one store transaction: changed state, positions within it, journal, outbox;
3. the journal is copied, then the outbox delivered (what an alert depended on is in its topic first), and the store is
   told so;
4. progress is shown to lag tools.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from streamcheck.core import saving
from streamcheck.core.alerts import Alert
from streamcheck.core.engine import Engine, Outcome
from streamcheck.core.journal import JournalEntry
from streamcheck.core.types import Batch, SourcePartition
from streamcheck.runtime.decoding import Decoding
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.display import Display
from streamcheck.runtime.journal_log import JournalLog
from streamcheck.runtime.limits import OPEN_BYTES_MAX, PANES_A_BREATH, UNCOMMITTED_MAX, Brake
from streamcheck.runtime.opening import BASE, BOOK, TOPICS, Opened
from streamcheck.runtime.orders import OrderDesk
from streamcheck.runtime.ports import (
    Clock,
    Commit,
    GapError,
    JournalSink,
    OrderBox,
    OutboxEntry,
    PartitionStatus,
    Polled,
    Source,
    SourceUnavailable,
    Store,
)
from streamcheck.runtime.samples import Shown
from streamcheck.runtime.silence import SilenceWatch
from streamcheck.runtime.telemetry import BrokerReading, Phase, Tally, Telemetry

log = logging.getLogger(__name__)

POLL_S = 0.5
STATUS_EVERY_S = 1.0
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0

Listener = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class LoopRules:
    """How often to commit, when a partition counts as silent, when to pause, when to stop.

    until_end: stop where the topics ended at the start; skip_gaps: go on behind records that retention removed; pages:
    whether anybody may look at what happened lately; samples: what they see of rejected events.
    """

    commit_every_s: float = 5.0
    idle_after_s: float = 30.0
    open_bytes_max: int = OPEN_BYTES_MAX
    until_end: bool = False
    skip_gaps: bool = False
    pages: bool = False
    samples: Shown = "off"


class Loop:
    """Runs one engine over one source until told to stop."""

    def __init__(
        self,
        opened: Opened,
        source: Source,
        store: Store,
        outbox: Outbox,
        strays: StrayPost,
        decoding: Decoding,
        clock: Clock,
        telemetry: Telemetry,
        rules: LoopRules,
        listener: Listener | None = None,
        journal: JournalSink | None = None,
        orders: OrderBox | None = None,
    ) -> None:
        self.engine: Engine = opened.engine
        self._saver = opened.saver
        self._source = source
        self._store = store
        self._outbox = outbox
        self._strays = strays
        self._decoding = decoding
        self._clock = clock
        self._telemetry = telemetry
        self._rules = rules
        self._listener = listener
        self._journal_log = JournalLog(journal, opened.saved_journal)
        self._orders = OrderDesk(orders)
        self.tally = Tally()
        self._alerts: list[Alert] = []
        self._journal: list[JournalEntry] = list(opened.journal)
        self._book = opened.book
        self._digest = self.engine.digest
        self._topics = msgspec.json.encode(dict(sorted(opened.topics.items())))
        self._dirty = opened.fresh or bool(opened.journal)
        self._dirty_since_s: float | None = None
        self._last_commit_s = clock.monotonic()
        self._status_at_s = 0.0
        self._status: Mapping[SourcePartition, PartitionStatus] = {}
        self._ends: dict[SourcePartition, int] | None = None
        self._brake = Brake(rules.open_bytes_max)
        self._full, self._stops = False, 0
        self._stopping: Callable[[], bool] = bool
        self._display = Display(self.engine, telemetry, clock, pages=rules.pages, samples=rules.samples)
        self._display.known(self._limits())
        self._silence = SilenceWatch(rules.idle_after_s, self.engine.partitions, clock.monotonic())

    # ------------------------------------------------------------------ life
    def run(self, stopping: Callable[[], bool]) -> Tally:
        """Go on until `stopping` says so (or the end is reached, where the rules ask for that).

        Commits before it returns, unless the broker is away: what has not arrived there would hold the stop up.
        """
        self._stopping = stopping
        retry_s = 0.0
        resume: Callable[[], None] | None = self._begin
        begun = False
        while not stopping() and not self._at_end():
            try:
                if resume is not None:
                    resume()
                    resume, begun = None, True
                self._turn()
                retry_s = 0.0
            except GapError as error:
                self._feed(self._decoding.drain())
                self._skip(error)
                resume = self._start_behind_what_was_read
            except SourceUnavailable as error:
                retry_s = min(max(2 * retry_s, RETRY_FIRST_S), RETRY_MAX_S)
                self._lost(error, retry_s)
                self._wait(retry_s, stopping)
                self._silence.interrupted(self._clock.monotonic())
        self._telemetry.publish(replace(self._telemetry.read(), phase=Phase.STOPPING))
        if begun and self._source.trouble() is None:
            self._commit(force=True)
        elif begun:
            log.warning("stopped while the broker is away: the next run goes on from the last commit")
        self._publish(Phase.STOPPING)
        return self.tally

    def _begin(self) -> None:
        self._start(saving.positions(self.engine))
        self._look()
        for source, partition in self.engine.partitions.items():
            at = self._status.get(source)
            if (
                partition.idle
                and at is not None
                and at.high_watermark is not None
                and (partition.idle_at or 0) < at.high_watermark
            ):
                self._take(self.engine.wake(source))
        if self._dirty:
            self._commit(force=True)

    def _turn(self) -> None:
        """One poll and what follows from it."""
        full = self._waits
        self._stops += full and not self._full
        self._full = full
        polled = [] if full else self._poll(0.0 if self._decoding.pending else POLL_S)
        if full:
            self._clock.sleep(POLL_S)
        self._feed(self._decoding.through(polled) if polled else self._decoding.drain())
        now_s = self._clock.monotonic()
        self._mind_memory(now_s)
        if now_s - self._status_at_s >= STATUS_EVERY_S:
            self._look()
            if self._source.trouble() is None:
                self._mind_silence(now_s)
            else:
                self._silence.interrupted(now_s)
            for name, order in self._orders.fresh() if self.engine.open_from is not None else ():
                self._take(self.engine.obey(name, order))
            self._publish(None)
        self._breathe(now_s)

    def _breathe(self, now_s: float) -> None:
        """Give a sign of life; commit and deliver what is due."""
        self._telemetry.beat(now_s)
        due = now_s - self._last_commit_s >= self._rules.commit_every_s
        if due or self._alerts or self._strays.full or self._uncommitted:
            self._commit(force=False)
        self._deliver(now_s)

    def _poll(self, timeout_s: float) -> Sequence[Polled]:
        return self._source.poll(timeout_s)

    def _feed(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._silence.heard(batch, self._clock.monotonic())
            self.tally.events += len(batch) + len(batch.rejects.offsets)
            self._close(self.engine.feed(batch, PANES_A_BREATH))

    def _close(self, outcome: Outcome) -> None:
        """Take it, and close what the engine has left: it may be a long way."""
        self._take(outcome)
        while self.engine.behind and not self._stopping():
            self._breathe(self._clock.monotonic())
            self._take(self.engine.catch_up(PANES_A_BREATH))

    @property
    def _waits(self) -> bool:
        """Whether reading must wait for delivery, or for a commit."""
        return self._outbox.full or self._strays.full or self._journal_log.full or self._uncommitted

    def _take(self, outcome: Outcome) -> None:
        """Keep what must be committed; rejected events go on their way at once."""
        self._alerts += outcome.alerts
        self._journal += outcome.journal
        self._strays.send(outcome.strays)
        self._display.strays(outcome.strays)
        self.tally.panes += outcome.panes
        for note in outcome.notes:
            log.warning("%s", note)
        if outcome.panes or outcome.journal:
            self._dirty = True
            self._dirty_since_s = self._dirty_since_s or self._clock.monotonic()
        if self._listener is not None:
            self._listener(outcome)

    # ------------------------------------------------------------------ commit
    def _commit(self, *, force: bool) -> None:
        """Steps 1 to 4 above. Without a closed pane there is nothing to commit, but strays go out all the same."""
        now_s = self._clock.monotonic()
        if not self._strays.flush():
            return
        if self._dirty:
            self._commit_state()
            self._dirty, self._dirty_since_s = False, None
            self.tally.commits += 1
        self._last_commit_s = now_s
        if force:
            self._deliver(now_s)
        self._show_progress()

    def _commit_state(self) -> None:
        entries = tuple(OutboxEntry(alert.sequence, alert.id.encode(), alert.record) for alert in self._alerts)
        self._book = self._book.after(entry.value for entry in entries)
        change = self._saver.take()
        put = self._journal_log.commit([*self._journal, *(self.engine.silence() if entries else ())])
        if entries:
            put[BOOK] = self._book.export()
            if self._outbox.arrived is not None:
                put[BASE] = msgspec.json.encode(self._outbox.arrived)
        self._store.commit(Commit(change.beside({**put, TOPICS: self._topics}), change.delete, entries))
        self.tally.alerts += len(entries)
        self._orders.committed()
        self._journal, self._alerts = [], []
        self._digest = self.engine.digest
        self._outbox.add(entries)
        for alert in reversed(self._book.recent[: len(entries)]):
            log.info("alert %s: %s (%s, %s)", alert.state, alert.summary, alert.monitor, alert.severity)
        shown = replace(self._telemetry.read(), last_commit_ms=self._clock.now_ms(), commit_waiting_since_s=None)
        self._telemetry.publish(shown)

    def _deliver(self, now_s: float) -> None:
        """Step 3: send what is committed."""
        self._journal_log.deliver(now_s)
        self._outbox.deliver(self._digest, now_s)

    def _show_progress(self) -> None:
        """Step 4, for lag tools."""
        self._source.committed(saving.positions(self.engine))

    # ------------------------------------------------------------------ watching
    def _look(self) -> None:
        """Where reading stands, and whether partitions have been added."""
        self._status_at_s = self._clock.monotonic()
        self._settle()
        self._admit_new()
        self._status = self._source.status()
        if self._ends is None and all(s.high_watermark is not None for s in self._status.values()):
            self._ends = {source: s.high_watermark or 0 for source, s in self._status.items()}

    def _settle(self) -> None:
        """Silence is judged by all that was polled."""
        self._feed(self._decoding.drain())

    def _admit_new(self) -> None:
        """Partitions that have been added join."""
        new = sorted(set(self._source.partitions()) - self.engine.partitions.keys())
        if new:
            for source in new:
                log.info("%s is new: it joins from offset 0", source)
                self._take(self.engine.add_partition(source))
            self._start_behind_what_was_read()

    def _mind_silence(self, now_s: float) -> None:
        for source in self._silence.silent(self.engine, self._status, now_s):
            self._close(self.engine.set_idle(source, PANES_A_BREATH))
        until_ms = self._silence.advance_until_ms(self.engine, now_s)
        if until_ms is not None:
            self._take(self.engine.advance(until_ms))

    @property
    def _uncommitted(self) -> bool:
        """Whether more waits for a commit than memory is meant for."""
        return self.engine.closing.uncommitted >= UNCOMMITTED_MAX

    def _engines(self) -> tuple[Engine, ...]:
        return (self.engine,)

    def _mind_memory(self, now_s: float) -> None:
        """Partitions that run ahead wait while too many rows are open; that is no silence of theirs."""
        if self._brake.decide(*self._engines()):
            log.debug("waiting for those behind: %s", ", ".join(map(str, sorted(self._brake.paused))) or "none")
            self._source.pause(self._brake.paused)
        self._silence.held_back(self._brake.paused, now_s)

    def _limits(self) -> tuple[tuple[str, int], ...]:
        return (("open_memory", self._brake.hits), ("delivery", self._stops), ("firing_shown", self._book.hidden))

    def _undelivered(self) -> tuple[tuple[str, str], ...]:
        troubles = (("alerts", self._outbox), ("dead letters", self._strays), ("journal", self._journal_log))
        return tuple((name, post.trouble) for name, post in troubles if post.trouble)

    def _at_end(self) -> bool:
        if not self._rules.until_end or self._ends is None:
            return False
        return not self._decoding.pending and all(self._has_ended(source) for source in self._ends)

    def _has_ended(self, source: SourcePartition) -> bool:
        """Whether all has been read that the partition held at the start, records that are no events among it."""
        position = self._status[source].position if source in self._status else 0
        return max(self.engine.partitions[source].next_offset, position) >= (self._ends or {}).get(source, 0)

    def _skip(self, error: GapError) -> None:
        """Go on behind records that retention has removed, where the config allows it."""
        first = error.available[0]
        if not self._rules.skip_gaps or first < error.wanted:
            raise error
        log.warning("%s: offsets %d to %d were removed before they were read", error.source, error.wanted, first)
        self._take(self.engine.skip_gap(error.source, first))

    def _start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Read on from these positions; several partitions may have gaps."""
        while True:
            try:
                self._source.start(positions)
                break
            except GapError as error:
                self._skip(error)
                positions = {**positions, error.source: error.available[0]}
        if self._brake.paused:
            self._source.pause(self._brake.paused)

    def _start_behind_what_was_read(self) -> None:
        self._start({source: p.next_offset for source, p in self.engine.partitions.items()})

    def _lost(self, error: SourceUnavailable, retry_s: float) -> None:
        broker = self._telemetry.read().broker
        if broker.connected or not broker.message:
            log.error("%s; trying again until it is back", error)
            broker = BrokerReading(connected=False, since_ms=self._clock.now_ms(), message=str(error))
        log.debug("next try in %.1f s", retry_s)
        self._telemetry.publish(replace(self._telemetry.read(), broker=broker))

    def _wait(self, seconds: float, stopping: Callable[[], bool]) -> None:
        end_s = self._clock.monotonic() + seconds
        while not stopping() and self._clock.monotonic() < end_s:
            self._telemetry.beat(self._clock.monotonic())
            self._clock.sleep(min(POLL_S, seconds))

    def _publish(self, phase: Phase | None) -> None:
        lag = {source: max(0, (s.high_watermark or s.position) - s.position) for source, s in self._status.items()}
        behind = self._ends is None or any(
            self.engine.partitions[source].next_offset < end for source, end in self._ends.items()
        )
        self._display.publish(
            phase or (Phase.CATCHING_UP if behind else Phase.LIVE),
            self._source.trouble(),
            self._limits(),
            lag=tuple(sorted(lag.items())),
            commit_waiting_since_s=self._dirty_since_s,
            positions=tuple(sorted((source, s.position) for source, s in self._status.items())),
            held_back=self._brake.paused,
            undelivered=self._undelivered(),
            alerts=self._book,
            delivered=self._outbox.delivered,
            outbox=len(self._outbox),
            dead_letters=self._strays.sent,
        )
