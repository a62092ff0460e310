"""What is remembered of a whole stream in one pane."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """How many events came? rows: on time; late and rejected: accounted to this pane."""

    rows: int
    late: int = 0
    rejected: int = 0
