"""How long has each source partition been silent, in event time, and how long was it before? By panes that closed."""

from collections.abc import Iterable

from streamcheck.core.components import State
from streamcheck.core.summaries.stream import Silence
from streamcheck.core.types import SourcePartition


class Silences:
    """Of every partition that has brought rows: panes with rows, the end of the newest, the longest pause.

    >>> p, silences = SourcePartition("p", 0), Silences()
    >>> [silences.step(at, at + 10, [p] if at in (0, 10, 40) else ())[0].silent_ms for at in range(0, 60, 10)]
    [0, 0, 10, 20, 0, 10]
    >>> silences.step(60, 70, ())
    (Silence(source=SourcePartition(topic='p', partition=0), silent_ms=20, longest_ms=20, panes=3),)
    """

    def __init__(self) -> None:
        self._known: dict[SourcePartition, list[int]] = {}

    def step(self, start_ms: int, end_ms: int, heard: Iterable[SourcePartition]) -> tuple[Silence, ...]:
        """A pane has closed, with rows of these partitions."""
        for source in heard:
            known = self._known.setdefault(source, [0, start_ms, 0])
            known[:] = known[0] + 1, end_ms, max(known[2], start_ms - known[1])
        return tuple(
            Silence(source, end_ms - newest, longest, panes)
            for source, (panes, newest, longest) in sorted(self._known.items())
        )

    def export(self) -> State:
        """The state, sharing no memory."""
        return {"known": [[source.topic, source.partition, *numbers] for source, numbers in self._known.items()]}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self._known = {SourcePartition(topic, at): list(numbers) for topic, at, *numbers in state["known"]}
