"""Events that are none, of every kind the decoder knows, made out of good ones; and streams that hold them."""

from collections.abc import Callable, Iterator
from itertools import cycle

from kafka import KafkaProducer

from bench.batches import create
from bench.events import START_MS, STEP_MS, Predictions, columns
from bench.streams import Stream

MESSAGE_BYTES_MAX = 4_096
FAR_FUTURE_MS = b"4102444800000"  # 2100-01-01

Spoil = Callable[[bytes], bytes | None]
POISON: tuple[tuple[str, Spoil], ...] = (
    ("not JSON", lambda event: event[:-2]),
    ("not JSON", lambda event: event + b"}"),
    ("not JSON", lambda event: b"\xef\xbb\xbf" + event),
    ("not JSON", lambda event: event.replace(b'"e', b'"\xff\xfe', 1)),
    ("not JSON", lambda event: event.replace(b'"e', b'"\\ud800', 1)),
    ("not JSON", lambda event: b'{"deep":' + b"[" * 600 + b"]" * 600 + b"," + event[1:]),
    ("not JSON", lambda _: b""),
    ("not an object", lambda event: b"[" + event + b"]"),
    ("not an object", lambda _: b"NaN"),
    ("too large", lambda event: event[:-1] + b',"pad":"' + b"x" * MESSAGE_BYTES_MAX + b'"}'),
    ("tombstone", lambda _: None),
    ("missing id", lambda event: event.replace(b'"id"', b'"no"', 1)),
    ("bad id", lambda event: event.replace(b'"id":', b'"id":[],"old":', 1)),
    ("missing time", lambda event: event.replace(b'"ts"', b'"no"', 1)),
    ("bad time", lambda event: event.replace(b'"ts":', b'"ts":1e400,"old":', 1)),
    ("time in future", lambda event: event.replace(b'"ts":', b'"ts":' + FAR_FUTURE_MS + b',"old":', 1)),
)
"""(reason, how a good event becomes one that is rejected for it), one after the other in a stream."""

Record = tuple[int, int, bytes | None, str | None]
"""Partition, record timestamp in ms, value, and the reason for its rejection (None: a good event)."""


def clean(stream: Stream) -> Iterator[Record]:
    """The good events, dealt to the partitions in turn."""
    texts = Predictions(stream.shape)
    for chunk in columns(stream.shape, stream.events):
        for at, event in enumerate(texts.rows(chunk)):
            row = chunk.first + at
            yield row % stream.partitions, START_MS + row * STEP_MS, event.tobytes(), None


def mixed(stream: Stream, every: int) -> Iterator[Record]:
    """The same, in the same order and partitions, with a bad one after each run of `every` - 1 good ones."""
    kinds = cycle(POISON)
    for row, (partition, time_ms, event, _) in enumerate(clean(stream), 1):
        yield partition, time_ms, event, None
        if row % (every - 1) == 0:
            reason, spoil = next(kinds)
            yield row // (every - 1) % stream.partitions, time_ms, spoil(event or b""), reason


def spoiled(stream: Stream) -> Iterator[Record]:
    """Nothing but bad ones."""
    kinds = cycle(POISON)
    for partition, time_ms, event, _ in clean(stream):
        reason, spoil = next(kinds)
        yield partition, time_ms, spoil(event or b""), reason


def fill(stream: Stream, records: Iterator[Record]) -> dict[tuple[int, int], str]:
    """Make the topic of these records; (partition, offset) -> reason of the bad ones."""
    create(stream.bootstrap, stream.predictions, stream.partitions)
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, acks="all", linger_ms=50, batch_size=256 * 1024)
    sent, bad, ends = [], {}, [0] * stream.partitions
    for partition, time_ms, value, reason in records:
        sent.append(producer.send(stream.predictions, value, key=b"k", partition=partition, timestamp_ms=time_ms))
        if reason is not None:
            bad[partition, ends[partition]] = reason
        ends[partition] += 1
    producer.flush()
    for future in sent:
        future.get(timeout=0)
    producer.close()
    return bad
