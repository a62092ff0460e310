"""The payments stream as records of two topics, in the order in which they are published."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import orjson

from streamcheck.adapters.simulate.incidents import DEMO, Incident, Scenario
from streamcheck.adapters.simulate.traffic import (
    HOUR_MS,
    MINUTE_MS,
    PRODUCERS,
    Labels,
    Traffic,
    draw_labels,
    draw_traffic,
)
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.ports import RawBatch

PREDICTIONS = "payments.predictions"
LABELS = "payments.labels"
KPI = "payments.kpi"
LABEL_PARTITIONS = 2
PARTITIONS = (
    *(SourcePartition(LABELS, at) for at in range(LABEL_PARTITIONS)),
    *(SourcePartition(PREDICTIONS, at) for at in range(PRODUCERS)),
)
"""All partitions of predictions and labels, ascending."""
KPI_SOURCE = SourcePartition(KPI, 0)
KPI_MS = 2 * MINUTE_MS
KPI_DELAY_MS = HOUR_MS
"""After which a figure is known: what customers call fraud takes its time."""
EARNED, LOST = 0.9, 6.0
"""EUR of a payment that was let through: where it was none of fraud, and where it was."""

START_MS = 1_772_323_200_000
"""2026-03-01T00:00:00Z."""
DURATION_MS = 20 * HOUR_MS
RATE = 3.0
"""Payments a second: 216,000 in 20 hours, with 180,000 labels."""
BLOCK_MS = 10 * MINUTE_MS
"""Payments are drawn in blocks, each with a seed of its own: the memory in use is that of the labels under way."""
STEP_MS = MINUTE_MS
LABEL_NETWORK_MS = 250

_FIELDS = (
    *("amount", "account_age_days", "items", "distance_km", "country", "device", "channel"),
    *("tier", "fraud", "fraud_probability"),
)
_publication = attrgetter("timestamp_ms")


class Record(NamedTuple):
    """What a producer sends."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What is published until end_ms and was not before, in order."""

    end_ms: int
    records: list[Record]


class PaymentsStream:
    """Predictions and their late labels, with the incidents of a scenario; the same arguments give the same bytes.

    rate: payments a second; start_ms and duration_ms: event time; first: the number of the first payment; kpi: whether
    net revenue is told, too. Outside its incidents a scenario's stream equals the quiet one of the same seed, byte for
    byte.

    >>> stream = PaymentsStream(seed=1, duration_ms=1_000)
    >>> next(stream.records()).value[:64]
    b'{"event_id":"pay-00000000","ts":1772323200273,"amount":55.66,"ac'
    """

    def __init__(
        self,
        seed: int = 7,
        scenario: Scenario = DEMO,
        start_ms: int = START_MS,
        rate: float = RATE,
        duration_ms: int = DURATION_MS,
        first: int = 0,
        *,
        kpi: bool = False,
    ) -> None:
        assert rate > 0, f"a rate of {rate} payments a second"
        assert duration_ms > 0, f"a duration of {duration_ms} ms"
        self.seed = seed
        self.scenario = scenario
        self.start_ms = start_ms
        self.first = first
        self.rate = rate
        self._kpi = kpi
        self.end_ms = start_ms + duration_ms

    def partitions(self) -> tuple[SourcePartition, ...]:
        """All partitions of all topics, ascending."""
        return (KPI_SOURCE, *PARTITIONS) if self._kpi else PARTITIONS

    def happening(self, time_ms: int) -> tuple[Incident, ...]:
        """The incidents that are under way at this event time."""
        after_ms = time_ms - self.start_ms
        return tuple(
            incident for incident in self.scenario.incidents if incident.start_ms <= after_ms < incident.end_ms
        )

    def steps(self, step_ms: int = STEP_MS) -> Iterator[Step]:
        """Everything that is published, in steps of publication time; their length changes no record and no order."""
        waiting: dict[int, list[Record]] = {}
        last = -(-(self.end_ms - self.start_ms) // step_ms) - 1
        blocks = self._blocks()
        drawn_ms = self.start_ms
        for step in range(last + 1):
            end_ms = self.start_ms + (step + 1) * step_ms
            while drawn_ms < min(end_ms, self.end_ms):
                block = next(blocks)
                drawn_ms = min(drawn_ms + BLOCK_MS, self.end_ms)
                for record in block:
                    place = min((record.timestamp_ms - self.start_ms) // step_ms, last)
                    waiting.setdefault(place, []).append(record)
            yield Step(end_ms, sorted(waiting.pop(step, []), key=_publication))

    def records(self) -> Iterator[Record]:
        """Everything that is published, in order."""
        for step in self.steps():
            yield from step.records

    def batches(self, step_ms: int = STEP_MS) -> Iterator[RawBatch]:
        """The same as batches, at most one per partition and step; offsets from 0 without gaps."""
        offsets = dict.fromkeys(self.partitions(), 0)
        for step in self.steps(step_ms):
            yield from cut(step.records, offsets)

    def _blocks(self) -> Iterator[list[Record]]:
        first = self.first
        for number, start_ms in enumerate(range(self.start_ms, self.end_ms, BLOCK_MS)):
            rng = np.random.default_rng([self.seed, number, 0])
            end_ms = min(start_ms + BLOCK_MS, self.end_ms)
            traffic = draw_traffic(rng, start_ms, end_ms, self.rate, first)
            first += len(traffic)
            for at, incident in enumerate(self.scenario.incidents, 1):
                # Each incident draws from a generator of its own, so that it changes nothing outside its time.
                after_ms = traffic.time_ms - self.start_ms
                if incident.during(after_ms).any():
                    traffic = incident.apply(traffic, after_ms, np.random.default_rng([self.seed, number, at]))
            known = [*_labels(draw_labels(traffic), self.end_ms)]
            known += _business(traffic, start_ms, end_ms, self.end_ms) if self._kpi else ()
            yield [*_predictions(traffic, served=self.scenario.served), *known]


def cut(records: list[Record], offsets: dict[SourcePartition, int]) -> Iterator[RawBatch]:
    """One batch for each partition that has records here, ascending; `offsets` are moved on."""
    parts: dict[SourcePartition, list[Record]] = {}
    for record in records:
        parts.setdefault(SourcePartition(record.topic, record.partition), []).append(record)
    for source in sorted(parts):
        part = parts[source]
        first = offsets[source]
        offsets[source] = first + len(part)
        yield RawBatch(
            source=source,
            offsets=np.arange(first, offsets[source]),
            timestamps=np.array([record.timestamp_ms for record in part], np.int64),
            keys=[record.key for record in part],
            values=[record.value for record in part],
            next_offset=offsets[source],
        )


def _predictions(traffic: Traffic, *, served: bool) -> Iterator[Record]:
    # Per row, because every record is a document of its own.
    columns = (
        traffic.number.tolist(),
        traffic.time_ms.tolist(),
        traffic.amount.tolist(),
        [None if math.isnan(age) else int(age) for age in traffic.account_age_days.tolist()],
        traffic.items.tolist(),
        traffic.distance_km.tolist(),
        traffic.country.tolist(),
        traffic.device.tolist(),
        traffic.channel.tolist(),
        np.where(traffic.premium, "premium", "general").tolist(),
        (traffic.probability >= 0.5).astype(np.int64).tolist(),
        traffic.probability.tolist(),
        *([traffic.latency_ms.tolist(), traffic.card.tolist()] if served else []),
    )
    fields = (*_FIELDS, "latency_ms", "card") if served else _FIELDS
    sent = zip(traffic.producer.tolist(), traffic.published_ms.tolist(), traffic.version.tolist(), strict=True)
    for (producer, published_ms, version), (number, time_ms, *values) in zip(
        sent, zip(*columns, strict=True), strict=True
    ):
        event_id, model = f"pay-{number:08d}", {"version": version}
        event = {"event_id": event_id, "ts": time_ms, **dict(zip(fields, values, strict=True)), "model": model}
        yield Record(PREDICTIONS, producer, event_id.encode(), orjson.dumps(event), published_ms)


def _labels(labels: Labels, end_ms: int) -> Iterator[Record]:
    """The label records that are published before end_ms; all of a payment go to one partition."""
    told = zip(labels.number.tolist(), labels.known_ms.tolist(), labels.truth.astype(np.int64).tolist(), strict=True)
    for number, known_ms, truth in told:
        if known_ms + LABEL_NETWORK_MS < end_ms:
            event_id = f"pay-{number:08d}"
            value = orjson.dumps({"event_id": event_id, "ts": known_ms, "is_fraud": truth})
            yield Record(LABELS, number % LABEL_PARTITIONS, event_id.encode(), value, known_ms + LABEL_NETWORK_MS)


def _business(traffic: Traffic, start_ms: int, end_ms: int, until_ms: int) -> Iterator[Record]:
    """Net revenue a payment, every KPI_MS of a block, as far as it is published before until_ms."""
    through = traffic.probability < 0.5
    net = np.where(through, np.where(traffic.truth, -LOST, EARNED), 0.0)
    spans = -(-(end_ms - start_ms) // KPI_MS)
    place = np.clip((traffic.time_ms - start_ms) // KPI_MS, 0, spans - 1)
    rows, total = np.bincount(place, minlength=spans), np.bincount(place, net, spans)
    for at in np.flatnonzero(rows).tolist():
        known_ms = start_ms + (at + 1) * KPI_MS + KPI_DELAY_MS
        if known_ms + LABEL_NETWORK_MS < until_ms:
            value = orjson.dumps({"ts": known_ms, "net_per_payment": round(float(total[at]) / int(rows[at]), 4)})
            yield Record(KPI, 0, b"net", value, known_ms + LABEL_NETWORK_MS)
