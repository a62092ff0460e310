"""The benchmark's events: the same bytes for the same arguments, on any machine with the pinned numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

FEATURES = tuple(f"x{i}" for i in range(10))
SEGMENTS = ("premium", "general", "trial")
SEGMENT_SHARES = (0.2, 0.7, 0.1)
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 1                   # a thousand events a second of event time: 10,000 rows in a pane of 10 s
SHIFT_SD = 0.5                # by how much a feature's mean moves, at a place of its own
ERROR_RATES = (0.1, 0.2)      # of the model, before and after the middle of the stream
CHUNK_ROWS = 10_000           # rows generated at once


@dataclass(frozen=True, slots=True)
class Topic:
    """Where the events are: a topic with `events` rows, dealt to the partitions in turn."""

    bootstrap: str
    name: str
    events: int
    partitions: int


def generate(events: int, seed: int = 7) -> Iterator[tuple[int, bytes]]:
    """Event time and JSON bytes of each event, about 340 bytes, ordered by time.

    Feature k moves by SHIFT_SD at (k + 1) / 12 of the stream; features are standard normal before.
    """
    rng = np.random.default_rng(seed)
    shift_at = events * (np.arange(len(FEATURES)) + 1) // 12
    for start in range(0, events, CHUNK_ROWS):
        rows = np.arange(start, min(start + CHUNK_ROWS, events))
        features = rng.standard_normal((len(rows), len(FEATURES))) + SHIFT_SD * (rows[:, None] >= shift_at)
        segments = rng.choice(len(SEGMENTS), size=len(rows), p=SEGMENT_SHARES)
        labels = rng.integers(0, 2, len(rows))
        wrong = rng.random(len(rows)) < np.where(rows < events // 2, *ERROR_RATES)
        for row, values, segment, label, prediction in zip(
            rows.tolist(), features.tolist(), segments.tolist(), labels.tolist(), (labels ^ wrong).tolist(), strict=True
        ):
            time_ms = START_MS + row * STEP_MS
            event = {
                "id": f"e{row:09d}",
                "ts": time_ms,
                "features": dict(zip(FEATURES, values, strict=True)),
                "prediction": prediction,
                "segment": SEGMENTS[segment],
                "label": label,
            }
            yield time_ms, orjson.dumps(event)


def publish(topic: Topic) -> None:
    """Create the topic and fill it, uncompressed; returns once the broker has everything."""
    admin = KafkaAdminClient(bootstrap_servers=topic.bootstrap)
    # Event times lie in the past: with the default retention the broker would delete the segments at once.
    config = {"retention.ms": "-1", "segment.bytes": str(256 * 1024 * 1024)}
    admin.create_topics([NewTopic(topic.name, topic.partitions, 1, topic_configs=config)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=topic.bootstrap, acks="all", linger_ms=50, batch_size=256 * 1024)
    sent = [
        producer.send(topic.name, value, partition=row % topic.partitions, timestamp_ms=time_ms)
        for row, (time_ms, value) in enumerate(generate(topic.events))
    ]
    producer.flush()
    for future in sent:
        future.get(timeout=0)
    producer.close()
