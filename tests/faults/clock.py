"""A machine whose wall clock is set while it runs: `follow(file)`, and then write seconds into the file.

Only the wall clock: the monotonic one goes on, as it does on a real machine.
"""

import time
from pathlib import Path


def follow(path: str) -> None:
    """From now on this process's wall clock is ahead by what stands in the file (negative: behind)."""
    from kafka.record.default_records import DefaultRecordBatchBuilder  # noqa: PLC0415

    control, real_time, real_time_ns = Path(path), time.time, time.time_ns

    def ahead_s() -> float:
        text = control.read_text() if control.exists() else ""
        return float(text or 0)

    def shifted() -> float:
        return real_time() + ahead_s()

    time.time = shifted
    time.time_ns = lambda: real_time_ns() + int(ahead_s() * 1e9)
    # the client has bound the function when it was imported
    append = DefaultRecordBatchBuilder.append
    assert real_time in append.__defaults__, "the client takes its timestamps from somewhere else"
    append.__defaults__ = tuple(shifted if each is real_time else each for each in append.__defaults__)


class Setter:
    """The other side: sets the clock of whoever follows `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.moment = f"clock:{path}"
        """For `Service.start`."""

    def ahead(self, seconds: float) -> None:
        """Set it, at once and as a whole."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self.path)
