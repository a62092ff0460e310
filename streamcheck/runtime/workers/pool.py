"""The owner's side: hands records out in parts, takes batches back in that order."""

import contextlib
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamcheck.core.columns import ColumnBatch
from streamcheck.core.plan import Schema, Task
from streamcheck.core.types import Batch, Dictionary, IntArray, Rejects
from streamcheck.errors import WorkerLost
from streamcheck.runtime.decoding import Decode
from streamcheck.runtime.ports import RawBatch, Records
from streamcheck.runtime.workers.memory import Shared, anonymous_file
from streamcheck.runtime.workers.messages import SLOTS, Done, Hello, Part, receive, send

PART_ROWS = 4_096
"""Records of a part: enough that a few hundred bytes of talk do not count, few enough that all workers get some."""
PART_BYTES = 8 << 20
"""The same in bytes, but for a single larger record."""
STOP_S = 5.0
ANSWER_S = 60.0
"""For a part; it takes a second at most. A worker that says nothing for so long is stuck or frozen."""


@dataclass(slots=True)
class _Mirror:
    """A worker's dictionary, as the owner knows it."""

    number: int = 0
    dictionary: Dictionary = field(default_factory=Dictionary)

    def after(self, number: int, news: tuple[str, ...]) -> Dictionary:
        if number != self.number:
            self.number, self.dictionary = number, Dictionary()
        for value in news:
            self.dictionary.encode(value)
        return self.dictionary


class _Worker:
    """One process, its socket and its slots."""

    def __init__(self, schemas: Sequence[Schema], task: Task | None, answer_s: float) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(answer_s)
        descriptors = [anonymous_file() for _ in range(2 * SLOTS)]
        passed = [theirs.fileno(), *descriptors]
        command = [sys.executable, "-m", "streamcheck.runtime.workers.child", *map(str, passed)]
        self._process = subprocess.Popen(command, pass_fds=passed, stdin=subprocess.DEVNULL)  # noqa: S603 - our own module
        theirs.close()
        files = [Shared(descriptor) for descriptor in descriptors]
        self.inputs, self.outputs = files[:SLOTS], files[SLOTS:]
        self.free = list(range(SLOTS))
        self.done: deque[Done] = deque()
        self.mirrors = [[_Mirror() for _ in schema.coded] for schema in schemas]
        self.send(Hello(tuple(schemas), task))

    def send(self, message: Hello | Part) -> None:
        """Say something."""
        try:
            send(self.channel, message)
        except TimeoutError as error:
            raise self._stuck() from error
        except OSError as error:
            raise self._lost() from error

    def hears(self) -> bool:
        """Whether it has spoken."""
        return bool(select.select([self.channel], [], [], 0)[0])

    def listen(self) -> Done:
        """What it says; waits for it."""
        try:
            message = receive(self.channel, Done)
        except TimeoutError as error:
            raise self._stuck() from error
        if message is None:
            raise self._lost()
        return message

    def _stuck(self) -> WorkerLost:
        self._process.kill()
        return WorkerLost(
            f"worker process {self._process.pid} has said nothing for {self.channel.gettimeout():g} s: it is stuck, or "
            "was stopped from outside"
        )

    def _lost(self) -> WorkerLost:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        return WorkerLost(
            f"worker process {self._process.pid} ended with {self._process.returncode}; what it said is above. "
            "Where it said nothing, memory may have run out: fewer `workers` need less"
        )

    def close(self) -> None:
        """Let it end; it does when its socket closes."""
        self.channel.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for shared in (*self.inputs, *self.outputs):
            shared.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A part that is out: whose, in which slot. records: for what comes back to be joined with."""

    worker: _Worker
    slot: int
    schema: int
    records: RawBatch


class Pool:
    """A Decoding by several processes. Records that are columns already go through `inline`, in their turn."""

    def __init__(
        self,
        workers: int,
        schemas: Sequence[Schema],
        task: Task | None,
        inline: Mapping[str, Decode],
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._schemas = tuple(schemas)
        self._of_topic = {topic: at for at, schema in enumerate(schemas) for topic in schema.topics}
        self._inline = inline
        self._workers: list[_Worker] = []
        self._queue: deque[_Given | Batch] = deque()
        try:
            for _ in range(workers):
                self._workers.append(_Worker(schemas, task, answer_s))
        except BaseException:
            self.close()
            raise
        self._turn = 0

    @property
    def pending(self) -> bool:
        """Whether records have been handed over that have not come back."""
        return bool(self._queue)

    def through(self, polled: Iterable[Records]) -> Iterator[Batch]:
        """Hand over records; yields batches that are ready, of earlier records first. Raises WorkerLost."""
        for records in polled:
            if isinstance(records, ColumnBatch):
                self._queue.append(self._inline[records.source.topic](records))
                yield from self._ready()
                continue
            for part, lengths in parts(records):
                worker = self._workers[self._turn]
                self._turn = (self._turn + 1) % len(self._workers)
                while not worker.free:
                    yield self._next()
                self._give(worker, part, lengths)
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

    def _give(self, worker: _Worker, records: RawBatch, lengths: IntArray) -> None:
        values = records.values
        slot, schema = worker.free.pop(0), self._of_topic[records.source.topic]
        whole = not len(lengths) or int(lengths.min()) >= 0
        data = b"".join(values if whole else filter(None, values))  # type: ignore[arg-type]  # none of them is None
        size = worker.inputs[slot].write((lengths.astype(np.int32), records.timestamps, data))
        worker.send(Part(slot, size, schema, len(values), len(data)))
        self._queue.append(_Given(worker, slot, schema, records))

    def _ready(self) -> Iterator[Batch]:
        """What can be had without waiting."""
        while self._queue:
            first = self._queue[0]
            if isinstance(first, _Given) and not first.worker.hears():
                return
            yield self._next()

    def _next(self) -> Batch:
        """The first of what is pending; waits for it."""
        first = self._queue.popleft()
        if isinstance(first, Batch):
            return first
        return self._taken(first, first.worker.listen())

    def _taken(self, given: _Given, done: Done) -> Batch:
        assert done.slot == given.slot, "parts come back in the order in which they went"
        schema, records = self._schemas[given.schema], given.records
        shared = given.worker.outputs[done.slot]
        shared.fit(done.size)
        rows, n_numeric, n_coded = done.rows, len(schema.numeric), len(schema.coded)
        offsets = records.offsets[shared.read(np.int64, rows)]
        times = shared.read(np.int64, rows)
        keys = shared.read(np.uint64, rows if schema.id_path else 0, 2)
        numeric = shared.read(np.float64, n_numeric, rows)
        codes = shared.read(np.int32, n_coded, rows)
        status = shared.read(np.uint8, n_numeric + n_coded, rows)
        refused = records.offsets[shared.read(np.int64, len(done.reasons))]
        given.worker.free.append(done.slot)
        news = zip(given.worker.mirrors[given.schema], done.dictionaries, strict=True)
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
            next_offset=records.next_offset,
            rejects=_rejects(refused, done.reasons, records.faults),
            raw=records,
        )


def parts(records: RawBatch) -> Iterator[tuple[RawBatch, IntArray]]:
    """The records in parts of PART_ROWS and about PART_BYTES, and the length of each value in them (-1 for none).

    Faults go with the records before which they stand.
    """
    n = len(records.values)
    lengths = _lengths(records.values)
    sizes = np.cumsum(lengths)
    begin = 0
    faults = deque(records.faults)
    while True:
        before = int(sizes[begin - 1]) if begin else 0
        end = min(begin + PART_ROWS, max(begin + 1, int(np.searchsorted(sizes, before + PART_BYTES, side="right"))))
        if end >= n and not begin:
            yield records, lengths
            return
        last = end >= n
        next_offset = records.next_offset if last else int(records.offsets[end])
        own = []
        while faults and (last or faults[0][0] < next_offset):
            own.append(faults.popleft())
        cut = slice(begin, min(end, n))
        columns = (records.offsets[cut], records.timestamps[cut], records.keys[cut], records.values[cut])
        yield RawBatch(records.source, *columns, next_offset, tuple(own)), lengths[cut]
        if last:
            return
        begin = end


def _lengths(values: Sequence[bytes | None]) -> IntArray:
    try:
        found = np.array(list(map(len, values)), np.int64)  # type: ignore[arg-type]  # None raises, as is wanted
    except TypeError:
        found = np.array([-1 if value is None else len(value) for value in values], np.int64)
    return found


def _rejects(offsets: IntArray, reasons: tuple[str, ...], faults: tuple[tuple[int, str], ...]) -> Rejects:
    if not faults:
        return Rejects(offsets, reasons)
    found = sorted([*zip(offsets.tolist(), reasons, strict=True), *faults])
    return Rejects(np.array([offset for offset, _ in found], np.int64), tuple(reason for _, reason in found))
