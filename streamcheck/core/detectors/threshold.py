"""Threshold: is the signal above or below a line that the user has drawn?"""

from collections.abc import Mapping
from typing import ClassVar

from streamcheck.core.components import State, param, register
from streamcheck.core.detectors.base import PaneDetector
from streamcheck.core.types import Signal, Verdict
from streamcheck.errors import ParameterError

ROWS_MIN = 30
"""Rows below which a step is not judged, unless something else is given."""


@register
class Threshold(PaneDetector):
    """Is the value out of bounds? Drifts while it is above `above` or below `below`, whatever the reference says.

    The value is what people see: a mean, a share, a standard deviation, events per pane, in its own unit. It needs no
    reference, so that it is judged from the first pane on, and no new normal closes its alert. Only of measures that
    say how far it is from a reference (`psi`, `category_shift`, `category_share`, `unseen`, `dependence`, `outside`,
    an `edge_rate` whose limits are learned) it is judged once that is ready. Of those that say by themselves what is
    too much (`freshness`, `burn_rate`, `unit_change`, `schema_changes`) it is their value.

    `score` is the value and `threshold` the line it crossed, or else the nearer one; with direction -1 the value lies
    BELOW the line. `change_at`: the first of the steps in a row that were out of bounds on this side; a step of few
    rows neither drifts nor ends that run. State: where the run began.

    >>> accuracy = Signal(value=0.83, center=0.9, se=0.02, rows=200, level=0.83, baseline=0.9)
    >>> verdict = Threshold(below=0.85).step(accuracy, at_ms=60_000)
    >>> verdict.drifting, verdict.score, verdict.threshold, verdict.direction, verdict.change_at
    (True, 0.83, 0.85, -1, 60000)
    """

    example: ClassVar[Mapping[str, object]] = {"above": 3.0, "below": -3.0}

    above: float | None = param(None, doc="Drift above this value.")
    below: float | None = param(None, doc="Drift below this value.")
    rows_min: int | None = param(
        None, ge=1, doc="Rows below which a step is not judged; null: 30, but 1 where events are counted or awaited."
    )

    def check(self) -> None:
        """One line at least, and room between two."""
        if self.above is None and self.below is None:
            raise ParameterError("threshold needs above or below, or both: the value that counts as drift", "above")
        if self.above is not None and self.below is not None and self.below >= self.above:
            raise ParameterError(
                f"below ({self.below:g}) must be smaller than above ({self.above:g}): every value would drift", "below"
            )

    def setup(self) -> None:
        """Nothing seen yet."""
        self.check()
        self.by_value = False
        """Whether it judges not what people see, but the value that a measure says by itself what is too much of."""
        self.restart()

    def restart(self) -> None:
        """Out of bounds on neither side."""
        self.direction = 0
        self.since: int | None = None

    def step(self, signal: Signal, at_ms: int) -> Verdict:
        """Judge one more signal."""
        value = signal.value if self.by_value else signal.level
        if signal.rows < (ROWS_MIN if self.rows_min is None else self.rows_min):
            return Verdict(False, value, self._nearer(value))  # noqa: FBT003 (Verdict's first field)
        direction = self._side(value)
        if direction != self.direction:
            self.direction, self.since = direction, at_ms if direction else None
        return Verdict(direction != 0, value, self._nearer(value), self.since, direction)

    def _side(self, value: float) -> int:
        if self.above is not None and value > self.above:
            return 1
        return -1 if self.below is not None and value < self.below else 0

    def _nearer(self, value: float) -> float:
        lines = [line for line in (self.above, self.below) if line is not None]
        return min(lines, key=lambda line: abs(value - line))

    def export(self) -> State:
        """Where the run of steps out of bounds began, and on which side."""
        return {"direction": self.direction, "since": self.since}

    def restore(self, state: State) -> None:
        """Continue where `export` stood."""
        self.direction, self.since = state["direction"], state["since"]
