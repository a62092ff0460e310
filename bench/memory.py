"""Does a run stay under the memory that `streamcheck explain` prints for its config?

    python -m bench.memory                      5 million events, with default limits and with tiny ones
    python -m bench.memory --events 500000      a shorter one

Through a real broker: predictions in which every id and every segment value is one of a million, labels for half of the
ids, then `streamcheck run` over all of it. Resident memory is the process' own peak (VmHWM). By hand; some minutes.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from crc32c import crc32c
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from bench.run import ROOT, broker

DISTINCT = 1_000_000
BATCH_ROWS = 1_000
BATCHES_A_REQUEST = 50
PARTITIONS, LABEL_PARTITIONS = 4, 2
START_MS = 1_767_225_600_000
ROWS_A_SECOND = 2_000
LABEL_DELAY_MS = 30_000
LABEL_EVERY = 2
SAMPLE_S = 0.1
CONFIG = """
version: 1
name: memory-{name}
kafka: {{bootstrap_servers: "{bootstrap}"}}
start: earliest
streams:
  predictions:
    topic: {run}.predictions
    id: id
    prediction: fraud
    task: binary
    features: {{amount: numeric, merchant: categorical}}
    segments: [merchant]
  labels: {{topic: {run}.labels, id: id, label: fraud, horizon: 2h}}
reference: {{first: 10m}}
monitors:
  - on: defaults
  - {{name: amount-adwin, on: amount, by: [merchant], detector: {{adwin: auto}}}}
  - {{name: amount-mean, on: amount, by: [merchant], measure: mean_shift}}
alerts: {{topic: {run}.alerts.{name}, owner: bench}}
state: {{dir: {folder}/{name}}}
prometheus: {{listen: "127.0.0.1:0"}}
"""
TINY = """
limits: {segments: 100, join_memory: 16MiB, pending_labels: 10000, pane_memory: 1MiB, open_memory: 8MiB,
         monitor_memory: 4MiB}
"""

Octets = npt.NDArray[np.uint8]


# ------------------------------------------------------------------ events, as the broker stores them
def varint(value: int) -> bytes:
    """Zigzag, as in Kafka's record batches."""
    left, out = (value << 1) ^ (value >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*out, left))


@dataclass(frozen=True, slots=True)
class Template:
    """A record batch of BATCH_ROWS events of one shape. at: where in it each row's text begins, by field."""

    data: bytes
    at: dict[str, npt.NDArray[np.int64]]
    ms: int

    @staticmethod
    def of(value: bytes, fields: dict[str, bytes], every_ms: float) -> "Template":
        """fields: the text in `value` that stands for each field's digits."""
        data = bytearray()
        places: dict[str, list[int]] = {name: [] for name in fields}
        for row in range(BATCH_ROWS):
            body = b"\x00" + varint(int(row * every_ms)) + varint(row) + varint(-1) + varint(len(value))
            data += varint(len(body) + len(value) + 1) + body
            for name, digits in fields.items():
                places[name].append(len(data) + value.index(digits))
            data += value + b"\x00"
        return Template(bytes(data), {k: np.array(v) for k, v in places.items()}, int((BATCH_ROWS - 1) * every_ms))

    def filled(self, numbers: dict[str, tuple[npt.NDArray[np.int64], int]]) -> bytes:
        """The records with these numbers in their places, each in so many digits."""
        octets: Octets = np.frombuffer(bytearray(self.data), np.uint8)
        for name, (values, digits) in numbers.items():
            for place in range(digits):
                octets[self.at[name] + place] = values // 10 ** (digits - 1 - place) % 10 + ord("0")
        return octets.tobytes()

    def batch(self, records: bytes, first_ms: int) -> bytes:
        """A whole record batch (magic 2, uncompressed) that begins at this time."""
        n = BATCH_ROWS
        body = struct.pack(">hiqqqhii", 0, n - 1, first_ms, first_ms + self.ms, -1, -1, -1, n) + records
        return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


def predictions(events: int) -> Iterator[tuple[int, bytes]]:
    """Partition and batch. The ids and the segment values of each million are the same, in another order."""
    value = b'{"id":"event-IIIIIII-of-a-million","merchant":"merchant-MMMMMMM","amount":1AA.5,"fraud":F}'
    step = 1000 / ROWS_A_SECOND
    made = Template.of(value, {"id": b"IIIIIII", "merchant": b"MMMMMMM", "amount": b"AA", "fraud": b"F"}, step)
    for at in range(0, events, BATCH_ROWS):
        row = np.arange(at, at + BATCH_ROWS)
        number = (row * 7_919 + row // DISTINCT) % DISTINCT
        merchant = (number * 104_729) % DISTINCT
        shown = {"id": (number, 7), "merchant": (merchant, 7), "amount": (row * 37 % 100, 2), "fraud": (number % 2, 1)}
        yield at // BATCH_ROWS % PARTITIONS, made.batch(made.filled(shown), START_MS + int(at * step))


def labels(events: int) -> Iterator[tuple[int, bytes]]:
    """Partition and batch, for one in LABEL_EVERY of the first million events."""
    step = 1000 / ROWS_A_SECOND * LABEL_EVERY
    made = Template.of(b'{"id":"event-IIIIIII-of-a-million","fraud":F}', {"id": b"IIIIIII", "fraud": b"F"}, step)
    for at in range(0, min(events, DISTINCT) // LABEL_EVERY, BATCH_ROWS):
        number = (np.arange(at, at + BATCH_ROWS) * LABEL_EVERY * 7_919) % DISTINCT
        shown = {"id": (number, 7), "fraud": ((number + (number % 10 == 0)) % 2, 1)}
        first_ms = START_MS + LABEL_DELAY_MS + int(at * step)
        yield at // BATCH_ROWS % LABEL_PARTITIONS, made.batch(made.filled(shown), first_ms)


class Publisher:
    """Hands record batches to a broker as they are: a client that encodes them anew would take a minute a million."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)

    def send(self, topic: str, partition: int, batches: list[bytes]) -> None:
        """One produce request (version 7) for each batch, answered before this returns."""
        for batch in batches:
            name = topic.encode()
            body = struct.pack(">hhh", -1, 1, 30_000 >> 16) + struct.pack(">H", 30_000 & 0xFFFF)
            body += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, partition, len(batch)) + batch
            head = struct.pack(">hhih", 0, 7, 1, -1)
            self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        for _ in batches:
            answer = self._read(struct.unpack(">i", self._read(4))[0])
            at = 4 + 4 + 2 + len(topic) + 4 + 4  # correlation, topics, name, partitions, partition
            (code,) = struct.unpack_from(">h", answer, at)
            assert code == 0, f"{topic}[{partition}]: the broker answered with error {code}"

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._socket.recv(size - len(data))
        return data


def publish(bootstrap: str, topic: str, partitions: int, batches: Iterator[tuple[int, bytes]]) -> None:
    """Make a topic and fill it."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    config = {"retention.ms": "-1", "segment.bytes": str(256 << 20)}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    admin.close()
    publisher = Publisher(bootstrap)
    waiting: dict[int, list[bytes]] = {}
    for partition, batch in batches:
        held = waiting.setdefault(partition, [])
        held.append(batch)
        if len(held) == BATCHES_A_REQUEST:
            publisher.send(topic, partition, waiting.pop(partition))
    for partition, held in waiting.items():
        publisher.send(topic, partition, held)


# ------------------------------------------------------------------ one run
@dataclass(frozen=True, slots=True)
class Found:
    """What one run took, and what was said beforehand. bitten: limits that the log names."""

    name: str
    events: int
    seconds: float
    peak_bytes: int
    said_bytes: int
    bitten: tuple[str, ...]


def measure(name: str, config: Path) -> Found:
    """Explain the config, then run it, watching the process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "streamcheck"]
    count = str(PARTITIONS + LABEL_PARTITIONS)
    explain = [*command, "explain", str(config), "--partitions", count, "--json"]
    said = json.loads(subprocess.run(explain, env=environment, check=True, capture_output=True).stdout)
    run = [*command, "run", str(config), "--until-end", "--no-supervise", "--json"]
    peak = 0
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(run, env=environment, stdout=out, stderr=errors)
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(SAMPLE_S)
        out.seek(0)
        errors.seek(0)
        log = errors.read().decode()
        if process.returncode:
            raise SystemExit(f"{name}: ended with exit code {process.returncode}\n{log[-4000:]}")
        did: dict[str, Any] = json.loads(out.read().splitlines()[-1])
    bitten = {line.split("the limit ")[1].split()[0] for line in log.splitlines() if "the limit " in line}
    return Found(name, did["events"], did["seconds"], peak, said["memory"]["total"], tuple(sorted(bitten)))


def peak_of(pid: int) -> int:
    """The most resident memory of a process so far, in bytes; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--kafka", default=os.environ.get("STREAMCHECK_TEST_KAFKA"), help="broker (default: start one)")
    args = parser.parse_args()
    with broker(args.kafka) as bootstrap, tempfile.TemporaryDirectory() as folder:
        run, began = f"memory-{time.time_ns()}", time.perf_counter()
        publish(bootstrap, f"{run}.predictions", PARTITIONS, predictions(args.events))
        publish(bootstrap, f"{run}.labels", LABEL_PARTITIONS, labels(args.events))
        print(f"published in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        found = []
        for name, limits in (("default", ""), ("tiny", TINY)):
            config = Path(folder) / f"{name}.yaml"
            config.write_text(CONFIG.format(name=name, bootstrap=bootstrap, run=run, folder=folder) + limits)
            found.append(measure(name, config))
    print("limits   events     seconds  peak MiB  explain MiB  share  limits that bit")
    for f in found:
        peak, said = f.peak_bytes / 2**20, f.said_bytes / 2**20
        figures = f"{f.name:8} {f.events:<10,} {f.seconds:7.1f} {peak:9,.0f} {said:12,.0f} {peak / said:6.0%}"
        print(f"{figures}  {', '.join(f.bitten)}")
    if any(f.peak_bytes > f.said_bytes for f in found):
        raise SystemExit("a run took more than `explain` said")


if __name__ == "__main__":
    main()
