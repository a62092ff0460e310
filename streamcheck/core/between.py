"""Two named segments side by side: a monitor of how far a quality of one lies above that of the other."""

from streamcheck.core.bounded import BoundedInstance
from streamcheck.core.components import State
from streamcheck.core.measures.segment_gap import SegmentGap, difference
from streamcheck.core.monitors import PaneInstance
from streamcheck.core.summaries import LabelledRows, Moment


class BetweenInstance(PaneInstance):
    """Rows of both segments are summed up until both have `block_rows`: their difference is a signal."""

    def prepare(self) -> None:
        """Nothing of either side yet."""
        super().prepare()
        self._sides = [Moment(), Moment()]

    def take(self, first: LabelledRows | None, second: LabelledRows | None) -> list[Moment]:
        """Rows that a pane completed of either segment: the difference, once there are enough of both."""
        assert isinstance(self.measure, SegmentGap), self.spec.id
        for side, rows in enumerate((first, second)):
            if rows is not None:
                self._sides[side] = self._sides[side] + Moment.of(self.measure.values(rows))
        if min(side.n for side in self._sides) < self.spec.block_rows:
            return []
        made, self._sides = difference(*self._sides), [Moment(), Moment()]
        return [made]

    def export(self) -> State:
        """The state, sharing no memory."""
        return super().export() | {"sides": [[side.n, side.total, side.square] for side in self._sides]}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        super().restore(state)
        self._sides = [Moment(int(n), total, square) for n, total, square in state["sides"]]


class BetweenLimit(BetweenInstance, BoundedInstance):
    """Against a limit of the user's."""
