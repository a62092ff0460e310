"""How long did it take, the time left out in which others had the processor?

Faults are found by waiting for what must follow, and recovery is promised in seconds. On a machine that many share, a
process may stand in line for most of a minute, which says nothing about it. Linux counts that for each process; where
nobody counts it, own time is the time of the clock.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


class OwnTime:
    """A monotonic clock that stands still while the watched processes stand in line."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._in_line: dict[int, float] = {}

    def watch(self, processes: Iterable[int]) -> None:
        """Look how long each has stood in line so far; to be called often, a process that has ended tells nothing."""
        for process in processes:
            with suppress(OSError, ValueError, IndexError):
                counted = int((self._proc / str(process) / "schedstat").read_text().split()[1]) / 1e9
                self._in_line[process] = max(counted, self._in_line.get(process, 0.0))

    def now(self) -> float:
        """Seconds; only differences mean something."""
        return time.monotonic() - sum(self._in_line.values())
