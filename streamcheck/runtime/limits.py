"""What happens where a limit bites: partitions that run ahead wait, and the log says so, once in a while."""

import logging
from collections.abc import Iterable

from streamcheck.core.engine import Engine
from streamcheck.core.types import SourcePartition
from streamcheck.core.wording import counted

log = logging.getLogger(__name__)

OPEN_BYTES_MAX = 512 << 20
PANES_A_BREATH = 32
"""Panes that close before the loop gives a sign of life again, and commits: a poll may complete tens of thousands. One
takes 5 ms, and 50 where much of the join is on disk: a stop waits no longer than 1.6 s."""
UNCOMMITTED_MAX = 200_000
"""Predictions and labels that closed panes brought to the join since the last commit; at 200 B each, 40 MB."""
SAY_AGAIN_S = 600.0
"""A limit that goes on biting is named in the log every ten minutes."""

ADVICE = {
    "categories": "distinct categories of a column in one pane beyond the limit count as __other__",
    "classes": "classes beyond the limit are never right; is the prediction a class at all?",
    "delivery": "reading waits until what is to be published (alerts, journal, strays) is taken again",
    "firing_shown": "alerts fire that are not on the page; all of them are in the alerts topic",
    "join_disk": "predictions left the join before their label (with a challenger: their labelled row) came: raise "
    "limits.join_disk, or lower the horizon",
    "monitor_memory": "references, windows or segments found no room: raise limits.monitor_memory, or lower "
    "limits.segments",
    "open_memory": "partitions that run ahead had to wait for one that is behind (nothing is lost); more may be open "
    "at once with limits.open_memory",
    "pane_rows": "rows of one source partition and pane beyond the limit count in no statistics: raise "
    "limits.pane_memory or limits.pane_rows, or use shorter panes",
    "pending_labels": "labels (with a challenger: labelled rows) left the join before their prediction came: raise "
    "limits.pending_labels",
    "readings_shown": "monitors of some segments run, and are not shown in gauges and pages",
    "set_aside": "events more than max_jump ahead of their partition were rejected, for the next rows did not confirm "
    "them: a wrong clock at a producer?",
    "segments": "rows of segment values beyond the limit count as __other__: raise limits.segments, or name another "
    "field",
    "window_rows": "rows left a window by time before their time: measure with `window: {rows: N}`, or a shorter time",
}


class Brake:
    """Which partitions must wait, so that the rows of open panes stay within `bytes_max`?

    Those that have brought all of the oldest open pane: whatever else they bring waits until that pane closes, and
    reading the others alone is what closes it. So there is always one to be read, and nothing can lock up. Timing
    decides when this begins; which rows count does not depend on it. hits: how often it began.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.paused: frozenset[SourcePartition] = frozenset()
        self.hits = 0

    def decide(self, *engines: Engine) -> bool:
        """Judge anew; whether `paused` has changed. Once braking, until half of the bytes are free.

        Several engines over one input: those that are ahead for all of them.
        """
        before = self.paused
        held = sum(partition.open_bytes for engine in engines for partition in engine.partitions.values())
        over = held > (self.bytes_max // 2 if before else self.bytes_max)
        self.paused = frozenset.intersection(*(engine.ahead() for engine in engines)) if over else frozenset()
        self.hits += bool(self.paused and not before)
        return self.paused != before


class LimitLog:
    """Names a limit in the log when it bites, and again at most every SAY_AGAIN_S. known: what is no news."""

    def __init__(self, known: Iterable[tuple[str, int]]) -> None:
        self._said = dict(known)
        self._at_s: dict[str, float] = {}

    def look(self, limits: Iterable[tuple[str, int]], now_s: float) -> None:
        """Compare the counters with what was said last. now_s: monotonic clock."""
        for name, hits in limits:
            new = hits - self._said.get(name, 0)
            if new > 0 and now_s - self._at_s.get(name, -SAY_AGAIN_S) >= SAY_AGAIN_S:
                times = counted(new, "time")
                log.warning("the limit %s has bitten %s: %s", name, times, ADVICE.get(name, "see the gauges"))
                self._said[name], self._at_s[name] = hits, now_s
