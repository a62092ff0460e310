"""How a run begins: a new life at the start positions, or exactly where the last one was committed."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from streamcheck.core import alerts, saving
from streamcheck.core.engine import Engine
from streamcheck.core.journal import JournalEntry
from streamcheck.core.plan import Plan
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError, StateError
from streamcheck.runtime.journal_log import COPIED, PREFIX
from streamcheck.runtime.ports import Arrived, OutboxEntry, Saved, Source, Store, refuse_made_anew
from streamcheck.runtime.telemetry import AlertBook

log = logging.getLogger(__name__)

BOOK = "alert-book"
TOPICS = "topic-ids"
BASE = "outbox-base"
"""What had arrived when the outbox was last added to: from there the digest of each entry in it can be told."""


def new_lineage(config: str, positions: Mapping[SourcePartition, int], nonce: bytes) -> str:
    """The name of one life of a config's state: config name, start positions, and a nonce made when the state was."""
    places = [f"{source}:{offset}" for source, offset in sorted(positions.items())]
    return hashlib.blake2b("\n".join([config, *places]).encode() + nonce, digest_size=8).hexdigest()


@dataclass(slots=True)
class Opened:
    """An engine ready to go on, with what else the store held."""

    engine: Engine
    saver: saving.Saver
    journal: list[JournalEntry] = field(default_factory=list)
    """Entries made by opening itself, not committed yet."""
    saved_journal: Mapping[str, bytes] = field(default_factory=dict)
    """The store's part of the journal (see journal_log.py)."""
    outbox: tuple[OutboxEntry, ...] = ()
    base: Arrived | None = None
    """How far the transitions before some entry of the outbox go (see `digest_at`)."""
    book: AlertBook = field(default_factory=AlertBook)
    topics: Mapping[str, str] = field(default_factory=dict)
    """The ids of the topics that have been read (see `Source.topic_ids`)."""
    restarted: tuple[str, ...] = ()
    """Monitors that begin afresh because their config changed."""
    fresh: bool = True


def open_engine(
    plan: Plan, store: Store, source: Source, start: Callable[[], Mapping[SourcePartition, int]], nonce: bytes
) -> Opened:
    """The engine of the saved state, or of a new life at the positions that `start` gives (asked for only then).

    A topic that the state does not know (of a challenger that has come since) begins there as well.

    Raises StateError for a state that cannot be used, SourceError where partitions have vanished.
    """
    saved = store.load()
    if saved is None:
        positions = start()
        engine = Engine(plan, new_lineage(plan.name, positions, nonce))
        saving.attach(engine, store.read)
        outcome = engine.open(positions)
        log.info("a new state: lineage %s, %d partitions", engine.lineage, len(positions))
        return Opened(engine, saving.Saver(engine), outcome.journal, topics=source.topic_ids())
    opened = resume(plan, saved)
    say(opened)
    match_topics(opened, source)
    opened.journal += _match_partitions(opened, source, start)
    return opened


def resume(plan: Plan, saved: Saved) -> Opened:
    """The engine of a saved state. Raises StateError for one that cannot be used."""
    state = dict(saved.state)
    journal = {key: state.pop(key) for key in list(state) if key.startswith(PREFIX) or key == COPIED}
    book = AlertBook.restore(state.pop(BOOK)) if BOOK in state else AlertBook()
    base = _base(state.pop(BASE)) if BASE in state else None
    topics = _topics(state.pop(TOPICS)) if TOPICS in state else {}
    restored = saving.restore(plan, state, saved.read)
    opened = Opened(
        restored.engine,
        saving.Saver(restored.engine),
        saved_journal=journal,
        outbox=saved.outbox,
        base=base,
        book=book,
        topics=topics,
        restarted=restored.restarted,
        fresh=False,
    )
    opened.saver.resume(state)
    return opened


def say(opened: Opened) -> None:
    """Log what goes on, and what does not."""
    for monitor in opened.restarted:
        log.warning("monitor %s has a changed config: it starts afresh, its reference included", monitor)
    engine = opened.engine
    log.info("the saved state goes on: lineage %s, %d alert transitions", engine.lineage, engine.sequence)


def digest_at(opened: Opened, sequence: int) -> str | None:
    """The chained digest of the state's transitions up to `sequence`; None where the outbox begins later."""
    engine = opened.engine
    if sequence == engine.sequence:
        return engine.digest
    at = opened.base or Arrived(0, alerts.digest(engine.plan.name, engine.lineage))
    for entry in opened.outbox:
        if at.sequence < sequence and entry.sequence == at.sequence + 1:
            at = Arrived(entry.sequence, alerts.digest(at.digest, entry.value.decode()))
    return at.digest if at.sequence == sequence else None


def _base(saved: bytes) -> Arrived:
    try:
        return msgspec.json.decode(saved, type=Arrived)
    except msgspec.DecodeError as error:
        raise StateError(f"the saved state's {BASE} is damaged: {error}") from error


def _topics(saved: bytes) -> dict[str, str]:
    try:
        return msgspec.json.decode(saved, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise StateError(f"the saved state's {TOPICS} is damaged: {error}") from error


def match_topics(opened: Opened, source: Source) -> None:
    """Topics that are there now against those of the state. Raises SourceError for one that was made anew."""
    there = source.topic_ids()
    refuse_made_anew(opened.topics, there)
    opened.topics = {**opened.topics, **there}


def _match_partitions(
    opened: Opened, source: Source, start: Callable[[], Mapping[SourcePartition, int]]
) -> list[JournalEntry]:
    """Partitions that are there now against those of the state."""
    refuse_fewer(opened, source)
    engine = opened.engine
    added: list[JournalEntry] = []
    topics = {known.topic for known in engine.partitions}
    new = sorted(set(source.partitions()) - engine.partitions.keys())
    begins = start() if any(partition.topic not in topics for partition in new) else {}
    for partition in new:
        offset = 0 if partition.topic in topics else begins.get(partition, 0)
        log.info("%s is new: it joins from offset %d", partition, offset)
        added += engine.add_partition(partition, offset).journal
    return added


def refuse_fewer(opened: Opened, source: Source) -> None:
    """Raise SourceError where partitions that the state has read are not there any more."""
    there = set(source.partitions())
    gone = sorted(opened.engine.partitions.keys() - there)
    if gone:
        names = ", ".join(map(str, gone))
        raise SourceError(
            f"{names}: the saved state has read this, and it is not there any more. A topic that was made again, or "
            "another cluster? Go back to the old one, give the config another `name`, or begin anew with --reset-state"
        )
