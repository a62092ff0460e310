"""How many rows were bad in the newest long and short windows of time?"""

from typing import NamedTuple


class Windows(NamedTuple):
    """A pair of windows with its factor; long and short: bad rows, and rows, in each."""

    factor: float
    long_ms: int
    long: tuple[int, int]
    short: tuple[int, int]


class ServiceSummary(NamedTuple):
    """All pairs, as of the end of a pane."""

    pairs: tuple[Windows, ...]
