"""Who shares each monitor's part of the false-alarm budget, and since when is that settled?"""

from collections.abc import Mapping

from streamcheck.core.budgets import Grant, Roll, granted
from streamcheck.core.components import State
from streamcheck.core.instances import Instance
from streamcheck.core.plan import MonitorSpec, Plan, Segmentation
from streamcheck.core.profiles import segments_in
from streamcheck.core.segments import SegmentTable

Label = tuple[tuple[str, str], ...]


class Rolls:
    """The roll of each monitor that runs by segment, called once: when the first segment's reference is ready."""

    def __init__(self, plan: Plan, tables: Mapping[str, SegmentTable]) -> None:
        self._plan = plan
        self._tables = tables
        self._called: dict[str, Roll] = {}

    def grant(self, spec: MonitorSpec, number: int, label: Label) -> Grant:
        """What the budget grants a segment; as if the roll were called now, where it has not been yet."""
        budget, pane_ms = self._plan.budget, self._plan.time.pane_ms
        if spec.by is None or not spec.share:
            return granted(spec, budget, pane_ms)
        limit, known = self._plan.limits.segments, segments_in(spec, self._plan.profiles)
        if known is not None:  # settled from the beginning; who is not in the profile is never judged
            part = Roll(len(known)).share(1 if label in known else len(known) + 1, limit)
            return granted(spec, budget, pane_ms, part)
        roll = self._called.get(spec.id)
        part = (roll or self._present(spec.by)).share(number, limit)
        return granted(spec, budget, pane_ms, part, final=roll is not None)

    def due(self, spec: MonitorSpec, members: Mapping[int, Instance]) -> bool:
        """Whether the roll is to be called: it has not been, and the reference of one of these segments is ready."""
        if spec.by is None or not spec.share or spec.id in self._called:
            return False
        return any(m.ready for m in members.values() if m.grant is not None and not m.grant.final)

    def call(self, spec: MonitorSpec, members: Mapping[int, Instance]) -> None:
        """Settle the shares and calibrate all who are there."""
        assert spec.by is not None, spec.id
        self._called[spec.id] = self._present(spec.by)
        for number, member in members.items():
            member.calibrate(self.grant(spec, number, member.segment))

    def _present(self, by: Segmentation) -> Roll:
        table = self._tables[by.name]
        return Roll(len(table.keys) - 1, other=table.overflowed > 0)

    def export(self, spec: MonitorSpec) -> State:
        """The state of one monitor's roll, called before."""
        return self._called[spec.id].export()

    def restore(self, spec: MonitorSpec, state: State) -> None:
        """Continue where `export` stood."""
        self._called[spec.id] = Roll.restored(state)
