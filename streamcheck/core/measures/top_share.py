"""Does one value suddenly stand behind many rows, as where one client, card or key bursts?"""

from collections.abc import Mapping
from typing import Any, ClassVar

from streamcheck.core.components import register
from streamcheck.core.measures._compared import RateMeasure
from streamcheck.core.measures.base import Needs, bare_signal
from streamcheck.core.summaries import TopSummary
from streamcheck.core.types import Signal
from streamcheck.core.wording import percent

NAME_MAX = 60


@register
class TopShare(RateMeasure):
    """Which share of the rows has the value that comes most often?

    It is chosen on one half of a pane's rows and counted on the other: the largest of a thousand shares would be large
    by chance, the more so the fewer rows there are. Of rows of one value that follow one another in a partition the
    first three count: a client's session is no burst. All values are counted, however many there are; one pane of them
    is in memory. 0 where no value comes twice.
    """

    revision: ClassVar[int] = 2

    needs = Needs.TOP
    direction: ClassVar[int] = 1
    unit: ClassVar[str] = "share of the most frequent value"

    def count(self, summary: TopSummary) -> tuple[int, int]:
        """Rows with it, of those with a value, in the half that counts."""
        return summary.events, summary.counted

    def signal(self, summary: TopSummary, reference: Any) -> Signal | None:
        """As of any share; without a reference that of all rows."""
        if reference is None and summary.ok:
            return bare_signal(summary.count / summary.ok, summary.ok)
        return super().signal(summary, reference)

    def told(self, summary: TopSummary, reference: Any) -> tuple[Mapping[str, Any], str]:
        """Which one."""
        if not summary.count:
            return {}, ""
        share = summary.count / summary.ok
        before = "" if reference is None else f" ({percent(reference.moment.mean)} before)"
        name = summary.name[:NAME_MAX]
        words = f"{percent(share)} of rows come from one value, {name}{before}"
        return {"top": {"value": name, "rows": summary.count, "share": share}}, words
