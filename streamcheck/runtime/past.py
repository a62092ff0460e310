"""What is known of a life whose state was lost: its journal, and how far its alerts have come."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from streamcheck.core.journal import Advanced, Floored, JournalEntry, Opened, Silent, Skipped, from_bytes, to_bytes
from streamcheck.core.orders import Ordered
from streamcheck.core.types import SourcePartition
from streamcheck.errors import StateError
from streamcheck.runtime.journal_log import numbered


@dataclass(frozen=True)
class Life:
    """One life of a state, as its journal tells it.

    lines: the journal's, by number. copied: how many of them, from the first on, are in the journal's topic.

    >>> life = begun("77ab", {SourcePartition("p", 0): 17})
    >>> life.lineage, life.positions, life.copied
    ('77ab', {SourcePartition(topic='p', partition=0): 17}, 0)
    """

    lines: tuple[bytes, ...]
    copied: int = 0

    @cached_property
    def entries(self) -> tuple[JournalEntry, ...]:
        """The lines, read."""
        return tuple(from_bytes(line) for line in self.lines)

    @property
    def opened(self) -> Opened:
        """The first entry of every life."""
        first = self.entries[0]
        assert isinstance(first, Opened), first
        return first

    @property
    def lineage(self) -> str:
        """Its name."""
        return self.opened.lineage

    @property
    def positions(self) -> dict[SourcePartition, int]:
        """Where it began to read."""
        return dict(self.opened.positions)

    @property
    def advanced_ms(self) -> int | None:
        """How far event time went in silence."""
        return max((entry.until_ms for entry in self.entries if isinstance(entry, Advanced)), default=None)

    def known_ms(self, pane_ms: int) -> int | None:
        """Up to where panes had closed, as far as the journal tells: silence, a partition that woke or came, orders."""
        floors = [entry.floor_ms for entry in self.entries if isinstance(entry, Floored)]
        silences = [entry for entry in self.entries if isinstance(entry, Advanced | Silent)]
        advances = [entry.until_ms // pane_ms * pane_ms for entry in silences]
        orders = [entry.at_ms for entry in self.entries if isinstance(entry, Ordered)]
        return max(floors + advances + orders, default=None)

    def skipped(self, source: SourcePartition, offset: int) -> int | None:
        """Where reading went on when it met a gap at this offset; None where it met none."""
        found = (
            entry.resumed_at
            for entry in self.entries
            if isinstance(entry, Skipped) and (entry.source, entry.offset) == (source, offset)
        )
        return next(found, None)

    @cached_property
    def unspoken(self) -> tuple[Floored, ...]:
        """Floors of partitions that were silent at the end, for what they may have brought since.

        A floor below what had closed then is no sign that a partition spoke: it is that of a gap in its silence.
        """
        silences = [entry for entry in self.entries if isinstance(entry, Silent)]
        floors = [entry for entry in self.entries if isinstance(entry, Floored)]
        return tuple(
            Floored(source, offset, silences[-1].until_ms)
            for source, offset in (silences[-1].read if silences else ())
            if not any(
                floor.source == source and floor.offset >= offset and floor.floor_ms >= silences[-1].until_ms
                for floor in floors
            )
        )

    def keyed(self) -> dict[str, bytes]:
        """The journal's part of a store."""
        return numbered(self.lines, self.copied)

    def after(self, own: tuple[bytes, ...]) -> "Life":
        """The life as a copy of its state and the journal's topic tell it together. own: lines of the state.

        Raises StateError where they contradict each other.
        """
        both = min(len(own), len(self.lines))
        for number, (ours, theirs) in enumerate(zip(own[:both], self.lines[:both], strict=True)):
            kind = type(from_bytes(ours))
            silent = kind in (Advanced, Silent) and type(from_bytes(theirs)) is kind
            if ours != theirs and not (silent and number == both - 1):
                raise StateError(
                    f"entry {number} of the journal is {ours.decode()} in the state and {theirs.decode()} in its copy: "
                    "the copy is of another life, or was changed. Name the right one with --journal"
                )
        return Life((*self.lines, *own[both:]), self.copied)


def begun(lineage: str, positions: Mapping[SourcePartition, int]) -> Life:
    """A life of which only its beginning is known."""
    return Life((to_bytes(Opened(lineage, tuple(sorted(positions.items())))),))


def lives(records: Iterable[tuple[int, bytes]], where: str) -> dict[str, Life]:
    """The lives in a journal's topic, in the order in which they began, by lineage.

    records: number and line. The last of each number counts: what was not known to have arrived was copied again, and
    silence that went on replaces its line. Raises StateError where a number is missing.
    """
    found: dict[str, dict[int, bytes]] = {}
    now: dict[int, bytes] | None = None
    for number, line in records:
        entry = from_bytes(line)
        if isinstance(entry, Opened):
            now = found.setdefault(entry.lineage, {})
        if now is None:
            raise StateError(
                f"{where} begins with {line.decode()}, not with the opening of a life: its beginning was removed. "
                "A journal is kept without limit (retention.ms=-1); name a whole one with --journal"
            )
        now[number] = line
    for lineage, lines in found.items():
        missing = sorted(set(range(max(lines) + 1)) - lines.keys())
        if missing:
            raise StateError(f"{where}: of lineage {lineage}, entries {missing[:10]} are missing of {max(lines) + 1}")
    return {
        lineage: Life(tuple(lines[number] for number in sorted(lines)), len(lines)) for lineage, lines in found.items()
    }


def from_file(content: bytes, where: str) -> dict[str, Life]:
    """The lives in a file with a line for each entry, as `state export --journal` writes it."""
    records: list[tuple[int, bytes]] = []
    for line in content.splitlines():
        number = 0 if isinstance(from_bytes(line), Opened) else (records[-1][0] + 1 if records else 0)
        records.append((number, line))
    return {lineage: Life(life.lines) for lineage, life in lives(records, where).items()}
