"""Who may look on while panes close? Reports do; nothing that is judged depends on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamcheck.core.intervals import Interval
from streamcheck.core.plan import MonitorSpec

if TYPE_CHECKING:
    from streamcheck.core.alerts import Change
    from streamcheck.core.instances import Instance, Span
    from streamcheck.core.labelled import LabelledPane
    from streamcheck.core.panes import PaneRows
    from streamcheck.core.summaries import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One signal as it was judged, in the unit that people see; several in a pane where labels complete several blocks.

    start_ms, end_ms: the pane; level and baseline as in Signal; usual: where level lies in 95 of 100 panes when nothing
    has changed; score, threshold, drifting: the detector's word; normal: the reference's own content, to be read at
    once (it goes on growing).
    """

    spec: MonitorSpec
    segment: tuple[tuple[str, str], ...]
    start_ms: int
    end_ms: int
    rows: int
    level: float
    baseline: float | None
    usual: Interval | None
    score: float | None
    threshold: float | None
    drifting: bool
    normal: Any


class Watcher:
    """Told of every pane that closes, in order; it must change nothing of what it is shown. This one minds nothing."""

    def pane(self, span: "Span", pane: "PaneRows", layouts: Mapping[str, "Layout"]) -> None:
        """Predictions of a pane, before its monitors see them."""

    def labelled(self, span: "Span", pane: "LabelledPane") -> None:
        """Rows whose label came in this pane."""

    def judged(self, step: Step) -> None:
        """One monitor has judged one signal for one segment."""

    def stepped(self, span: "Span", instance: "Instance", changes: Sequence["Change"]) -> None:
        """One monitor has judged the pane for one segment."""

    def published(self, change: "Change", alert: str, incident: str) -> None:
        """An alert of this id, part of this incident, has changed its state."""
