"""Which rows count in a backtest, and from where on need a partition be read no further?"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from streamcheck.core.types import Batch, IntArray, Rejects, SourcePartition

BEHIND_ROWS = 10_000
"""So many rows of a partition in a row, all behind what counts by more than the lateness, and it is read no further."""


class Window:
    """Rows with an event time from first_ms on and before end_ms (None: no bound); others were never there.

    heard: told the times of those that were let through.
    """

    def __init__(
        self, first_ms: int | None = None, end_ms: int | None = None, heard: Callable[[IntArray], object] | None = None
    ) -> None:
        self._first_ms, self._end_ms, self._heard = first_ms, end_ms, heard

    def cut(self, batch: Batch) -> Batch:
        """The batch without what lies outside."""
        batch = self._cut(batch)
        if self._heard is not None and len(batch):
            self._heard(batch.times)
        return batch

    def _cut(self, batch: Batch) -> Batch:
        kept = np.ones(len(batch), np.bool_)
        if self._first_ms is not None:
            kept &= batch.times >= self._first_ms
        if self._end_ms is not None:
            kept &= batch.times < self._end_ms
        return batch if kept.all() else _only(batch, np.flatnonzero(kept))


class Windows:
    """The windows of topics: predictions from first_ms to end_ms, labels as much longer as one may wait for them."""

    def __init__(
        self,
        predictions: tuple[str, ...],
        labels: tuple[str, ...],
        first_ms: int | None = None,
        end_ms: int | None = None,
        horizon_ms: int = 0,
        heard: Callable[[IntArray], object] | None = None,
    ) -> None:
        self.predictions = Window(first_ms, end_ms, heard)
        later = Window(first_ms, None if end_ms is None else end_ms + horizon_ms)
        self._of = {**dict.fromkeys(labels, later), **dict.fromkeys(predictions, self.predictions)}

    def cut(self, batch: Batch) -> Batch:
        """The batch without what lies outside of its topic's window."""
        return self._of[batch.source.topic].cut(batch)


class Reach:
    """Says of each partition where reading may stop: where nothing but rows far behind the window have come for long.

    ends: by topic, the time beyond which a row counts for nothing, lateness included; topics without one are read to
    their ends. It depends on the rows in offset order alone, never on how batches were cut.

    stopped: the first offset of each partition that counts no more.
    """

    def __init__(self, ends: Mapping[str, int], rows: int = BEHIND_ROWS) -> None:
        self._ends, self._rows = ends, rows
        self._behind: dict[SourcePartition, int] = {}
        self.stopped: dict[SourcePartition, int] = {}

    def cut(self, batch: Batch) -> Batch:
        """The batch up to where its partition stops."""
        self._look(batch)
        return self.until(batch)

    def until(self, batch: Batch) -> Batch:
        """The same, of a batch that decides nothing."""
        stop = self.stopped.get(batch.source)
        return batch if stop is None or batch.next_offset <= stop else _until(batch, stop)

    def _look(self, batch: Batch) -> None:
        end_ms = self._ends.get(batch.source.topic)
        if end_ms is None or batch.source in self.stopped or not len(batch):
            return
        behind = self._behind.get(batch.source, 0)
        places = np.arange(len(batch))
        inside = batch.times < end_ms
        newest = np.maximum.accumulate(np.where(inside, places, -1 - behind))
        runs = places - newest  # how many in a row have lain behind, this one included
        long = np.flatnonzero(runs >= self._rows)
        if len(long):
            self.stopped[batch.source] = int(batch.offsets[long[0]]) + 1
        self._behind[batch.source] = int(runs[-1])


def _until(batch: Batch, offset: int) -> Batch:
    """What stands before an offset."""
    kept = int(np.searchsorted(batch.offsets, offset))
    rejects = int(np.searchsorted(batch.rejects.offsets, offset))
    cut = _only(batch, np.arange(kept))
    before = Rejects(batch.rejects.offsets[:rejects], batch.rejects.reasons[:rejects])
    return dataclasses.replace(cut, rejects=before, next_offset=max(offset, 0))


def _only(batch: Batch, kept: IntArray) -> Batch:
    return dataclasses.replace(
        batch,
        offsets=batch.offsets[kept],
        times=batch.times[kept],
        keys=batch.keys[kept] if len(batch.keys) else batch.keys,
        numeric=batch.numeric[:, kept],
        codes=batch.codes[:, kept],
        status=batch.status[:, kept],
    )
