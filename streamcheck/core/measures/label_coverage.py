"""Do predictions still get their labels, or has somebody stopped to send them?"""

from typing import ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs
from streamcheck.core.summaries import StreamSummary


@register
class LabelCoverage(RateMeasure):
    """Which share of the predictions got a label within the horizon, of those of which the pane decided that?

    A label decides when it meets its prediction, the horizon where none has come. So where labels stop for some, the
    share falls at once a little, and by all of them once the horizon has passed. Panes without a decision say nothing.
    """

    needs = Needs.STREAM
    direction: ClassVar[int] = -1
    unit: ClassVar[str] = "share of predictions that got a label"
    of_labels: ClassVar[bool] = True

    def count(self, summary: StreamSummary) -> tuple[int, int]:
        """Predictions that met their label, of those and the expired ones."""
        return summary.labelled, summary.labelled + summary.unlabelled
