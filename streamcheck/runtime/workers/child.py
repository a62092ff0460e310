"""A worker: decodes one part after the other until its owner is gone. Started by the pool, never by hand."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from streamcheck.config.settings import SchemaRegistry
from streamcheck.core.pieces import Pieces
from streamcheck.core.plan import Schema
from streamcheck.core.types import Dictionary, SourcePartition
from streamcheck.errors import RegistryUnavailable, SourceError
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.garbage import settled
from streamcheck.runtime.ports import OpenSection, RawBatch, Reader, Records, Taken
from streamcheck.runtime.schemas import Registry
from streamcheck.runtime.workers.memory import Shared
from streamcheck.runtime.workers.messages import SLOTS, Done, Hello, Part, Read, receive, receive_work, send

Asking = Callable[[SchemaRegistry], Registry]

NICE = 5
"""Below the owner, for which all wait: where cores are few it goes first, and workers are ahead of it as a rule."""
_NOWHERE = SourcePartition("", 0)  # the owner knows where records come from


class _Stream:
    """One stream's decoder, and what the owner knows of its dictionaries."""

    def __init__(self, schema: Schema, decoder: Decoder) -> None:
        self.schema = schema
        self.decode = decoder.decode
        self._told: list[tuple[Dictionary | None, int, int]] = []

    def news(self, dictionaries: tuple[Dictionary, ...]) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Of each dictionary its number and the categories that the owner has not been told of."""
        before = self._told or [(None, 0, 0)] * len(dictionaries)
        found = []
        self._told = []
        for now, (known, last, told) in zip(dictionaries, before, strict=True):
            number = last if now is known else last + 1
            found.append((number, tuple(now.values[told if now is known else 0 :])))
            self._told.append((now, number, len(now)))
        return tuple(found)


def given(part: Part, source: Shared) -> RawBatch:
    """The records that the owner has laid down; their offsets are their positions."""
    source.fit(part.size)
    timestamps = source.read(np.int64, part.records)
    values, keys, headers = (_pieces(source, part.records, size) for size in (part.values, part.keys, part.headers))
    assert values is not None, "a part has values"
    offsets = np.arange(part.records)
    return RawBatch(
        _NOWHERE, offsets, timestamps, () if keys is None else keys, values, part.records, (), headers, part.encoded
    )


def _pieces(source: Shared, records: int, size: int | None) -> Pieces | None:
    if size is None:
        return None
    begins, ends = source.read(np.int64, records), source.read(np.int64, records)
    return Pieces(source.read_bytes(size), begins, ends)


class _Sections:
    """Sections that this worker reads, by number, and how many rows there were in those that have ended."""

    def __init__(self, opening: OpenSection | None) -> None:
        self._opening = opening
        self._open: dict[int, Reader] = {}
        self._ended: dict[int, Taken] = {}

    def read(self, asked: Read, schema: Schema) -> tuple[Records, Taken]:
        """The records of one turn, all of them where a section has bounds. Raises SourceError."""
        if asked.number in self._ended:
            return nothing(), self._ended[asked.number]
        assert self._opening is not None, f"{asked.section.path}: this worker was given nothing to read with"
        reader = self._open.get(asked.number)
        if reader is None:
            reader = self._open[asked.number] = self._opening(asked.section, schema)
        records = reader.read()
        bounded = asked.section.end is not None
        while bounded and isinstance(records, RawBatch) and (more := reader.read()) is not None:
            assert isinstance(more, RawBatch)
            records = together(records, more)
        taken = Taken(reader.rows, reader.done_bytes, bounded or records is None)
        if taken.ended:
            self._open.pop(asked.number).close()
            if not bounded:
                self._ended[asked.number] = taken
        return nothing() if records is None else records, taken


def together(one: RawBatch, other: RawBatch) -> RawBatch:
    """Two batches of one section as one."""
    return RawBatch(
        one.source,
        np.concatenate([one.offsets, other.offsets]),
        np.concatenate([one.timestamps, other.timestamps]),
        Pieces.together([Pieces.of(one.keys), Pieces.of(other.keys)]),
        Pieces.together([Pieces.of(one.values), Pieces.of(other.values)]),
        other.next_offset,
    )


def nothing() -> RawBatch:
    """No records."""
    return RawBatch(_NOWHERE, np.empty(0, np.int64), np.empty(0, np.int64), (), (), 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """What it has to work with."""

    streams: Sequence[_Stream]
    sections: _Sections
    inputs: Sequence[Shared]
    outputs: Sequence[Shared]

    def done(self, work: Part | Read) -> Done:
        """Do it, and lay what comes of it down."""
        stream, taken = self.streams[work.schema], None
        records: Records
        try:
            if isinstance(work, Part):
                records = given(work, self.inputs[work.slot])
            else:
                records, taken = self.sections.read(work, stream.schema)
            batch = stream.decode(records)
        except SourceError as error:
            passing = isinstance(error, RegistryUnavailable)
            return Done(work.slot, 0, 0, (), (), failure=str(error), passing=passing)
        columns = (batch.offsets, batch.times, batch.keys, batch.numeric, batch.codes, batch.status)
        size = self.outputs[work.slot].write((*columns, batch.rejects.offsets))
        return Done(work.slot, size, len(batch), batch.rejects.reasons, stream.news(batch.dictionaries), taken)


def main(
    channel: socket.socket,
    inputs: list[Shared],
    outputs: list[Shared],
    opening: OpenSection | None,
    asking: Asking | None = None,
) -> None:
    """Work until the owner is gone."""
    hello = receive(channel, Hello)
    if hello is None:
        return
    registry = asking(hello.registry) if asking is not None and hello.registry is not None else None
    streams = [_Stream(schema, Decoder(schema, hello.task, registry)) for schema in hello.schemas]
    worker = _Worker(streams, _Sections(opening), inputs, outputs)
    with settled():
        while (work := receive_work(channel)) is not None:
            done = worker.done(work)
            try:
                send(channel, done)
            except ConnectionError:
                return


def serve(opening: OpenSection | None = None, asking: Asking | None = None) -> None:
    """Be the worker that the command line names.

    opening: how sections are read, where there are any; asking: how a schema registry is asked.
    """
    os.nice(NICE)
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group: the owner decides when to stop
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    own, *shared = (int(text) for text in sys.argv[1:])
    files = [Shared(descriptor) for descriptor in shared]
    main(socket.socket(fileno=own), files[:SLOTS], files[SLOTS:], opening, asking)


if __name__ == "__main__":
    serve()
