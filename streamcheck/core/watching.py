"""Who may look on while panes close? Reports do; nothing that is judged depends on it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streamcheck.core.alerts import Change
    from streamcheck.core.labelled import LabelledPane
    from streamcheck.core.monitors import Instance, Span
    from streamcheck.core.panes import PaneRows
    from streamcheck.core.summaries import Layout


class Watcher(Protocol):
    """Told of every pane that closes, in order; it must change nothing of what it is shown."""

    def pane(self, span: "Span", pane: "PaneRows", layouts: Mapping[str, "Layout"]) -> None:
        """Predictions of a pane, before its monitors see them."""

    def labelled(self, span: "Span", pane: "LabelledPane") -> None:
        """Rows whose label came in this pane."""

    def stepped(self, span: "Span", instance: "Instance", changes: Sequence["Change"]) -> None:
        """One monitor has judged the pane for one segment."""
