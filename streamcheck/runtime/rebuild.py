"""How is a lost state made again? By the same loop as ever, over the past that topics and journal hold.

Nothing is sent on the way: transitions up to the marker's have arrived and must come out the same; later ones are kept
in the outbox for the next run. Nor does the wall clock decide anything: who was silent, and how far time went then, is
what the journal says. Partitions that it does not know are left for the next run to find.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streamcheck.core import alerts, saving
from streamcheck.core.engine import Engine
from streamcheck.core.plan import Plan
from streamcheck.core.types import SourcePartition, Stray
from streamcheck.errors import StateError
from streamcheck.runtime.decoding import Decoding
from streamcheck.runtime.delivery import Outbox, StrayPost
from streamcheck.runtime.journal_log import PREFIX
from streamcheck.runtime.loop import Loop, LoopRules
from streamcheck.runtime.opening import Opened, match_topics, refuse_fewer, resume, say
from streamcheck.runtime.past import Life
from streamcheck.runtime.ports import Arrived, Clock, Commit, GapError, OutboxEntry, Source, Store, StraySink
from streamcheck.runtime.telemetry import Tally, Telemetry

log = logging.getLogger(__name__)

CAUSES = (
    "What can be behind it: retention or compaction has removed events since; the config's monitors were changed; "
    "the journal lacks entries; another release of streamcheck or numpy. The old state was left as it is"
)


PRINTS_MAX = 1_000_000
"""Transitions whose fingerprints are kept, the first ones: at about 120 B each, 120 MB. The digest covers all."""

Progress = Callable[[int, int, int], None]
"""Told about once a second: offsets read, offsets to be read, transitions made."""


class PastDiffers(StateError):  # noqa: N818 - a fact about the past
    """A replay does not give what has arrived. made: the first transition that differs, where it is known."""

    def __init__(self, message: str, made: OutboxEntry | None = None) -> None:
        super().__init__(message)
        self.made = made


class _Stamp(msgspec.Struct, frozen=True):
    lineage: str = ""
    sequence: int = 0


def of_lineage(records: Iterable[bytes], lineage: str) -> Iterable[tuple[int, bytes]]:
    """Sequence number and bytes of each alert record of one lineage; what is no alert record is passed over."""
    for record in records:
        try:
            stamp = msgspec.json.decode(record, type=_Stamp)
        except msgspec.DecodeError:
            continue  # a topic of one's own may hold other things as well
        if stamp.lineage == lineage:
            yield stamp.sequence, record


def prints(records: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """Fingerprints of the transitions that have arrived, by sequence number."""
    found: dict[int, bytes] = {}
    for sequence, record in records:
        if sequence <= PRINTS_MAX:
            found[sequence] = _print(record)
    return found


def _print(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=8).digest()


def differences(there: bytes, made: bytes) -> str:
    """In which fields do two alert records differ?

    >>> differences(b'{"id": "9f", "owner": "me"}', b'{"id": "9f", "owner": "you"}')
    "owner is 'me' there, 'you' in the replay"
    """
    one, other = (msgspec.json.decode(record, type=dict[str, object]) for record in (there, made))
    return "; ".join(
        f"{name} is {one.get(name)!r} there, {other.get(name)!r} in the replay"
        for name in dict.fromkeys((*one, *other))
        if one.get(name) != other.get(name)
    )


class Witness(Outbox):
    """The outbox of a replay: what has arrived must come out again, byte for byte; what comes after it stays.

    expected: the marker; None where nothing ever arrived. published: fingerprints of what has arrived, as far as they
    are known: with them the first transition that differs is noticed at once.
    """

    def __init__(self, store: Store, expected: Arrived | None, published: Mapping[int, bytes] | None = None) -> None:
        super().__init__(None, store)
        self._published = published or {}
        self._expected = expected or Arrived(0, "")
        self._reached = self._expected

    @property
    def expected(self) -> int:
        """The last transition that has arrived."""
        return self._expected.sequence

    @property
    def complete(self) -> bool:
        """Whether all that has arrived came out again, in the same bytes."""
        return self._reached.sequence >= self._expected.sequence

    def open(self, opened: Opened) -> None:
        """Go on from where the state stands."""
        engine = opened.engine
        self._reached = Arrived(engine.sequence, engine.digest)
        self.arrived, self.delivered = self._reached, engine.sequence
        self._store.delivered(engine.sequence)

    def add(self, entries: Sequence[OutboxEntry]) -> None:
        """Compare what has just been committed with what has arrived. Raises PastDiffers."""
        for entry in entries:
            digest = alerts.digest(self._reached.digest, entry.value.decode())
            self._reached = Arrived(entry.sequence, digest)
            if entry.sequence > self._expected.sequence:
                self._pending.append(entry)
                continue
            if self._published.get(entry.sequence, print_ := _print(entry.value)) != print_:
                raise PastDiffers(
                    f"the replay gives other alerts than those that have arrived: transition {entry.sequence} is the "
                    f"first that differs. {CAUSES}",
                    entry,
                )
            self.arrived, self.delivered = self._reached, entry.sequence
            if entry.sequence == self._expected.sequence and digest != self._expected.digest:
                raise PastDiffers(
                    f"the replay gives other alerts than those that have arrived: after transition {entry.sequence} "
                    f"their digest is {self._expected.digest}, the replay's {digest}. {CAUSES}"
                )
        if self.arrived is not None and entries:
            self._store.delivered(self.delivered)

    def deliver(self, digest: str, now_s: float) -> None:
        """Nothing: that is for the next run."""

    def refuse_incomplete(self) -> None:
        """Raise PastDiffers where the topics have ended before all that has arrived came out again."""
        if not self.complete:
            raise PastDiffers(
                f"the alerts topic holds {self._expected.sequence} transitions, the replay of the topics gives only "
                f"{self._reached.sequence}. {CAUSES}"
            )


class LaterStrays(StrayPost):
    """Dead letters and late events of a replay: those before the positions that were shown have arrived long ago."""

    def __init__(
        self, dead_letters: StraySink | None, late: StraySink | None, shown: Mapping[SourcePartition, int]
    ) -> None:
        super().__init__(dead_letters, late)
        self._shown = shown

    def send(self, strays: Sequence[Stray]) -> None:
        """Hand over what may never have been."""
        super().send([stray for stray in strays if stray.offset >= self._shown.get(stray.source, 0)])


class Replay(Loop):
    """A loop over the past of one life, up to where the topics ended at the start."""

    def __init__(
        self,
        life: Life,
        opened: Opened,
        source: Source,
        store: Store,
        witness: Witness,
        strays: StrayPost,
        decoding: Decoding,
        clock: Clock,
        telemetry: Telemetry,
        rules: LoopRules,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(opened, source, store, witness, strays, decoding, clock, telemetry, rules)
        self._progress = progress
        self._began = saving.positions(opened.engine)
        self._life = life
        self._witness = witness

    def run(self, stopping: Callable[[], bool]) -> Tally:
        """Replay. Raises PastDiffers; when told to stop before the end, the state is of no use."""
        tally = super().run(lambda: stopping() or self._witness.full)
        if self._at_end():
            self._settle()
            self._commit(force=True)
            self._witness.refuse_incomplete()
        return tally

    @property
    def done(self) -> bool:
        """Whether the next run can go on from here."""
        return self._witness.complete and (self._at_end() or self._witness.full)

    def _look(self) -> None:
        """As ever, and tell how far the replay has come."""
        super()._look()
        if self._progress is not None and self._ends is not None:
            due = {source: max(0, end - self._began.get(source, end)) for source, end in self._ends.items()}
            partitions = self.engine.partitions
            read = sum(min(partitions[source].next_offset - self._began[source], n) for source, n in due.items() if n)
            self._progress(read, sum(due.values()), self.engine.sequence)

    def _settle(self) -> None:
        """Close what the lost run had closed although some partition did not hold it back, being silent."""
        engine = self.engine
        pane_ms, known_ms = engine.plan.time.pane_ms, self._life.known_ms(engine.plan.time.pane_ms)
        by_clock = sorted((p.watermark, source) for source, p in engine.partitions.items() if p.holds)
        for watermark, source in by_clock:
            closed_ms = None if engine.open_from is None else engine.open_from * pane_ms
            behind = known_ms is not None and watermark < known_ms and (closed_ms is None or closed_ms < known_ms)
            if (behind or not self._caught_up) and not engine.partitions[source].reading_again:
                self._take(engine.set_idle(source))
        advanced_ms = self._life.advanced_ms
        if advanced_ms is not None and not any(p.holds for p in engine.partitions.values()):
            outcome = engine.advance(advanced_ms)
            outcome.journal.clear()  # the journal says so already
            self._take(outcome)

    @property
    def _caught_up(self) -> bool:
        return self.engine.sequence >= self._witness.expected

    # ------------------------------------------------------------------ not in a replay
    @property
    def _waits(self) -> bool:
        """Nothing is delivered here that one could wait for."""
        return self._strays.full or self._uncommitted

    def _admit_new(self) -> None:
        """The journal knows which partitions there were; others join when the next run finds them."""

    def _mind_silence(self, now_s: float) -> None:
        """Silence is in the journal; only where reading cannot go on without, the wall clock decides as ever."""
        if self._brake.paused:
            for source in self._silence.silent(self.engine, self._status, now_s):
                if self._has_ended(source):
                    self._take(self.engine.set_idle(source))

    def _skip(self, error: GapError) -> None:
        """Only a gap that the lost run met as well may be passed over."""
        first = error.available[0]
        if self._life.skipped(error.source, error.wanted) != first:
            raise StateError(
                f"{error.source}: the state was made from events at offsets {error.wanted} and up, but the topic holds "
                f"{error.available[0]} to {error.available[1]} (exclusive) now: it cannot be made again. Put a backup "
                "of the state back, from which the rest can be replayed; or begin a new life: "
                "`streamcheck state reset CONFIG`"
            ) from error
        outcome = self.engine.skip_gap(error.source, first)
        outcome.journal.clear()
        self._take(outcome)
        self._dirty = True

    def _deliver(self, now_s: float) -> None:
        """Neither alerts nor journal entries: a replay may still prove wrong."""

    def _show_progress(self) -> None:
        """Lag tools keep what the lost run has shown."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to. began_at: the transition behind which it began; pending: what the next run will send."""

    lineage: str
    arrived: int
    sequence: int
    began_at: int
    events: int
    pending: int

    @property
    def verified(self) -> int:
        """Transitions that were made again and compared."""
        return self.arrived - self.began_at


def open_past(plan: Plan, store: Store, source: Source, life: Life) -> Opened:
    """An engine at the beginning of a life, or where an older copy of its state stands; floors to come are known.

    The store holds the whole journal of that life then. Raises StateError, SourceError.
    """
    saved = store.load()
    if saved is None:
        engine = Engine(plan, life.lineage)
        saving.attach(engine, store.read)
        engine.open(life.positions)
        opened, known = Opened(engine, saving.Saver(engine), topics=source.topic_ids(), fresh=False), 0
    else:
        opened = resume(plan, saved)
        say(opened)
        match_topics(opened, source)
        engine = opened.engine
        own = tuple(opened.saved_journal[k] for k in sorted(opened.saved_journal) if k.startswith(PREFIX))
        life, known = life.after(own), len(own)
    opened.journal += life.unspoken
    engine.replay_journal((*life.entries[known:], *life.unspoken))
    refuse_fewer(opened, source)
    opened.saved_journal = life.keyed()
    change = opened.saver.take()
    store.commit(Commit(change.beside(opened.saved_journal), change.delete))
    return opened


def rebuild(
    plan: Plan,
    store: Store,
    source: Source,
    life: Life,
    expected: Arrived | None,
    strays: StrayPost,
    decoding: Decoding,
    clock: Clock,
    telemetry: Telemetry,
    rules: LoopRules,
    stopping: Callable[[], bool],
    *,
    published: Mapping[int, bytes] | None = None,
    progress: Progress | None = None,
) -> Rebuilt | None:
    """Make the state of a life again in `store`; None when told to stop before that was done.

    store: fresh, or with an older state of that life. Raises StateError where the past cannot be read any more, and
    PastDiffers where it does not give what has arrived.
    """
    opened = open_past(plan, store, source, life)
    began_at = opened.engine.sequence
    witness = Witness(store, expected, published)
    witness.open(opened)
    own = Life(tuple(opened.saved_journal[k] for k in sorted(opened.saved_journal) if k.startswith(PREFIX)))
    replay = Replay(own, opened, source, store, witness, strays, decoding, clock, telemetry, rules, progress)
    tally = replay.run(stopping)
    if not replay.done:
        return None
    engine = replay.engine
    arrived = expected.sequence if expected is not None else 0
    return Rebuilt(engine.lineage, arrived, engine.sequence, began_at, tally.events, len(witness))
