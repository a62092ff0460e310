"""One source partition: which pane does a row belong to, is it late, is its time a clock's mistake?

Everything here depends on the partition's own rows in offset order, and on journaled floors: never on how batches were
cut or how partitions interleave. That is what makes a replay exact.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from streamcheck.core.buffers import Mark, PaneBuffer
from streamcheck.core.plan import Limits, TimeRules
from streamcheck.core.rows import Rows
from streamcheck.core.types import Batch, IntArray, Original, Rejects, SourcePartition, Stray, StreamRole

NEVER = -(2**62)
"""Before all event times: newest and floor of a partition that has seen nothing."""
CONFIRMATIONS = 3
"""Further rows at or beyond a jump (less max_jump) that make it believed."""
PATIENCE = 10
"""Further rows after which an unconfirmed jump is rejected: three times the confirmations, and one for luck."""
KPI_JUMP_MS = 35 * 86_400_000
"""A jump of a KPI that needs no confirmation: one that comes once a month."""
JUMP_REASON = "implausible jump in time"
LATE_REASON = "late"
REASONS_MAX = 64
"""Different reasons that are counted apart, several times as many as there are; each is a label of a gauge."""
OTHER_REASON = "other"


@dataclass(slots=True)
class _Aside:
    rows: Rows
    mark: Mark
    confirmed: int = 0
    age: int = 0

    @property
    def time(self) -> int:
        return int(self.rows.times[0])


class Partition:
    """State of one source partition: its clock and the buffers of its open panes."""

    def __init__(
        self, source: SourcePartition, role: StreamRole, rules: TimeRules, start: Mark, limits: Limits | None = None
    ) -> None:
        self.source = source
        self.role = role
        patient = role is StreamRole.KPI and rules.max_jump_ms < KPI_JUMP_MS
        self.rules = replace(rules, max_jump_ms=KPI_JUMP_MS) if patient else rules
        self.limits = limits or Limits()
        self.newest = start.newest
        self.floor = start.floor
        self.next_offset = start.offset
        self.read_until = start.offset
        """How far reading had come when the state was saved; rows before it may belong to panes that have closed."""
        self.idle = False
        self.idle_at: int | None = None
        self.ended = False
        """Nothing will ever follow. Not part of the state."""
        self.floors: list[tuple[int, int]] = []
        """Journaled (offset, floor) that reading has not passed for good, ascending."""
        self.buffers: dict[int, PaneBuffer] = {}
        self.unplaced: Counter[str] = Counter()
        self.unplaced_mark: Mark | None = None
        self._aside: list[_Aside] = []
        self.accepted = 0
        self.late = 0
        self.rejected: Counter[str] = Counter()
        self.excess = 0
        self.open_bytes = 0
        """What rows of open panes take in memory, about (see buffers.Kept)."""

    # ------------------------------------------------------------------ clock
    @property
    def watermark(self) -> int:
        """Every pane that ends here or before holds all rows it will ever get from this partition."""
        return max(self.newest - self.rules.lateness_ms, self.floor)

    @property
    def open_rows(self) -> int:
        """Rows held in memory."""
        return sum(b.on_time.n + b.late_rows.n for b in self.buffers.values()) + len(self._aside)

    @property
    def reading_again(self) -> bool:
        """Whether rows that were read before a restart are still being met again."""
        return self.next_offset < self.read_until

    @property
    def holds(self) -> bool:
        """Whether panes wait for this partition: it is not idle, or its open rows are not all in memory again."""
        return not self.idle or self.reading_again

    def position(self) -> Mark:
        """Where to read again after a restart so that every open pane is complete."""
        marks = [b.mark for b in self.buffers.values()] + [a.mark for a in self._aside]
        if self.unplaced_mark is not None:
            marks.append(self.unplaced_mark)
        return min(marks, key=lambda m: m.offset, default=Mark(self.next_offset, self.newest, self.floor))

    def raise_floor(self, offset: int, floor: int) -> None:
        """From `offset` on, no pane that ends at `floor` or before is open to this partition."""
        self.floors.append((offset, floor))
        self.floors.sort()

    def forget_floors(self) -> None:
        """Drop journaled floors that no restart can meet again."""
        position = self.position().offset
        self.floors = [(offset, floor) for offset, floor in self.floors if offset >= position]

    # ------------------------------------------------------------------ input
    def feed(self, batch: Batch, open_from: int) -> list[Stray]:
        """Take a batch in. Rows of panes before `open_from` are met again after a restart and are passed over."""
        assert batch.next_offset >= self.next_offset, (
            f"{self.source}: offset {batch.next_offset} after {self.next_offset}"
        )
        assert not len(batch) or batch.offsets[0] >= self.next_offset, f"{self.source}: offset {batch.offsets[0]} again"
        strays: list[Stray] = []
        rows, rejects = Rows.of(batch), batch.rejects
        for offset, floor in [f for f in self.floors if self.next_offset <= f[0] < batch.next_offset]:
            cut, cut_rejects = (int(np.searchsorted(a, offset)) for a in (rows.offsets, rejects.offsets))
            before = Rejects(rejects.offsets[:cut_rejects], rejects.reasons[:cut_rejects])
            self._feed(rows.slice(0, cut), before, open_from, strays, batch.raw)
            rows = rows.slice(cut, len(rows))
            rejects = Rejects(rejects.offsets[cut_rejects:], rejects.reasons[cut_rejects:])
            self.floor = max(self.floor, floor)
        self._feed(rows, rejects, open_from, strays, batch.raw)
        self.next_offset = batch.next_offset
        return strays

    def first_behind(self, batch: Batch, since: int, floor_ms: int) -> int | None:
        """The first record from offset `since` on that would count in a pane that ends at floor_ms or before, if any.

        Rejects count in the pane of the row before them, rows that were set aside in their own: all may be such.
        """
        rows = batch.offsets if self._aside else batch.offsets[batch.times < floor_ms]
        found = [offsets[offsets >= since][:1] for offsets in (rows, batch.rejects.offsets)]
        return min((int(first[0]) for first in found if len(first)), default=None)

    def pass_over(self, until: int) -> None:
        """Records before this offset are gone; floors that lie among them count all the same."""
        self.floor = max([self.floor, *(floor for offset, floor in self.floors if offset < until)])
        self.next_offset = until

    def end_of_input(self, open_from: int) -> None:
        """Nothing follows: what was set aside is believed."""
        for aside in self._aside:
            self._admit(aside.rows, open_from, [], aside.mark)
        self._aside = []
        _tally(self.rejected, self.unplaced)  # no row ever came whose pane they could count in
        self.unplaced.clear()

    def _feed(self, rows: Rows, rejects: Rejects, open_from: int, strays: list[Stray], raw: Original | None) -> None:
        rejected = [
            Stray(self.source, o, r, raw) for o, r in zip(rejects.offsets.tolist(), rejects.reasons, strict=True)
        ]
        places = np.searchsorted(rows.offsets, rejects.offsets).tolist()  # how many rows stand before each
        for stray, place in zip(rejected, places, strict=True):
            if place == 0:
                self._reject(stray, Mark(stray.offset, self.newest, self.floor), self.newest, open_from, strays)
        start, newest_at_start = 0, self.newest
        newest_after = np.empty(len(rows), np.int64)
        while start < len(rows):
            stop = self._plausible_until(rows, start)
            if stop > start:
                self._admit(rows.slice(start, stop), open_from, strays)
                newest_after[start:stop] = np.maximum(
                    np.maximum.accumulate(rows.times[start:stop]),
                    newest_at_start if start == 0 else newest_after[start - 1],
                )
            else:
                stop = start + 1
                self._suspect(rows.slice(start, stop), open_from, strays)
                newest_after[start] = self.newest
            start = stop
        for stray, place in zip(rejected, places, strict=True):
            if place > 0:
                newest = int(newest_after[place - 1])
                self._reject(stray, Mark(stray.offset, newest, self.floor), newest, open_from, strays)

    def _plausible_until(self, rows: Rows, start: int) -> int:
        """The end of the run of rows from `start` on that can be admitted together."""
        if self._aside:
            return start
        times = rows.times[start:]
        before = np.maximum.accumulate(np.concatenate(([self.newest], times[:-1])))
        jumps = (before > NEVER) & (times - before > self.rules.max_jump_ms)
        return start + int(jumps.argmax()) if jumps.any() else len(rows)

    def _suspect(self, row: Rows, open_from: int, strays: list[Stray]) -> None:
        """One row while jumps are open, or the one that opens them."""
        time, jump = int(row.times[0]), self.rules.max_jump_ms
        for aside in self._aside:
            aside.age += 1
            aside.confirmed += time >= aside.time - jump
        if self.newest > NEVER and time - self.newest > jump:
            offset = int(row.offsets[0])
            self._aside.append(_Aside(row.only(offset), Mark(offset, self.newest, self.floor)))
        else:
            self._admit(row, open_from, strays)
        self._settle(open_from, strays)

    def _settle(self, open_from: int, strays: list[Stray]) -> None:
        """Believe what has been confirmed and what lies within reach of it; give up what has waited too long."""
        found = True
        while found:
            reach = self.newest + self.rules.max_jump_ms
            found = False
            for aside in self._aside:
                if aside.confirmed >= CONFIRMATIONS or aside.time <= reach:
                    self._aside.remove(aside)
                    self._admit(aside.rows, open_from, strays, aside.mark)
                    for other in self._aside:  # what becomes of them now depends on this one: it must be read again too
                        other.mark = min(other.mark, aside.mark, key=lambda m: m.offset)
                    found = True
                    break
        for aside in [a for a in self._aside if a.age >= PATIENCE]:
            self._aside.remove(aside)
            stray = Stray(self.source, int(aside.rows.offsets[0]), JUMP_REASON, aside.rows.raw)
            self._reject(stray, aside.mark, self.newest, open_from, strays)

    def _admit(self, rows: Rows, open_from: int, strays: list[Stray], mark: Mark | None = None) -> None:
        """Rows count. mark: where a row that was set aside must be read again from, with the clock as it was there."""
        pane_ms, lateness = self.rules.pane_ms, self.rules.lateness_ms
        before = np.maximum.accumulate(np.concatenate(([self.newest], rows.times[:-1])))
        watermark = np.maximum(before - lateness, self.floor)
        late = (rows.times // pane_ms + 1) * pane_ms <= watermark
        self.newest = max(self.newest, int(rows.times.max()))
        self._place_waiting_rejects(int(rows.times[0]), open_from)
        if not late.any():
            self._place(rows, rows.times // pane_ms, before, open_from, mark)
        elif self.role is not StreamRole.PREDICTIONS:
            known = np.where(late, watermark, rows.times)  # a label counts when it became known, at the earliest now
            self._place(rows.at_times(known), known // pane_ms, before, open_from, mark)
        else:
            on_time = np.flatnonzero(~late)
            if len(on_time):
                self._place(rows.take(on_time), rows.times[on_time] // pane_ms, before[on_time], open_from, mark)
            self._late(rows, np.flatnonzero(late), before, watermark, open_from, strays, mark)

    def _place(self, rows: Rows, panes: IntArray, before: IntArray, open_from: int, mark: Mark | None) -> None:
        for pane, index in _by_pane(panes):
            part = rows.slice(index.start, index.stop).own() if isinstance(index, slice) else rows.take(index)
            if pane < open_from:
                assert int(part.offsets[-1]) < self.read_until, (
                    f"{self.source}: row {part.offsets[-1]} of pane {pane}, which has closed"
                )
                continue
            buffer = self._buffer(pane, mark or Mark(int(part.offsets[0]), int(before[index][0]), self.floor))
            self.open_bytes += buffer.add(part, self.limits)

    def _late(
        self,
        rows: Rows,
        index: IntArray,
        before: IntArray,
        watermark: IntArray,
        open_from: int,
        strays: list[Stray],
        aside: Mark | None,
    ) -> None:
        # Clocks only rise: late rows of a pane follow one another, and the first says from where to read it again.
        def buffer(pane: int, first: int) -> PaneBuffer:
            return self._buffer(pane, aside or Mark(int(rows.offsets[first]), int(before[first]), self.floor))

        for pane, group in _by_pane(np.maximum(before[index], self.floor) // self.rules.pane_ms):
            if pane >= open_from:
                late = index[group].tolist()
                buffer(pane, late[0]).late += len(late)
                strays += [Stray(self.source, int(rows.offsets[i]), LATE_REASON, rows.raw) for i in late]
        for pane, group in _by_pane(watermark[index] // self.rules.pane_ms):
            if pane >= open_from:
                joins = index[group]
                known = rows.take(joins).at_times(watermark[joins])
                self.open_bytes += buffer(pane, int(joins[0])).add_late(known, self.limits)

    def _reject(self, stray: Stray, mark: Mark, newest: int, open_from: int, strays: list[Stray]) -> None:
        """An event does not count. mark: where to read again to meet it; newest: by whose pane it is accounted for."""
        if newest == NEVER and self.floor == NEVER:
            _tally(self.unplaced, {stray.reason: 1})
            self.unplaced_mark = self.unplaced_mark or mark
            strays.append(stray)
            return
        pane = self._account_pane(newest)
        if pane >= open_from:
            _tally(self._buffer(pane, mark).rejected, {stray.reason: 1})
            strays.append(stray)

    def _account_pane(self, newest: int) -> int:
        return max(newest, self.floor) // self.rules.pane_ms

    def _place_waiting_rejects(self, time: int, open_from: int) -> None:
        """Events rejected before the first row count in that row's pane."""
        if self.unplaced_mark is None:
            return
        pane = self._account_pane(time)
        if pane >= open_from:
            _tally(self._buffer(pane, self.unplaced_mark).rejected, self.unplaced)
        self.unplaced.clear()
        self.unplaced_mark = None

    def _buffer(self, pane: int, mark: Mark) -> PaneBuffer:
        buffer = self.buffers.get(pane)
        if buffer is None:
            buffer = self.buffers[pane] = PaneBuffer(mark)
        elif mark.offset < buffer.mark.offset:
            buffer.mark = mark
        return buffer

    # ------------------------------------------------------------------ output
    def close(self, pane: int) -> PaneBuffer | None:
        """Hand over the buffer of a pane that closes, its rows counted."""
        buffer = self.buffers.pop(pane, None)
        if buffer is not None:
            self.accepted += buffer.n_rows
            self.late += buffer.late
            self.excess += buffer.excess
            self.open_bytes -= buffer.bytes
            _tally(self.rejected, buffer.rejected)
        return buffer


def _tally(books: Counter[str], events: Mapping[str, int]) -> None:
    """Count events by reason; reasons beyond REASONS_MAX together."""
    for reason, number in events.items():
        known = reason in books or len(books) < REASONS_MAX
        books[reason if known else OTHER_REASON] += number


def _by_pane(panes: IntArray) -> list[tuple[int, slice | IntArray]]:
    """Positions of each pane's rows, panes ascending, rows in their own order: slices where they ascend already."""
    order = None if (panes[1:] >= panes[:-1]).all() else np.argsort(panes, kind="stable")
    ordered = panes if order is None else panes[order]
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    cuts = [slice(*cut) for cut in pairwise([0, *begins.tolist(), len(panes)])]
    return [(int(ordered[cut.start]), cut if order is None else order[cut]) for cut in cuts]
