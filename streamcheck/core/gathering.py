"""Monitors that look at a column value by value, and gather some where one pane brings too few of each partition."""

from dataclasses import replace
from functools import reduce

import numpy as np

from streamcheck.core.components import State
from streamcheck.core.instances import Span
from streamcheck.core.measures.schema_changes import LOOKED_MIN
from streamcheck.core.measures.unit_change import UnitAccumulator, UnitChange, suspicious
from streamcheck.core.monitors import Asked, PaneInstance
from streamcheck.core.room import name_bytes
from streamcheck.core.summaries import StreamSummary, ValuesSummary
from streamcheck.core.summaries.stream import Names
from streamcheck.core.types import FloatArray, SourcePartition
from streamcheck.core.undeclared import NAME_CHARS_MAX, NAMES_MAX

GATHERED_MAX = 64
"""Values of one partition: enough to tell its unit from any other."""
PARTITIONS_MAX = 256
"""Partitions of which values are gathered: at 64 values of 8 bytes each, 128 KiB, and only while something is odd."""
GATHERED_BYTES = GATHERED_MAX * PARTITIONS_MAX * 8
LOOKED_BYTES = LOOKED_MIN * NAMES_MAX * name_bytes("x" * NAME_CHARS_MAX)
"""Of ten panes with one such event each: 140 KB."""


class GatheringInstance(PaneInstance):
    """As any, but while panes look odd each partition is judged by its newest GATHERED_MAX values, over panes."""

    gathered: dict[SourcePartition, FloatArray]

    def begin(self) -> None:
        """Nothing is gathered."""
        super().begin()
        self.gathered = {}

    @property
    def held_bytes(self) -> int:
        """What may be gathered as well."""
        return super().held_bytes + GATHERED_BYTES

    def ask(self, span: Span, summary: ValuesSummary) -> Asked:
        """What the pane says, with what came just before it."""
        assert self.normal is not None, self.spec.id
        assert isinstance(self.measure, UnitChange), self.spec.id
        content = self.normal.reference.baseline(span.start_ms)
        odd = isinstance(content, UnitAccumulator) and suspicious(summary, content)
        self.gathered = self._with(summary) if odd else {}
        if odd:
            return super().ask(span, replace(self._seen(summary), odd=True))
        signal = self.measure.as_ever(summary, content) if isinstance(content, UnitAccumulator) else None
        return self.asked(summary, content, (signal,))

    def _with(self, summary: ValuesSummary) -> dict[SourcePartition, FloatArray]:
        newest = dict(self.gathered)
        for source, values in summary.parts():
            if len(values) and (source in newest or len(newest) < PARTITIONS_MAX):
                newest[source] = np.concatenate([newest.get(source, values[:0]), values])[-GATHERED_MAX:]
        return dict(sorted(newest.items()))

    def _seen(self, summary: ValuesSummary) -> ValuesSummary:
        """The pane's values, and before them those of partitions that brought fewer than are gathered."""
        parts = [
            (source, values if len(values) >= GATHERED_MAX else self.gathered.get(source, values))
            for source, values in summary.parts()
        ]
        values = [part for _, part in parts]
        return replace(summary, values=np.concatenate(values), ends=np.cumsum([len(part) for part in values]))

    def export(self) -> State:
        """The state, sharing no memory."""
        held = [[source.topic, source.partition, values.copy()] for source, values in self.gathered.items()]
        return super().export() | {"gathered": held}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.gathered = {
            SourcePartition(topic, partition): np.asarray(values) for topic, partition, values in state["gathered"]
        }


class LookingInstance(PaneInstance):
    """As any, but undeclared fields are judged by the newest LOOKED_MIN events that were looked into, over panes."""

    looked: list[Names]

    def begin(self) -> None:
        """Nothing was looked into."""
        super().begin()
        self.looked = []

    @property
    def held_bytes(self) -> int:
        """What was found, pane by pane, as well."""
        return super().held_bytes + LOOKED_BYTES

    def ask(self, span: Span, summary: StreamSummary) -> Asked:
        """What the pane says, with what was found just before it where that was too little."""
        if summary.names is not None:
            self.looked.append(summary.names)
            while sum(names.rows for names in self.looked[1:]) >= LOOKED_MIN:
                del self.looked[0]
        known = summary.rows > 0 and sum(names.rows for names in self.looked) >= LOOKED_MIN
        return super().ask(span, replace(summary, names=reduce(Names.plus, self.looked) if known else None))

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {
            "looked": [[names.rows, [[*each] for each in names.counts]] for names in self.looked]
        }

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self.looked = [Names(rows, tuple((name, count) for name, count in counts)) for rows, counts in state["looked"]]
