"""Are partitions that had to wait read on, whatever the client keeps of them?"""

import importlib
import time

import pytest

from streamcheck.adapters.kafka import fetch
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.core.types import SourcePartition
from tests.conftest import needs_client

pytestmark = pytest.mark.kafka
RECORDS, WAIT_S = 60, 20
POLLS_AT_THE_END = 3
"""Only by a poll that finds no more does the client learn that a response has been read to its end."""


@pytest.mark.parametrize("path", ["raw", "stock", "confluent"])
def test_a_partition_that_was_paused_in_the_middle_of_a_response_is_read_on(
    kafka, topic, producer, monkeypatch, path
) -> None:
    """Its rest is parked; the other one has been read to its end and waits now."""
    client = needs_client("confluent" if path == "confluent" else "kafka-python")
    monkeypatch.setattr(fetch, "POLL_KIB_MAX", 4)
    monkeypatch.setattr(fetch, "POLL_RECORDS_MAX", 2)
    monkeypatch.setattr(fetch.batches, "GROUP_BYTES", 1)
    if path == "confluent":
        librdkafka = importlib.import_module("streamcheck.adapters.kafka.librdkafka")
        monkeypatch.setattr(librdkafka, "POLL_KIB_MAX", 4)
        monkeypatch.setattr(librdkafka, "STEP_RECORDS", 2)
    if path == "stock":
        monkeypatch.setattr(fetch.batches, "fits", lambda _: False)
    name = topic(2)
    out = producer(batch_size=1_000)
    for at in range(RECORDS):
        for partition in (0, 1):
            out.send(name, bytes(2_000), partition=partition, timestamp_ms=at)
    out.flush()
    source = KafkaSource(kafka.settings, [name], "pause", client=client)
    both = {SourcePartition(name, 0), SourcePartition(name, 1)}
    read = dict.fromkeys(both, 0)

    def read_until(condition, what) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {read}"
            for batch in source.poll(0.2):
                read[batch.source] += len(batch.offsets)

    source.start(dict.fromkeys(both, 0))
    try:
        read_until(lambda: any(read.values()), "nothing came at all")
        (waits,) = (s for s in both if read[s])
        (other,) = both - {waits}
        source.pause(frozenset({waits}))
        read_until(lambda: read[other] == RECORDS, "the other one was not read")
        for _ in range(POLLS_AT_THE_END):
            assert source.poll(0.2) == [], "it waits, and the other one has been read to its end"
        assert read[waits] < RECORDS
        source.pause(frozenset({other}))
        read_until(lambda: read[waits] == RECORDS, "it was not read on")
    finally:
        source.close()
