"""What the loop asks of the world: a source, a store, sinks, a clock. Adapters implement these; the core knows none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec
import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Schema
from streamcheck.core.types import IntArray, SourcePartition
from streamcheck.errors import DeliveryError, SourceError, StateError


@dataclass(frozen=True, slots=True, eq=False)
class RawBatch:
    """Undecoded records of ONE source partition, in offset order.

    n records: offsets and timestamps (n,) int64 (ms); values and keys: n bytes or None (a tombstone). headers: of each,
    as in a Kafka record (how many, then each), None where nobody wants them. encoded: values are as a topic holds them,
    in the format of its stream, and key and headers are the record's; else a value is the event in JSON (of a file, a
    scenario, a program), and `$key` and `$headers` are fields of it.
    faults: positions (offset, reason) at which the source could not produce a record: corrupt batch, missing codec, too
    large once decompressed. next_offset: where reading goes on.
    """

    source: SourcePartition
    offsets: IntArray
    timestamps: IntArray
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    next_offset: int
    faults: tuple[tuple[int, str], ...] = ()
    headers: Sequence[bytes | None] | None = None
    encoded: bool = False

    def only(self, offset: int) -> "RawBatch":
        """The same for the one record at `offset`, keeping no other alive."""
        at = int(np.searchsorted(self.offsets, offset))
        cut = slice(at, at + 1)
        columns = (self.offsets[cut].copy(), self.timestamps[cut].copy(), list(self.keys[cut]), list(self.values[cut]))
        headers = None if self.headers is None else Pieces.of(list(self.headers[cut]))
        return RawBatch(self.source, *columns, offset + 1, headers=headers, encoded=self.encoded)

    def cut(self, rows: slice, next_offset: int, faults: tuple[tuple[int, str], ...]) -> "RawBatch":
        """Some of the records, with these faults among them."""
        return replace(
            self,
            offsets=self.offsets[rows],
            timestamps=self.timestamps[rows],
            keys=self.keys[rows],
            values=self.values[rows],
            next_offset=next_offset,
            faults=faults,
            headers=None if self.headers is None else self.headers[rows],
        )

    def record(self, offset: int) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Key, value and headers of the record at `offset`; all None for a fault."""
        at = int(np.searchsorted(self.offsets, offset))
        if at < len(self.offsets) and self.offsets[at] == offset:
            return self.keys[at], self.values[at], None if self.headers is None else self.headers[at]
        return None, None, None


Records = RawBatch | ColumnBatch
"""What a source hands over: bytes, or what it has as columns already."""


class Section(msgspec.Struct, frozen=True):
    """A part of a file that can be read by itself, in any process.

    begin, end: bytes from the beginning of a line on and up to one; end None: the whole file. skip: rows to leave out.
    """

    path: str
    begin: int = 0
    end: int | None = None
    skip: int = 0


class Reader(Protocol):
    """Reads one section; offsets are row numbers from 0."""

    @property
    def done_bytes(self) -> int:
        """Bytes of the section that have been read, about."""

    @property
    def rows(self) -> int:
        """Rows that have been passed, those that were skipped included."""

    def read(self) -> Records | None:
        """The next rows; None at the end. Raises SourceError."""

    def close(self) -> None:
        """Release the file."""


OpenSection = Callable[[Section, Schema], Reader]


@dataclass(frozen=True, slots=True)
class Taken:
    """What has come of one turn at a section: rows passed and bytes read so far, and whether that was all of it."""

    rows: int
    bytes: int
    ended: bool


class Handed(Protocol):
    """A section that has been handed over. number: no other has it."""

    @property
    def number(self) -> int: ...  # noqa: D102

    @property
    def section(self) -> Section: ...  # noqa: D102

    @property
    def ended(self) -> bool:
        """Whether all of it has been taken; turns that come after are none."""

    def took(self, taken: Taken) -> int:
        """Be told of each turn, in the order in which they were handed over. Returns the offset of its row 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Unread:
    """The next records of ONE source partition, which nobody has read yet: who decodes them reads them as well.

    They are the next turn at a section; one with bounds has only one.
    """

    source: SourcePartition
    handed: Handed


Polled = RawBatch | ColumnBatch | Unread
"""What comes of a poll: records, or where they are."""


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """Where reading stands: next offset to read, high watermark and log start (None while unknown).

    ended: nothing will ever follow (a file has been read).
    """

    position: int
    high_watermark: int | None
    log_start: int | None = None
    ended: bool = False


class SourceUnavailable(SourceError):  # noqa: N818 - a state of the world that passes, not a mistake
    """The broker does not answer; it is worth trying again."""


class SinkUnavailable(DeliveryError):  # noqa: N818 - a state of the world that passes, not a mistake
    """Nobody takes what is to be delivered; it is worth trying again."""


class SinkLost(DeliveryError):  # noqa: N818 - named for what was found
    """Another run delivers in this one's place; trying again would only be in its way."""


class GapError(SourceError):
    """A position that the topic no longer has. `wanted`: the position; `available`: first and next offset there are."""

    def __init__(self, source: SourcePartition, wanted: int, available: tuple[int, int]) -> None:
        self.source = source
        self.wanted = wanted
        self.available = available
        first, end = available
        way_out = (
            f"retention removed {first - wanted} offsets; `on_gap: skip` goes on behind the gap, counted and journaled"
            if wanted < first
            else "it was truncated or made anew; give the config another `name`, or begin anew with --reset-state"
        )
        super().__init__(
            f"{source}: reading should go on at offset {wanted}, but the topic now holds {first} to {end} (exclusive): "
            + way_out
        )


def refuse_made_anew(known: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raises SourceError where a topic bears a known name and another id: positions mean other events there."""
    names = sorted(name for name, its in known.items() if found.get(name, its) != its)
    if names:
        raise SourceError(
            f"topic {' and '.join(map(repr, names))} was deleted and made again, or this is another cluster: the saved "
            "positions mean other events there. Give the config another `name`, or begin anew with --reset-state"
        )


class Source(Protocol):
    """Reads assigned partitions from given positions; one thread."""

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions of the configured topics, ascending. Raises SourceError for an unknown topic."""

    def topic_ids(self) -> Mapping[str, str]:
        """What the cluster calls each topic besides its name: made anew, a topic has another id.

        A topic whose cluster gives no ids is left out.
        """

    def start(self, positions: Mapping[SourcePartition, int]) -> None:
        """Begin reading at these offsets. Raises GapError where retention has removed one."""

    def poll(self, timeout_s: float) -> Sequence[Polled]:
        """The next records of any partitions; an empty list when none came in time.

        Raises SourceUnavailable while the broker is away, GapError where retention overtook reading.
        """

    def status(self) -> Mapping[SourcePartition, PartitionStatus]:
        """Position and high watermark of every assigned partition."""

    def trouble(self) -> str | None:
        """Why nothing can be read at the moment; None while all is well."""

    def pause(self, sources: frozenset[SourcePartition]) -> None:
        """Deliver nothing from these partitions until told otherwise; replaces the former set."""

    def committed(self, positions: Mapping[SourcePartition, int]) -> None:
        """Show progress to lag tools; the store, not this, decides where reading resumes."""

    def close(self) -> None:
        """Release the connection."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One alert transition on its way out: sequence number, key (alert id) and exact bytes."""

    sequence: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic step of the store. `put` and `delete` change keyed state; outbox entries are appended.

    digest: chained digest of all transitions up to the last sequence number.
    """

    put: Mapping[str, bytes]
    delete: frozenset[str] = frozenset()
    outbox: tuple[OutboxEntry, ...] = ()


def _no_shelf(key: str) -> bytes:
    raise StateError(f"the state has no part {key!r}")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a store holds: keyed state and the outbox entries not yet delivered. read: see Store.read."""

    state: Mapping[str, bytes] = field(default_factory=dict)
    outbox: tuple[OutboxEntry, ...] = ()
    read: Callable[[str], bytes] = field(default=_no_shelf, compare=False, repr=False)


class Store(Protocol):
    """Durable state. Raises StateError when what it finds is damaged, newer, or of another config."""

    def load(self) -> Saved | None:
        """What was committed last, but for the shelf (see core/shelf.py); None for a fresh store."""

    def read(self, key: str) -> bytes:
        """A part of the shelf. Raises StateError where it is missing or damaged."""

    def commit(self, commit: Commit) -> None:
        """Apply one step durably, all or nothing."""

    def delivered(self, sequence: int) -> None:
        """Outbox entries up to this sequence number have arrived."""

    def close(self) -> None:
        """Release the file."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """How far a lineage's transitions have come: all up to `sequence`, and their chained digest."""

    sequence: int
    digest: str


class AlertSink(Protocol):
    """Where alert transitions go, in sequence order."""

    def open(self, lineage: str) -> Arrived | None:
        """Fence predecessors and tell what has arrived of this lineage; None where it has never been here.

        Raises DeliveryError; SinkUnavailable where trying again may help.
        """

    def claim(self, arrived: Arrived) -> None:
        """Note that this lineage is here, before there is anything to send. Raises DeliveryError."""

    def send(self, entries: Sequence[OutboxEntry], digest: str, before: Arrived | None = None) -> None:
        """Deliver all entries, once.

        digest: of all transitions up to the last entry; before: how far those before the first go, None where nobody
        knows. Raises DeliveryError; SinkLost where others have arrived in their place.
        """

    def close(self) -> None:
        """Release the connection."""


@dataclass(frozen=True, slots=True)
class StrayRecord:
    """A dead letter or a late event: where it came from, why, and its original bytes.

    headers: as in a RawBatch; None where they are not known.
    """

    source: SourcePartition
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    headers: bytes | None = None


class StraySink(Protocol):
    """Where rejected (or late) events go: at least once, keyed by source position."""

    def send(self, records: Sequence[StrayRecord]) -> None:
        """Hand over; may return before they have arrived. Raises DeliveryError where too many wait; they are kept."""

    def flush(self) -> None:
        """Return once everything handed over has arrived. Raises DeliveryError."""

    def close(self) -> None:
        """Release the connection."""


class JournalSink(Protocol):
    """Where journal entries are copied to, for replays elsewhere: at least once, keyed by number."""

    def send(self, first: int, lines: Sequence[bytes]) -> None:
        """Return once the entries, numbered on from `first`, have arrived. Raises DeliveryError."""

    def close(self) -> None:
        """Release the connection."""


class OperationsSink(Protocol):
    """Where alerts about the service itself go: at least once, keyed by the alert's id."""

    def send(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Return once all (key, value) have arrived. Raises DeliveryError."""

    def close(self) -> None:
        """Release the connection."""


class OrderBox(Protocol):
    """Where people leave orders for a running service."""

    def waiting(self) -> Sequence[tuple[str, bytes]]:
        """Orders that have not been carried out, oldest first: name and content."""

    def done(self, names: Sequence[str]) -> None:
        """They are carried out, durably: forget them."""


class Clock(Protocol):
    """Wall time, for silence and back-off only; never for results."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
