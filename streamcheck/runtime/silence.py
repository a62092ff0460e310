"""Who is silent? Wall-clock judgement on partitions that have been read to their end (DESIGN section 4, rule 6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamcheck.core.engine import Engine
from streamcheck.core.types import Batch, SourcePartition, StreamRole
from streamcheck.runtime.ports import PartitionStatus


@dataclass(slots=True)
class _Heard:
    last_row_s: float
    rejects_since: bool = False


class SilenceWatch:
    """Decides when a partition leaves the minimum, and how far event time may go while all are silent.

    A partition is silent when no row has come for `idle_after_s` and reading stands at the high watermark, or has met
    nothing but rejects since. A KPI is silent once it has been read to its end: nobody waits for it, and what it says
    tells nothing of how far the others are. Times are of a monotonic clock, in seconds.
    """

    def __init__(self, idle_after_s: float, sources: Mapping[SourcePartition, object], now_s: float) -> None:
        self.idle_after_s = idle_after_s
        self._heard = {source: _Heard(now_s) for source in sources}
        self._last_row_s = now_s

    def interrupted(self, now_s: float) -> None:
        """Nothing could be heard until now: that was no silence, so the wait begins anew.

        After an outage producers send what they have kept, to one partition sooner than to another.
        """
        self._last_row_s = now_s
        for heard in self._heard.values():
            heard.last_row_s = now_s

    def held_back(self, sources: Iterable[SourcePartition], now_s: float) -> None:
        """These have not been asked, so that they could not speak."""
        for source in sources:
            self._heard.setdefault(source, _Heard(now_s)).last_row_s = now_s

    def heard(self, batch: Batch, now_s: float) -> None:
        """A batch was read."""
        heard = self._heard.setdefault(batch.source, _Heard(now_s))
        if len(batch):
            heard.last_row_s = now_s
            self._last_row_s = self._last_row_s if batch.stream is StreamRole.KPI else now_s
            heard.rejects_since = False
        elif len(batch.rejects.offsets):
            heard.rejects_since = True

    def silent(
        self, engine: Engine, status: Mapping[SourcePartition, PartitionStatus], now_s: float
    ) -> list[SourcePartition]:
        """Partitions that have fallen silent and are not known as idle yet, ascending."""
        found = []
        for source, partition in engine.partitions.items():
            at = status.get(source)
            heard = self._heard.setdefault(source, _Heard(now_s))
            at_end = at is not None and at.high_watermark is not None and at.position >= at.high_watermark
            if (
                not partition.idle
                and not partition.reading_again
                and (partition.role is StreamRole.KPI or now_s - heard.last_row_s >= self.idle_after_s)
                and (at_end or heard.rejects_since)
            ):
                found.append(source)
        return found

    def advance_until_ms(self, engine: Engine, now_s: float) -> int | None:
        """Event time that silence allows: newest + elapsed wall time - lateness; None while someone speaks."""
        newest = [p.newest for p in engine.partitions.values() if p.role is not StreamRole.KPI]
        if engine.open_from is None or any(p.holds for p in engine.partitions.values()):
            return None
        elapsed_ms = int((now_s - self._last_row_s) * 1000)
        return max(newest) + elapsed_ms - engine.plan.time.lateness_ms
