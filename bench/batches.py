"""Events as a broker stores them, made and handed over a whole record batch at a time.

A client that encodes a million events anew takes a minute; this takes some seconds. The events of a text have one
length, so that numpy writes their digits column by column.
"""

import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from crc32c import crc32c
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

Octets = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

BATCH_ROWS = 1_000
IN_FLIGHT_BYTES = 16 << 20
TIMEOUT_MS = 30_000
RETRY_S = 0.05
NOT_YET = (3, 5, 6)  # unknown topic, no leader, not the leader
_FOUR = np.array([list(f"{n:04d}".encode()) for n in range(10_000)], np.uint8)


def digits(numbers: Integers, width: int) -> Octets:
    """Each number in `width` decimal digits, as a further axis.

    >>> digits(np.array([7, 12345]), 5).tobytes()
    b'0000712345'
    """
    groups = -(-width // 4)
    out = np.empty((*numbers.shape, groups, 4), np.uint8)
    for at in reversed(range(groups)):
        above = numbers // 10_000  # not divmod, which numpy does one by one
        out[..., at, :] = _FOUR[numbers - 10_000 * above]
        numbers = above
    return out.reshape(*numbers.shape, 4 * groups)[..., 4 * groups - width :]


class Text:
    """The JSON of an event, with places of a fixed width: (name, width) among the literal parts."""

    def __init__(self, *parts: bytes | tuple[str, int]) -> None:
        self.places: dict[str, slice] = {}
        made = bytearray()
        for part in parts:
            if isinstance(part, tuple):
                self.places[part[0]] = slice(len(made), len(made) + part[1])
                made += b"0" * part[1]
            else:
                made += part
        self._template: Octets = np.frombuffer(bytes(made), np.uint8)

    @property
    def width(self) -> int:
        """Bytes of one event."""
        return len(self._template)

    def rows(self, count: int, **numbers: Integers) -> Octets:
        """So many events, (count, width), with these numbers in their places."""
        made = np.tile(self._template, (count, 1))
        for name, values in numbers.items():
            place = self.places[name]
            made[:, place] = digits(values, place.stop - place.start)
        return made


def varint(value: int) -> bytes:
    """Zigzag, as in Kafka's record batches."""
    left, out = (value << 1) ^ (value >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*out, left))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The records of a batch without their values. runs: (first row, end, byte where they begin, bytes of a head)."""

    data: bytes
    runs: tuple[tuple[int, int, int, int], ...]


@cache
def _layout(rows: int, width: int, steps: tuple[int, ...]) -> _Layout:
    """Rows of one step_ms each; runs of rows whose heads have one length are filled together."""
    data = bytearray()
    runs: list[tuple[int, int, int, int]] = []
    for row in range(rows):
        body = b"\x00" + varint(steps[0] * row // steps[1]) + varint(row) + varint(-1) + varint(width)
        head = varint(len(body) + width + 1) + body
        if runs and runs[-1][3] == len(head):
            runs[-1] = (runs[-1][0], row + 1, *runs[-1][2:])
        else:
            runs.append((row, row + 1, len(data), len(head)))
        data += head + bytes(width + 1)
    return _Layout(bytes(data), tuple(runs))


def record_batch(values: Octets, first_ms: int, step_ms: float) -> bytes:
    """A whole record batch (magic 2, uncompressed) of these values, (n, width), one each step_ms from first_ms on."""
    rows, width = values.shape
    steps = (round(step_ms * 1000), 1000)
    layout = _layout(rows, width, steps)
    records: Octets = np.frombuffer(bytearray(layout.data), np.uint8)
    for first, end, at, head in layout.runs:
        each = head + width + 1
        block = records[at : at + (end - first) * each].reshape(end - first, each)
        block[:, head : head + width] = values[first:end]
    last_ms = first_ms + steps[0] * (rows - 1) // steps[1]
    body = struct.pack(">hiqqqhii", 0, rows - 1, first_ms, last_ms, -1, -1, -1, rows) + records.tobytes()
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


class Publisher:
    """Hands record batches to a broker as they are."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_MS / 1000)

    def send(self, topic: str, partition: int, batches: Sequence[bytes]) -> None:
        """Returns once all have been written, in their order. A new partition may need a moment to find its leader."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        first, *others = batches
        while (answer := self._produce(topic, partition, [first])[0]) in NOT_YET and time.monotonic() < deadline:
            time.sleep(RETRY_S)
        for code in (answer, *self._produce(topic, partition, others)):
            assert code == 0, f"{topic}[{partition}]: the broker answered with error {code}"

    def _produce(self, topic: str, partition: int, batches: Sequence[bytes]) -> list[int]:
        """The answers to one produce request (version 7) for each batch."""
        name = topic.encode()
        for batch in batches:
            body = struct.pack(">hhi", -1, 1, TIMEOUT_MS) + struct.pack(">ih", 1, len(name)) + name
            body += struct.pack(">iii", 1, partition, len(batch)) + batch
            head = struct.pack(">hhih", 0, 7, 1, -1)
            self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        at = 4 + 4 + 2 + len(name) + 4 + 4  # correlation, topics, name, partitions, partition
        answers = (self._read(struct.unpack(">i", self._read(4))[0]) for _ in batches)
        return [struct.unpack_from(">h", answer, at)[0] for answer in answers]

    def close(self) -> None:
        """Release the connection."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            assert part, "the broker closed the connection"
            data += part
        return data


def create(bootstrap: str, topic: str, partitions: int) -> None:
    """Make a topic for events whose times lie in the past: with the default retention the broker would delete them."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    config = {"retention.ms": "-1", "segment.bytes": str(256 << 20)}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    admin.close()


def publish(bootstrap: str, topic: str, batches: Iterable[tuple[int, bytes]]) -> None:
    """Fill a topic that is there with (partition, batch); returns once the broker has everything."""
    publisher = Publisher(bootstrap)
    held: dict[int, list[bytes]] = {}
    for partition, batch in batches:
        waiting = held.setdefault(partition, [])
        waiting.append(batch)
        if sum(map(len, waiting)) > IN_FLIGHT_BYTES:
            publisher.send(topic, partition, held.pop(partition))
    for partition, waiting in held.items():
        publisher.send(topic, partition, waiting)
    publisher.close()
