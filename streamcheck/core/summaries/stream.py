"""What is remembered of a whole stream in one pane."""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

from streamcheck.core.types import SourcePartition


class Form(IntEnum):
    """What nearly all rows of a pane hold of one field; where no nearly all do: whether half of them have it."""

    PRESENT = 0
    ABSENT = 1
    OTHER_TYPE = 2
    MOST = 3
    SOME = 4


@dataclass(frozen=True, slots=True)
class Names:
    """Fields that no config declares: of so many rows that were looked at, how many hold each; ascending by name."""

    rows: int
    counts: tuple[tuple[str, int], ...]

    def plus(self, other: "Names") -> "Names":
        """Both together."""
        counts = Counter(dict(self.counts)) + Counter(dict(other.counts))
        return Names(self.rows + other.rows, tuple(sorted(counts.items())))


@dataclass(frozen=True, slots=True)
class Silence:
    """One source partition: for how long has it brought nothing? longest_ms: of its pauses so far; panes: with rows."""

    source: SourcePartition
    silent_ms: int
    longest_ms: int
    panes: int


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """How many events came? rows: on time; late and rejected: accounted to this pane.

    identified, repeated: predictions with an id, and those whose id had come before. forms: of each field by name,
    where there are rows enough to tell. silences: of the partitions of predictions. span_ms: of the pane. labelled,
    unlabelled: predictions of any pane that met their label in this one, and those whose horizon passed without.
    names: undeclared fields, None where nobody looked. usable: rows that have each field, in the order of forms.
    """

    rows: int
    late: int = 0
    rejected: int = 0
    identified: int = 0
    repeated: int = 0
    forms: tuple[tuple[str, Form], ...] = ()
    silences: tuple[Silence, ...] = ()
    span_ms: int = 1_000
    labelled: int = 0
    unlabelled: int = 0
    names: Names | None = None
    usable: tuple[int, ...] = ()

    @property
    def any(self) -> bool:
        """Whether any event came."""
        return bool(self.rows or self.late or self.rejected or self.identified)
