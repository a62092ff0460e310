"""A worker: decodes one part after the other until its owner is gone. Started by the pool, never by hand."""

import itertools
import signal
import socket
import sys

import numpy as np

from streamcheck.core.types import Batch, Dictionary, SourcePartition
from streamcheck.runtime.decode import Decoder
from streamcheck.runtime.ports import RawBatch
from streamcheck.runtime.workers.memory import Shared
from streamcheck.runtime.workers.messages import SLOTS, Done, Hello, Part, receive, send

_NOWHERE = SourcePartition("", 0)  # the owner knows where records come from


class _Stream:
    """One stream's decoder, and what the owner knows of its dictionaries."""

    def __init__(self, decoder: Decoder) -> None:
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


def decoded(stream: _Stream, part: Part, source: Shared) -> Batch:
    """The part's batch; its offsets are the positions of the records."""
    source.fit(part.size)
    lengths = source.read(np.int32, part.records)
    timestamps = source.read(np.int64, part.records)
    data = source.read_bytes(part.bytes)
    bounds = [0, *np.cumsum(np.maximum(lengths, 0)).tolist()]
    values: list[bytes | None] = [data[a:b] for a, b in itertools.pairwise(bounds)]
    for at in np.flatnonzero(lengths < 0).tolist():
        values[at] = None
    return stream.decode(RawBatch(_NOWHERE, np.arange(part.records), timestamps, (), values, part.records))


def main(channel: socket.socket, inputs: list[Shared], outputs: list[Shared]) -> None:
    """Work until the owner is gone."""
    hello = receive(channel, Hello)
    if hello is None:
        return
    streams = [_Stream(Decoder(schema, hello.task)) for schema in hello.schemas]
    while (part := receive(channel, Part)) is not None:
        stream = streams[part.schema]
        batch = decoded(stream, part, inputs[part.slot])
        columns = (batch.offsets, batch.times, batch.keys, batch.numeric, batch.codes, batch.status)
        size = outputs[part.slot].write((*columns, batch.rejects.offsets))
        done = Done(part.slot, size, len(batch), batch.rejects.reasons, stream.news(batch.dictionaries))
        try:
            send(channel, done)
        except ConnectionError:
            return


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group: the owner decides when to stop
        signal.signal(number, signal.SIG_IGN)
    own, *shared = (int(text) for text in sys.argv[1:])
    files = [Shared(descriptor) for descriptor in shared]
    main(socket.socket(fileno=own), files[:SLOTS], files[SLOTS:])
