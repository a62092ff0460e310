"""The journal: every input that is not in the topics, so that a replay can meet it again (DESIGN section 4, rule 8)."""

from dataclasses import dataclass

import orjson

from streamcheck.core.orders import Ordered, heard, told
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError


@dataclass(frozen=True, slots=True)
class Opened:
    """A state was created: its lineage and where reading began."""

    lineage: str
    positions: tuple[tuple[SourcePartition, int], ...]


@dataclass(frozen=True, slots=True)
class Floored:
    """From `offset` on the partition can no longer reach panes that end at `floor_ms` or before.

    It woke after silence, or is new.
    """

    source: SourcePartition
    offset: int
    floor_ms: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """All partitions were silent and event time went on with the wall clock.

    Panes that end at `until_ms` or before closed.
    """

    until_ms: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records from `offset` to `resumed_at` were removed by retention before they were read."""

    source: SourcePartition
    offset: int
    resumed_at: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Panes that end at `until_ms` or before had closed while these partitions were silent, each read up to an offset.

    Noted with alerts: should the state be lost, a replay must not count in those panes what the partitions bring later.
    """

    until_ms: int
    read: tuple[tuple[SourcePartition, int], ...]


JournalEntry = Opened | Floored | Advanced | Skipped | Silent | Ordered


def to_bytes(entry: JournalEntry) -> bytes:
    """One line of JSON.

    >>> to_bytes(Floored(SourcePartition("payments", 2), 17, 20000))
    b'{"kind":"floor","topic":"payments","partition":2,"offset":17,"floor_ms":20000}'
    """
    match entry:
        case Opened(lineage, positions):
            return orjson.dumps(
                {"kind": "open", "lineage": lineage, "positions": [[s.topic, s.partition, o] for s, o in positions]}
            )
        case Floored(source, offset, floor_ms):
            return orjson.dumps({"kind": "floor", **_place(source, offset), "floor_ms": floor_ms})
        case Advanced(until_ms):
            return orjson.dumps({"kind": "advance", "until_ms": until_ms})
        case Skipped(source, offset, resumed_at):
            return orjson.dumps({"kind": "skip", **_place(source, offset), "resumed_at": resumed_at})
        case Silent(until_ms, read):
            return orjson.dumps(
                {"kind": "silent", "until_ms": until_ms, "read": [[s.topic, s.partition, o] for s, o in read]}
            )
        case Ordered(at_ms, name, order):
            return orjson.dumps({"kind": "order", "at_ms": at_ms, "name": name, "order": told(order)})


def from_bytes(line: bytes) -> JournalEntry:
    """The entry of one line; StateError when it is not one.

    >>> from_bytes(b'{"kind":"advance","until_ms":5}')
    Advanced(until_ms=5)
    """
    try:
        read = orjson.loads(line)
        match read.get("kind"):
            case "open":
                return Opened(read["lineage"], tuple((SourcePartition(t, p), o) for t, p, o in read["positions"]))
            case "floor":
                return Floored(SourcePartition(read["topic"], read["partition"]), read["offset"], read["floor_ms"])
            case "advance":
                return Advanced(read["until_ms"])
            case "skip":
                return Skipped(SourcePartition(read["topic"], read["partition"]), read["offset"], read["resumed_at"])
            case "silent":
                return Silent(read["until_ms"], tuple((SourcePartition(t, p), o) for t, p, o in read["read"]))
            case "order":
                return Ordered(read["at_ms"], read["name"], heard(read["order"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"not a journal entry: {line[:200]!r}") from error
    raise StateError(f"a journal entry of unknown kind {read.get('kind')!r}: written by a newer streamcheck?")


def _place(source: SourcePartition, offset: int) -> dict[str, str | int]:
    return {"topic": source.topic, "partition": source.partition, "offset": offset}
