"""The owner's side: hands records out in parts, takes batches back in that order."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.config.settings import SchemaRegistry
from streamcheck.core.columns import ColumnBatch
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Schema, Task
from streamcheck.core.types import Batch, IntArray, Rejects
from streamcheck.errors import RegistryUnavailable, SourceError
from streamcheck.runtime.decoding import Decode
from streamcheck.runtime.ports import Handed, Polled, RawBatch, Unread
from streamcheck.runtime.workers.messages import Done, Hello, Part, Read
from streamcheck.runtime.workers.process import ANSWER_S, Worker

PART_ROWS = 4_096
"""Records of a part: enough that a few hundred bytes of talk do not count, few enough that all workers get some."""
PART_BYTES = 2 << 20
"""The same in bytes, but for a single larger record."""
CHILD = "streamcheck.runtime.workers.child"


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A part that is out: whose, in which slot. records: for what comes back to be joined with."""

    worker: Worker
    slot: int
    schema: int
    records: RawBatch | Unread


class Pool:
    """A Decoding by several processes. Records that are columns already go through `inline`, in their turn.

    program: what a worker runs; one that is to read sections, or to ask the registry, must know how to.
    """

    def __init__(
        self,
        workers: int,
        schemas: Sequence[Schema],
        task: Task | None,
        inline: Mapping[str, Decode],
        program: str = CHILD,
        *,
        answer_s: float = ANSWER_S,
        registry: SchemaRegistry | None = None,
    ) -> None:
        self._schemas = tuple(schemas)
        self._of_topic = {topic: at for at, schema in enumerate(schemas) for topic in schema.topics}
        self._inline = inline
        self._workers: list[Worker] = []
        self._queue: deque[_Given | Batch] = deque()
        try:
            hello = Hello(self._schemas, task, registry)
            for _ in range(workers):
                self._workers.append(Worker(program, hello, answer_s))
        except BaseException:
            self.close()
            raise

    @property
    def pending(self) -> bool:
        """Whether records have been handed over that have not come back."""
        return bool(self._queue)

    def through(self, polled: Iterable[Polled]) -> Iterator[Batch]:
        """Hand over records; yields batches that are ready, of earlier records first.

        Raises WorkerLost, and SourceError where a worker could not read what it was to read.
        """
        for records in polled:
            if isinstance(records, ColumnBatch):
                self._queue.append(self._inline[records.source.topic](records))
            elif isinstance(records, Unread) and not records.handed.ended:
                worker = self._reader_of(records.handed)
                yield from self._make_room(worker)
                self._give_turn(worker, records)
            elif isinstance(records, RawBatch):
                for part, values in parts(records):
                    worker = self._idlest()
                    yield from self._make_room(worker)
                    self._give(worker, part, values)
            yield from self._ready()

    def drain(self) -> Iterator[Batch]:
        """Whatever is pending."""
        while self._queue:
            yield self._next()

    def close(self) -> None:
        """End the workers. What is pending is lost."""
        self._queue.clear()
        for worker in self._workers:
            worker.close()
        self._workers = []

    # ------------------------------------------------------------------ out
    def _idlest(self) -> Worker:
        """Who has least to do; who has waited longest for something where several have as little."""
        found = max(self._workers, key=lambda worker: len(worker.free))
        self._workers.remove(found)
        self._workers.append(found)
        return found

    def _reader_of(self, handed: Handed) -> Worker:
        """Who is in the middle of the section, else the idlest of those who are in the middle of fewest."""
        for worker in self._workers:
            if handed.number in worker.sections:
                return worker
        found = self._idlest()
        if handed.section.end is None:
            found = min(self._workers, key=lambda worker: len(worker.sections))
            found.sections.add(handed.number)
        return found

    def _make_room(self, worker: Worker) -> Iterator[Batch]:
        while not worker.free:
            yield self._next()

    def _give(self, worker: Worker, records: RawBatch, values: Pieces) -> None:
        slot, schema = worker.free.pop(0), self._of_topic[records.source.topic]
        wanted = self._schemas[schema]
        keys = Pieces.of(records.keys) if records.encoded and wanted.wants_keys else None
        asked = records.headers if records.encoded and wanted.wants_headers else None
        headers = None if asked is None else Pieces.of(asked)
        lots = [None if pieces is None else pieces.apart() for pieces in (values, keys, headers)]
        flat = [part for lot in lots if lot is not None for part in lot]
        size = worker.inputs[slot].write((records.timestamps, *flat))
        sizes = [None if lot is None else len(lot[2]) for lot in lots]
        worker.send(Part(slot, size, schema, len(values), records.encoded, *sizes))
        self._queue.append(_Given(worker, slot, schema, records))

    def _give_turn(self, worker: Worker, unread: Unread) -> None:
        if unread.handed.ended:
            return
        slot, schema = worker.free.pop(0), self._of_topic[unread.source.topic]
        worker.send(Read(slot, schema, unread.handed.number, unread.handed.section))
        self._queue.append(_Given(worker, slot, schema, unread))

    # ------------------------------------------------------------------ back
    def _ready(self) -> Iterator[Batch]:
        """The first of what is pending, where it can be had without waiting.

        One for each batch that was polled, not all that there are: what is done with one may take long, and meanwhile
        workers have something to do in all their slots.
        """
        if self._queue:
            first = self._queue[0]
            if not isinstance(first, _Given) or first.worker.hears():
                yield self._next()

    def _next(self) -> Batch:
        """The first of what is pending; waits for it."""
        first = self._queue.popleft()
        if isinstance(first, Batch):
            return first
        done = first.worker.listen()
        assert done.slot == first.slot, "parts come back in the order in which they went"
        if done.failure is not None:
            raise RegistryUnavailable(done.failure) if done.passing else SourceError(done.failure)
        batch = self._taken(first, done)
        first.worker.free.append(first.slot)
        return batch

    def _taken(self, given: _Given, done: Done) -> Batch:
        schema, records = self._schemas[given.schema], given.records
        shared = given.worker.outputs[done.slot]
        shared.fit(done.size)
        rows, n_numeric, n_coded = done.rows, len(schema.numeric), schema.coded_rows
        places = shared.read(np.int64, rows)
        times = shared.read(np.int64, rows)
        keys = shared.read(np.uint64, rows if schema.id_path else 0, 2)
        numeric = shared.read(np.float64, n_numeric, rows)
        codes = shared.read(np.int32, n_coded, rows)
        status = shared.read(np.uint8, n_numeric + n_coded, rows)
        refused = shared.read(np.int64, len(done.reasons))
        news = zip(given.worker.mirrors[given.schema], done.dictionaries, strict=True)
        if isinstance(records, RawBatch):
            offsets, next_offset = records.offsets[places], records.next_offset
            rejects = _rejects(records.offsets[refused], done.reasons, records.faults)
        else:
            assert done.taken is not None
            base = records.handed.took(done.taken)
            offsets, next_offset = places + base, base + done.taken.rows
            rejects = Rejects(refused + base, done.reasons)
            if done.taken.ended:
                given.worker.sections.discard(records.handed.number)
        return Batch(
            source=records.source,
            stream=schema.role,
            offsets=offsets,
            times=times,
            keys=keys,
            numeric=numeric,
            codes=codes,
            status=status,
            dictionaries=tuple(mirror.after(*told) for mirror, told in news),
            next_offset=next_offset,
            rejects=rejects,
            raw=records if isinstance(records, RawBatch) else None,
        )


def parts(records: RawBatch) -> Iterator[tuple[RawBatch, Pieces]]:
    """The records in parts of PART_ROWS and about PART_BYTES, and the values of each.

    Faults go with the records before which they stand.
    """
    n = len(records.values)
    values = Pieces.of(records.values)
    sizes = np.cumsum(values.lengths)
    begin = 0
    faults = deque(records.faults)
    while True:
        before = int(sizes[begin - 1]) if begin else 0
        end = min(begin + PART_ROWS, max(begin + 1, int(np.searchsorted(sizes, before + PART_BYTES, side="right"))))
        if end >= n and not begin:
            yield records, values
            return
        last = end >= n
        next_offset = records.next_offset if last else int(records.offsets[end])
        own = []
        while faults and (last or faults[0][0] < next_offset):
            own.append(faults.popleft())
        cut = slice(begin, min(end, n))
        yield records.cut(cut, next_offset, tuple(own)), values[cut]
        if last:
            return
        begin = end


def _rejects(offsets: IntArray, reasons: tuple[str, ...], faults: tuple[tuple[int, str], ...]) -> Rejects:
    if not faults:
        return Rejects(offsets, reasons)
    found = sorted([*zip(offsets.tolist(), reasons, strict=True), *faults])
    return Rejects(np.array([offset for offset, _ in found], np.int64), tuple(reason for _, reason in found))
