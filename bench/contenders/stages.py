"""Where does the time of a run go? Clocks around the methods between which it passes from stage to stage.

The core has no clocks and gets none: methods are wrapped from outside, those that are called once per batch, pane or
commit. A stage's time is its own: what it calls of other stages counts there.
"""

import importlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

READ = "fetch, unpack"
DETECTORS = "detectors"
BOUNDARIES = {
    "streamcheck.adapters.kafka.source:KafkaSource.poll": READ,
    "streamcheck.adapters.files.source:FilesSource.poll": READ,
    "streamcheck.runtime.decode.parser:Parser.parse": "parse",
    "streamcheck.runtime.decode.decoder:Decoder.decode": "columns",
    "streamcheck.core.partitions:Partition.feed": "assign, buffer",
    "streamcheck.core.engine:Engine.feed": "closing",
    "streamcheck.core.panes:PaneRows.__init__": "order rows, segments",
    "streamcheck.core.board:Board.number_segments": "order rows, segments",
    "streamcheck.core.panes:PaneRows.numeric_summary": "fold",
    "streamcheck.core.panes:PaneRows.coded_summary": "fold",
    "streamcheck.core.stepping:Stepping._step": "measures, references, alerts",
    "streamcheck.core.detectors._bank:Bank.step": DETECTORS,
    "streamcheck.core.detectors._bank:Bank.judge": DETECTORS,
    "streamcheck.core.detectors._course:Course.__init__": DETECTORS,
    "streamcheck.core.row_monitors:RowInstance.step": "measures, references, alerts",
    "streamcheck.core.board:Board.step_labelled": "labelled rows, windows",
    "streamcheck.core.join:Join.step": "join",
    "streamcheck.runtime.loop:Loop._commit_state": "commit",
    "streamcheck.runtime.delivery:Outbox.deliver": "publish",
    "streamcheck.runtime.delivery:StrayPost.flush": "publish",
    "streamcheck.runtime.loop:Loop._publish": "readings for pages",
    "streamcheck.runtime.loop:Loop._turn": "loop",
}
"""Every one must be there: a method that has moved is named, instead of its time being counted elsewhere."""
REST = "start, stop"


class Stages:
    """Seconds and CPU seconds by stage, of one thread. calls: how often it was entered."""

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = defaultdict(float)
        self.cpu_s: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._stack = [REST]
        self._since = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.thread_time()

    def _turn(self) -> None:
        """What has passed since the last turn belongs to the innermost stage."""
        now = self._now()
        self.wall_s[self._stack[-1]] += now[0] - self._since[0]
        self.cpu_s[self._stack[-1]] += now[1] - self._since[1]
        self._since = now

    def wrap(self, owner: type, method: str, stage: str) -> None:
        """Count a method's time as this stage's from now on."""
        inner: Callable[..., Any] = owner.__dict__[method]

        def timed(*args: Any, **options: Any) -> Any:
            self._turn()
            self._stack.append(stage)
            self.calls[stage] += 1
            try:
                return inner(*args, **options)
            finally:
                self._turn()
                self._stack.pop()

        setattr(owner, method, timed)

    def told(self) -> list[dict[str, Any]]:
        """Most CPU time first."""
        self._turn()
        return [
            {"stage": stage, "cpu_s": cpu_s, "wall_s": self.wall_s[stage], "calls": self.calls[stage]}
            for stage, cpu_s in sorted(self.cpu_s.items(), key=lambda each: -each[1])
        ]


def watch() -> Stages:
    """Wrap every boundary. To be called before anything is built, on the thread that will run it."""
    stages = Stages()
    for place, stage in BOUNDARIES.items():
        module, _, name = place.partition(":")
        owner, _, method = name.partition(".")
        found = getattr(importlib.import_module(module), owner, None)
        if found is None or method not in found.__dict__:
            raise SystemExit(f"bench/contenders/stages.py: {place} is not there any more")
        stages.wrap(found, method, stage)
    base = importlib.import_module("streamcheck.core.detectors.base")
    importlib.import_module("streamcheck.core.detectors")
    for kind in _below(base.Detector):
        if "step" in kind.__dict__ and kind not in (base.PaneDetector, base.RowDetector):
            stages.wrap(kind, "step", DETECTORS)
    return stages


def _below(kind: type) -> list[type]:
    below: list[type] = kind.__subclasses__()
    return [each for sub in below for each in (sub, *_below(sub))]
