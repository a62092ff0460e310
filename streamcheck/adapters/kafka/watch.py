"""What the cluster looks like now, asked by a helper thread so that the loop never waits for an answer."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from streamcheck.adapters.kafka.admin import Cluster, Topics
from streamcheck.adapters.kafka.client import BrokerUnavailable
from streamcheck.core.types import SourcePartition
from streamcheck.errors import SourceError
from streamcheck.runtime.ports import refuse_made_anew

log = logging.getLogger(__name__)

EVERY_S = 5.0
"""Between two looks at topics and high watermarks: three small requests. Idleness is judged over 30 s by default."""

STALE_LOOKS = 3
"""After so many intervals without an answer a high watermark is unknown: a broker's silence is no idleness."""

CLOSE_S = 3.0
"""How long closing waits for the last progress to arrive."""


@dataclass(frozen=True, slots=True)
class View:
    """The cluster at monotonic time `seen_at`. trouble: why it could not be asked since; error: a fact to be raised."""

    topics: Topics = field(default_factory=Topics)
    log_starts: Mapping[SourcePartition, int] = field(default_factory=dict)
    high_watermarks: Mapping[SourcePartition, int] = field(default_factory=dict)
    seen_at: float = float("-inf")
    trouble: str | None = None
    error: SourceError | None = None
    failures: int = 0


class Watch:
    """Looks every `every_s` seconds and passes progress on to lag tools; failures are counted, logged once a streak."""

    def __init__(
        self, settings: Mapping[str, object], group: str, topics: tuple[str, ...], every_s: float = EVERY_S
    ) -> None:
        self.view = View()
        self._group = group
        self._topics = topics
        self._every_s = every_s
        self._cluster = Cluster(settings)
        self._streaks: dict[str, int] = {}
        self._progress: Mapping[SourcePartition, int] | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="streamcheck-kafka-watch", daemon=True)

    def start(self, view: View) -> None:
        """Begin, from what is known already."""
        self.view = view
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether `view` is being kept up to date."""
        return self._thread.is_alive()

    @property
    def fresh(self) -> bool:
        """Whether the last answer is recent enough to be believed."""
        return time.monotonic() - self.view.seen_at <= STALE_LOOKS * self._every_s

    def commit(self, positions: Mapping[SourcePartition, int]) -> None:
        """Have these positions shown as the group's, soon; newer ones replace those still waiting."""
        self._progress = dict(positions)
        self._wake.set()

    def close(self) -> None:
        """Pass on the last progress, within bounds, and stop."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping:
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            self._pass_on()
            if not self._stopping and time.monotonic() >= due:
                self._look()
                due = time.monotonic() + self._every_s
        self._pass_on()
        self._cluster.close()

    def _pass_on(self) -> None:
        progress, self._progress = self._progress, None
        if not progress:
            return
        try:
            self._cluster.commit(self._group, progress)
        except SourceError as error:
            self._note("progress for lag tools", error)
        else:
            self._recovered("progress for lag tools")

    def _look(self) -> None:
        view = self.view
        try:
            topics = self._cluster.describe(self._topics)
            refuse_made_anew(view.topics.ids, topics.ids)
            starts = self._cluster.log_starts(topics.partitions)
            marks = self._cluster.high_watermarks(topics.partitions)
            view = View(topics, starts, marks, seen_at=time.monotonic())
            self._recovered("watching the topics")
        except SourceError as error:
            fact = None if isinstance(error, BrokerUnavailable) else error
            view = replace(self.view, trouble=str(error), error=fact, failures=self.view.failures + 1)
            self._note("watching the topics", error)
        self.view = view

    def _note(self, doing: str, error: SourceError) -> None:
        if not self._streaks.get(doing):
            log.warning("%s: %s (tried again every %g s; said once)", doing, error, self._every_s)
        self._streaks[doing] = self._streaks.get(doing, 0) + 1

    def _recovered(self, doing: str) -> None:
        failures = self._streaks.pop(doing, 0)
        if failures:
            log.info("%s: works again after %d failures", doing, failures)
