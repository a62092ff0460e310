"""Up to where is everything there? Who holds panes back, and who is only overheard."""

from collections.abc import Iterable

from streamcheck.core.partitions import Partition
from streamcheck.core.types import StreamRole


def complete_until(partitions: Iterable[Partition]) -> int:
    """Every pane that ends here or before holds all it will ever get; NEVER before any row.

    A KPI holds panes back while it is being read, not while it is silent, and never carries them on: one value a day
    with a wrong clock must not close the day's panes. Only where all else has ended (files) does it.
    """
    held = list(partitions)
    leading = [p for p in held if p.role is not StreamRole.KPI]
    leading = held if all(p.ended for p in leading) else leading
    awake = [p.watermark for p in leading if p.holds]
    # where nobody holds anything back, what the newest rows have completed is complete
    reached = min(awake) if awake else max(p.watermark for p in leading)
    return min([reached, *(p.watermark for p in held if p.role is StreamRole.KPI and p.holds)])
